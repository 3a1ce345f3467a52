"""Knows the speech codecs by their SDP names: clock, PCM rate, and how to make one call's encoder and decoder."""

import audioop
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ringdown.media import g722, opus

Encode = Callable[[bytes], bytes]


class Decoder(Protocol):
    """The decoding side of one call; fed with its packets in order."""

    def decode(self, payload: bytes) -> bytes:
        """The PCM of a payload. Never raises: what cannot be decoded gives silence or nothing."""

    def conceal(self) -> bytes:
        """The codec's own guess at a lost packet as long as the last one; nothing where it has no such means."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to carry speech; PCM is signed 16-bit little-endian mono of `pcm_rate_hz`.

    `clock_rate_hz` is that of RTP timestamps, which G.722 counts at half its samples (RFC 3551 §4.5.2). `measure` gives
    the length of a payload in timestamp units and raises `ValueError` for a broken one. `new_encoder` makes the encoder
    of one call for packets of so many milliseconds, which must be one of `packet_times_ms`. `silence` is the payload
    byte that decodes to (nearly) nothing, for codecs that keep no state.
    """

    encoding: str
    clock_rate_hz: int
    pcm_rate_hz: int
    packet_times_ms: tuple[int, ...]
    measure: Callable[[bytes], int]
    new_encoder: Callable[[int], Encode]
    new_decoder: Callable[[], Decoder]
    silence: bytes | None = None

    def choose_packet_ms(self, ptime_ms: int) -> int:
        """The longest packet time that this codec has and that is not longer than the peer's wish."""
        return max(
            (time_ms for time_ms in self.packet_times_ms if time_ms <= ptime_ms), default=self.packet_times_ms[0]
        )


class _Pcmu:
    def decode(self, payload: bytes) -> bytes:
        return audioop.ulaw2lin(payload, 2)

    def conceal(self) -> bytes:
        return b""


class _Pcma:
    def decode(self, payload: bytes) -> bytes:
        return audioop.alaw2lin(payload, 2)

    def conceal(self) -> bytes:
        return b""


def encode_pcmu(pcm: bytes) -> bytes:
    """G.711 μ-law, one byte per sample."""
    return audioop.lin2ulaw(pcm, 2)


def encode_pcma(pcm: bytes) -> bytes:
    """G.711 A-law, one byte per sample."""
    return audioop.lin2alaw(pcm, 2)


def change_law(payload: bytes, *, from_encoding: str) -> bytes:
    """A G.711 payload in the other law than `from_encoding`, PCMU or PCMA."""
    if from_encoding == "PCMU":
        return audioop.lin2alaw(audioop.ulaw2lin(payload, 2), 2)
    return audioop.lin2ulaw(audioop.alaw2lin(payload, 2), 2)


_ANY_TIME_MS = (10, 20, 30, 40, 50, 60)
_CODECS = {
    codec.encoding: codec
    for codec in (
        Codec("PCMU", 8000, 8000, _ANY_TIME_MS, len, lambda _: encode_pcmu, _Pcmu, b"\xff"),
        Codec("PCMA", 8000, 8000, _ANY_TIME_MS, len, lambda _: encode_pcma, _Pcma, b"\xd5"),
        Codec("G722", 8000, 16_000, _ANY_TIME_MS, len, lambda packet_ms: g722.Encoder(packet_ms).encode, g722.Decoder),
        Codec(
            "OPUS",
            48_000,
            opus.PCM_RATE_HZ,
            opus.PACKET_TIMES_MS,
            opus.measure,
            lambda packet_ms: opus.Encoder(packet_ms).encode,
            opus.Decoder,
        ),
    )
}


def get_codec(encoding: str) -> Codec:
    """The codec of an SDP encoding name, in any case. Raises `ValueError` for one that is not supported."""
    codec = _CODECS.get(encoding.upper())
    if codec is None:
        raise ValueError(f"encoding {encoding} is not supported")
    return codec


def pcm_rate_hz(encoding: str) -> int:
    """The sample rate of a codec's PCM: 8000 or 16000. Raises `ValueError` for one that is not supported."""
    return get_codec(encoding).pcm_rate_hz
