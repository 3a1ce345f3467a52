"""Turns frames of PCM and keypad digits into the packets of one RTP stream; knows no socket and no clock."""

import secrets
import struct

from ringdown.media import payloads
from ringdown.media.digits import DigitSender
from ringdown.media.wheel import FRAME_MS

_HEADER = struct.Struct("!BBHII")


class Sender:
    """One stream out: random SSRC, sequence number and timestamp (RFC 3550 §5.1), one packet per tick.

    The timestamp follows the ticks also when nothing is sent, so that the far end sees a gap instead of a shift.
    """

    def __init__(self, *, codec: payloads.AudioCodec, payload_type: int, dtmf_payload_type: int | None) -> None:
        self.ssrc = secrets.randbits(32)
        self.timestamp = secrets.randbits(32)
        self.packet_count = 0
        self.octet_count = 0
        self._sequence_number = secrets.randbits(16)
        self._is_first = True
        self._frame_samples = 0
        self._digits: DigitSender
        self.change(codec=codec, payload_type=payload_type, dtmf_payload_type=dtmf_payload_type)

    def change(self, *, codec: payloads.AudioCodec, payload_type: int, dtmf_payload_type: int | None) -> None:
        """Takes over a new negotiation; source, sequence numbers, timestamps and queued digits go on."""
        frame_samples = codec.sample_rate_hz * FRAME_MS // 1000
        if frame_samples != self._frame_samples or dtmf_payload_type is None:
            self._digits = DigitSender(frame_samples=frame_samples)
        self._frame_samples = frame_samples
        self._frame_bytes = 2 * self._frame_samples
        self._encode = codec.encode
        self._silence = codec.silence * self._frame_samples
        self._payload_type = payload_type
        self._dtmf_payload_type = dtmf_payload_type

    @property
    def is_sending_digits(self) -> bool:
        """Whether digits take the place of audio now."""
        return bool(self._digits.queue)

    def send_digits(self, digits: str, *, duration_ms: int, pause_ms: int) -> None:
        """Queues keypad digits. Raises `ValueError` for other characters or when events were not negotiated."""
        if self._dtmf_payload_type is None:
            raise ValueError("the far end takes no telephone events")
        self._digits.add(digits, duration_ms=duration_ms, pause_ms=pause_ms)

    def next(self, pcm: bytes | None) -> bytes:
        """The datagram of this tick: a digit's event if one is being sent, else `pcm` (one frame), else silence."""
        second, timestamp = self._payload_type, self.timestamp
        if self._digits.queue:
            second, timestamp, payload = self._next_event()
        elif pcm is None:
            payload = self._silence
        else:
            if len(pcm) != self._frame_bytes:
                raise ValueError(f"a frame has {self._frame_bytes} bytes, not {len(pcm)}")
            payload = self._encode(pcm)
        if self._is_first:
            second, self._is_first = second | 0x80, False
        self._sequence_number = sequence_number = (self._sequence_number + 1) & 0xFFFF
        self.timestamp = (self.timestamp + self._frame_samples) & 0xFFFFFFFF
        self.packet_count += 1
        self.octet_count += len(payload)
        return _HEADER.pack(0x80, second, sequence_number, timestamp, self.ssrc) + payload

    def _next_event(self) -> tuple[int, int, bytes]:
        """Payload type with marker, timestamp and payload of a tick that belongs to a digit or the pause after it."""
        event = self._digits.next()
        if event is None or self._dtmf_payload_type is None:
            return self._payload_type, self.timestamp, self._silence
        second = self._dtmf_payload_type | (0x80 if event.is_first else 0)
        return second, (self.timestamp - event.timestamp_offset) & 0xFFFFFFFF, event.payload

    def skip(self, ticks: int) -> None:
        """Lets time pass without packets; the next one begins a talkspurt (RFC 3551 §4.1)."""
        self.timestamp = (self.timestamp + ticks * self._frame_samples) & 0xFFFFFFFF
        self._is_first = True
