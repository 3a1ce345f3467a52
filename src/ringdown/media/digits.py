"""Knows keypad digits as RFC 4733 events in both directions; counts ticks and timestamps, sends nothing itself."""

from collections import deque
from dataclasses import dataclass

from ringdown.media import payloads, rtp
from ringdown.media.wheel import FRAME_MS

END_PACKETS = 3
_VOLUME = 10  # -10 dBm0
_MAX_DURATION = 0xFFFF
# No network holds a packet back for ten seconds (at 8 kHz): the sender has set its clock back.
_JUMP_BACK = 80_000


def check_digits(digits: str, *, duration_ms: int, pause_ms: int) -> None:
    """Raises `ValueError` for characters that are no keys, and for times that no far end would understand."""
    if not set(digits.upper()) <= set(payloads.DIGITS):
        raise ValueError("digits must be of 0-9, *, #, A-D")
    if not 40 <= duration_ms <= 6000 or not 40 <= pause_ms <= 6000:
        raise ValueError("a digit and its pause last 40 to 6000 ms each")


class DigitReceiver:
    """Tells each key press once, at its first packet, whichever of its packets arrive (RFC 4733 §2.5.2)."""

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._event = -1
        self._duration = 0
        self._is_ended = False

    def reset(self) -> None:
        """Forgets the last event, as the timestamps of a new source have nothing to do with the old ones."""
        self._timestamp = None

    def receive(self, timestamp: int, payload: bytes) -> str | None:
        """The digit, when this packet is the first of a new press. Raises `ValueError` for a cut-off payload."""
        event = payloads.parse_event(payload)
        if self._timestamp is not None:
            distance = rtp.timestamp_distance(timestamp, self._timestamp)
            if -_JUMP_BACK <= distance < 0:
                return None
            if distance == 0 or self._is_next_segment(event, distance):
                self._timestamp, self._duration = timestamp, max(self._duration, event.duration)
                self._is_ended = self._is_ended or event.is_end
                return None
        self._timestamp, self._event = timestamp, event.event
        self._duration, self._is_ended = event.duration, event.is_end
        return payloads.DIGITS[event.event] if event.event < len(payloads.DIGITS) else None

    def _is_next_segment(self, event: payloads.TelephoneEvent, distance: int) -> bool:
        # RFC 4733 §2.5.1.3: an event longer than the duration field holds goes on under a new timestamp.
        is_full = self._duration > _MAX_DURATION - 0x0FFF
        return is_full and not self._is_ended and event.event == self._event and 0 < distance <= _MAX_DURATION


@dataclass(slots=True)
class EventPacket:
    """What the next packet carries instead of audio; its timestamp is the one of so many ticks ago."""

    payload: bytes
    is_first: bool
    ticks_ago: int


class DigitSender:
    """Plays digits, one packet a tick: duration growing under one timestamp, three end packets, then a pause."""

    def __init__(self, *, clock_rate_hz: int) -> None:
        self.clock_rate_hz = clock_rate_hz
        self.queue: deque[tuple[int, int, int]] = deque()
        self._tick = 0

    def add(self, digits: str, *, duration_ms: int, pause_ms: int) -> None:
        """Queues digits of `duration_ms` each, followed by `pause_ms`. Raises `ValueError` for other characters."""
        check_digits(digits, duration_ms=duration_ms, pause_ms=pause_ms)
        events = [payloads.DIGITS.index(digit) for digit in digits.upper()]
        # The second and third end packet go out in the pause.
        self.queue.extend(
            (event, duration_ms // FRAME_MS, max(pause_ms // FRAME_MS, END_PACKETS - 1)) for event in events
        )

    def next(self) -> EventPacket | None:
        """The packet of this tick; None in the pause between digits and when nothing is queued."""
        if not self.queue:
            return None
        event, ticks, pause_ticks = self.queue[0]
        self._tick += 1
        tick = self._tick
        if tick >= ticks + pause_ticks:
            self.queue.popleft()
            self._tick = 0
        if tick >= ticks + END_PACKETS:
            return None
        is_end = tick >= ticks
        duration = min(min(tick, ticks) * FRAME_MS * self.clock_rate_hz // 1000, _MAX_DURATION)
        packet = payloads.TelephoneEvent(event, is_end, _VOLUME, duration)
        return EventPacket(payloads.serialize_event(packet), tick == 1, tick - 1)
