"""Calls a second: reached, and exceeded in no second however it is laid and however late calls leave."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.calls.lines import KEEP_MS, Line
from ringdown.calls.pacing import Pacer

NOW = 1_000_000


def make_line(line_id: str = "trunk_a", *, rate: float, left_at: int | None = 0) -> Line:
    return Line(id=line_id, per_second=rate, kept_until=NOW + KEEP_MS, left_at=left_at)


def make_pacer(*lines: Line) -> Pacer:
    pacer = Pacer("gateway-1")
    for line in lines:
        pacer.keep(line)
    return pacer


def dial(pacer: Pacer, line_ids: list[str], *, ready_at: float, late_ms: float = 0) -> float:
    """When a call leaves that is ready then, and whose gateway wakes so much too late."""
    planned = pacer.plan(line_ids, round(ready_at))
    now = max(planned, ready_at) + late_ms
    now = max(now, pacer.find_time(line_ids))
    pacer.note_dial(line_ids, now)
    return now


def count_busiest(dials: list[float]) -> int:
    """The most dials within one second, wherever it begins."""
    ordered = sorted(dials)
    return max(sum(1 for at in ordered[place:] if at < start + 1000) for place, start in enumerate(ordered))


@pytest.mark.parametrize("rate", [0.5, 1, 2, 7.5, 30, 100, 1000])
@pytest.mark.parametrize("lateness_ms", [0, 30, 200])
def test_a_rate_is_reached_and_never_exceeded_by_a_gateway_that_wakes_late(rate: float, lateness_ms: int) -> None:
    pacer, rng = make_pacer(make_line(rate=rate)), random.Random(1)
    count = max(10, round(5 * rate))
    dials = [dial(pacer, ["trunk_a"], ready_at=NOW, late_ms=rng.uniform(0, lateness_ms)) for _ in range(count)]
    assert count_busiest(dials) <= math.ceil(rate)
    assert (count - 1) / (max(dials) - min(dials)) * 1000 >= (0.95 if lateness_ms <= 30 else 0.85) * rate


def test_calls_leave_evenly() -> None:
    pacer = make_pacer(make_line(rate=10))
    dials = [dial(pacer, ["trunk_a"], ready_at=NOW) for _ in range(20)]
    assert {round(later - earlier) for earlier, later in itertools.pairwise(dials)} == {104}


def test_the_rates_of_two_lines_are_both_kept() -> None:
    pacer = make_pacer(make_line("trunk_a", rate=10), make_line("batch_b", rate=4))
    own = [dial(pacer, ["trunk_a", "batch_b"], ready_at=NOW) for _ in range(20)]
    others = [dial(pacer, ["trunk_a"], ready_at=NOW) for _ in range(20)]
    assert count_busiest(own) <= 4
    assert count_busiest(own + others) <= 10


def test_whoever_takes_a_line_over_leaves_the_last_second_to_the_one_before() -> None:
    pacer = make_pacer(make_line(rate=10, left_at=NOW))
    assert dial(pacer, ["trunk_a"], ready_at=NOW) >= NOW + 1000


def test_a_line_that_is_kept_for_longer_remembers_its_dials() -> None:
    pacer = make_pacer(make_line(rate=2))
    before = [dial(pacer, ["trunk_a"], ready_at=NOW) for _ in range(2)]
    pacer.keep(make_line(rate=2, left_at=None))
    assert dial(pacer, ["trunk_a"], ready_at=NOW) >= before[0] + 1000


def test_a_rate_that_is_lowered_counts_the_dials_before() -> None:
    pacer = make_pacer(make_line(rate=10))
    before = [dial(pacer, ["trunk_a"], ready_at=NOW) for _ in range(5)]
    pacer.keep(make_line(rate=2, left_at=None))
    assert dial(pacer, ["trunk_a"], ready_at=before[-1]) >= before[-2] + 1000


def test_a_line_is_kept_until_its_time_is_over() -> None:
    pacer = make_pacer(make_line("trunk_a", rate=2))
    assert pacer.is_keeper(["trunk_a"], NOW + KEEP_MS - 1)
    assert not pacer.is_keeper(["trunk_a"], NOW + KEEP_MS)
    assert not pacer.is_keeper(["trunk_a", "batch_b"], NOW)


def test_only_so_many_calls_wait_for_their_turn() -> None:
    pacer = make_pacer(make_line(rate=3))
    for call_id in ("call_1", "call_2"):
        pacer.add(call_id, ["trunk_a"])
    assert pacer.count_free("trunk_a", 3, NOW) == 1
    pacer.drop("call_1", ["trunk_a", "trunk_b"])
    pacer.drop("call_1", ["trunk_a", "trunk_b"])
    assert pacer.count_free("trunk_a", 3, NOW) == 2
    assert pacer.count_free("trunk_b", 0.1, NOW) == 1


def test_a_call_whose_turn_is_far_away_is_not_taken_yet() -> None:
    pacer = make_pacer(make_line(rate=0.1))
    assert dial(pacer, ["trunk_a"], ready_at=NOW) == NOW
    assert pacer.count_free("trunk_a", 0.1, NOW + 9_000) == 0
    assert pacer.count_free("trunk_a", 0.1, NOW + 9_500) == 1


@given(
    rate=st.sampled_from([1, 2.5, 3, 10, 50]),
    calls=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 500)), min_size=1, max_size=80),
)
def test_no_second_is_exceeded_whenever_calls_are_ready(rate: float, calls: list[tuple[int, int]]) -> None:
    pacer, ready_at, dials = make_pacer(make_line(rate=rate)), float(NOW), list[float]()
    for wait_ms, late_ms in calls:
        ready_at += wait_ms
        dials.append(dial(pacer, ["trunk_a"], ready_at=ready_at, late_ms=late_ms))
    assert count_busiest(dials) <= math.ceil(rate)
