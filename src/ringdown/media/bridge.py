"""Lets the far parties of two sessions hear each other; knows no SIP and keeps no recording."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ringdown.media.rate import RateConverter
from ringdown.media.session import Exchange, MediaSession, OnDigit
from ringdown.media.wheel import FRAME_MS

# Two frames wait at most: one because the sessions' ticks fall between each other, one while their clocks shift.
_FRAMES_WAITING = 2

OnFrames = Callable[[bytes, bytes, int], None]


class Bridge:
    """Two calls as one, between `start` and `stop`: each hears the other and never itself, at most 40 ms later.

    The far clocks' drift is dealt with where each session hears (`JitterBuffer`); should the two sessions be ticked
    apart, the oldest frame is left out or silence is put in. Keypad digits go across as telephone events where the
    other side takes them. `on_frames(left_far, right_far, at_ms)` gets both parties' 20 ms in the left session's
    sample rate and media time, for a recording.
    """

    def __init__(self, left: MediaSession, right: MediaSession, *, on_frames: OnFrames) -> None:
        self._left, self._right = left, right
        self._on_frames = on_frames
        self._to_right = _Direction(from_hz=left.sample_rate_hz, to_hz=right.sample_rate_hz)
        self._to_left = _Direction(from_hz=right.sample_rate_hz, to_hz=left.sample_rate_hz)
        self._silence = bytes(2 * left.sample_rate_hz * FRAME_MS // 1000)
        self._before: tuple[tuple[Exchange, OnDigit], ...] = ()

    def start(self) -> None:
        """Takes both sessions from whoever heard and spoke there. Does nothing the second time."""
        if not self._before:
            self._before = (
                self._left.attach(self._exchange_left, on_digit=self._press(self._right)),
                self._right.attach(self._exchange_right, on_digit=self._press(self._left)),
            )

    def stop(self) -> None:
        """Gives both sessions back. Does nothing without `start`."""
        if self._before:
            for session, (exchange, on_digit) in zip((self._left, self._right), self._before, strict=True):
                session.attach(exchange, on_digit=on_digit)
            self._before = ()

    def _exchange_left(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        self._to_right.put(far_pcm)
        pcm = self._to_left.take()
        self._on_frames(far_pcm, pcm or self._silence, at_ms)
        return pcm

    def _exchange_right(self, far_pcm: bytes, _at_ms: int) -> bytes | None:
        self._to_left.put(far_pcm)
        return self._to_right.take()

    def _press(self, other: MediaSession) -> OnDigit:
        def press(digit: str, _at_ms: int) -> None:
            with suppress(ValueError):  # it takes no telephone events
                other.send_digits(digit)

        return press


class _Direction:
    """The frames of one party on their way to the other."""

    def __init__(self, *, from_hz: int, to_hz: int) -> None:
        self._converter = None if from_hz == to_hz else RateConverter(from_hz=from_hz, to_hz=to_hz)
        self._waiting: deque[bytes] = deque(maxlen=_FRAMES_WAITING)

    def put(self, pcm: bytes) -> None:
        self._waiting.append(pcm if self._converter is None else self._converter.convert(pcm))

    def take(self) -> bytes | None:
        return self._waiting.popleft() if self._waiting else None
