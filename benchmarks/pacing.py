"""Pacing: a hundred attempts a second from one worker, limits kept at the far end, large batches like small ones.

Three parts: the worker program queues calls at a set pace, and its CPU is read while they are claimed; the whole
product dials a phone farm, which counts each sliding second and the calls at a time; and the same number of calls is
queued and claimed in a batch of 1,000 contacts and in a large one, by turns.
"""

import argparse
import contextlib
import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import pacing_claims, pacing_wire, report
from benchmarks.chaos_product import KINDS, Kind, Store, open_store

Part = Callable[[Store], list[report.Figure]]


def _measure(kind: Kind, part: Part) -> list[report.Figure]:
    with tempfile.TemporaryDirectory(prefix="ringdown-pacing-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL does not run as root
        with open_store(kind, Path(folder)) as store:
            return part(store)


def _list_parts(*, quick: bool) -> dict[str, Part]:
    wire = functools.partial(
        pacing_wire.measure,
        per_second=10 if quick else 20,
        seconds=6 if quick else 30,
        concurrency=6 if quick else 20,
        calls=18 if quick else 120,
    )
    return {
        "worker": functools.partial(pacing_claims.measure_worker, seconds=5 if quick else 30),
        "wire": wire,
        "size": functools.partial(pacing_claims.compare_sizes, large=50_000 if quick else 1_000_000),
    }


def main(arguments: list[str] | None = None) -> int:
    """Runs the parts on each database; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.pacing", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="SQLite, smaller: under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), help="which database (both)")
    parser.add_argument("--part", choices=("worker", "wire", "size"), help="one part alone")
    options = parser.parse_args(arguments)
    chosen = options.database or ("sqlite" if options.quick else "both")
    kinds = [kind for kind in KINDS if chosen in (kind, "both")]
    figures: list[report.Figure] = []
    for kind in kinds:
        for name, part in _list_parts(quick=options.quick).items():
            if options.part in (None, name):
                figures += _measure(kind, part)
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
