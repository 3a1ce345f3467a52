"""Measures what the counters cost those who store calls and end them: CPU with them, and with the same schema alone."""

import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks import report
from benchmarks.list_calls_databases import Server, recreate
from benchmarks.list_calls_requests import list_children, read_cpu_ms
from benchmarks.list_calls_rows import CallMaker, Chunk
from ringdown import values
from ringdown.accounts import service as accounts
from ringdown.calls import service
from ringdown.calls.models import CallSettings
from ringdown.calls.store import calls as store
from ringdown.calls.store import counts, seals
from ringdown.config import Settings
from ringdown.db import engine, migrate
from ringdown.db.engine import Database

_SHARE = 0.8
# A block, so that each part has its share of sealing.
_PART = 4096
_PLACED = ("direction", "agent_id", "to_number", "from_number", "batch_call_id", "contact_id", "trunk_id")
_ENDED = (
    "ended_reason", "outcome", "sentiment", "started_at", "ended_at", "duration_seconds", "cost_credits", "summary",
    "has_recording", "latency_p50_ms", "latency_p95_ms",
)  # fmt: skip


class Writer:
    """Stores and ends calls in a database of its own, a transaction each; `has_counters` or has them switched off."""

    def __init__(self, database: Database, organization_id: str, *, has_counters: bool) -> None:
        self._database = database
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
            async with self._database.write() as connection:
                locked = await store.get_call(connection, self._organization_id, call.id, lock=True)
                status = "completed" if row["started_at"] is not None else "failed"
                await store.update_call(connection, locked, status=status, **{name: row[name] for name in _ENDED})


async def measure(count: int, *, server: Server | None) -> list[report.Figure]:
    """Calls stored and ended per CPU second, in turns with and without counters."""
    [chunk] = CallMaker(count).make()
    spent_ms = {True: 0.0, False: 0.0}
    async with AsyncExitStack() as stack:
        writers = {has: await stack.enter_async_context(_open_writer(server, has_counters=has)) for has in spent_ms}
        for part in _split(chunk):
            for has, writer in writers.items():
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


def _split(chunk: Chunk) -> Iterator[list[dict[str, Any]]]:
    """The calls as rows by name, a block at a time."""
    names = list(chunk.calls)
    rows = [dict(zip(names, row, strict=True)) for row in chunk.list_rows(names)]
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
            yield Writer(database, organization.id, has_counters=has_counters)
        finally:
            await database.close()


def _read_cpu_ms(server: Server | None) -> float:
    """CPU milliseconds so far of this process and of the server's."""
    others = [] if server is None else list_children(server.pid)
    return time.process_time() * 1000 + sum(read_cpu_ms(pid) for pid in others)
