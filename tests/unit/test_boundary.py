"""The simulated year of the benchmark of the dial boundary, in small: its judge would notice a wrong dial."""

import pytest

from benchmarks.boundary import Year
from ringdown.batch_calls.admission import Admission
from ringdown.batch_calls.refusal import Refusal
from ringdown.calls.models import Call


def run(dials: int) -> Year:
    year = Year(dials=dials, seed=3)
    year.run()
    return year


def test_nobody_is_dialled_who_must_not_be() -> None:
    year = run(4000)
    assert year.judge.dials > 3000
    assert (year.judge.outside, year.judge.blocked, year.judge.over) == ([], [], [])
    assert year.refused.keys() >= {"outside_window", "dnc_blocked"}


def test_the_judge_finds_dials_that_nobody_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_nothing(_self: Admission, _call: Call, _at_ms: int) -> Refusal | None:
        return None

    monkeypatch.setattr(Admission, "_find_refusal", refuse_nothing)
    year = run(4000)
    assert year.judge.outside
    assert year.judge.blocked
