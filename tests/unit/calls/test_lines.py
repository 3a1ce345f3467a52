"""The room on lines: calls at a time, who keeps a line, and that one full line does not hold up another."""

from ringdown.calls import lines
from ringdown.calls.lines import KEEP_MS, Line

NOW = 1_000_000
ONE, TWO = "gateway-1#run_a", "gateway-2#run_b"


def take(*needed: Line, process: str = ONE, now_ms: int = NOW) -> bool:
    """Whether one more call is taken."""
    has_place = lines.has_place(needed, process=process, now_ms=now_ms)
    if has_place:
        lines.take(needed, process=process, now_ms=now_ms)
    return has_place


def test_a_line_carries_as_many_calls_as_it_may() -> None:
    line = Line(max_calls=2)
    assert [take(line) for _ in range(3)] == [True, True, False]
    assert line.is_full and line.is_used


def test_live_calls_count_before_the_first_claim() -> None:
    line = Line(max_calls=2, live=2)
    assert not take(line)
    assert not line.is_used


def test_calls_without_a_line_or_limit_are_always_taken() -> None:
    line = Line()
    assert all(take(*needed) for needed in [[], [line]] for _ in range(100))
    assert not line.is_full


def test_a_full_line_leaves_the_other_as_it_was() -> None:
    free, full = Line(max_calls=5), Line(max_calls=0)
    assert not take(free, full)
    assert (free.is_full, free.live, free.is_used, full.is_full) == (False, 0, False, True)


def test_of_calls_that_wait_for_their_turn_there_are_no_more_than_may() -> None:
    line = Line(per_second=10, may_wait=3)
    assert [take(line) for _ in range(4)] == [True, True, True, False]


def test_a_line_that_rests_takes_no_call() -> None:
    line = Line(not_before=NOW + 1)
    assert not take(line)
    assert take(line, now_ms=NOW + 1)


def test_a_line_with_a_rate_is_kept_by_one_gateway() -> None:
    line = Line(per_second=10, may_wait=9)
    assert take(line, process=ONE)
    assert (line.keeper, line.kept_until) == (ONE, NOW + KEEP_MS)
    assert not take(line, process=TWO, now_ms=NOW + KEEP_MS)
    assert take(line, process=TWO, now_ms=NOW + KEEP_MS + 1)
    assert (line.keeper, line.left_at) == (TWO, NOW + KEEP_MS)


def test_a_gateway_that_is_restarted_has_its_lines_at_once() -> None:
    line = Line(per_second=10, may_wait=9, keeper=ONE, kept_until=NOW + KEEP_MS)
    assert take(line, process="gateway-1#run_c")
    assert line.left_at == NOW


def test_any_gateway_takes_calls_on_a_line_without_a_rate() -> None:
    line = Line(max_calls=9, keeper=ONE, kept_until=NOW + KEEP_MS)
    assert take(line, process=TWO)
