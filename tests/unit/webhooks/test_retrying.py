"""What becomes of deliveries that are not accepted, and of endpoints that accept nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.webhooks import retrying
from ringdown.webhooks.retrying import Health, Verdict

_T = 1_700_000_000_000
_HOUR = 3_600_000


def _judge(
    status: int | None = 500,
    *,
    at: int = _T,
    since: int | None = None,
    retry_after_ms: int | None = None,
    chance: float = 0.0,
) -> Verdict:
    return retrying.judge(status, now_ms=at, failing_since=since, retry_after_ms=retry_after_ms, chance=chance)


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (299, "delivered"),
        (199, "pending"),
        (301, "pending"),
        (308, "pending"),
        (400, "pending"),
        (401, "pending"),
        (404, "pending"),
        (410, "parked"),
        (429, "pending"),
        (500, "pending"),
        (503, "pending"),
        (None, "pending"),
    ],
)
def test_the_status_decides(status: int | None, becomes: str) -> None:
    assert _judge(status).status == becomes


def test_delays_double_up_to_an_hour_and_end_at_72_hours() -> None:
    at, since, delays = _T, None, []
    while (verdict := _judge(at=at, since=since)).status == "pending":
        assert verdict.due_at is not None
        assert verdict.failing_since == _T
        delays.append((verdict.due_at - at) // 1000)
        at, since = verdict.due_at, verdict.failing_since
    assert delays[:12] == [5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    assert set(delays[12:-1]) == {3600}
    assert at == _T + 72 * _HOUR
    assert len(delays) == 82


@given(chance=st.floats(0, 1), elapsed=st.integers(0, 72 * _HOUR - 1), asked=st.none() | st.integers(0, 10**9))
def test_a_retry_is_later_but_never_after_the_last_one(chance: float, elapsed: int, asked: int | None) -> None:
    at = _T + elapsed
    verdict = _judge(at=at, since=_T, chance=chance, retry_after_ms=asked)
    assert verdict.due_at is not None
    assert at < verdict.due_at <= _T + 72 * _HOUR
    assert verdict.due_at - at <= _HOUR


def test_jitter_takes_up_to_a_quarter_off() -> None:
    verdict = _judge(at=_T + 100_000, since=_T, chance=1.0)
    assert verdict.due_at == _T + 175_000


def test_a_receiver_that_asks_for_time_has_it_within_an_hour() -> None:
    assert _judge(503, retry_after_ms=60_000).due_at == _T + 60_000
    assert _judge(503, retry_after_ms=1_000).due_at == _T + 5_000
    assert _judge(503, retry_after_ms=10 * _HOUR).due_at == _T + _HOUR


def test_an_endpoint_is_paused_after_ten_failures_in_a_row_and_back_at_once() -> None:
    health = Health()
    for count in range(1, 10):
        health = retrying.update_health(health, [False], now_ms=_T + count, chance=0)
        assert (health.failing_since, health.failure_count, health.is_paused) == (_T + 1, count, False)
        assert health.probe_at is None
    pauses = []
    for _ in range(9):
        health = retrying.update_health(health, [False], now_ms=_T, chance=0)
        assert health.is_paused
        assert health.probe_at is not None
        pauses.append((health.probe_at - _T) // 1000)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert retrying.update_health(health, [True], now_ms=_T, chance=0) == Health()


def test_failures_among_successes_never_pause() -> None:
    assert retrying.update_health(Health(), [False] * 9 + [True] + [False] * 9, now_ms=_T, chance=0) == Health(
        failing_since=_T, failure_count=9
    )
    assert not retrying.update_health(Health(), [], now_ms=_T, chance=0).is_paused


def test_pauses_of_endpoints_that_fail_for_ever_stay_a_minute() -> None:
    for_ever = Health(failing_since=_T, failure_count=10**9)
    assert retrying.update_health(for_ever, [False], now_ms=_T, chance=0.0).probe_at == _T + 60_000
