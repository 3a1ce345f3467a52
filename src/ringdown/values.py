"""Tiny immutable values that every part shares: ids, instants, E.164 numbers, durations, storable text."""

import os
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache

# Crockford's alphabet: sorts as its values do, so that ids sort by time.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|s)")
# NUL, which PostgreSQL refuses, and halves of surrogate pairs, which are no characters.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MAX_DURATION_SECONDS = 10**9
# A page of calls has two hundred instants: their parts are looked up, not formatted.
_MINUTES = tuple(f"T{hour:02}:{minute:02}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02}Z" for second in range(60))
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DURATION_RULE = 'must be a duration such as "30s", "500ms" or whole seconds'


class _IdSource:
    """128-bit values that grow: 48 bits of milliseconds, then 80 random bits, counted up within one millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            fresh = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
            same_millisecond = fresh >> 80 <= self._last >> 80
            self._last = self._last + 1 + int.from_bytes(os.urandom(3)) if same_millisecond else fresh
            return self._last


_ids = _IdSource()


def new_id(prefix: str) -> str:
    """A new opaque id: `<prefix>_` and 26 base-32 characters of a time-ordered 128-bit value."""
    return f"{prefix}_{_base32(_ids.next())}"


def _base32(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def now_ms() -> int:
    """The wall clock in milliseconds since 1970 UTC; how instants are stored."""
    return time.time_ns() // 1_000_000


def to_wire_time(instant_ms: int | None) -> str | None:
    """An instant as the API writes it: ISO 8601 UTC, whole seconds, ending in `Z`."""
    if instant_ms is None:
        return None
    return _format_instant(instant_ms // 1000)


@lru_cache(maxsize=8192)  # the same few lists are shown again and again
def _format_instant(instant_s: int) -> str:
    day, second = divmod(instant_s, 86_400)
    minute, second = divmod(second, 60)
    return _format_day(day) + _MINUTES[minute] + _SECONDS[second]


@lru_cache(maxsize=4096)
def _format_day(day: int) -> str:
    return date.fromordinal(_EPOCH_ORDINAL + day).isoformat()


def parse_wire_time(text: str) -> int:
    """Milliseconds of an ISO 8601 instant; a time without zone is UTC. Raises `ValueError`."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1000)


def is_e164(text: str) -> bool:
    """Whether `text` is a phone number as the API takes it (`^\\+[1-9]\\d{1,14}$`)."""
    return _E164.fullmatch(text) is not None


def parse_duration_ms(value: str | int | float) -> int:
    """Milliseconds of `"30s"`, `"500ms"` or whole seconds. Raises `ValueError`."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(_DURATION_RULE)
        return round(float(match[1]) * (1000 if match[2] == "s" else 1))
    if isinstance(value, bool) or not 0 <= value <= _MAX_DURATION_SECONDS:
        raise ValueError(_DURATION_RULE)
    return round(value * 1000)


def format_duration(duration_ms: int) -> str:
    """A duration as the API writes it: `"30s"`, or `"500ms"` when it is not whole seconds."""
    return f"{duration_ms // 1000}s" if duration_ms % 1000 == 0 else f"{duration_ms}ms"


def clean_text(text: str) -> str:
    """The text without what models and tools may send and no database keeps."""
    return _UNSTORABLE.sub("", text)


def clean_json(value: object) -> object:
    """A JSON value whose texts, names included, are clean."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(name)): clean_json(child) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(child) for child in value]
    return value
