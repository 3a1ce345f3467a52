"""Daily windows on everybody's own clock, also on the days on which the clock changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.batch_calls.windows import Window, find_day, to_local

NEW_YORK = ZoneInfo("America/New_York")
# Clocks that change by a whole hour, by half an hour (Lord Howe), at midnight (Beirut), twice around Ramadan
# (Casablanca), and never; the date line on both sides; quarters of an hour.
ZONES = [
    ZoneInfo("America/New_York"),
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Asia/Beirut"),
    ZoneInfo("Africa/Casablanca"),
    ZoneInfo("Asia/Kathmandu"),
    ZoneInfo("Pacific/Kiritimati"),
    ZoneInfo("Pacific/Pago_Pago"),
    ZoneInfo("America/St_Johns"),
    ZoneInfo("Africa/Cairo"),
    ZoneInfo("UTC"),
]
MINUTE_MS = 60_000
YEAR_2026_MS = 1_767_225_600_000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def times(minimum: int = 0) -> st.SearchStrategy[int]:
    return st.integers(minimum, 24 * 60 - 1)


windows = st.builds(
    Window,
    start_minute=times(),
    end_minute=st.integers(1, 24 * 60),
    working_days=st.sets(st.integers(1, 7), min_size=1).map(lambda days: tuple(sorted(days))),
).filter(lambda window: window.start_minute != window.end_minute)
instants = st.integers(0, 2 * 365 * 24 * 60).map(lambda minute: YEAR_2026_MS + minute * MINUTE_MS)


def is_open_by_the_wall(window: Window, at_ms: int, zone: ZoneInfo) -> bool:
    """The rule written anew: the weekday is that of the evening on which the window opened."""
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    minute, weekday = local.hour * 60 + local.minute, local.isoweekday()
    days = window.working_days
    if window.start_minute < window.end_minute:
        return weekday in days and window.start_minute <= minute < window.end_minute
    yesterday = 7 if weekday == 1 else weekday - 1
    return (weekday in days and minute >= window.start_minute) or (yesterday in days and minute < window.end_minute)


@settings(max_examples=150, deadline=None)
@given(window=windows, zone=st.sampled_from(ZONES), at_ms=instants)
def test_an_opening_is_the_first_open_minute_of_all(window: Window, zone: ZoneInfo, at_ms: int) -> None:
    opening = window.find_opening(at_ms, zone)
    assert opening >= at_ms
    assert is_open_by_the_wall(window, opening, zone)
    missed = next(
        (minute for minute in range(at_ms, opening, MINUTE_MS) if is_open_by_the_wall(window, minute, zone)), None
    )
    assert missed is None, to_local(missed or 0, zone)


@settings(max_examples=200, deadline=None)
@given(zone=st.sampled_from(ZONES), at_ms=instants)
def test_the_next_day_begins_when_the_date_changes(zone: ZoneInfo, at_ms: int) -> None:
    tomorrow = find_day(at_ms, zone, later=1)
    assert (to_local(tomorrow, zone).date() - to_local(at_ms, zone).date()).days == 1
    assert to_local(tomorrow - 1000, zone).date() == to_local(at_ms, zone).date()


@pytest.mark.parametrize(
    ("start", "end", "days", "now", "opening"),
    [
        ("09:00", "17:00", (), "2026-06-01T12:59:30", "2026-06-01T13:00:00"),
        ("09:00", "17:00", (), "2026-06-01T13:00:01", "2026-06-01T13:00:01"),
        ("09:00", "17:00", (), "2026-06-01T21:00:00", "2026-06-02T13:00:00"),
        ("09:00", "17:00", (1, 2, 3, 4, 5), "2026-06-05T21:00:00", "2026-06-08T13:00:00"),  # Friday evening
        ("22:00", "06:00", (1,), "2026-06-02T09:59:00", "2026-06-02T09:59:00"),  # Tuesday 05:59 is Monday's night
        ("22:00", "06:00", (1,), "2026-06-02T10:00:00", "2026-06-09T02:00:00"),
        ("22:00", "00:00", (7,), "2026-06-01T03:59:00", "2026-06-01T03:59:00"),
        (None, "09:00", (), "2026-06-01T13:00:00", "2026-06-02T04:00:00"),
        ("09:00", None, (), "2026-06-01T04:00:00", "2026-06-01T13:00:00"),
        # 02:30 does not exist on 8 March; 03:00 is the first moment after it.
        ("02:30", "04:00", (), "2026-03-08T05:00:00", "2026-03-08T07:00:00"),
        ("02:00", "02:30", (7,), "2026-03-08T05:00:00", "2026-03-15T06:00:00"),
        # 01:30 comes twice on 1 November.
        ("01:30", "01:45", (), "2026-11-01T05:46:00", "2026-11-01T06:30:00"),
    ],
)
def test_openings_in_new_york(
    start: str | None, end: str | None, days: tuple[int, ...], now: str, opening: str
) -> None:
    assert Window.parse(start, end, days).find_opening(at(now), NEW_YORK) == at(opening)


@pytest.mark.parametrize(
    ("start", "end", "days", "now", "opening"),
    [
        # Months, years and February end as any other day does.
        ("09:00", "17:00", (1,), "2026-08-31T21:00:00", "2026-09-07T13:00:00"),
        ("09:00", "17:00", (4, 5), "2026-12-31T22:00:00", "2027-01-01T14:00:00"),
        ("09:00", "17:00", (), "2028-02-28T22:00:00", "2028-02-29T14:00:00"),
        ("09:00", "17:00", (1,), "2028-02-28T22:00:00", "2028-03-06T14:00:00"),
        ("22:00", "06:00", (6,), "2026-01-31T23:00:00", "2026-02-01T03:00:00"),
        ("22:00", "06:00", (6,), "2026-02-01T10:59:00", "2026-02-01T10:59:00"),
        # A night that the clock makes an hour shorter, and one that it makes longer.
        ("22:00", "03:00", (6,), "2026-03-08T06:59:00", "2026-03-08T06:59:00"),
        ("22:00", "03:00", (6,), "2026-03-08T07:00:00", "2026-03-15T02:00:00"),
        ("22:00", "02:00", (6,), "2026-11-01T06:59:00", "2026-11-01T06:59:00"),
        ("22:00", "02:00", (6,), "2026-11-01T07:00:00", "2026-11-08T03:00:00"),
    ],
)
def test_openings_where_months_end_and_where_nights_change_their_length(
    start: str, end: str, days: tuple[int, ...], now: str, opening: str
) -> None:
    assert Window.parse(start, end, days).find_opening(at(now), NEW_YORK) == at(opening)
