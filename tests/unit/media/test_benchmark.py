"""The media benchmark runs and says what it measured; two calls for half a second prove no figure."""

import json
import subprocess
import sys

import pytest

from benchmarks import report, setups


@pytest.mark.parametrize(("option", "name"), [("--record", "recorded"), ("--srtp", "SRTP")])
def test_the_benchmark_prints_exactly_one_json_object(option: str, name: str) -> None:
    command = [sys.executable, "-m", "benchmarks.media", "--calls", "2", "--seconds", "0.5", option, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    figures = {figure["name"]: figure for figure in json.loads(done.stdout)["figures"]}
    returned = figures[f"media 2 calls, {name}: packets returned"]
    assert 80 < returned["value"] < 120
    assert figures[f"media 2 calls, {name}: CPU"]["value"] > 0


def test_set_ups_are_counted_on_both_sides() -> None:
    measured = setups.measure(rate=20, seconds=0.5)
    assert measured.failed_percent == 0
    assert measured.completed_per_second == pytest.approx(20, abs=4)
    assert measured.caller_ms > 0
    assert measured.callee_ms > 0


def test_a_missed_target_is_said_and_ends_with_status_one() -> None:
    figures = [report.at_most("CPU", 0.7, "s", 0.6), report.below("late", 0.1, "%", 1)]
    assert "MISSED" in report.render_table(figures)
    assert [figure.met for figure in figures] == [False, True]
    assert report.print_figures(figures, as_json=True) == 1
    assert report.print_figures(figures[1:], as_json=False) == 0
