"""Turns packets of the far party into one frame of PCM per tick, whole or concealed; knows no socket and no clock."""

import audioop
from dataclasses import dataclass

from ringdown.media import payloads
from ringdown.media.digits import DigitReceiver
from ringdown.media.jitter import JitterBuffer
from ringdown.media.reception import Reception
from ringdown.media.rtp import RtpPacket
from ringdown.media.wheel import FRAME_MS

# A lost frame is covered by the one before it, each time quieter; after 60 ms a repeated vowel sounds like a machine.
_DECAY = (0.7, 0.5, 0.25)
_SILENCE_RMS = 200
_TICKS_PER_FORCED_DROP = 50
_URGENT_FRAMES = 25  # half a second late
_TICKS_PER_URGENT_DROP = 5
_STATIC_ENCODINGS = {0: "PCMU", 8: "PCMA"}


@dataclass(slots=True)
class ReceiverStatistics:
    """Packets of an unknown payload type, and time filled in for packets that did not come."""

    unknown_payload_types: int = 0
    concealed_ms: int = 0


class Receiver:
    """Reception of one call: SSRC, order, loss concealment, decoding and keypad digits.

    A new SSRC takes over after two packets of it in a row (RFC 3550 §A.1), so that a straggler of the old stream does
    not reset the buffer.
    """

    def __init__(self, *, codec: payloads.AudioCodec, payload_type: int, dtmf_payload_type: int | None) -> None:
        self.statistics = ReceiverStatistics()
        self.reception: Reception | None = None
        self._packets_before = 0
        self._lost_before = 0
        self._ssrc = -1
        self._candidate_ssrc = -1
        self._digits = DigitReceiver()
        self._configure(codec, payload_type, dtmf_payload_type)

    def _configure(self, codec: payloads.AudioCodec, payload_type: int, dtmf_payload_type: int | None) -> None:
        frame_samples = codec.sample_rate_hz * FRAME_MS // 1000
        self._codec = codec
        self._payload_type = payload_type
        self._dtmf_payload_type = dtmf_payload_type
        self._decode = codec.decode
        self._silence = bytes(2 * frame_samples)
        self._last = self._silence
        self._concealed = len(_DECAY)
        self._until_forced = _TICKS_PER_FORCED_DROP
        self.jitter = JitterBuffer(frame_size=frame_samples, silence=codec.silence)

    def change(self, *, codec: payloads.AudioCodec, payload_type: int, dtmf_payload_type: int | None) -> None:
        """Takes over a new negotiation; audio that still waits is forgotten when the codec has changed."""
        if codec is self._codec:
            self._payload_type, self._dtmf_payload_type = payload_type, dtmf_payload_type
        else:
            self._configure(codec, payload_type, dtmf_payload_type)

    def is_expected(self, packet: RtpPacket) -> bool:
        """Whether the payload type is one that was negotiated, or the other law of G.711."""
        payload_type = packet.payload_type
        if payload_type == self._payload_type or payload_type == self._dtmf_payload_type:
            return True
        return payload_type in _STATIC_ENCODINGS and self._codec.encoding in _STATIC_ENCODINGS.values()

    def receive(self, packet: RtpPacket, now_s: float) -> str | None:
        """Takes one packet that arrived at `now_s`; gives the digit that it begins, if any. Raises `ValueError`."""
        payload_type, _, sequence_number, timestamp, ssrc, payload = packet
        if ssrc == self._ssrc:
            self._candidate_ssrc = -1
        elif not self._accept_source(packet):
            return None
        reception = self.reception
        assert reception is not None
        if payload_type == self._payload_type:
            reception.receive(sequence_number, timestamp, now_s)
            self.jitter.push(timestamp, payload)
        elif payload_type == self._dtmf_payload_type:
            reception.count(sequence_number)
            # Events take the place of audio: what is missing now was never sent.
            self._concealed = len(_DECAY)
            return self._digits.receive(timestamp, payload)
        elif self.is_expected(packet):
            # A peer that was offered both laws may change between them at any packet.
            reception.receive(sequence_number, timestamp, now_s)
            pcm = payloads.get_codec(_STATIC_ENCODINGS[payload_type]).decode(payload)
            self.jitter.push(timestamp, self._codec.encode(pcm))
        else:
            reception.count(sequence_number)
            self.statistics.unknown_payload_types += 1
        return None

    def pull(self, *, is_overdue: bool = False) -> bytes:
        """The far party's next 20 ms: decoded, concealed or silence; `is_overdue` as for `JitterBuffer.pop`."""
        frame = self.jitter.pop(is_overdue=is_overdue)
        if frame is None:
            return self._conceal()
        pcm = self._decode(frame)
        if self.jitter.excess:
            pcm = self._catch_up(pcm)
        self._last = pcm
        self._concealed = 0
        return pcm

    @property
    def packets_received(self) -> int:
        """Over all sources of the call."""
        return self._packets_before + (self.reception.packets_received if self.reception else 0)

    @property
    def packets_lost(self) -> int:
        """Over all sources of the call, never negative."""
        return self._lost_before + (max(0, self.reception.packets_lost) if self.reception else 0)

    def _accept_source(self, packet: RtpPacket) -> bool:
        if self.reception is not None and packet.ssrc != self._candidate_ssrc:
            self._candidate_ssrc = packet.ssrc
            return False
        self._packets_before, self._lost_before = self.packets_received, self.packets_lost
        self._ssrc, self._candidate_ssrc = packet.ssrc, -1
        self._digits.reset()
        self.jitter.reset()
        self.reception = Reception(
            ssrc=packet.ssrc,
            sequence_number=packet.sequence_number,
            sample_rate_hz=self._codec.sample_rate_hz,
        )
        return True

    def _conceal(self) -> bytes:
        if self._concealed >= len(_DECAY):
            return self._silence
        pcm = audioop.mul(self._last, 2, _DECAY[self._concealed])
        self._concealed += 1
        self.statistics.concealed_ms += FRAME_MS
        return pcm

    def _catch_up(self, pcm: bytes) -> bytes:
        """Leaves a frame out where it is silent; now and then in speech too, or noise would keep the delay for ever."""
        self._until_forced -= 1
        if self._until_forced > 0 and audioop.rms(pcm, 2) > _SILENCE_RMS:
            return pcm
        self._until_forced = _TICKS_PER_URGENT_DROP if self.jitter.excess >= _URGENT_FRAMES else _TICKS_PER_FORCED_DROP
        following = self.jitter.take_excess()
        return pcm if following is None else self._decode(following)
