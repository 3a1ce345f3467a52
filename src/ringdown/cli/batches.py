"""`ringdown batches`: list, get, create, steer, retry and watch batch calls through the API."""

import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ringdown import lifecycle
from ringdown.cli.columns import align, to_json
from ringdown.cli.organization import DataDir
from ringdown.cli.reach import AsJson, Key, Url, reach_api
from ringdown.client import ApiError, Client

app = typer.Typer(help="Batch calls: list, get, create, pause, resume, cancel, retry, watch.", no_args_is_help=True)

_HEADING = ("ID", "NAME", "STATUS", "DONE", "CONTACTS", "COMPLETED", "FAILED", "CALLING", "RETRYING", "FINISHES")
# Of what was left out.
_MOST_SHOWN = 10
_OVER = ("completed", "cancelled", "failed")

BatchId = Annotated[str, typer.Argument(help="The batch call's id.")]


@app.command(name="list")
def list_batches(
    status: Annotated[str | None, typer.Option("--status", help="Only batch calls in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to print.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """List batch calls, newest first."""
    query: dict[str, Any] = {"limit": min(limit, 100)} | ({"status": status} if status is not None else {})
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        batches: list[Mapping[str, Any]] = list(itertools.islice(client.batch_calls.iterate(**query), limit))
    if as_json:
        print(to_json(batches))
        return
    print(align(_HEADING, [_to_row(batch) for batch in batches]))


@app.command()
def get(batch_id: BatchId, as_json: AsJson = False, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """Show a batch call: its state, counts and schedule."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        _show(client.batch_calls.get(batch_id), as_json=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    agent: Annotated[str, typer.Option("--agent", help="The agent that calls.")],
    numbers: Annotated[list[str] | None, typer.Option("--to", help="A number to call; again for each other.")] = None,
    folder: Annotated[str | None, typer.Option("--folder", help="Call the contacts of this folder.")] = None,
    file: Annotated[
        Path | None, typer.Option("--csv", help="Import this file into a folder of its own, and call its contacts.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", help="Any other field of the API, as in start_time=09:00.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Create a batch call: it starts at once, or waits as a draft when it is given a `scheduled_at`."""
    body: dict[str, Any] = {**dict(_read_field(pair) for pair in fields or ()), "name": name, "agent_id": agent}
    if numbers:
        body["contacts"] = [{"phone_number": number} for number in numbers]
    if folder is not None and file is not None:
        lifecycle.fail("--folder and --csv are two folders; give one of them.")
    if file is not None and not file.is_file():
        lifecycle.fail(f"There is no file {file}.")
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        made = _create(client, body, folder=folder) if file is None else _create_from_file(client, body, file)
        _show(made, as_json=as_json)
    if made["failed_count"] and not as_json:
        print(f"{made['failed_count']} contacts were left out, the first of them:")
        for left_out in made["errors"][:_MOST_SHOWN]:
            print(f"  {left_out['phone_number']}: {left_out['reason']}")


@app.command()
def schedule(
    batch_id: BatchId,
    at: Annotated[
        str | None,
        typer.Option("--at", help="When: 2026-12-01T09:00. By default its own time, else now."),
    ] = None,
    timezone: Annotated[str | None, typer.Option("--timezone", help="The zone of a time without one.")] = None,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Start a draft, now or at its time."""
    sent = {"scheduled_at": at, "timezone": timezone}
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        _show(client.batch_calls.schedule(batch_id, **{name: value for name, value in sent.items() if value}))


@app.command()
def pause(batch_id: BatchId, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """Place no further calls until it is resumed; calls under way go on."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        _show(client.batch_calls.pause(batch_id))


@app.command()
def resume(batch_id: BatchId, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """Go on with a batch call that is paused."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        _show(client.batch_calls.resume(batch_id))


@app.command()
def cancel(batch_id: BatchId, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """Never place another call; calls under way go on."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        _show(client.batch_calls.cancel(batch_id))


@app.command()
def retry(
    batch_id: BatchId,
    reasons: Annotated[
        list[str] | None, typer.Option("--reason", help="Only those that have failed so, as in busy; may be repeated.")
    ] = None,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Call contacts that have failed once more."""
    body: dict[str, Any] = {"reasons": reasons} if reasons else {}
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        _show(client.batch_calls.retry(batch_id, **body))


@app.command()
def watch(
    batch_id: BatchId,
    interval: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between two looks.")] = 2.0,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Print a line whenever something has changed, until the batch call is over."""
    last: Mapping[str, Any] = {}
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        while True:
            batch: Mapping[str, Any] = client.batch_calls.get(batch_id)
            if _list_changing(batch) != _list_changing(last):
                print(json.dumps(batch, ensure_ascii=False) if as_json else _describe_state(batch), flush=True)
            if batch["status"] in _OVER:
                return
            last = batch
            time.sleep(interval)


def _create(client: Client, body: Mapping[str, Any], *, folder: str | None) -> Mapping[str, Any]:
    chosen: Mapping[str, Any] = {} if folder is None else {"contact_folder_id": folder}
    made: Mapping[str, Any] = client.batch_calls.create(**body, **chosen)
    return made


def _create_from_file(client: Client, body: Mapping[str, Any], file: Path) -> Mapping[str, Any]:
    """A batch call of the contacts of the file, in a folder that is not left behind when there is none."""
    folder = client.contacts.create_folder(name=f"{body['name']} {time.strftime('%Y-%m-%d %H:%M:%S')}"[-100:])["id"]
    try:
        with file.open("rb") as content:
            done = client.contacts.import_contacts(file=content, folder_id=folder)
        made = _create(client, body, folder=folder)
    except ApiError:
        client.contacts.delete_folder(folder)
        raise
    print(f"Imported {done['imported']} contacts into the folder {folder}.", file=sys.stderr)
    if done["errors"]:
        print(f"{done['errors']} rows were left out, the first of them:", file=sys.stderr)
        for left_out in done["error_details"][:_MOST_SHOWN]:
            print(f"  row {left_out['row']}: {left_out['reason']}", file=sys.stderr)
    return made


def _read_field(pair: str) -> tuple[str, Any]:
    name, sign, value = pair.partition("=")
    if not (name and sign):
        lifecycle.fail(f"--set takes NAME=VALUE, not {pair!r}.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _to_row(batch: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        batch["id"], batch["name"], batch["status"], f"{batch['progress']:g} %", batch["total_contacts"],
        batch["completed"], batch["failed"], batch["calling"], batch["retrying"], batch["estimated_completion_at"],
    )  # fmt: skip


def _list_changing(batch: Mapping[str, Any]) -> Sequence[object]:
    names = ("status", "status_reason", "completed", "failed", "calling", "retrying", "attempts")
    return [batch.get(name) for name in names]


def _describe_state(batch: Mapping[str, Any]) -> str:
    parts = [
        time.strftime("%H:%M:%S"),
        f"{batch['status']:<9} {batch['progress']:5.1f} %",
        f"{batch['called']} of {batch['total_contacts']} done",
        f"{batch['completed']} completed",
        f"{batch['failed']} failed",
        f"{batch['calling']} calling",
        f"{batch['retrying']} retrying",
    ]
    if batch["estimated_completion_at"] is not None:
        parts.append(f"finishes {batch['estimated_completion_at']}")
    if batch["status_reason"] is not None:
        parts.append(batch["status_reason"])
    return "  ".join(parts)


def _show(batch: Mapping[str, Any], *, as_json: bool = False) -> None:
    print(to_json(batch) if as_json else "\n".join(_describe(batch)))


def _describe(batch: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{heading:<10} {_to_text(value)}" for heading, value in zip(_HEADING, _to_row(batch), strict=True))
    for heading, name in (
        ("REASON", "status_reason"), ("ATTEMPTS", "attempts"), ("ANSWERED", "answered"), ("NEXT CALL", "next_call_at"),
        ("STARTED", "started_at"), ("TIMEZONE", "timezone"), ("FROM", "start_time"), ("UNTIL", "end_time"),
        ("DAYS", "working_days"), ("A DAY", "max_calls_per_day"), ("AT A TIME", "max_concurrent_calls"),
    ):  # fmt: skip
        yield f"{heading:<10} {_to_text(batch[name])}"


def _to_text(value: object) -> object:
    return "-" if value is None else value
