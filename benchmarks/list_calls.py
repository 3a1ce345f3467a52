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
from benchmarks.list_calls_databases import Filled, Server, open_filled, run_server
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


_FULL = Effort(totals=(10_000, 1_000_000, _FULL_SIZE), repetitions=5, requests=40, writes=20_000)
_QUICK = Effort(totals=(10_000, 100_000), repetitions=2, requests=5, writes=2_000)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one database."""

    filled: Filled
    asked: Sequence[Asked]
    times: Sequence[Times]

    def find_worst_ms(self, kind: str) -> float:
        """The greatest p95 of the pages of this kind of case."""
        pairs = zip(self.asked, self.times, strict=True)
        return max(own.find_quantile(0.95) for page, own in pairs if page.case.kind == kind)

    def find(self, case: str, page: str) -> tuple[Asked, Times]:
        """A page of a case."""
        pairs = zip(self.asked, self.times, strict=True)
        return next((asked, own) for asked, own in pairs if (asked.case.name, asked.page) == (case, page))


async def measure(effort: Effort, *, folder: Path, server: Server | None) -> list[report.Figure]:
    """The figures of a kind of database; the times of every page go to standard error."""
    filled = [await open_filled(total, folder=folder, server=server) for total in effort.totals]
    async with requests.serve_all(filled, server_pid=None if server is None else server.pid) as served:
        asked = [await requests.prepare(one) for one in served]
        times = await requests.measure(served, asked, repetitions=effort.repetitions, requests=effort.requests)
    measured = [Measured(*row) for row in zip(filled, asked, times, strict=True)]
    print(render_pages(measured), file=sys.stderr)
    written = await list_calls_writes.measure(effort.writes, server=server)
    return [*sum_up(measured), *await compare_with_naive(measured), *written, *list_pages(measured)]


def sum_up(measured: Sequence[Measured]) -> list[report.Figure]:
    """The figures that have targets: of the largest database, and beside the smallest one."""
    least, most = measured[0], measured[-1]
    name = most.filled.name
    pairs = zip(least.times, most.times, strict=True)
    counted = [page.case.kind == "counted" for page in most.asked]
    p95s = [(small.find_quantile(0.95), large.find_quantile(0.95)) for small, large in pairs]
    grown = [large - small for (small, large), is_counted in zip(p95s, counted, strict=True) if is_counted]
    steep = sum(
        is_counted and large > _GROWTH * small and large > small + _GROWTH_MS
        for (small, large), is_counted in zip(p95s, counted, strict=True)
    )
    beside = f"{name} beside {least.filled.name}"
    return [
        report.at_most(f"{name}, any filters, any page: worst p95", most.find_worst_ms("counted"), "ms", _LIMIT_MS),
        report.at_most(
            f"{name}, text search and sorts, first page: worst p95", most.find_worst_ms("scanned"), "ms",
            _SCANNED_LIMIT_MS,
        ),
        report.Figure(f"{beside}, any filters, any page: greatest growth of p95", max(grown), "ms"),
        report.at_most(f"{beside}: pages that grew by half and by more than {_GROWTH_MS:g} ms", steep, "pages", 0),
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
            ratio = naive_ms / own.find_quantile(0.5)
            name = f"{one.filled.name}, {case}, middle"
            figures.append(report.Figure(f"{name}: COUNT and OFFSET (given up after 60 s each)", naive_ms, "ms"))
            title = f"{name}: COUNT and OFFSET, times our whole request"
            figures.append(
                report.at_least(title, ratio, "x", _FASTER_THAN_NAIVE) if is_full else report.Figure(title, ratio, "x")
            )
    return figures


def list_pages(measured: Sequence[Measured]) -> list[report.Figure]:
    """Four figures of every page of every database."""
    return [
        report.Figure(f"{one.filled.name}, {asked.case.name}, {asked.page}: {label}", value, "ms")
        for one in measured
        for asked, own in zip(one.asked, one.times, strict=True)
        for label, value in (
            *((f"p{percent}", own.find_quantile(percent / 100)) for percent in (50, 95, 99)),
            ("CPU", own.cpu_ms_of_request),
        )
    ]


def render_pages(measured: Sequence[Measured]) -> str:
    """A table: a line per page; p50/p95/p99 of the wall and the CPU, in ms, for each database."""
    lines = [f"{'p50/p95/p99 CPU in ms':60}" + "".join(f"{one.filled.name:>30}" for one in measured)]
    for number, asked in enumerate(measured[0].asked):
        cells = [one.times[number] for one in measured]
        texts = [
            "/".join(f"{own.find_quantile(share):.1f}" for share in (0.5, 0.95, 0.99))
            + f" {own.cpu_ms_of_request:6.1f}"
            for own in cells
        ]
        lines.append(f"{asked.case.name + ', ' + asked.page:60}" + "".join(f"{text:>30}" for text in texts))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.list_calls", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 and 100 thousand calls, under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir(), "ringdown-list-calls"),
        help="where the databases are kept; 30 GB in all (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    effort = _QUICK if options.quick else _FULL
    options.folder.mkdir(parents=True, exist_ok=True)
    figures: list[report.Figure] = []
    for kind in [options.database] if options.database else ["sqlite", "postgresql"]:
        with ExitStack() as stack:
            server = stack.enter_context(run_server(options.folder)) if kind == "postgresql" else None
            figures += asyncio.run(measure(effort, folder=options.folder, server=server))
    if not options.json:  # the pages were printed as a table
        figures = [figure for figure in figures if figure.target is not None or "p95" not in figure.name]
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
