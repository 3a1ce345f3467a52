"""The world of the dial boundary: people in forty zones, batch calls with windows; and its own judge of each dial.

The judge reads the wall clock by itself: nothing of the product's windows, zones or schedules is used here.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ringdown.batch_calls.models import BatchCall, BatchContact

ORGANIZATION = "org_boundary"
YEAR = 2026
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

#: Clocks that are put forward and back by an hour, by half an hour, by two, in the middle of a fast, or never.
ZONES = (
    "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "America/Anchorage", "America/Asuncion",
    "America/Bogota", "America/Chicago", "America/Denver", "America/Halifax", "America/Havana",
    "America/Los_Angeles", "America/Miquelon", "America/New_York", "America/Nuuk", "America/Phoenix",
    "America/Santiago", "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll", "Asia/Beirut",
    "Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Shanghai",
    "Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide", "Australia/Lord_Howe", "Australia/Perth",
    "Australia/Sydney", "Europe/Berlin", "Europe/Chisinau", "Europe/Dublin", "Europe/London",
    "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Honolulu", "Pacific/Norfolk",
)  # fmt: skip
#: Whose numbers tell where they live: the beginning, how many digits follow, the clock there.
_TELLING = (
    ("+4420", 8, "Europe/London"),
    ("+1212", 7, "America/New_York"),
    ("+1480", 7, "America/Phoenix"),
    ("+8190", 8, "Asia/Tokyo"),
    ("+4930", 8, "Europe/Berlin"),
    ("+9111", 8, "Asia/Kolkata"),
    ("+6421", 7, "Pacific/Auckland"),
)
_OWN_ZONE_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Person:
    """A number, the zone that is stored with it if any, and the clock on its owner's wall."""

    number: str
    stored_zone: str | None
    clock: ZoneInfo


def make_person(position: int, chance: random.Random) -> Person:
    """Somebody whose number nobody else has."""
    if chance.random() < _OWN_ZONE_SHARE:
        zone = chance.choice(ZONES)
        return Person(f"+88{position:010}", zone, ZoneInfo(zone))
    prefix, digits, zone = chance.choice(_TELLING)
    return Person(f"{prefix}{position % 10**digits:0{digits}}", None, ZoneInfo(zone))


def make_batch(number: int, chance: random.Random) -> BatchCall:
    """A batch call that begins somewhere in the year; half of them just before some clock is changed."""
    begins = datetime(YEAR, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(330 * 24 * 60))
    if number % 2:
        zone = ZoneInfo(chance.choice(ZONES))
        change = find_change(begins, zone)
        begins = begins if change is None else change - timedelta(hours=chance.uniform(0, 60))
    start, end = _choose_window(chance)
    starts_at = round(begins.timestamp() * 1000)
    days = tuple(sorted(chance.sample(range(1, 8), chance.randint(1, 7))))
    return BatchCall(
        organization_id=ORGANIZATION,
        id=f"batch_{number}",
        name="Boundary",
        agent_id="agt_boundary",
        created_at=starts_at,
        updated_at=starts_at,
        status="active",
        timezone=chance.choice(ZONES),
        start_time=start,
        end_time=end,
        working_days=days if chance.random() < 0.7 else (),
        max_calls_per_day=chance.choice((None, None, 100, 250, 1000)),
        retry_attempts=chance.randint(0, 4),
        retry_delay_minutes=tuple(chance.choice((1, 5, 30, 120, 700, 1440)) for _ in range(chance.randint(1, 3))),
        spread_from=starts_at,
    )


def _choose_window(chance: random.Random) -> tuple[str | None, str | None]:
    kind = chance.random()
    if kind < 0.1:
        return None, None
    start, length = chance.randrange(0, 1440), chance.choice((1, 5, 45, 90, 480, 600, 1080))
    if kind < 0.3:  # around the hours at which clocks are changed
        start = chance.randrange(22 * 60, 27 * 60) % 1440
    return _clock(start), _clock((start + length) % 1440)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def find_change(after: datetime, zone: ZoneInfo) -> datetime | None:
    """About when the zone's clock is changed next, to the hour; None when it is not within a year."""
    offset = after.astimezone(zone).utcoffset()
    for hour in range(366 * 24):
        at = after + timedelta(hours=hour)
        if at.astimezone(zone).utcoffset() != offset:
            return at
    return None


def make_contact(batch: BatchCall, position: int, person: Person) -> BatchContact:
    """The person as a contact of the batch call."""
    return BatchContact(
        organization_id=ORGANIZATION,
        batch_call_id=batch.id,
        position=position,
        contact_id=f"cnt_{batch.id}_{position}",
        phone_number=person.number,
        updated_at=batch.created_at,
        timezone=person.stored_zone,
    )


@dataclass(slots=True)
class Judge:
    """Looks at each dial with nothing but the request and the calendar; keeps the evidence against it."""

    gap_ms: int
    blocked_since: Mapping[str, int]
    outside: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    dials: int = 0
    near_changes: int = 0
    zones: Counter[str] = field(default_factory=Counter)
    _days: Counter[tuple[str, str]] = field(default_factory=Counter)
    _attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _last: dict[str, tuple[str, int]] = field(default_factory=dict)
    _offsets: dict[tuple[str, int], bool] = field(default_factory=dict)

    def look(self, batch: BatchCall, person: Person, at_ms: int) -> None:
        """A dial at this instant."""
        self.dials += 1
        self.zones[person.clock.key] += 1
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        wall = at.astimezone(person.clock)
        told = f"{person.number} by {batch.id} at {wall.isoformat()} ({person.clock.key})"
        if not _is_within(batch, wall):
            self.outside.append(
                f"{told}: window {batch.start_time}-{batch.end_time}, days {batch.working_days or 'all'}"
            )
        if at_ms >= self.blocked_since.get(person.number, at_ms + 1):
            self.blocked.append(f"{told}: on the list since {self.blocked_since[person.number]}")
        self._look_at_caps(batch, person, at, at_ms, told)
        self.near_changes += self._is_near_change(at, at_ms, person.clock)

    def _look_at_caps(self, batch: BatchCall, person: Person, at: datetime, at_ms: int, told: str) -> None:
        day = (batch.id, at.astimezone(ZoneInfo(batch.timezone)).date().isoformat())
        self._days[day] += 1
        if batch.max_calls_per_day is not None and self._days[day] > batch.max_calls_per_day:
            self.over.append(f"{told}: call {self._days[day]} of {batch.max_calls_per_day} on {day[1]}")
        self._attempts[batch.id, person.number] += 1
        if self._attempts[batch.id, person.number] > 1 + batch.retry_attempts:
            self.over.append(f"{told}: attempt {self._attempts[batch.id, person.number]} of {1 + batch.retry_attempts}")
        other, last_ms = self._last.get(person.number, (batch.id, 0))
        if other != batch.id and at_ms - last_ms < self.gap_ms:
            self.over.append(f"{told}: {at_ms - last_ms} ms after {other}")
        self._last[person.number] = (batch.id, at_ms)

    def _is_near_change(self, at: datetime, at_ms: int, clock: ZoneInfo) -> bool:
        """Whether the clock is changed within a day of it."""
        key = (clock.key, at_ms // (DAY_MS // 4))
        if key not in self._offsets:
            day = timedelta(days=1)
            offsets = {(at + shift).astimezone(clock).utcoffset() for shift in (-day, 0 * day, day)}
            self._offsets[key] = len(offsets) > 1
        return self._offsets[key]


def _is_within(batch: BatchCall, wall: datetime) -> bool:
    """Whether the hands on the wall stand inside the window of a day that is worked on."""
    start, end = batch.start_time or "00:00", batch.end_time or "24:00"
    if end == "00:00":
        end = "24:00"
    now, today = f"{wall.hour:02}:{wall.minute:02}", wall.isoweekday()
    days = batch.working_days or (1, 2, 3, 4, 5, 6, 7)
    if start < end:
        return start <= now < end and today in days
    yesterday = 7 if today == 1 else today - 1
    return (now >= start and today in days) or (now < end and yesterday in days)
