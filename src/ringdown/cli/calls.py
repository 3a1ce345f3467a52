"""`ringdown calls`: list, get, place, hang up, delete and export calls through the API."""

import itertools
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from ringdown import lifecycle
from ringdown.cli.columns import align, to_json
from ringdown.cli.organization import DataDir
from ringdown.cli.reach import AsJson, Key, Url, reach_api

app = typer.Typer(help="Calls: list, get, create, hang up, delete, export.", no_args_is_help=True)

_HEADING = ("ID", "STATUS", "DIRECTION", "FROM", "TO", "SECONDS", "CREDITS", "ENDED", "CREATED")
_POLL_S = 0.5
_LIVE = ("queued", "ringing", "in_progress")

CallId = Annotated[str, typer.Argument(help="The call's id.")]
Filter = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="Any filter of GET /calls as NAME=VALUE; may be given more than once."),
]
Status = Annotated[str | None, typer.Option("--status", help="Only calls in this state.")]
AgentId = Annotated[str | None, typer.Option("--agent", help="Only calls of this agent.")]
Words = Annotated[str | None, typer.Option("--search", help="Only calls with these words in transcript or summary.")]


@app.command(name="list")
def list_calls(
    status: Status = None,
    agent: AgentId = None,
    search: Words = None,
    filters: Filter = None,
    sort: Annotated[str | None, typer.Option("--sort", help="As in GET /calls: -created_at, created_at, …")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to print.")] = 20,
    offset: Annotated[int, typer.Option("--offset", min=0, help="How many to skip.")] = 0,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """List calls, newest first."""
    query = _read_query(filters, status=status, agent_id=agent, q=search, sort=sort)
    if offset:
        query["offset"] = offset
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        page = client.calls.list(**{**query, "limit": min(limit, 100)})
        calls: list[Mapping[str, Any]] = list(page.data)
        following = page.find_next(query)
        if len(calls) < limit and following is not None:
            rest = client.calls.iterate(**{**following, "limit": 100})
            calls += itertools.islice(rest, limit - len(calls))
    if as_json:
        print(to_json(calls))
        return
    print(align(_HEADING, [_to_row(call) for call in calls]))
    counted = f"{page.total}" if page.pagination.get("total_exact", True) else f"more than {page.total}"
    print(f"{len(calls)} of {counted}")


@app.command()
def get(call_id: CallId, as_json: AsJson = False, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """Show a call with its transcript."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        call = client.calls.get(call_id)
    print(to_json(call) if as_json else "\n".join(_describe(call)))


@app.command()
def create(
    to: Annotated[str, typer.Argument(help="The number to call, in E.164 form.")],
    agent: Annotated[str, typer.Option("--agent", help="The agent that calls.")],
    from_number: Annotated[str | None, typer.Option("--from", help="One of the agent's numbers.")] = None,
    variables: Annotated[list[str] | None, typer.Option("--variable", "-v", help="NAME=VALUE for the agent.")] = None,
    metadata: Annotated[list[str] | None, typer.Option("--metadata", "-m", help="NAME=VALUE, kept with it.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the call has ended.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Place a call."""
    body: dict[str, Any] = {"agent_id": agent, "phone_number": to}
    if from_number is not None:
        body["from_number"] = from_number
    if variables:
        body["variables"] = dict(_split(variables, "--variable"))
    if metadata:
        body["metadata"] = dict(_split(metadata, "--metadata"))
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        call: Mapping[str, Any] = client.calls.create(**body)
        while wait and call["status"] in _LIVE:
            time.sleep(_POLL_S)
            call = client.calls.get(call["id"])
    print(to_json(call) if as_json else "\n".join(_describe(call)))


@app.command(name="hangup")
def hang_up(call_id: CallId, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """End a call."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        client.calls.hang_up(call_id)
    print(f"Hanging up {call_id}.")


@app.command()
def delete(
    call_ids: Annotated[list[str], typer.Argument(help="The ids of calls that have ended.")],
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Delete calls with their transcripts and recordings."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        done = client.calls.bulk_delete(ids=call_ids)
    print(f"Deleted {done['deleted_count']} of {len(call_ids)}.")
    if done["failed_ids"]:
        lifecycle.fail(f"Absent, or not ended yet: {', '.join(done['failed_ids'])}.")


@app.command()
def export(
    status: Status = None,
    agent: AgentId = None,
    search: Words = None,
    filters: Filter = None,
    file_format: Annotated[str, typer.Option("--format", help="csv, or ndjson.")] = "csv",
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Write all calls of a list to standard output, however many."""
    query = _read_query(filters, status=status, agent_id=agent, q=search)
    with (
        reach_api(url=url, key=key, data_dir=data_dir) as client,
        client.calls.export(**{**query, "format": file_format}) as answer,
    ):
        for piece in answer.iter_bytes():
            sys.stdout.buffer.write(piece)


def _read_query(filters: list[str] | None, **named: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    for name, value in _split(filters or [], "--filter"):
        if name in query:
            lifecycle.fail(f"{name} is given twice.")
        query[name] = value
    return query


def _split(pairs: list[str], option: str) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (name and sign):
            lifecycle.fail(f"{option} takes NAME=VALUE, not {pair!r}.")
        yield name, value


def _to_row(call: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        call["id"], call["status"], call["direction"], call["from"], call["to"],
        call["duration_seconds"], call["cost_credits"], call["ended_reason"], call["created_at"],
    )  # fmt: skip


def _describe(call: Mapping[str, Any]) -> Iterator[str]:
    shown = (*zip(_HEADING, _to_row(call), strict=True), ("OUTCOME", call["outcome"]), ("SUMMARY", call["summary"]))
    for name, value in shown:
        yield f"{name:<10} {'-' if value is None else value}"
    for turn in call.get("transcript") or ():
        yield f"{turn['timestamp']:8.1f} s  {turn['speaker']:<8} {turn['text']}"
