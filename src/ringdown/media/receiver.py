"""Turns packets of the far party into one frame of PCM per tick, whole or concealed; knows no socket and no clock."""

import audioop
from collections.abc import Callable
from dataclasses import dataclass

from ringdown.media import codecs, concealment, quality, rtp
from ringdown.media.concealment import Concealer
from ringdown.media.digits import DigitReceiver
from ringdown.media.jitter import JitterBuffer
from ringdown.media.noise import ComfortNoise
from ringdown.media.reception import Reception
from ringdown.media.rtp import RtpFields
from ringdown.media.stream import StreamSettings
from ringdown.media.tones import ToneDetector
from ringdown.media.wheel import FRAME_MS

_SILENCE_RMS = 200
_TICKS_PER_FORCED_DROP = 50
_URGENT_FRAMES = 25  # half a second late
_TICKS_PER_URGENT_DROP = 5
_JITTERS_OF_PREFILL = 2.5
_STATIC_ENCODINGS = {0: "PCMU", 8: "PCMA"}
_PACKETS_FOR_SCORE = 25
_COMFORT_NOISE_PAYLOAD_TYPE = 13  # static (RFC 3551 §6), so it may come without having been negotiated


@dataclass(slots=True)
class ReceiverStatistics:
    """Packets of an unknown payload type, and time filled in for packets that did not come."""

    unknown_payload_types: int = 0
    concealed_ms: int = 0


class Receiver:
    """Reception of one call: SSRC, order, decoding, loss concealment, comfort noise and keypad digits.

    PCM has the rate of the codec (`codecs.pcm_rate_hz`). A new SSRC takes over after two packets of it in a row
    (RFC 3550 §A.1), so that a straggler of the old stream does not reset the buffer. `on_tone` gets digits that were
    heard as tones, when the stream has them in-band.
    """

    __slots__ = (
        "_candidate_ssrc",
        "_codec",
        "_concealed_ms",
        "_concealer",
        "_decode",
        "_decoder",
        "_detector",
        "_digits",
        "_dtmf_payload_type",
        "_frame_bytes",
        "_frame_units",
        "_is_codec_concealing",
        "_last",
        "_lost_before",
        "_noise",
        "_noise_payload_types",
        "_noise_timestamp",
        "_on_tone",
        "_packets_before",
        "_payload_type",
        "_rest",
        "_silence",
        "_ssrc",
        "_until_forced",
        "jitter",
        "reception",
        "statistics",
    )

    def __init__(self, stream: StreamSettings, *, on_tone: Callable[[str], None] | None = None) -> None:
        """Raises `ValueError` for an encoding that is not supported."""
        self.statistics = ReceiverStatistics()
        self.reception: Reception | None = None
        self._packets_before = 0
        self._lost_before = 0
        self._ssrc = -1
        self._candidate_ssrc = -1
        self._digits = DigitReceiver()
        self._on_tone = on_tone
        self._configure(codecs.get_codec(stream.encoding))
        self._agree(stream)

    def _configure(self, codec: codecs.Codec) -> None:
        self._codec = codec
        self._decoder = codec.new_decoder()
        self._decode = self._decoder.decode
        self._frame_units = codec.clock_rate_hz * FRAME_MS // 1000
        self._frame_bytes = 2 * codec.pcm_rate_hz * FRAME_MS // 1000
        self._silence = bytes(self._frame_bytes)
        self._last = self._silence
        self._rest = b""  # decoded already, to be heard in the next ticks
        self._concealer = Concealer(codec.pcm_rate_hz)
        self._concealed_ms = concealment.FADE_MS
        self._is_codec_concealing = False
        self._noise: ComfortNoise | None = None
        self._noise_timestamp = 0
        self._until_forced = _TICKS_PER_FORCED_DROP
        self.jitter = JitterBuffer(
            frame_size=self._frame_units, measure=codec.measure, choose_prefill_ticks=self._choose_prefill_ticks
        )

    def _agree(self, stream: StreamSettings) -> None:
        self._payload_type, self._dtmf_payload_type = stream.payload_type, stream.dtmf_payload_type
        self._noise_payload_types = {_COMFORT_NOISE_PAYLOAD_TYPE, stream.comfort_noise_payload_type}
        self._detector = ToneDetector(sample_rate_hz=self._codec.pcm_rate_hz) if stream.is_dtmf_inband else None

    def change(self, stream: StreamSettings) -> None:
        """Takes over a new negotiation; audio that still waits is forgotten when the codec has changed."""
        codec = codecs.get_codec(stream.encoding)
        if codec is not self._codec:
            self._configure(codec)
        self._agree(stream)

    def is_expected(self, payload_type: int) -> bool:
        """Whether it is one that was negotiated, comfort noise, or the other law of G.711."""
        if payload_type == self._payload_type or payload_type == self._dtmf_payload_type:
            return True
        if payload_type in self._noise_payload_types:
            return True
        return payload_type in _STATIC_ENCODINGS and self._codec.encoding in _STATIC_ENCODINGS.values()

    def receive(self, packet: RtpFields, now_s: float) -> str | None:
        """Takes one packet that arrived at `now_s`; gives the digit that it begins, if any. Raises `ValueError`."""
        payload_type, _, sequence_number, timestamp, ssrc, payload = packet
        if ssrc == self._ssrc:
            self._candidate_ssrc = -1
        elif not self._accept_source(ssrc, sequence_number):
            return None
        reception = self.reception
        assert reception is not None
        if payload_type == self._payload_type:
            reception.receive(sequence_number, timestamp, now_s)
            self.jitter.push(timestamp, payload, now_s)
            return None
        if payload_type in _STATIC_ENCODINGS and self.is_expected(payload_type):
            # A peer that was offered both laws may change between them at any packet.
            reception.receive(sequence_number, timestamp, now_s)
            payload = codecs.change_law(payload, from_encoding=_STATIC_ENCODINGS[payload_type])
            self.jitter.push(timestamp, payload, now_s)
            return None
        reception.count(sequence_number)
        if payload_type == self._dtmf_payload_type:
            # Events take the place of audio: what is missing now was never sent.
            self._concealed_ms = concealment.FADE_MS
            return self._digits.receive(timestamp, payload)
        if payload_type in self._noise_payload_types:
            self._begin_noise(timestamp, payload)
        else:
            self.statistics.unknown_payload_types += 1
        return None

    def pull(self, is_overdue: bool = False) -> bytes:
        """The far party's next 20 ms: decoded, concealed or silence; `is_overdue` as for `JitterBuffer.pop`."""
        jitter = self.jitter
        if self._rest:
            pcm, self._rest = self._rest, b""
        else:
            payload = jitter.pop(0, is_overdue)
            if payload is None:
                pcm = self._cover(jitter.gap)
            elif self._concealed_ms or jitter.cut:
                pcm = self._open(payload)
            else:
                decode = self._decode
                pcm = decode(payload)
        if len(pcm) != self._frame_bytes:
            pcm = self._assemble(pcm, is_overdue=is_overdue)
        if not self._concealed_ms:
            self._last = pcm
        if jitter.excess:
            pcm = self._catch_up(pcm)
        if self._detector is not None and self._on_tone is not None:
            for digit in self._detector.receive(pcm):
                self._on_tone(digit)
        return pcm

    @property
    def packets_received(self) -> int:
        """Over all sources of the call."""
        return self._packets_before + (self.reception.packets_received if self.reception else 0)

    @property
    def packets_lost(self) -> int:
        """Over all sources of the call, never negative."""
        return self._lost_before + (max(0, self.reception.packets_lost) if self.reception else 0)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter of the source heard now (RFC 3550 §6.4.1); 0 before the first."""
        return self.reception.jitter_ms if self.reception else 0.0

    @property
    def clock_drift_ppm(self) -> float | None:
        """How much faster the far clock runs than ours, in millionths; None until five seconds were heard."""
        return self.reception.clock_drift_ppm if self.reception else None

    def estimate_mos(self, *, round_trip_ms: float | None) -> float | None:
        """How good the far party sounds, 1 to 4.5; None for the first packets. An unknown round trip counts as 0."""
        reception = self.reception
        if reception is None or reception.packets_received < _PACKETS_FOR_SCORE:
            return None
        waiting_ms = self.jitter.waiting_units * FRAME_MS / self._frame_units
        late = self.jitter.statistics.late
        return quality.estimate_mos(
            encoding=self._codec.encoding,
            expected=reception.packets_expected,
            lost=reception.packets_lost + late,
            bursts=reception.gaps + late,
            # One frame until it is full, one until its tick.
            delay_ms=(round_trip_ms or 0.0) / 2 + 2 * FRAME_MS + waiting_ms,
        )

    def _accept_source(self, ssrc: int, sequence_number: int) -> bool:
        if self.reception is not None and ssrc != self._candidate_ssrc:
            self._candidate_ssrc = ssrc
            return False
        self._packets_before, self._lost_before = self.packets_received, self.packets_lost
        self._ssrc, self._candidate_ssrc = ssrc, -1
        self._digits.reset()
        self.reception = Reception(ssrc=ssrc, sequence_number=sequence_number, clock_rate_hz=self._codec.clock_rate_hz)
        self.jitter.reset()
        return True

    def _choose_prefill_ticks(self) -> int:
        return 1 + int(_JITTERS_OF_PREFILL * self.jitter_ms / FRAME_MS)

    def _open(self, payload: bytes) -> bytes:
        """Decodes a packet that follows a loss, or whose beginning comes too late."""
        pcm = self._decode(payload)
        if self.jitter.cut:
            pcm = pcm[self._to_bytes(self.jitter.cut) :]
            self.jitter.cut = 0
        if 0 < self._concealed_ms < concealment.FADE_MS and not self._is_codec_concealing:
            pcm = self._concealer.join(pcm)
        self._concealed_ms = 0
        return pcm

    def _assemble(self, pcm: bytes, *, is_overdue: bool) -> bytes:
        """A frame out of this and what follows; the rest is kept."""
        size = self._frame_bytes
        while len(pcm) < size:
            wanted = max(1, (size - len(pcm)) * self._frame_units // size)
            payload = self.jitter.pop(wanted=wanted, is_overdue=is_overdue)
            pcm += self._cover(self.jitter.gap) if payload is None else self._open(payload)
        self._rest = pcm[size:]
        return pcm[:size]

    def _cover(self, units: int) -> bytes:
        """What is heard when there is nothing: the last sound for a moment, comfort noise, or silence."""
        size = self._to_bytes(units)
        if self._noise is not None and self._is_noise_current():
            self._concealed_ms = concealment.FADE_MS
            return self._noise.next(size)
        if self.jitter.is_idle or self._concealed_ms >= concealment.FADE_MS:
            self._concealed_ms = concealment.FADE_MS
            return bytes(size)
        if not self._concealed_ms:
            self._concealer.begin(self._last)
        ms = max(1, size * FRAME_MS // self._frame_bytes)
        self._concealed_ms += ms
        self.statistics.concealed_ms += ms
        pcm = self._decoder.conceal()
        self._is_codec_concealing = len(pcm) == size
        return pcm if self._is_codec_concealing else self._concealer.next(size)

    def _begin_noise(self, timestamp: int, payload: bytes) -> None:
        if self._noise is None or payload != self._noise.payload:
            self._noise = ComfortNoise(payload, sample_rate_hz=self._codec.pcm_rate_hz)
        self._noise_timestamp = timestamp

    def _is_noise_current(self) -> bool:
        """Whether no speech has come since the far end said how its pause sounds."""
        end = self.jitter.end_timestamp
        return end < 0 or rtp.timestamp_distance(self._noise_timestamp, end) >= 0

    def _to_bytes(self, units: int) -> int:
        return max(2, units * self._frame_bytes // self._frame_units & ~1)

    def _catch_up(self, pcm: bytes) -> bytes:
        """Leaves a frame out where it is silent; now and then in speech too, or noise would keep the delay for ever."""
        self._until_forced -= 1
        if self._until_forced > 0 and audioop.rms(pcm, 2) > _SILENCE_RMS:
            return pcm
        self._until_forced = _TICKS_PER_URGENT_DROP if self.jitter.excess >= _URGENT_FRAMES else _TICKS_PER_FORCED_DROP
        self.jitter.drop_frame()
        rest, self._rest = self._rest, b""
        following = self._assemble(rest, is_overdue=True)
        return concealment.blend(pcm[: len(pcm) // 4], following)
