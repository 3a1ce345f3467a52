"""How a person and a machine answer the telephone, told from loudness and lengths of speech and silence. Pure."""

from typing import Literal

# A pause that is the end of "hello?", rather than a breath.
PAUSE_MS = 480
# "Hello, this is Julia Smith": longer answers of people end with more silence.
_SHORT_MS = 1800
_LONG_PAUSE_MS = 1000
# Nobody who picks up speaks longer than this without a pause; a recorded greeting does.
LONG_MS = 2500
# A click or a cough; no answer.
_SHORTEST_MS = 150
# What is so much quieter than the loudest of the speech (14 dB) is somebody else in the room, or a television.
_BACKGROUND = 0.2
# The vowels of one voice are less than 9 dB quieter than its loudest; those of others in the room are.
_LOUD = 0.35
# A voice at the telephone is at least so much louder than its line (20 dB); a street or a room full of people is not.
_STANDS_OUT = 10
# Nothing at all for so many frames of 20 ms is a silent line; for fewer, packets that are missing.
_SILENT_FRAMES = 10

_FRAME_MS = 20

Answerer = Literal["human", "machine"]


class Cadence:
    """The stretch of speech that is going on or was last; pauses shorter than a second belong to it."""

    def __init__(self) -> None:
        self._start_ms: int | None = None
        self._last_voiced_ms = 0
        self._level_before = self._loudest = 0
        self._last_loud_ms = 0
        # How much of what was heard so far was as loud as the voice that has answered.
        self.loud_ms = 0

    def feed(self, *, started_ms: int, last_voiced_ms: int, level: int, now_ms: int) -> None:
        """There is speech: since `started_ms` in this utterance, and up to `last_voiced_ms`.

        `level` is that of the frame that ends at `now_ms`.
        """
        # A click is loud for one frame only.
        self._loudest = max(self._loudest, min(level, self._level_before))
        self._level_before = level
        self.loud_ms += _FRAME_MS * (level >= self._loudest * _LOUD)
        if level >= self._loudest * _BACKGROUND:
            self._last_loud_ms = now_ms
        voiced_ms = min(last_voiced_ms, self._last_loud_ms)
        if self._start_ms is None:
            self._start_ms = started_ms
        elif voiced_ms - self._last_voiced_ms >= _LONG_PAUSE_MS:
            self._start_ms = voiced_ms
        self._last_voiced_ms = max(voiced_ms, started_ms)

    @property
    def spoken_ms(self) -> int:
        """How long the stretch is so far; 0 when there was none."""
        return 0 if self._start_ms is None else self._last_voiced_ms - self._start_ms

    @property
    def last_voiced_ms(self) -> int:
        """When the stretch ended, so far."""
        return self._last_voiced_ms

    def silence_ms(self, now_ms: int) -> int:
        """How long nobody has spoken since the stretch."""
        return now_ms - self._last_voiced_ms

    def reset(self) -> None:
        """What was heard so far belongs to somebody else."""
        self._start_ms = None
        self._level_before = self._loudest = 0


class Line:
    """How loud a line is at its quietest and at its loudest."""

    def __init__(self) -> None:
        self._levels = (0, 0, 0)
        self._silent = 0
        self._quietest: float | None = None
        self._loudest = 0

    def feed(self, level: int) -> None:
        """Take the level of the next 20 ms."""
        self._levels = (*self._levels[1:], level)
        self._silent = 0 if level else self._silent + 1
        # A click is loud for one frame only.
        self._loudest = max(self._loudest, min(self._levels[1:]))
        if all(self._levels) or self._silent >= _SILENT_FRAMES:
            quiet = sum(self._levels) / len(self._levels)
            self._quietest = quiet if self._quietest is None else min(self._quietest, quiet)

    @property
    def has_voice(self) -> bool:
        """Whether anything stood out of the line's own noise."""
        return self._quietest is None or self._loudest >= self._quietest * _STANDS_OUT


def judge_cadence(*, spoken_ms: int, silence_ms: int) -> Answerer | None:
    """Who answers with a stretch of `spoken_ms` and `silence_ms` after it; None while that is open."""
    if spoken_ms > LONG_MS:
        return "machine"
    if spoken_ms < _SHORTEST_MS:
        return None
    return "human" if silence_ms >= (PAUSE_MS if spoken_ms <= _SHORT_MS else _LONG_PAUSE_MS) else None
