"""How far a batch call is, and when it will be done: by pace, window and the last place in the schedule."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from ringdown.batch_calls import progress
from ringdown.batch_calls.models import BatchCall
from ringdown.batch_calls.progress import Figures


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW = at("2026-06-01T12:00:00")  # a Monday
QUARTER_MS = 15 * 60_000


def make_batch(**fields: object) -> BatchCall:
    known = {
        "organization_id": "org_1", "id": "batch_1", "name": "B", "agent_id": "agt_1", "created_at": 0,
        "updated_at": 0, "status": "active", "total_contacts": 1000, "completed_contacts": 300, "failed_contacts": 100,
        "dialled_calls": 400, "spread_position": 1000, "started_at": NOW - 3_600_000,
    }  # fmt: skip
    return BatchCall(**{**known, **fields})  # type: ignore[arg-type]


def estimate(figures: Mapping[str, int | None] | None = None, **fields: object) -> int | None:
    counted = {"recent_calls": 300, "recent_since": NOW - QUARTER_MS, **(figures or {})}
    return progress.estimate_completion(make_batch(**fields), Figures(**counted), now_ms=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(("completed", "failed", "total", "percent"), [(0, 0, 0, 0), (1, 1, 3, 66.7), (5, 5, 10, 100)])
def test_progress_is_the_share_of_contacts_that_are_done(
    completed: int, failed: int, total: int, percent: float
) -> None:
    batch = make_batch(completed_contacts=completed, failed_contacts=failed, total_contacts=total)
    assert progress.compute_percent(batch) == percent


def test_what_is_left_takes_as_long_as_it_does_now() -> None:
    assert estimate() == NOW + 2 * QUARTER_MS  # 600 contacts, 300 calls in a quarter of an hour


def test_contacts_that_are_called_twice_take_twice_as_long() -> None:
    assert estimate(dialled_calls=800) == NOW + 4 * QUARTER_MS


def test_only_the_open_hours_count() -> None:
    finish = estimate(start_time="09:00", end_time="12:10", working_days=(1, 2))
    assert finish == at("2026-06-02T09:20:00")
    assert estimate(start_time="09:00", end_time="12:10", working_days=(1,)) == at("2026-06-08T09:20:00")
    assert estimate(start_time="22:00", end_time="06:00") == at("2026-06-01T22:30:00")


def test_the_window_is_that_of_the_batch_calls_clock_also_when_it_is_put_back() -> None:
    now = at("2026-10-24T14:50:00")  # 16:50 in Berlin, whose clocks are put back in the night that follows
    figures = Figures(recent_calls=300, recent_since=now - QUARTER_MS)
    window: dict[str, object] = {"start_time": "09:00", "end_time": "17:00", "timezone": "Europe/Berlin"}
    finish = progress.estimate_completion(make_batch(**window), figures, now_ms=now)
    assert finish == at("2026-10-25T08:20:00")


def test_the_last_place_in_the_schedule_is_waited_for() -> None:
    assert estimate({"last_slot": at("2026-06-05T09:00:00")}) == at("2026-06-05T09:00:00")


@pytest.mark.parametrize("status", ["draft", "scheduled", "paused", "completed", "cancelled", "failed"])
def test_it_is_not_known_unless_somebody_is_called(status: str) -> None:
    assert estimate(status=status) is None


def test_it_is_not_known_without_a_pace() -> None:
    assert estimate({"recent_calls": 0}) is None
    assert estimate({"recent_calls": None}) is None
    assert estimate({"recent_since": NOW - 5_000}) is None
    assert estimate(spread_position=999) is None


def test_it_is_not_known_when_it_would_take_years() -> None:
    slow = {"recent_calls": 1, "recent_since": NOW - QUARTER_MS}
    assert estimate(slow, total_contacts=10_000_000, spread_position=10_000_000, start_time="09:00") is None


def test_the_pace_is_that_since_it_was_started_or_resumed_last() -> None:
    assert progress.begin_pace(make_batch(), now_ms=NOW) == NOW - QUARTER_MS
    assert progress.begin_pace(make_batch(resumed_at=NOW - 60_000), now_ms=NOW) == NOW - 60_000
