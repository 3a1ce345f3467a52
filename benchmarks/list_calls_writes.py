"""Measures what the counters cost those who store calls and end them: CPU with them, and with the same schema alone."""

import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from unittest import mock

from benchmarks import report
from benchmarks.list_calls_databases import Server, recreate
from benchmarks.list_calls_requests import list_children, read_cpu_ms
from benchmarks.list_calls_rows import LIVE, CallMaker, Chunk
from ringdown import values
from ringdown.accounts import service as accounts
from ringdown.calls import service
from ringdown.calls.models import CallSettings, FinishedCall, TranscriptTurn
from ringdown.calls.store import counts, seals
from ringdown.config import Settings
from ringdown.db import engine, migrate
from ringdown.db.engine import Database

_SHARE = 0.8
# Calls that one writer stores before it is the other's turn, and those before anything is measured.
_PART, _WARM_UP = 256, 32
_PLACED = ("direction", "agent_id", "to_number", "from_number", "batch_call_id", "contact_id", "trunk_id")
_SPOKEN: Sequence[tuple[Literal["agent", "contact"], str]] = (
    ("agent", "Good morning, how can I help you?"),
    ("contact", "I would like to move my appointment to next week."),
)


class Writer:
    """Stores and ends calls in a database of its own, a transaction each; `has_counters` or has them switched off."""

    def __init__(self, database: Database, settings: Settings, organization_id: str, *, has_counters: bool) -> None:
        self._database = database
        self._settings = settings
        self._organization_id = organization_id
        self._has_counters = has_counters

    async def write(self, rows: list[dict[str, Any]]) -> None:
        """Store and end the calls, and seal what they fill."""
        if self._has_counters:
            await self._write(rows)
            async with self._database.write() as connection:
                await seals.seal_blocks(connection, self._organization_id)
        else:
            with mock.patch.object(counts, "note_change"):
                await self._write(rows)

    async def _write(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            async with self._database.write() as connection:
                call = await service.insert_call(
                    connection,
                    organization_id=self._organization_id,
                    id=values.new_id("call"),
                    status="ringing",
                    settings=CallSettings(),
                    variables={},
                    metadata=json.loads(row["metadata"]),
                    **{name: row[name] for name in _PLACED},
                )
            await service.finish_call(
                self._database,
                settings=self._settings,
                organization_id=self._organization_id,
                call_id=call.id,
                finish=_make_finish(row, row["started_at"] and call.created_at),
            )


def _make_finish(row: dict[str, Any], started_at: int | None) -> FinishedCall:
    spoken = _SPOKEN if row["summary"] is not None else ()
    turns = tuple(
        TranscriptTurn(position=place, speaker=speaker, text=text, start_ms=place * 3_000, end_ms=place * 3_000 + 2_500)
        for place, (speaker, text) in enumerate(spoken)
    )
    return FinishedCall(
        ended_reason=row["ended_reason"],
        media_ms=row["duration_seconds"] * 1000,
        started_at=started_at,
        turns=turns,
        summary=row["summary"],
        has_recording=row["has_recording"],
    )


async def measure(count: int, *, server: Server | None) -> list[report.Figure]:
    """Calls stored and ended per CPU second, in turns with and without counters."""
    # The newest calls of what is made have not ended.
    [chunk] = CallMaker(count + LIVE).make()
    spent_ms = {True: 0.0, False: 0.0}
    async with AsyncExitStack() as stack:
        writers = {has: await stack.enter_async_context(_open_writer(server, has_counters=has)) for has in spent_ms}
        for writer in writers.values():
            await writer.write(next(_split(chunk, _WARM_UP)))
        for number, part in enumerate(_split(chunk, count)):
            for has, writer in sorted(writers.items(), reverse=bool(number % 2)):
                began_ms = _read_cpu_ms(server)
                await writer.write(part)
                spent_ms[has] += _read_cpu_ms(server) - began_ms
    name = "sqlite" if server is None else "postgresql"
    per_s = {has: count / ms * 1000 for has, ms in spent_ms.items()}
    return [
        report.Figure(f"{name}: calls stored and ended with counters", per_s[True], "per CPU-s"),
        report.Figure(f"{name}: calls stored and ended without counters", per_s[False], "per CPU-s"),
        report.at_least(f"{name}: share of the throughput with counters", per_s[True] / per_s[False], "", _SHARE),
    ]


def _split(chunk: Chunk, count: int) -> Iterator[list[dict[str, Any]]]:
    """The calls as rows by name, a block at a time."""
    names = list(chunk.calls)
    rows = [dict(zip(names, row, strict=True)) for row in chunk.list_rows(names)[:count]]
    for begin in range(0, len(rows), _PART):
        yield rows[begin : begin + _PART]


@asynccontextmanager
async def _open_writer(server: Server | None, *, has_counters: bool) -> AsyncIterator[Writer]:
    """A writer to an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        url = None
        if server is not None:
            name = f"written_{'with' if has_counters else 'without'}"
            await recreate(name, server)
            url = f"postgresql://postgres@/{name}?host={server.socket}"
        settings = Settings(data_dir=Path(folder), database_url=url)
        await migrate.migrate(settings.sqlalchemy_url)
        database = engine.open_database(settings.sqlalchemy_url)
        try:
            organization = await accounts.create_organization(database, name="Benchmark")
            yield Writer(database, settings, organization.id, has_counters=has_counters)
        finally:
            await database.close()


def _read_cpu_ms(server: Server | None) -> float:
    """CPU milliseconds so far of this process and of the server's."""
    others = [] if server is None else list_children(server.pid)
    return time.process_time() * 1000 + sum(read_cpu_ms(pid) for pid in others)
