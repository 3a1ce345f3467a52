"""The soak prints its course and holds what it saw against its targets; two calls for two seconds prove no figure."""

import json
import subprocess
import sys

from benchmarks import report, soak


def test_the_soak_prints_exactly_one_json_object_with_its_course() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.soak", "--json", "--calls", "2", "--minutes", "0.03"]
    done = subprocess.run([*command, "--call-seconds", "0.4"], capture_output=True, text=True, timeout=60, check=False)
    printed = json.loads(done.stdout)
    figures = {figure["name"].partition(": ")[2]: figure["value"] for figure in printed["figures"]}
    assert figures["calls made"] > 3
    assert figures["ticks with the echo"] > 50
    assert figures["descriptors left after the last call"] == 0
    assert [sample["at_s"] for sample in printed["samples"]] == sorted(sample["at_s"] for sample in printed["samples"])


def make_course(*, rss_mib: float = 50.0, descriptors: int = 40, drift_ms: float = 0.2) -> soak.Course:
    warming = [soak.Sample(at_s=second, rss_mib=20, descriptors=30, drift_ms=0, calls_made=2) for second in range(3)]
    settled = [soak.Sample(at_s=second, rss_mib=50, descriptors=40, drift_ms=0, calls_made=2) for second in range(10)]
    last = soak.Sample(at_s=15, rss_mib=rss_mib, descriptors=descriptors, drift_ms=drift_ms, calls_made=9)
    return soak.Course((*warming, *settled, last), 1.0, 0.0, 99.0, 0)


def judge(course: soak.Course) -> list[str]:
    """The figures that missed their targets."""
    figures: list[report.Figure] = soak.to_figures(course, calls=2, seconds=60, echoed=1)
    return [figure.name.partition(": ")[2] for figure in figures if figure.met is False]


def test_growth_counts_from_when_everything_is_warm() -> None:
    assert judge(make_course()) == []
    assert judge(make_course(rss_mib=59)) == ["RSS growth"]
    assert judge(make_course(descriptors=41)) == ["descriptor growth"]


def test_a_drift_at_any_time_is_a_drift() -> None:
    assert judge(make_course(drift_ms=20.5)) == ["clock drift"]
