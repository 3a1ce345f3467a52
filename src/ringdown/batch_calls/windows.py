"""When people may be called: a daily window on working days, by the clock on somebody's wall; pure rules.

Everything is decided by the wall clock, also on the days when it is put forward or back: an hour that does not exist
is not waited for, and one that comes twice counts twice.
"""

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MINUTES_PER_DAY = 24 * 60
_EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
# A window on one day of the week that the clock jumped over comes again a week later.
_DAYS_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_minute` to before `end_minute` of the day, on `working_days` (1=Monday…7=Sunday).

    When the end is not after the start, the window spans midnight and belongs to the day on which it opened.
    """

    start_minute: int = 0
    end_minute: int = _MINUTES_PER_DAY
    working_days: tuple[int, ...] = _EVERY_DAY

    @classmethod
    def parse(cls, start_time: str | None, end_time: str | None, working_days: tuple[int, ...]) -> "Window":
        """The window of two times `HH:MM`; without one of them it begins or ends at midnight."""
        return cls(
            start_minute=0 if start_time is None else _parse_minute(start_time),
            # A window until 00:00 ends with its day.
            end_minute=_MINUTES_PER_DAY if end_time is None else _parse_minute(end_time) or _MINUTES_PER_DAY,
            working_days=working_days or _EVERY_DAY,
        )

    def is_open(self, at_ms: int, zone: ZoneInfo) -> bool:
        """Whether somebody in this zone may be called at this instant."""
        local = to_local(at_ms, zone)
        minute = local.hour * 60 + local.minute
        weekday = local.isoweekday()
        if self.start_minute < self.end_minute:
            return self.start_minute <= minute < self.end_minute and weekday in self.working_days
        if minute >= self.start_minute:
            return weekday in self.working_days
        return minute < self.end_minute and (weekday - 2) % 7 + 1 in self.working_days

    def find_opening(self, at_ms: int, zone: ZoneInfo) -> int:
        """The first instant, `at_ms` or later, at which the window is open in this zone."""
        if self.is_open(at_ms, zone):
            return at_ms
        today = to_local(at_ms, zone).date()
        for days in range(_DAYS_AHEAD):
            opening = min(
                (
                    instant
                    for instant in self._list_turning_points(today + timedelta(days=days), zone)
                    if instant >= at_ms and self.is_open(instant, zone)
                ),
                default=None,
            )
            if opening is not None:
                return opening
        raise ValueError(f"the window {self} never opens in {zone.key}")

    def list_weekdays(self, minutes_ahead: Collection[int]) -> frozenset[int]:
        """On which weekdays (0=Monday) of a calendar the window is open by clocks that are so far ahead of it."""
        end = self.end_minute if self.start_minute < self.end_minute else self.end_minute + _MINUTES_PER_DAY
        return frozenset(
            (weekday - 1 + shift) % 7
            for weekday in self.working_days
            for ahead in minutes_ahead
            for shift in range(
                (self.start_minute - ahead) // _MINUTES_PER_DAY, (end - 1 - ahead) // _MINUTES_PER_DAY + 1
            )
        )

    def _list_turning_points(self, day: date, zone: ZoneInfo) -> Iterator[int]:
        wall = datetime.combine(day, time(self.start_minute // 60, self.start_minute % 60), zone)
        yield _to_ms(wall)
        yield _to_ms(wall.replace(fold=1))
        shift = _find_shift(day, zone)
        if shift is not None:
            yield shift


def to_local(at_ms: int, zone: ZoneInfo) -> datetime:
    """The instant on this zone's wall clock, to the second."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone)


def find_day(at_ms: int, zone: ZoneInfo, *, later: int = 0) -> int:
    """The first instant of the day, or of one so many days `later`, on this zone's calendar."""
    return begin_day(to_local(at_ms, zone).date() + timedelta(days=later), zone)


def begin_day(day: date, zone: ZoneInfo) -> int:
    """The first instant of a day of this zone's calendar."""
    return _to_ms(datetime.combine(day, time(), zone))


@functools.lru_cache(maxsize=4096)
def _find_shift(day: date, zone: ZoneInfo) -> int | None:
    """The instant at which the zone's clock is put forward or back on this day, if it is."""
    before = _to_ms(datetime.combine(day, time(), zone)) // 1000 - 1
    after = _to_ms(datetime.combine(day + timedelta(days=1), time(), zone)) // 1000
    old = to_local(before * 1000, zone).utcoffset()
    if to_local(after * 1000, zone).utcoffset() == old:
        return None
    while after - before > 1:
        middle = (before + after) // 2
        if to_local(middle * 1000, zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after * 1000


def _parse_minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _to_ms(wall: datetime) -> int:
    return round(wall.timestamp() * 1000)
