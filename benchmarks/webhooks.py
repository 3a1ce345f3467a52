"""Webhooks to a receiver that fails 30 %, dies and heals: what is lost or out of order, and how fast it drains.

The real worker program sends, on SQLite and on PostgreSQL; without `--quick` it is killed (`kill -9`) several times
while the receiver fails. The receiver checks signatures as the documentation's sample does. Events per CPU second
count the worker and, on PostgreSQL, its server.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import asyncpg
import sqlalchemy as sa

from benchmarks import report
from benchmarks.webhooks_receiver import Receiver
from ringdown import values
from ringdown.accounts import service as accounts
from ringdown.agents import store as agent_store
from ringdown.config import Settings
from ringdown.db import engine, migrate
from ringdown.db.engine import Database, Dialect
from ringdown.secret import SecretBox
from ringdown.webhooks import events, service, tables
from ringdown.webhooks.models import EventType
from ringdown.webhooks.schemas import CreateWebhookEndpoint
from tests import postgresql

_SECRET = "the-secret-of-the-benchmark"
_NAMES: tuple[EventType, ...] = ("call.started", "call.joined", "call.ended", "call.billed")
_CALLS_AT_ONCE = 50
# On SQLite one who writes without a pause lets nobody else write.
_PAUSE_S = 0.01
_LIMIT_PER_CPU_S = 1_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_QUIET_S, _PATIENCE_S = 3.0, 300.0


@dataclass(frozen=True, slots=True)
class Size:
    """How many calls end while the receiver fails and while it is dead, and how often the worker is killed."""

    failing_calls: int
    failing_s: float
    dead_calls: int
    kills: int


@dataclass
class Bench:
    """One database with its worker, and the receiver."""

    dialect: Dialect
    folder: Path
    url: str | None = None
    server_pid: int | None = None
    receiver: Receiver = field(default_factory=lambda: Receiver(_SECRET))
    recorded: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    calls: int = 0
    worker: asyncio.subprocess.Process | None = None

    @property
    def settings(self) -> Settings:
        """Of the worker, and of what records."""
        return Settings(data_dir=self.folder, database_url=self.url, private_urls_allowed=True)

    async def prepare(self) -> tuple[Database, str]:
        """The database with an endpoint; the id of the organization."""
        database = engine.open_database(self.settings.sqlalchemy_url)
        organization = await accounts.create_organization(database, name="Benchmark")
        await service.create_endpoint(
            database,
            settings=self.settings,
            box=SecretBox.open(self.settings),
            organization_id=organization.id,
            body=CreateWebhookEndpoint(url=self.receiver.url, secret=_SECRET),
            require_agent=agent_store.get_agent,
        )
        return database, organization.id

    async def record(self, database: Database, organization_id: str, calls: int) -> None:
        """Four events of each of so many calls, as calls record them."""
        for begin in range(0, calls, _CALLS_AT_ONCE):
            await asyncio.sleep(_PAUSE_S)
            async with database.write() as connection:
                for _ in range(min(_CALLS_AT_ONCE, calls - begin)):
                    self.calls += 1
                    call_id = f"call_{self.calls:026}"
                    self.recorded[call_id] += await events.record_events(
                        connection,
                        organization_id=organization_id,
                        subject_id=call_id,
                        facts=[(name, {"call_id": call_id, "metadata": {"note": "x" * 500}}) for name in _NAMES],
                        now_ms=values.now_ms(),
                    )

    async def start_worker(self) -> None:
        """The worker program."""
        environment = os.environ | {
            "RINGDOWN_DATA_DIR": str(self.folder),
            "RINGDOWN_PRIVATE_URLS_ALLOWED": "true",
            "RINGDOWN_LOG_LEVEL": "error",
            **({"RINGDOWN_DATABASE_URL": self.url} if self.url else {}),
        }
        self.worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "ringdown.worker", env=environment)

    async def kill_worker(self) -> None:
        """`kill -9`."""
        assert self.worker is not None
        self.worker.kill()
        await self.worker.wait()

    def read_cpu_s(self) -> float:
        """CPU seconds of the worker and of the database's server."""
        assert self.worker is not None
        pids = [self.worker.pid]
        if self.server_pid is not None:
            children = Path(f"/proc/{self.server_pid}/task/{self.server_pid}/children").read_text().split()
            pids += [self.server_pid, *map(int, children)]
        return sum(_read_cpu_s(pid) for pid in pids)


@dataclass(frozen=True, slots=True)
class Drained:
    """How a backlog was drained."""

    events: int
    cpu_s: float
    seconds: float


async def fail(bench: Bench, database: Database, organization_id: str, size: Size) -> None:
    """Calls end while the receiver fails 30 %, and the worker is killed; then it dies, and more calls end."""
    bench.receiver.is_failing = True
    await bench.record(database, organization_id, size.failing_calls)
    await bench.start_worker()
    while not bench.receiver.failed_count:  # noqa: ASYNC110 - it takes seconds to start
        await asyncio.sleep(0.05)
    for _ in range(size.kills):
        await asyncio.sleep(size.failing_s / (size.kills + 1))
        await bench.kill_worker()
        await bench.start_worker()
    await asyncio.sleep(size.failing_s / (size.kills + 1))
    bench.receiver.is_dead = True
    await bench.record(database, organization_id, size.dead_calls)
    await asyncio.sleep(1)  # until the last requests of before are answered


async def drain(bench: Bench, database: Database) -> Drained:
    """The receiver heals: until nothing comes any more, and then until nothing is owed."""
    receiver = bench.receiver
    receiver.mark()
    before, cpu_s = len(receiver.accepted), bench.read_cpu_s()
    receiver.is_failing = receiver.is_dead = False
    give_up_s = time.perf_counter() + _PATIENCE_S
    last_s, used_s = 0.0, 0.0
    while not last_s or time.perf_counter() - last_s < _QUIET_S:
        if not last_s:  # an attempt of before may fail even now
            await _bring_forward(database)
        await asyncio.sleep(0.05)
        if receiver.last_s > last_s:
            last_s, used_s = receiver.last_s, bench.read_cpu_s() - cpu_s
        if time.perf_counter() > give_up_s:
            raise TimeoutError("nothing is sent any more")
    count = len(receiver.accepted) - before
    while await _count_pending(database) and time.perf_counter() < give_up_s:
        await _bring_forward(database)
        await asyncio.sleep(0.5)
    return Drained(count, used_s, last_s - receiver.first_s)


async def measure(bench: Bench, size: Size, turn: asyncio.Lock) -> list[report.Figure]:
    """The figures of one database; the others fail at the same time, but drain after it."""
    listener = await bench.receiver.listen()
    database, organization_id = await bench.prepare()
    try:
        await fail(bench, database, organization_id, size)
        async with turn:
            drained = await drain(bench, database)
    finally:
        if bench.worker is not None and bench.worker.returncode is None:
            bench.worker.terminate()
            await bench.worker.wait()
        await database.close()
        listener.close()
    return _judge(bench, drained)


async def measure_all(size: Size) -> Sequence[report.Figure]:
    """All figures."""
    with ExitStack() as stack:
        benches = []
        socket_folder = stack.enter_context(postgresql.run_postgresql())
        admin = await asyncpg.connect(host=str(socket_folder), user="postgres", database="postgres")
        await admin.execute("CREATE DATABASE benchmark")
        await admin.close()
        for dialect in get_args(Dialect):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            benches.append(Bench(dialect, folder))
        benches[-1].url = f"postgresql://postgres@/benchmark?host={socket_folder}"
        benches[-1].server_pid = int((socket_folder / "data" / "postmaster.pid").read_text().split()[0])
        for bench in benches:
            await migrate.migrate(bench.settings.sqlalchemy_url)
        turn = asyncio.Lock()
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(measure(bench, size, turn)) for bench in benches]
        return [figure for task in running for figure in task.result()]


def _judge(bench: Bench, drained: Drained) -> list[report.Figure]:
    arrived: dict[str, list[str]] = defaultdict(list)
    for call_id, event_id in bench.receiver.list_events():
        arrived[call_id].append(event_id)
    lost = sum(len(set(ids) - set(arrived[call_id])) for call_id, ids in bench.recorded.items())
    is_known = {call_id: set(ids) for call_id, ids in arrived.items()}
    disordered = sum(
        [one for one in ids if one in is_known[call_id]] != arrived[call_id] for call_id, ids in bench.recorded.items()
    )
    name = bench.dialect
    total = sum(map(len, bench.recorded.values()))
    return [
        report.Figure(f"{name}: events", total, ""),
        report.Figure(f"{name}: requests that failed", bench.receiver.failed_count, ""),
        report.Figure(f"{name}: events that came again", len(bench.receiver.accepted) - total + lost, ""),
        report.at_most(f"{name}: events lost", lost, "", 0),
        report.at_most(f"{name}: calls whose events came out of order", disordered, "", 0),
        report.at_most(f"{name}: wrong signatures", bench.receiver.count_wrong_signatures(), "", 0),
        report.Figure(f"{name}: backlog drained", drained.events, "events"),
        report.Figure(f"{name}: drained per second", drained.events / drained.seconds, "/s"),
        report.at_least(
            f"{name}: drained per CPU second, database included",
            drained.events / drained.cpu_s,
            "/s",
            _LIMIT_PER_CPU_S,
        ),
    ]


async def _count_pending(database: Database) -> int:
    async with database.read() as connection:
        query = sa.select(sa.func.count()).select_from(tables.deliveries).where(tables.is_pending)
        return int((await connection.execute(query)).scalar_one())


async def _bring_forward(database: Database) -> None:
    """Make what waits for another attempt due now, as if its delay had passed; what is being sent stays.

    An endpoint that had failed altogether is looked at again after a minute at the latest: now.
    """
    waits = tables.is_pending & tables.deliveries.c.lease_id.is_(None)
    fails = tables.endpoints.c.probe_at.is_not(None)
    async with database.write() as connection:
        await connection.execute(tables.endpoints.update().where(fails).values(probe_at=values.now_ms()))
        await connection.execute(tables.deliveries.update().where(waits).values(due_at=values.now_ms()))


def _read_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # a server's process that has gone
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events, and the worker is not killed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    size = Size(100, 3.0, 1_500, 0) if arguments.quick else Size(2_000, 60.0, 15_000, 5)
    return report.print_figures(asyncio.run(measure_all(size)), as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
