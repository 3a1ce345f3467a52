"""Times whole requests for lists of calls: over loopback, to API processes of their own, with a key."""

import asyncio
import json
import math
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import list_calls_cases as cases
from benchmarks.list_calls_cases import Case, Page
from benchmarks.list_calls_databases import Filled
from benchmarks.requests_client import Client
from ringdown.cli.preflight import find_free_port

_HOST = "127.0.0.1"
_START_S = 60.0
_IDLE_S = 1.0
_BATCH_PLACES = (0.2, 0.5, 0.8)


class Served:
    """The API of a database, with a kept connection; and the processes that work for it."""

    def __init__(self, filled: Filled, *, port: int, pids: Sequence[int]) -> None:
        self.filled = filled
        self._port = port
        self._pids = pids
        self._client: Client | None = None
        self._asked_s = 0.0

    async def connect(self) -> None:
        """Make sure of a connection: the API closes one that is idle for some seconds."""
        if self._client is not None and time.monotonic() - self._asked_s > _IDLE_S:
            self.close()
        if self._client is None:
            self._client = await Client.connect(_HOST, self._port, self.filled.key)
        self._asked_s = time.monotonic()

    async def get(self, path: str) -> bytes:
        """The body of a 200, by the connection that is there."""
        assert self._client is not None
        return await self._client.get(path)

    async def read_page(self, path: str) -> dict[str, Any]:
        """The parsed body of a 200."""
        await self.connect()
        body: dict[str, Any] = json.loads(await self.get(path))
        return body

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def read_cpu_ms(self) -> float:
        """CPU milliseconds so far of the API and of the PostgreSQL server, which serves all databases."""
        api, *servers = self._pids
        return sum(read_cpu_ms(pid) for pid in (api, *(child for pid in servers for child in list_children(pid))))


@dataclass(slots=True)
class Times:
    """Wall and CPU milliseconds of requests, a list per repetition."""

    wall_ms: list[list[float]] = field(default_factory=list)
    cpu_ms: list[list[float]] = field(default_factory=list)

    def begin(self) -> None:
        """Begin a repetition."""
        self.wall_ms.append([])
        self.cpu_ms.append([])

    def add(self, wall_ms: float, cpu_ms: float) -> None:
        """Add a request."""
        self.wall_ms[-1].append(wall_ms)
        self.cpu_ms[-1].append(cpu_ms)

    def find_wall_ms(self, share: float) -> float:
        """The median over the repetitions of what this share of a repetition's requests did not exceed."""
        return statistics.median(find_quantile(repetition, share) for repetition in self.wall_ms)

    def find_cpu_ms(self, share: float) -> float:
        """The same of the CPU time, of the API and of the database server."""
        return statistics.median(find_quantile(repetition, share) for repetition in self.cpu_ms)


@dataclass(frozen=True, slots=True)
class Asked:
    """One page of one case, asked with each of its variants in turn."""

    case: Case
    page: Page
    paths: Sequence[str]


def find_quantile(measured: Iterable[float], share: float) -> float:
    """The value that this share of the measured ones does not exceed."""
    ordered = sorted(measured)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


@asynccontextmanager
async def serve_all(databases: Sequence[Filled], *, server_pid: int | None) -> AsyncIterator[list[Served]]:
    """The API of each database for the block."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serve(filled, server_pid=server_pid)) for filled in databases]


@asynccontextmanager
async def serve(filled: Filled, *, server_pid: int | None) -> AsyncIterator[Served]:
    """`python -m ringdown.api` on a free port until the block ends."""
    port = find_free_port(_HOST)
    environment = os.environ | {
        "RINGDOWN_DATA_DIR": str(filled.folder),
        "RINGDOWN_HTTP_PORT": str(port),
        "RINGDOWN_RATE_LIMIT_ENABLED": "false",
        "RINGDOWN_LOG_LEVEL": "warning",
    }
    if filled.url is not None:
        environment["RINGDOWN_DATABASE_URL"] = filled.url
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ringdown.api", env=environment)
    served = Served(filled, port=port, pids=(process.pid,) if server_pid is None else (process.pid, server_pid))
    try:
        await _await_start(served)
        yield served
    finally:
        served.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _await_start(served: Served) -> None:
    async with asyncio.timeout(_START_S):
        while True:
            try:
                return await served.connect()
            except OSError:
                await asyncio.sleep(0.05)


async def prepare(served: Served) -> list[Asked]:
    """The pages to ask for: where the middle and the end of each list are is asked first."""
    total = await _find_total(served, cases.make_path({}))
    batch_ids = [await _find_batch(served, int(total * share)) for share in _BATCH_PLACES]
    asked: list[Asked] = []
    for case in cases.list_cases(served.filled.organizations[0], batch_ids):
        # Where a total is not needed, nothing is asked before it is measured.
        has_depth = case.pages != ("first",)
        totals = [await _find_total(served, cases.make_path(filters)) if has_depth else 0 for filters in case.variants]
        for page in case.pages:
            pairs = zip(case.variants, totals, strict=True)
            asked.append(
                Asked(case, page, [await _find_path(served, page, filters, total) for filters, total in pairs])
            )
    return asked


async def _find_total(served: Served, path: str) -> int:
    return int((await served.read_page(path))["pagination"]["total"])


async def _find_batch(served: Served, offset: int) -> str:
    """The batch of a call about there."""
    calls = (await served.read_page(cases.make_path({}, offset=offset)))["data"]
    return next(str(call["metadata"]["campaign_id"]) for call in calls if "campaign_id" in call["metadata"])


async def _find_path(served: Served, page: Page, filters: cases.Filters, total: int) -> str:
    if page == "first":
        return cases.make_path(filters)
    offset = total // 2 if page in ("middle", "cursor") else max(total - 1, 0) // cases.LIMIT * cases.LIMIT
    path = cases.make_path(filters, offset=offset)
    if page != "cursor":
        return path
    cursor = (await served.read_page(path))["pagination"].get("next_cursor")
    return path if cursor is None else cases.make_path(filters, cursor=cursor)


async def measure(
    databases: Sequence[Served], asked: Sequence[Sequence[Asked]], *, repetitions: int, requests: int
) -> list[list[Times]]:
    """The times of each database and page; the databases are asked alternately, all pages in each repetition."""
    times = [[Times() for _ in pages] for pages in asked]
    for repetition in range(repetitions):
        for number in range(len(asked[0])):
            for own in times:
                own[number].begin()
            for request in range(requests):
                for served, pages, own in zip(databases, asked, times, strict=True):
                    paths = pages[number].paths
                    own[number].add(*await _time(served, paths[(repetition + request) % len(paths)]))
    return times


async def _time(served: Served, path: str) -> tuple[float, float]:
    """The wall and CPU milliseconds of a request."""
    while True:
        await served.connect()
        cpu_ms, began_s = served.read_cpu_ms(), time.perf_counter()
        try:
            await served.get(path)
        except asyncio.IncompleteReadError:  # closed at the moment of the request, as idle: the machine is busy
            served.close()
            continue
        wall_ms = (time.perf_counter() - began_s) * 1000
        return wall_ms, served.read_cpu_ms() - cpu_ms


def list_children(pid: int) -> list[int]:
    """The processes that this one started and that run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def read_cpu_ms(pid: int) -> float:
    """CPU milliseconds of all threads of a process so far."""
    spent = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            spent += int((thread / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
    return spent / 1e6
