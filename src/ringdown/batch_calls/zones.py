"""Whose clock decides: a contact's own time zone, else that of its number, else the batch's; pure rules."""

import functools
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

# Orders zones from west to east; which day it is does not matter.
_REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)


@functools.lru_cache(maxsize=1024)
def find_zone(name: str) -> ZoneInfo | None:
    """The IANA time zone of this name, or None."""
    return ZoneInfo(name) if name in _list_names() else None


def get_zone(name: str) -> ZoneInfo:
    """A time zone that was checked when it was stored; UTC for one that has left the database since."""
    return find_zone(name) or ZoneInfo("UTC")


def choose_zone(*, own: str | None, phone_number: str, batch_zone: ZoneInfo) -> ZoneInfo:
    """The zone whose clock tells when this contact may be called.

    A number that may lie in several zones takes the batch's if that is one of them, else the middle one from west to
    east, which is at most half the span away from wherever the phone is.
    """
    if own is not None and (zone := find_zone(own)) is not None:
        return zone
    candidates = _list_zones(phone_number[1 : TIMEZONE_LONGEST_PREFIX + 1])
    if not candidates or batch_zone in candidates:
        return batch_zone
    return candidates[len(candidates) // 2]


@functools.lru_cache(maxsize=65536)
def _list_zones(digits: str) -> Sequence[ZoneInfo]:
    """The zones of numbers that begin so, from west to east; none where the numbering plan tells nothing."""
    prefixes = (digits[:length] for length in range(len(digits), 0, -1))
    names = next((TIMEZONE_DATA[prefix] for prefix in prefixes if prefix in TIMEZONE_DATA), ())
    zones = [zone for zone in map(find_zone, names) if zone is not None]
    return sorted(zones, key=lambda zone: (_REFERENCE.astimezone(zone).utcoffset(), zone.key))


@functools.cache
def _list_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
