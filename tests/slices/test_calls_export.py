"""The export of calls: whole lists as CSV and as JSON lines, streamed in pages."""

import asyncio
import contextlib
import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.api import app as api_app
from ringdown.calls import export
from ringdown.calls.store import listing
from ringdown.config import Settings
from ringdown.db.engine import Database
from tests.slices.conftest import BASE, Tenant, on_sqlite
from tests.slices.test_calls_search import add_call

START = values.parse_wire_time("2026-04-05T09:00:00Z")


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports need several pages even for few calls."""
    monkeypatch.setattr(export, "_PAGE", 3)


async def _export(tenant: Tenant, **query: str) -> httpx.Response:
    response = await tenant.client.get(f"{BASE}/calls/export", params=query)
    assert response.status_code == 200, response.text
    return response


def _read_csv(response: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


async def test_json_lines_are_the_calls_as_the_list_shows_them(tenant: Tenant) -> None:
    for seq in range(1, 9):
        await tenant.add_call(seq=seq, duration_seconds=seq % 3, created_at=START + seq)
    for sort in ("-created_at", "created_at", "-duration_seconds"):
        listed = (await tenant.client.get(f"{BASE}/calls", params={"sort": sort})).json()["data"]
        response = await _export(tenant, format="ndjson", sort=sort)
        assert response.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line) for line in response.text.splitlines()] == listed


@on_sqlite
async def test_csv_has_a_header_and_every_field_of_a_call(tenant: Tenant) -> None:
    call = await tenant.add_call(
        seq=1,
        summary='He said: "No,\nthanks".',
        metadata={"tier": "gold"},
        duration_seconds=142,
        started_at=START,
        latency_p50_ms=640,
        created_at=START,
    )
    response = await _export(tenant)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="calls.csv"'
    shown = (await tenant.client.get(f"{BASE}/calls")).json()["data"][0]
    [row] = _read_csv(response)
    assert list(row) == list(shown)
    assert row["id"] == call.id
    assert row["summary"] == 'He said: "No,\nthanks".'
    assert (row["duration_seconds"], row["ended_at"], row["to"]) == ("142", "", "+12125551234")
    assert json.loads(row["metadata"]) == {"tier": "gold"}
    assert json.loads(row["latency"]) == {"p50_ms": 640, "p95_ms": None}
    assert response.text.endswith("\r\n")


@on_sqlite
@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-2", "@SUM(A1)", "\tx", "\rx", "＝1", "+", "+12125551234 "])
async def test_what_a_spreadsheet_would_run_is_kept_from_it(tenant: Tenant, text: str) -> None:
    await tenant.add_call(seq=1, summary=text, created_at=START)
    assert _read_csv(await _export(tenant))[0]["summary"] == f"'{text}"
    [line] = (await _export(tenant, format="ndjson")).text.splitlines()
    assert json.loads(line)["summary"] == text


async def test_an_export_takes_the_filters_of_the_list(tenant: Tenant, stranger: Tenant) -> None:
    await stranger.add_call(seq=1)
    calls = [
        await add_call(
            tenant,
            seq=seq,
            spoken=("refund",) if seq % 2 else (),
            status="completed" if seq % 3 else "failed",
            started_at=START,
            metadata={"tier": "gold"},
            duration_seconds=seq,
            created_at=START + seq,
        )
        for seq in range(1, 15)
    ]
    for query, wanted in (
        ({"status": "failed"}, [call for call in calls if call.status == "failed"]),
        ({"q": "refund"}, [call for call in calls if call.seq % 2]),
        ({"q": "refund", "status": "ended"}, [call for call in calls if call.seq % 2 and call.seq % 3]),
        ({"metadata.tier": "gold", "min_duration": "10"}, calls[9:]),
        ({"from_number": "+18005559876"}, calls),
        ({"q": "nothing"}, []),
    ):
        for sort in ("-created_at", "-duration_seconds"):
            rows = _read_csv(await _export(tenant, **query, sort=sort))
            assert [row["id"] for row in rows] == [call.id for call in reversed(wanted)], query


async def test_an_export_can_hold_what_was_said(tenant: Tenant) -> None:
    await add_call(tenant, seq=1, spoken=("Hello?",), started_at=START, created_at=START)
    [row] = _read_csv(await _export(tenant, include="transcript"))
    assert [turn["text"] for turn in json.loads(row["transcript"])] == ["Hello?"]
    [line] = (await _export(tenant, include="transcript", format="ndjson")).text.splitlines()
    assert json.loads(line)["transcript"][0]["text"] == "Hello?"
    assert "transcript" not in (await _export(tenant)).text.splitlines()[0].split(",")


@on_sqlite
async def test_an_empty_export_is_a_header_or_nothing(tenant: Tenant) -> None:
    assert _read_csv(await _export(tenant)) == []
    assert (await _export(tenant)).text.startswith("id,status,direction,agent_id,to,from,")
    assert (await _export(tenant, include="transcript")).text.splitlines()[0].endswith(",transcript")
    assert (await _export(tenant, format="ndjson")).content == b""


@on_sqlite
@pytest.mark.parametrize(
    ("query", "field"),
    [("format=xml", "format"), ("limit=5", "limit"), ("cursor=a", "cursor"), ("status=done", "status"), ("q=", "q")],
)
async def test_a_bad_parameter_is_refused_before_the_file_begins(tenant: Tenant, query: str, field: str) -> None:
    response = await tenant.client.get(f"{BASE}/calls/export?{query}")
    assert (response.status_code, response.json()["error"]["details"]["field"]) == (422, field)


@on_sqlite
async def test_an_export_needs_a_key(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get(f"{BASE}/calls/export")).status_code == 401


async def test_calls_that_come_in_while_a_file_is_written_neither_move_nor_double_others(
    tenant: Tenant, database: Database
) -> None:
    calls = [await tenant.add_call(seq=seq, created_at=START + seq) for seq in range(1, 8)]
    query = listing.CallQuery(organization_id=tenant.organization_id)
    seen = []
    async for page in export.read_pages(database, query):
        seen += [call.id for call, _ in page]
        await tenant.add_call(seq=100 + len(seen), created_at=START + 100 + len(seen))
        async with database.write() as connection:  # no reader holds the database between two pages
            assert not connection.closed
    assert seen == [call.id for call in reversed(calls)]


class _Cut(Exception):
    """The connection was cut."""


async def _receive_until_cut(settings: Settings, database: Database, key: str) -> tuple[int, bytes, bool]:
    """Status and body of an export, and whether the server ended it properly."""
    app, sent, status, is_ended = api_app.create_app(settings, database), b"", 0, False
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": f"{BASE}/calls/export", "raw_path": b"", "query_string": b"format=ndjson", "root_path": "",
        "headers": [(b"authorization", key.encode())], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip

    request = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in request:
            return message
        await asyncio.Event().wait()  # the client stays
        raise AssertionError

    async def send(message: Any) -> None:
        nonlocal sent, status, is_ended
        status = message.get("status", status)
        sent += message.get("body", b"")
        is_ended = message["type"] == "http.response.body" and not message.get("more_body", False)

    with contextlib.suppress(_Cut):
        await app(scope, receive, send)
    return status, sent, is_ended


@pytest.mark.parametrize("pages", [0, 1])
async def test_an_export_that_fails_is_an_error_before_its_beginning_and_cut_off_after_it(
    tenant: Tenant, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    for seq in range(1, 8):
        await tenant.add_call(seq=seq, created_at=START + seq)
    read = listing.find_next
    left = pages

    async def break_off(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _Cut
        return await read(*arguments, **options)

    monkeypatch.setattr(listing, "find_next", break_off)
    key = tenant.client.headers["authorization"]
    status, sent, is_ended = await _receive_until_cut(settings, database, key)
    if pages == 0:
        assert (status, is_ended) == (500, True)
        assert json.loads(sent)["error"]["code"] == "internal_error"
    else:
        assert (status, is_ended, len(sent.splitlines())) == (200, False, 3)


async def test_a_client_that_goes_away_ends_the_reading(tenant: Tenant, database: Database) -> None:
    for seq in range(1, 8):
        await tenant.add_call(seq=seq, created_at=START + seq)
    pages = export.read_pages(database, listing.CallQuery(organization_id=tenant.organization_id))
    assert len(await anext(pages)) == 3
    await pages.aclose()
    assert [page async for page in _rest(pages)] == []


async def _rest(pages: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for page in pages:
        yield page
