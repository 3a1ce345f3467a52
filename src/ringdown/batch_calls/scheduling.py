"""Spreads contacts over days, windows and a daily maximum, each by its own clock; pure rules, no I/O."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ringdown.batch_calls import zones
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.windows import Window, begin_day, to_local

#: A schedule that would take longer is refused.
MAX_DAYS = 3650


def read_window(batch: BatchCall) -> Window:
    """When the contacts of a batch call may be called."""
    return Window.parse(batch.start_time, batch.end_time, batch.working_days)


def find_slot(batch: BatchCall, contact: BatchContact, *, not_before: int) -> int:
    """The first instant from `not_before` on at which the contact may be called, by its own clock."""
    batch_zone = zones.get_zone(batch.timezone)
    clock = zones.choose_zone(own=contact.timezone, phone_number=contact.phone_number, batch_zone=batch_zone)
    return read_window(batch).find_opening(max(not_before, batch.spread_from or 0), clock)


def estimate_days(batch: BatchCall) -> int:
    """How many days it takes to call the contacts that are open, by the daily maximum alone."""
    if batch.max_calls_per_day is None:
        return 0
    working = len(read_window(batch).working_days)
    return batch.pending_contacts // batch.max_calls_per_day * 7 // working


class Spreader:
    """Gives one contact after another the first place that is free.

    A place is an instant inside the window on the contact's clock, not before `starts_at`, on a day of `zone` (the
    batch's) that has fewer than `max_per_day` places taken. `taken` counts them by ISO date and may come from a
    spreader that has gone before.
    """

    def __init__(
        self, *, window: Window, zone: ZoneInfo, starts_at: int, max_per_day: int | None, taken: Mapping[str, int]
    ) -> None:
        self._window = window
        self._zone = zone
        self._starts_at = starts_at
        self._max_per_day = max_per_day
        self._taken = dict(taken)
        # By contact's zone: no place before this instant is free.
        self._frontiers: dict[ZoneInfo, tuple[int, str]] = {}
        self._weekdays: dict[ZoneInfo, frozenset[int]] = {}
        # By full day: a later one of the same weekday, before which all are full.
        self._later: dict[date, date] = {}

    @property
    def taken(self) -> Mapping[str, int]:
        """The places taken by ISO date; empty without a daily maximum."""
        return dict(self._taken)

    def place(self, zone: ZoneInfo, *, not_before: int | None = None) -> int:
        """The place of the next contact, whose clock is `zone`'s, in milliseconds UTC."""
        frontier = self._frontiers.get(zone)
        if frontier is None or not self._is_free(frontier[1]):
            frontier = self._find_free(self._starts_at if frontier is None else frontier[0], zone)
            self._frontiers[zone] = frontier
        if not_before is not None and not_before > frontier[0]:
            frontier = self._find_free(not_before, zone)
        place, day = frontier
        if self._max_per_day is not None:
            self._taken[day] = self._taken.get(day, 0) + 1
        return place

    def _find_free(self, at_ms: int, zone: ZoneInfo) -> tuple[int, str]:
        place = self._window.find_opening(at_ms, zone)
        while not self._is_free(day := to_day(place, self._zone)):
            # Many zones and years of full days would take minutes day by day.
            next_day = min(self._find_room(date.fromisoformat(day), weekday) for weekday in self._list_weekdays(zone))
            place = self._window.find_opening(begin_day(next_day, self._zone), zone)
        return place, day

    def _find_room(self, after: date, weekday: int) -> date:
        """The first day after this one that is of this weekday (0=Monday) and not full."""
        day = after + timedelta(days=(weekday - after.weekday() - 1) % 7 + 1)
        passed = []
        while not self._is_free(day.isoformat()):
            passed.append(day)
            day = self._later.get(day, day + timedelta(days=7))
        self._later.update(dict.fromkeys(passed, day))
        return day

    def _list_weekdays(self, zone: ZoneInfo) -> frozenset[int]:
        """The weekdays of the batch's calendar on which the window is open by this zone's clock."""
        known = self._weekdays.get(zone)
        if known is None:
            ahead = {_compare_clocks(month, zone, self._zone) for month in _list_months(self._starts_at)}
            known = self._weekdays[zone] = self._window.list_weekdays(ahead)
        return known

    def _is_free(self, day: str) -> bool:
        return self._max_per_day is None or self._taken.get(day, 0) < self._max_per_day


def _list_months(at_ms: int) -> list[datetime]:
    """An instant of each month of a year, which see all that clocks do between summers and winters."""
    year = to_local(at_ms, ZoneInfo("UTC")).year
    return [datetime(year, month, 15, tzinfo=UTC) for month in range(1, 13)]


def _compare_clocks(at: datetime, zone: ZoneInfo, other: ZoneInfo) -> int:
    """How many minutes the clocks of `zone` are ahead of those of `other`."""
    ahead = at.astimezone(zone).replace(tzinfo=None) - at.astimezone(other).replace(tzinfo=None)
    return round(ahead.total_seconds() / 60)


def to_day(at_ms: int, zone: ZoneInfo) -> str:
    """The ISO date of an instant on this zone's calendar."""
    day: date = to_local(at_ms, zone).date()
    return day.isoformat()
