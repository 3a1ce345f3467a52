"""The room on trunks: concurrency, calls per second, and that one full trunk does not hold up another."""

from ringdown.calls.lines import BURST_MS, Lines
from ringdown.telephony.models import Trunk, TrunkHost


def make_lines(now_ms: int = 1_000_000, **limits: object) -> Lines:
    trunk = Trunk(
        organization_id="org_a",
        id="trunk_a",
        name="A",
        hosts=(TrunkHost("carrier.example"),),
        created_at=0,
        updated_at=0,
        **limits,  # type: ignore[arg-type]
    )
    return Lines(trunks={"trunk_a": trunk}, live={}, next_dial_at={}, now_ms=now_ms)


def test_a_trunk_carries_as_many_calls_as_it_may() -> None:
    lines = make_lines(max_concurrent_calls=2)
    assert [lines.take("trunk_a") for _ in range(3)] == [True, True, False]
    assert lines.full == {"trunk_a"}


def test_live_calls_count_before_the_first_claim() -> None:
    lines = make_lines(max_concurrent_calls=2)
    lines.live["trunk_a"] = 2
    assert lines.take("trunk_a") is False


def test_calls_without_a_trunk_or_limit_are_always_taken() -> None:
    lines = make_lines()
    assert all(lines.take(trunk_id) for trunk_id in (None, "trunk_unknown", "trunk_a") for _ in range(100))
    assert lines.full == set()


def test_a_rate_is_kept_over_many_claims() -> None:
    now_ms, next_dial_at, taken = 1_000_000, 0, []
    while now_ms < 1_010_000:
        lines = make_lines(now_ms, max_calls_per_second=5.0)
        lines.next_dial_at["trunk_a"] = next_dial_at
        while lines.take("trunk_a"):
            taken.append(now_ms)
        next_dial_at = lines.next_dial_at["trunk_a"]
        now_ms += BURST_MS
    assert 49 <= len(taken) <= 52
    busiest = max(sum(1 for at in taken if start <= at < start + 1000) for start in taken)
    assert busiest <= 7


def test_a_rate_below_one_a_second_is_kept() -> None:
    lines = make_lines(max_calls_per_second=0.5)
    assert lines.take("trunk_a") is True
    assert lines.take("trunk_a") is False
    assert lines.next_dial_at["trunk_a"] == lines.now_ms - BURST_MS + 2000
