"""Measures lists of calls at 10 thousand, 1 million and 10 million calls, on SQLite and on PostgreSQL.

Timed is the whole HTTP request, by a client of the API's own process. The databases are asked alternately, and p95 is
the median of the p95 of several repetitions, because other programs disturb single requests. Beside the wall time
stands the CPU time of the API with the database server. The databases are made once and kept.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import list_calls_naive, list_calls_writes, report
from benchmarks import list_calls_requests as requests
from benchmarks.list_calls_databases import Filled, Server, describe_schema, open_filled, run_server
from benchmarks.list_calls_requests import Asked, Times

_FULL_SIZE = 10_000_000
_LIMIT_MS, _SCANNED_LIMIT_MS = 20.0, 50.0
_GROWTH, _GROWTH_MS = 1.5, 3.0
_FASTER_THAN_NAIVE = 100.0
_NAIVE_CASES = ("no filter", "agent", "agent + status + direction")
_NAIVE_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How large and how often."""

    totals: Sequence[int]
    repetitions: int
    requests: int
    writes: int


_FULL = Effort(totals=(10_000, 1_000_000, _FULL_SIZE), repetitions=5, requests=40, writes=8_192)
_QUICK = Effort(totals=(10_000,), repetitions=1, requests=1, writes=48)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one database."""

    filled: Filled
    asked: Sequence[Asked]
    times: Sequence[Times]

    def list_times(self, kind: str) -> list[Times]:
        """The times of the pages of this kind of case."""
        return [own for page, own in zip(self.asked, self.times, strict=True) if page.case.kind == kind]

    def find(self, case: str, page: str) -> tuple[Asked, Times]:
        """A page of a case."""
        pairs = zip(self.asked, self.times, strict=True)
        return next((asked, own) for asked, own in pairs if (asked.case.name, asked.page) == (case, page))


async def measure(effort: Effort, *, folder: Path, server: Server | None) -> tuple[list[report.Figure], list[Measured]]:
    """The figures that sum up a kind of database, and what was measured of each size of it."""
    fingerprint = await describe_schema(folder)
    filled = [
        await open_filled(total, folder=folder, server=server, fingerprint=fingerprint) for total in effort.totals
    ]
    async with requests.serve_all(filled, server_pid=None if server is None else server.pid) as served:
        asked = [await requests.prepare(one) for one in served]
        times = await requests.measure(served, asked, repetitions=effort.repetitions, requests=effort.requests)
    measured = [Measured(*row) for row in zip(filled, asked, times, strict=True)]
    written = await list_calls_writes.measure(effort.writes, server=server)
    return [*sum_up(measured), *await compare_with_naive(measured), *written], measured


def sum_up(measured: Sequence[Measured]) -> list[report.Figure]:
    """The figures that have targets: of the largest database, and beside the smallest one."""
    least, most = measured[0], measured[-1]
    name, beside = most.filled.name, f"{most.filled.name} beside {least.filled.name}"
    counted, scanned = most.list_times("counted"), most.list_times("scanned")
    pairs = list(zip(least.list_times("counted"), counted, strict=True))
    p95s = [(small.find_wall_ms(0.95), large.find_wall_ms(0.95)) for small, large in pairs]
    steep = [large - small for small, large in p95s if large > max(_GROWTH * small, small + _GROWTH_MS)]
    cpu_ms = [large.find_cpu_ms(0.5) - small.find_cpu_ms(0.5) for small, large in pairs]
    return [
        report.at_most(
            f"{name}, any filters, any page: worst p95", max(large for _, large in p95s), "ms", _LIMIT_MS
        ),
        report.Figure(
            f"{name}, any filters, any page: worst p95 of the CPU", max(own.find_cpu_ms(0.95) for own in counted), "ms"
        ),
        report.at_most(
            f"{name}, text search and sorts, first page: worst p95",
            max(own.find_wall_ms(0.95) for own in scanned), "ms", _SCANNED_LIMIT_MS,
        ),
        report.Figure(
            f"{name}, text search and sorts: worst p95 of the CPU", max(own.find_cpu_ms(0.95) for own in scanned), "ms"
        ),
        report.at_most(f"{beside}: pages whose p95 grew by half and by 3 ms", len(steep), f"of {len(pairs)}", 0),
        report.Figure(f"{beside}: greatest growth of p95", max(large - small for small, large in p95s), "ms"),
        report.Figure(f"{beside}: greatest growth of the median CPU", max(cpu_ms), "ms"),
    ]  # fmt: skip


async def compare_with_naive(measured: Sequence[Measured]) -> list[report.Figure]:
    """How many times faster the page in the middle is than COUNT and OFFSET on the same database."""
    figures = []
    for one in measured:
        is_full = one.filled.total >= _FULL_SIZE
        for case in _NAIVE_CASES:
            asked, own = one.find(case, "middle")
            naive_ms = await list_calls_naive.measure_middle(
                one.filled, asked.case.variants[0], repetitions=1 if is_full else 3, limit_s=_NAIVE_LIMIT_S
            )
            ratio = naive_ms / own.find_wall_ms(0.5)
            name = f"{one.filled.name}, {case}, middle"
            figures.append(report.Figure(f"{name}: COUNT and OFFSET (given up after 60 s each)", naive_ms, "ms"))
            title = f"{name}: COUNT and OFFSET, times our whole request"
            figures.append(
                report.at_least(title, ratio, "x", _FASTER_THAN_NAIVE) if is_full else report.Figure(title, ratio, "x")
            )
    return figures


def list_pages(measured: Sequence[Measured]) -> list[report.Figure]:
    """The figures of every page of every database."""
    return [
        report.Figure(f"{one.filled.name}, {asked.case.name}, {asked.page}: {label}", value, "ms")
        for one in measured
        for asked, own in zip(one.asked, one.times, strict=True)
        for label, value in (
            *((f"p{percent}", own.find_wall_ms(percent / 100)) for percent in (50, 95, 99)),
            *((f"CPU p{percent}", own.find_cpu_ms(percent / 100)) for percent in (50, 95)),
        )
    ]


def render_pages(measured: Sequence[Measured]) -> str:
    """A table: a line per page; for each database p50, p95 and p99 of the wall, then p50 and p95 of the CPU."""
    lines = [f"{'ms: p50/p95/p99, CPU p50/p95':60}" + "".join(f"{one.filled.name:>32}" for one in measured)]
    for number, asked in enumerate(measured[0].asked):
        line = f"{asked.case.name + ', ' + asked.page:60}"
        for own in (one.times[number] for one in measured):
            wall = "/".join(f"{own.find_wall_ms(share):.1f}" for share in (0.5, 0.95, 0.99))
            cpu = "/".join(f"{own.find_cpu_ms(share):.1f}" for share in (0.5, 0.95))
            line += f"{wall:>20}{cpu:>12}"
        lines.append(line)
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.list_calls", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 thousand calls alone, under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir(), "ringdown-list-calls"),
        help="where the databases are kept; 60 GB in all (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    effort = _QUICK if options.quick else _FULL
    options.folder.mkdir(parents=True, exist_ok=True)
    figures: list[report.Figure] = []
    for kind in [options.database] if options.database else ["sqlite", "postgresql"]:
        with ExitStack() as stack:
            server = stack.enter_context(run_server(options.folder)) if kind == "postgresql" else None
            summary, measured = asyncio.run(measure(effort, folder=options.folder, server=server))
        figures += summary
        if options.json:
            figures += list_pages(measured)
        else:
            print(render_pages(measured) + "\n")
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
