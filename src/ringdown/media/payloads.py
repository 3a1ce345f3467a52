"""Knows payload formats: G.711 both laws (RFC 3551) and telephone events (RFC 4733); keeps no state."""

import audioop
import struct
from collections.abc import Callable
from typing import NamedTuple

DIGITS = "0123456789*#ABCD"
_EVENT = struct.Struct("!BBH")


class AudioCodec(NamedTuple):
    """One way to carry speech, with one byte per timestamp unit so that payloads can be cut at any sample.

    `decode` takes a payload and gives signed 16-bit little-endian mono PCM; `encode` is its inverse; `silence` is
    the byte that decodes to (nearly) zero.
    """

    encoding: str
    sample_rate_hz: int
    silence: bytes
    decode: Callable[[bytes], bytes]
    encode: Callable[[bytes], bytes]


def _decode_pcmu(payload: bytes) -> bytes:
    return audioop.ulaw2lin(payload, 2)


def _encode_pcmu(pcm: bytes) -> bytes:
    return audioop.lin2ulaw(pcm, 2)


def _decode_pcma(payload: bytes) -> bytes:
    return audioop.alaw2lin(payload, 2)


def _encode_pcma(pcm: bytes) -> bytes:
    return audioop.lin2alaw(pcm, 2)


_CODECS = {
    "PCMU": AudioCodec("PCMU", 8000, b"\xff", _decode_pcmu, _encode_pcmu),
    "PCMA": AudioCodec("PCMA", 8000, b"\xd5", _decode_pcma, _encode_pcma),
}


def get_codec(encoding: str) -> AudioCodec:
    """The codec of an SDP encoding name, in any case. Raises `ValueError` for one that is not supported."""
    codec = _CODECS.get(encoding.upper())
    if codec is None:
        raise ValueError(f"encoding {encoding} is not supported")
    return codec


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
