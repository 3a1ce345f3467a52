"""How long a first call takes from nothing: `ringdown demo` in an empty folder, start to end; and what it costs.

The call itself talks for about 18 seconds of media time, which no machine shortens. The wall clock is the stated
figure here because it is what a newcomer waits; the CPU seconds beside it are what can be compared.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

from benchmarks import report

_TIMEOUT_S = 120
_LIMIT_S = 60


def main() -> int:
    """Run the demonstration once (`--quick`) or three times and print the slowest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run, under 50 s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    runs = [_run_demo() for _ in range(1 if arguments.quick else 3)]
    wall_s, cpu_s, talk_s = max(runs)
    figures = [
        report.at_most("ringdown demo, start to exit", wall_s, "s", _LIMIT_S),
        report.Figure("of which talking (media clock)", talk_s, "s"),
        report.Figure("CPU of the whole process tree", cpu_s, "CPU-s"),
    ]
    return report.print_figures(figures, as_json=arguments.json)


def _run_demo() -> tuple[float, float, float]:
    """Wall seconds, CPU seconds, seconds of talk."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_at = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "ringdown", "demo", "--json"], capture_output=True, check=True, timeout=_TIMEOUT_S
    )
    wall_s = time.monotonic() - began_at
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s, cpu_s, float(json.loads(ended.stdout)["data"][0]["duration_seconds"])


if __name__ == "__main__":
    raise SystemExit(main())
