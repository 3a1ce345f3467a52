"""Knows the payload of telephone events (RFC 4733); keeps no state."""

import struct
from typing import NamedTuple

DIGITS = "0123456789*#ABCD"
_EVENT = struct.Struct("!BBH")


class TelephoneEvent(NamedTuple):
    """One telephone-event payload (RFC 4733 §2.3): `event` 0–255, `duration` in timestamp units, `volume` in -dBm0."""

    event: int
    is_end: bool
    volume: int
    duration: int


def parse_event(payload: bytes) -> TelephoneEvent:
    """The first event of a telephone-event payload. Raises `ValueError` when it is cut off."""
    if len(payload) < 4:
        raise ValueError("telephone event is shorter than four bytes")
    event, flags, duration = _EVENT.unpack_from(payload)
    return TelephoneEvent(event, flags > 0x7F, flags & 0x3F, duration)


def serialize_event(event: TelephoneEvent) -> bytes:
    """The four bytes of a telephone event."""
    return _EVENT.pack(event.event, (0x80 if event.is_end else 0) | event.volume, event.duration)
