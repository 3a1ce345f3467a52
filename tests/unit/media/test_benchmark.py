"""The media benchmark runs and says what it measured; two calls for half a second prove no figure."""

import json
import subprocess
import sys

from benchmarks import report


def test_the_benchmark_prints_exactly_one_json_object() -> None:
    command = [sys.executable, "-m", "benchmarks.media", "--calls", "2", "--seconds", "0.5", "--record", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    figures = {figure["name"]: figure for figure in json.loads(done.stdout)["figures"]}
    returned = figures["media 2 calls, recorded: packets returned"]
    assert 80 < returned["value"] < 120
    assert figures["media 2 calls, recorded: CPU"]["value"] > 0


def test_a_missed_target_is_said_and_ends_with_status_one() -> None:
    figures = [report.at_most("CPU", 0.7, "s", 0.6), report.below("late", 0.1, "%", 1)]
    assert "MISSED" in report.render_table(figures)
    assert [figure.met for figure in figures] == [False, True]
    assert report.print_figures(figures, as_json=True) == 1
    assert report.print_figures(figures[1:], as_json=False) == 0
