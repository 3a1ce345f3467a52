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

from benchmarks import list_calls_cases as cases
from benchmarks.list_calls_cases import Case, Page
from benchmarks.list_calls_databases import Filled
from benchmarks.requests_client import Client
from ringdown.cli.preflight import find_free_port

_HOST = "127.0.0.1"
_START_S = 60.0
_BATCH_PLACES = (0.2, 0.5, 0.8)


@dataclass(frozen=True, slots=True)
class Served:
    """The API of a database, with a kept connection; and the processes that work for it."""

    filled: Filled
    client: Client
    pids: tuple[int, ...]

    def read_cpu_ms(self) -> float:
        """CPU milliseconds so far of the API and of the PostgreSQL server, which serves all databases."""
        pids = [*self.pids[:1], *(child for pid in self.pids[1:] for child in list_children(pid))]
        return sum(read_cpu_ms(pid) for pid in pids)


@dataclass(slots=True)
class Times:
    """Milliseconds of requests, a list per repetition; and CPU milliseconds per request, one per repetition."""

    wall_ms: list[list[float]] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def find_quantile(self, share: float) -> float:
        """The median over the repetitions of what this share of a repetition's requests did not exceed."""
        return statistics.median(find_quantile(repetition, share) for repetition in self.wall_ms)

    @property
    def cpu_ms_of_request(self) -> float:
        """The median CPU milliseconds of a request."""
        return statistics.median(self.cpu_ms)


@dataclass(frozen=True, slots=True)
class Asked:
    """One page of one case, asked with each of its variants in turn; `total` is that of the first."""

    case: Case
    page: Page
    paths: Sequence[str]
    total: int


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
    try:
        client = await _connect(port, filled.key)
        yield Served(filled, client, (process.pid,) if server_pid is None else (process.pid, server_pid))
        client.close()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _connect(port: int, key: str) -> Client:
    async with asyncio.timeout(_START_S):
        while True:
            try:
                return await Client.connect(_HOST, port, key)
            except OSError:
                await asyncio.sleep(0.05)


async def prepare(served: Served) -> list[Asked]:
    """The pages to ask for: where the middle and the end of each list are is asked first."""
    total = await _find_total(served.client, cases.make_path({}))
    batch_ids = [await _find_batch(served.client, int(total * share)) for share in _BATCH_PLACES]
    asked: list[Asked] = []
    for case in cases.list_cases(served.filled.organizations[0], batch_ids):
        totals = [await _find_total(served.client, cases.make_path(filters)) for filters in case.variants]
        for page in case.pages:
            pairs = zip(case.variants, totals, strict=True)
            paths = [await _find_path(served.client, page, filters, total) for filters, total in pairs]
            asked.append(Asked(case, page, paths, totals[0]))
    return asked


async def _find_total(client: Client, path: str) -> int:
    return int(json.loads(await client.get(path))["pagination"]["total"])


async def _find_batch(client: Client, offset: int) -> str:
    """The batch of a call about there."""
    body = json.loads(await client.get(cases.make_path({"direction": "outbound"}, offset=offset // 2)))
    return next(str(call["metadata"]["campaign_id"]) for call in body["data"] if "campaign_id" in call["metadata"])


async def _find_path(client: Client, page: Page, filters: cases.Filters, total: int) -> str:
    if page == "first":
        return cases.make_path(filters)
    offset = total // 2 if page in ("middle", "cursor") else max(total - 1, 0) // cases.LIMIT * cases.LIMIT
    path = cases.make_path(filters, offset=offset)
    if page != "cursor":
        return path
    pagination = json.loads(await client.get(path))["pagination"]
    return cases.make_path(filters, cursor=pagination["next_cursor"]) if pagination.get("next_cursor") else path


async def measure(
    databases: Sequence[Served], asked: Sequence[Sequence[Asked]], *, repetitions: int, requests: int
) -> list[list[Times]]:
    """The times of each database and page; the databases are asked alternately, all pages in each repetition."""
    times = [[Times() for _ in pages] for pages in asked]
    for _ in range(repetitions):
        for number in range(len(asked[0])):
            for own in times:
                own[number].wall_ms.append([])
            cpu_ms = [0.0] * len(databases)
            for request in range(requests):
                for place, served in enumerate(databases):
                    paths = asked[place][number].paths
                    cpu_ms[place] -= served.read_cpu_ms()
                    began_s = time.perf_counter()
                    await served.client.get(paths[request % len(paths)])
                    times[place][number].wall_ms[-1].append((time.perf_counter() - began_s) * 1000)
                    cpu_ms[place] += served.read_cpu_ms()
            for own, spent in zip(times, cpu_ms, strict=True):
                own[number].cpu_ms.append(spent / requests)
    return times


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
