"""The spreading of contacts: never outside a window, a working day or the daily maximum, and never needlessly late."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.batch_calls import scheduling
from ringdown.batch_calls.models import BatchCall
from ringdown.batch_calls.scheduling import Spreader, to_day
from ringdown.batch_calls.windows import Window
from tests.unit.batch_calls.test_windows import MINUTE_MS, ZONES, at, instants, is_open_by_the_wall, windows

NEW_YORK, BERLIN, UTC_ZONE = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def spread(count: int, *, zone: ZoneInfo = NEW_YORK, starts: str, max_per_day: int | None, window: Window) -> list[str]:
    spreader = Spreader(window=window, zone=zone, starts_at=at(starts), max_per_day=max_per_day, taken={})
    places = [spreader.place(zone) for _ in range(count)]
    return [datetime.fromtimestamp(place / 1000, UTC).strftime("%m-%dT%H:%M") for place in places]


def test_a_daily_maximum_fills_one_working_day_after_the_other() -> None:
    office = Window.parse("09:00", "17:00", (1, 2, 3, 4, 5))
    places = spread(5, starts="2026-03-06T18:00:00", max_per_day=2, window=office)  # a Friday; Sunday the clock changes
    assert places == ["03-06T18:00", "03-06T18:00", "03-09T13:00", "03-09T13:00", "03-10T13:00"]


def test_without_a_maximum_everybody_has_the_first_opening() -> None:
    assert set(spread(50, starts="2026-06-01T00:00:00", max_per_day=None, window=Window())) == {"06-01T00:00"}


def test_everybodys_own_clock_counts_and_the_batchs_calendar_limits() -> None:
    morning = Window.parse("09:00", "10:00", ())
    spreader = Spreader(window=morning, zone=UTC_ZONE, starts_at=at("2026-06-01T07:30:00"), max_per_day=2, taken={})
    assert spreader.place(BERLIN) == at("2026-06-01T07:30:00")
    assert spreader.place(NEW_YORK) == at("2026-06-01T13:00:00")
    assert spreader.place(BERLIN) == at("2026-06-02T07:00:00")


def test_somebody_who_must_wait_is_not_placed_earlier_and_holds_nobody_up() -> None:
    spreader = Spreader(window=Window(), zone=UTC_ZONE, starts_at=0, max_per_day=None, taken={})
    assert spreader.place(UTC_ZONE, not_before=at("2026-06-01T00:00:00")) == at("2026-06-01T00:00:00")
    assert spreader.place(UTC_ZONE) == 0


def test_the_days_that_a_maximum_takes_are_estimated_before_they_are_planned() -> None:
    batch = BatchCall(
        organization_id="org_1", id="batch_1", name="Recall", agent_id="agt_1", created_at=0, updated_at=0
    )
    assert scheduling.estimate_days(batch) == 0
    limited = BatchCall(
        organization_id="org_1",
        id="batch_1",
        name="Recall",
        agent_id="agt_1",
        created_at=0,
        updated_at=0,
        total_contacts=1000,
        completed_contacts=100,
        max_calls_per_day=10,
        working_days=(1, 2),
    )
    assert scheduling.estimate_days(limited) == 315


@settings(max_examples=80, deadline=None)
@given(
    window=windows,
    batch_zone=st.sampled_from(ZONES),
    starts_at=instants,
    max_per_day=st.none() | st.integers(1, 3),
    contacts=st.lists(
        st.tuples(st.sampled_from(ZONES), st.none() | st.integers(0, 10 * 24 * 60)), min_size=1, max_size=25
    ),
    pause_at=st.integers(0, 25),
)
def test_no_place_is_outside_window_working_day_or_daily_maximum(
    window: Window,
    batch_zone: ZoneInfo,
    starts_at: int,
    max_per_day: int | None,
    contacts: list[tuple[ZoneInfo, int | None]],
    pause_at: int,
) -> None:
    spreader = Spreader(window=window, zone=batch_zone, starts_at=starts_at, max_per_day=max_per_day, taken={})
    days: Counter[str] = Counter()
    for index, (zone, delay) in enumerate(contacts):
        if index == pause_at:  # as between two pages: only the counts are kept
            spreader = Spreader(
                window=window, zone=batch_zone, starts_at=starts_at, max_per_day=max_per_day, taken=spreader.taken
            )
        not_before = None if delay is None else starts_at + delay * MINUTE_MS
        place = spreader.place(zone, not_before=not_before)
        earliest = starts_at if not_before is None else not_before
        assert place >= earliest
        assert is_open_by_the_wall(window, place, zone)
        day = to_day(place, batch_zone)
        assert max_per_day is None or days[day] < max_per_day
        # Nothing earlier was free: from one opening to the next, every day on the way was full.
        earlier = window.find_opening(earliest, zone)
        while earlier < place and max_per_day is not None:
            assert days[to_day(earlier, batch_zone)] >= max_per_day
            earlier = window.find_opening(earlier + 60 * MINUTE_MS, zone)
        days[day] += 1


def test_many_zones_and_a_year_of_full_days_are_not_looked_through_day_by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    find_opening = Window.find_opening

    def find(window: Window, at_ms: int, zone: ZoneInfo) -> int:
        looked.append(zone)
        return find_opening(window, at_ms, zone)

    monkeypatch.setattr(Window, "find_opening", find)
    office = Window.parse("09:00", "17:00", (1, 2, 3, 4, 5))
    spreader = Spreader(window=office, zone=UTC_ZONE, starts_at=at("2026-03-06T18:00:00"), max_per_day=1, taken={})
    zones = [ZoneInfo(f"Etc/GMT{hours:+}") for hours in range(-12, 13)]
    days = {to_day(spreader.place(zone), UTC_ZONE) for zone in zones * 10}
    assert len(days) == 250
    assert len(looked) < 1000
