"""Turns frames of PCM and keypad digits into the packets of one RTP stream; knows no socket and no clock."""

import secrets
import struct
from collections.abc import Sized

from ringdown.media import codecs
from ringdown.media.digits import DigitSender, EventPacket
from ringdown.media.stream import StreamSettings
from ringdown.media.tones import ToneSender
from ringdown.media.wheel import FRAME_MS

_HEADER = struct.Struct("!BBHII")


class Sender:
    """One stream out: random SSRC, sequence number and timestamp (RFC 3550 §5.1).

    A frame of PCM (rate of the codec) goes in at each tick; packets come out as they fill: one, two of 10 ms, or one
    now and then of 30 ms and more. The timestamp follows the ticks also when nothing is sent, so that the far end sees
    a gap instead of a shift.
    """

    __slots__ = (
        "_codec",
        "_dtmf_payload_type",
        "_encode",
        "_events",
        "_frame_bytes",
        "_frame_units",
        "_is_first",
        "_packet_bytes",
        "_packet_ms",
        "_packet_units",
        "_payload_type",
        "_plain_bytes",
        "_plain_silence",
        "_queue",
        "_sequence_number",
        "_silence",
        "_silence_pcm",
        "_tones",
        "_waiting",
        "_waiting_timestamp",
        "octet_count",
        "packet_count",
        "ssrc",
        "timestamp",
    )

    def __init__(self, stream: StreamSettings) -> None:
        """Raises `ValueError` for an encoding that is not supported."""
        self.ssrc = secrets.randbits(32)
        self.timestamp = secrets.randbits(32)
        self.packet_count = 0
        self.octet_count = 0
        self._sequence_number = secrets.randbits(15)  # RFC 3711 §3.3.1: lest it wrap before SRTP is in step
        self._is_first = True
        self._codec: codecs.Codec | None = None
        self._packet_ms = 0
        self._events: DigitSender | None = None
        self._tones: ToneSender | None = None
        self.change(stream)

    def change(self, stream: StreamSettings) -> None:
        """Takes over a new negotiation; source, sequence numbers, timestamps and queued digits go on.

        Digits that still wait are forgotten when they would have to be sent in another way. Raises `ValueError`.
        """
        codec = codecs.get_codec(stream.encoding)
        packet_ms = codec.choose_packet_ms(stream.ptime_ms)
        if codec is not self._codec or packet_ms != self._packet_ms:
            self._configure(codec, packet_ms)
        self._payload_type = stream.payload_type
        self._dtmf_payload_type = stream.dtmf_payload_type
        self._choose_digits(stream, codec.pcm_rate_hz)

    def _configure(self, codec: codecs.Codec, packet_ms: int) -> None:
        self._codec, self._packet_ms = codec, packet_ms
        self._encode = codec.new_encoder(packet_ms)
        self._frame_units = codec.clock_rate_hz * FRAME_MS // 1000
        self._frame_bytes = 2 * codec.pcm_rate_hz * FRAME_MS // 1000
        self._packet_units = codec.clock_rate_hz * packet_ms // 1000
        self._packet_bytes = 2 * codec.pcm_rate_hz * packet_ms // 1000
        self._plain_bytes = self._frame_bytes if packet_ms == FRAME_MS else -1
        self._silence_pcm = bytes(self._frame_bytes)
        self._silence = codec.silence * self._frame_units if codec.silence else b""
        self._plain_silence = self._silence if packet_ms == FRAME_MS else b""
        self._waiting = b""  # PCM that does not fill a packet yet
        self._waiting_timestamp = 0

    def _choose_digits(self, stream: StreamSettings, pcm_rate_hz: int) -> None:
        events = None if stream.dtmf_payload_type is None else DigitSender(clock_rate_hz=stream.dtmf_clock_hz)
        tones = ToneSender(sample_rate_hz=pcm_rate_hz) if stream.is_dtmf_inband else None
        if tones is not None:
            events = None
        if events is None or self._events is None or events.clock_rate_hz != self._events.clock_rate_hz:
            self._events = events
        if tones is None or self._tones is None or tones.sample_rate_hz != self._tones.sample_rate_hz:
            self._tones = tones
        digits = self._tones or self._events
        self._queue: Sized = digits.queue if digits is not None else ()

    @property
    def packet_ms(self) -> int:
        """How much audio a packet holds."""
        return self._packet_ms

    @property
    def waiting_ms(self) -> int:
        """How much of what was given to it waits for a packet to fill; 0 where a frame is a packet."""
        return len(self._waiting) * FRAME_MS // self._frame_bytes

    @property
    def is_sending_digits(self) -> bool:
        """Whether digits take the place of audio now."""
        return bool(self._queue)

    def send_digits(self, digits: str, *, duration_ms: int, pause_ms: int) -> None:
        """Queues keypad digits. Raises `ValueError` for other characters or when the far end takes none."""
        sender = self._tones or self._events
        if sender is None:
            raise ValueError("the far end takes no telephone events")
        sender.add(digits, duration_ms=duration_ms, pause_ms=pause_ms)

    def next(self, pcm: bytes | None) -> tuple[bytes, ...]:
        """The datagrams of this tick: of a digit if one is being sent, else of `pcm` (one frame), else of silence."""
        if self._queue or (not self._plain_silence if pcm is None else len(pcm) != self._plain_bytes):
            return self._send_other(pcm)
        # A frame that fills a packet, as nearly all do; `_send_other` would do the same, only slower.
        encode, timestamp, second = self._encode, self.timestamp, self._payload_type
        payload = self._plain_silence if pcm is None else encode(pcm)
        if self._is_first:
            second, self._is_first = second | 0x80, False
        self._sequence_number = sequence_number = (self._sequence_number + 1) & 0xFFFF
        self.timestamp = (timestamp + self._frame_units) & 0xFFFFFFFF
        self.packet_count += 1
        self.octet_count += len(payload)
        return (_HEADER.pack(0x80, second, sequence_number, timestamp, self.ssrc) + payload,)

    def _send_other(self, pcm: bytes | None) -> tuple[bytes, ...]:
        """As `next`, for digits, silence, and packets of another length than a frame."""
        if self._queue:
            event = None if self._events is None else self._events.next()
            if event is not None:
                return (self._send_event(event),)
            pcm = None if self._tones is None else self._tones.next()
        if pcm is not None and len(pcm) != self._frame_bytes:
            raise ValueError(f"a frame has {self._frame_bytes} bytes, not {len(pcm)}")
        if self._packet_ms != FRAME_MS:
            return self._send_pieces(pcm)
        timestamp = self.timestamp
        self.timestamp = (timestamp + self._frame_units) & 0xFFFFFFFF
        payload = self._encode(pcm) if pcm is not None else self._silence or self._encode(self._silence_pcm)
        return (self._pack(self._payload_type, timestamp, payload),)

    def _send_pieces(self, pcm: bytes | None) -> tuple[bytes, ...]:
        if not self._waiting:
            self._waiting_timestamp = self.timestamp
        waiting = self._waiting + (self._silence_pcm if pcm is None else pcm)
        datagrams, size = [], self._packet_bytes
        while len(waiting) >= size:
            datagrams.append(self._pack(self._payload_type, self._waiting_timestamp, self._encode(waiting[:size])))
            self._waiting_timestamp = (self._waiting_timestamp + self._packet_units) & 0xFFFFFFFF
            waiting = waiting[size:]
        self._waiting = waiting
        self.timestamp = (self.timestamp + self._frame_units) & 0xFFFFFFFF
        return tuple(datagrams)

    def _send_event(self, event: EventPacket) -> bytes:
        assert self._dtmf_payload_type is not None
        self._waiting = b""
        second = self._dtmf_payload_type | (0x80 if event.is_first else 0)
        timestamp = (self.timestamp - event.ticks_ago * self._frame_units) & 0xFFFFFFFF
        self.timestamp = (self.timestamp + self._frame_units) & 0xFFFFFFFF
        return self._pack(second, timestamp, event.payload)

    def _pack(self, second: int, timestamp: int, payload: bytes) -> bytes:
        if self._is_first:
            second, self._is_first = second | 0x80, False
        self._sequence_number = sequence_number = (self._sequence_number + 1) & 0xFFFF
        self.packet_count += 1
        self.octet_count += len(payload)
        return _HEADER.pack(0x80, second, sequence_number, timestamp, self.ssrc) + payload

    def skip(self, ticks: int) -> None:
        """Lets time pass without packets; the next one begins a talkspurt (RFC 3551 §4.1)."""
        self.timestamp = (self.timestamp + ticks * self._frame_units) & 0xFFFFFFFF
        self._waiting = b""
        self._is_first = True
