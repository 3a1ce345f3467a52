"""Chaos: a campaign is dialled at real phones over SIP while the product is killed all the time; then all is recounted.

Programs are killed with `kill -9` at random moments, the database is cut off, one in 50 of the far end's final answers
is dropped, and the webhook receiver fails three times in ten. What happened is counted at the far end, which shares no
code with the product, and held against the database. Anything that was done twice, lost, left hanging or billed wrongly
is printed with its evidence; the data folder is kept then.
"""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import chaos_run, report
from benchmarks.chaos_product import Kind
from benchmarks.chaos_run import Outcome, Plan

_QUICK, _USUAL, _FULL = (40, 6), (10_000, 200), (100_000, 1_000)
_SHOWN = 10
_DROP = 50
# What two cores carry while programs come and go.
_CALLS_PER_S = 8.0
# A gateway is up again after some two seconds; one that dies before it has dialled proves nothing.
_LEAST_GAP_S, _QUICK_GAP_S = 3.0, 2.0


def make_plan(options: argparse.Namespace, kind: Kind) -> Plan:
    """The run that was asked for."""
    contacts, kills = _QUICK if options.quick else _FULL if options.full else _USUAL
    contacts, kills = options.contacts or contacts, kills if options.kills is None else options.kills
    expected_s = max(kills * (_QUICK_GAP_S if options.quick else _LEAST_GAP_S), contacts / _CALLS_PER_S)
    return Plan(
        kind=kind,
        contacts=contacts,
        kills=kills,
        kill_every_s=options.kill_every or (expected_s / kills if kills else 1e9),
        seed=options.seed,
        drop=_DROP,
        retries=options.retries,
        concurrency=options.concurrency,
        is_plain=options.plain,
        # What a killed worker was sending is due again after 45 seconds.
        has_hook=not (options.no_webhooks or options.quick),
        limit_s=options.limit or 120 + 4 * expected_s,
    )


def to_figures(outcome: Outcome) -> list[report.Figure]:
    """The figures with their targets, then what was done."""
    plan, driven, name = outcome.plan, outcome.driven, outcome.plan.kind
    figures = [
        report.at_most(f"{name}: {finding.name}", len(finding.evidence), "", 0) for finding in outcome.recount.findings
    ]
    kills = driven.faults.count_kills()
    figures.append(report.at_least(f"{name}: kills", kills.total(), "", plan.kills))
    figures += [report.Figure(f"{name}: kills of {program}", count, "") for program, count in sorted(kills.items())]
    figures.append(report.Figure(f"{name}: cuts of the database", len(driven.faults.cuts), ""))
    figures += [report.Figure(f"{name}: {fact}", value, "") for fact, value in outcome.recount.facts.items()]
    figures += [
        report.Figure(f"{name}: webhooks answered with {answer}", count, "")
        for answer, count in sorted(driven.receiver.answers.items())
    ]
    figures.append(report.Figure(f"{name}: requests that the api's death interrupted", driven.troubles, ""))
    figures.append(report.Figure(f"{name}: from the first contact to the last", driven.took_s, "s"))
    return figures


def print_evidence(outcome: Outcome) -> None:
    """What stands behind each missed target, on stderr."""
    for finding in outcome.recount.findings:
        if finding.evidence:
            print(f"\n{outcome.plan.kind}: {finding.name}: {len(finding.evidence)}", file=sys.stderr)
            for line in finding.evidence[:_SHOWN]:
                print(f"  {line}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Runs it on each database that was asked for; the exit status is 1 when a target was missed."""
    options = _parse(arguments)
    kinds: Sequence[Kind] = ("sqlite", "postgresql") if options.database == "both" else (options.database,)
    figures: list[report.Figure] = []
    evidence: dict[str, dict[str, Sequence[str]]] = {}
    for kind in kinds:
        folder = Path(tempfile.mkdtemp(prefix=f"ringdown-chaos-{kind}-"))
        folder.chmod(0o755)
        kept = True
        try:
            outcome = chaos_run.run(make_plan(options, kind), folder)
            figures += to_figures(outcome)
            evidence[kind] = {each.name: each.evidence for each in outcome.recount.findings if each.evidence}
            print_evidence(outcome)
            kept = bool(evidence[kind]) or options.keep
        finally:
            if kept:
                print(f"\nThe data, the logs and the farm's record are in {folder}", file=sys.stderr)
            else:
                shutil.rmtree(folder)
    if not options.json:
        return report.print_figures(figures, as_json=False)
    print(json.dumps({"figures": [asdict(figure) for figure in figures], "evidence": evidence}))
    return 1 if any(figure.met is False for figure in figures) else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.chaos", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_true", help="40 contacts, 6 kills, no webhooks, SQLite unless told otherwise"
    )
    size.add_argument("--full", action="store_true", help="100,000 contacts, 1,000 kills")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), help="which database (both)")
    parser.add_argument("--contacts", type=int, help="how many (10,000)")
    parser.add_argument("--kills", type=int, help="how many at least (200)")
    parser.add_argument("--kill-every", type=float, help="seconds between two kills, on average")
    parser.add_argument("--retries", type=int, default=2, help="attempts of a contact after the first (2)")
    parser.add_argument("--concurrency", type=int, default=30, help="calls at a time (30)")
    parser.add_argument("--seed", type=int, default=1, help="of whatever is decided by chance")
    parser.add_argument("--limit", type=float, help="seconds after which the contacts must be done")
    parser.add_argument("--plain", action="store_true", help="single calls instead of a batch call")
    parser.add_argument("--no-webhooks", action="store_true", help="without a webhook endpoint")
    parser.add_argument("--keep", action="store_true", help="keep the data folder")
    options = parser.parse_args(arguments)
    options.database = options.database or ("sqlite" if options.quick else "both")
    return options


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
