"""Finds the tones of the telephone in audio: the beep, ringing, fax, intercept; knows samples, not conversations."""

import audioop
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Signal = Literal["beep", "ringing", "fax", "intercept"]

_FRAME_MS = 20
# Three frames resolve tones well enough, and see a beat of 40 Hz (440 + 480 Hz) as one steady tone.
_WINDOW_FRAMES = 3
_QUIETEST_RMS = 250
# Between windows; speech changes faster.
_STEADY = 1.2
_STEADY_CROSSINGS = 4
# The share of the energy that lies within this distance of the strongest frequency.
_WIDTH_HZ = 60
_PURE = 0.85
_DRIFT_HZ = 18
_SHORTEST_MS = 140
# Tones closer to each other than this are one signal (ITU-T E.180 intercept: three in a row).
_GAP_MS = 120
# Special information tones, low and high variants of each segment (ITU-T E.180, Bellcore GR-674).
_INTERCEPT_HZ = ((914, 985), (1371, 1429), (1777, 1777))
# Answer tone (ITU-T V.25), its Bell variant, and the calling tone of a fax (T.30).
_ANSWER_TONES_HZ = (2100, 2225)
_CALLING_TONE_HZ = 1100
_TOLERANCE_HZ = 30


@dataclass(frozen=True, slots=True)
class Tone:
    """A steady tone, in milliseconds of media time."""

    frequency_hz: float
    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """How long it lasts."""
        return self.end_ms - self.start_ms


class ToneFinder:
    """Follows the tones of one call; costs a level per frame, and a spectrum only where the level is steady.

    When `is_thrifty`, only what crosses zero steadily gets a spectrum: a tenth of the cost in speech, and of the tones
    those that are not in much noise and not two at once.
    """

    def __init__(self, *, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        samples = sample_rate_hz * _FRAME_MS * _WINDOW_FRAMES // 1000
        self._taper = np.hanning(samples)
        self._frequencies_hz = np.fft.rfftfreq(samples, 1 / sample_rate_hz)
        self._frames: deque[bytes] = deque(maxlen=_WINDOW_FRAMES)
        self._level = 0
        self.is_thrifty = False
        self._crossings: deque[int] = deque(maxlen=_WINDOW_FRAMES)
        self._current: list[float] = []
        self._start_ms = 0
        self._group: list[Tone] = []

    @property
    def is_hearing(self) -> bool:
        """Whether a tone is going on, or one that has just ended may be followed by more."""
        return bool(self._group) or len(self._current) * _FRAME_MS >= _SHORTEST_MS

    def push(self, pcm: bytes, at_ms: int) -> tuple[Tone, ...]:
        """Take the 20 ms that began at `at_ms`; gives the tones of a signal once it is over."""
        self._frames.append(pcm)
        self._crossings.append(audioop.cross(pcm, 2) if self.is_thrifty else 0)
        frequency_hz = self._find_tone()
        if self._current and (frequency_hz is None or abs(frequency_hz - self._current[-1]) > _DRIFT_HZ):
            self._end_tone(at_ms)
        if frequency_hz is not None:
            if not self._current:
                self._start_ms = at_ms + _FRAME_MS - _WINDOW_FRAMES * _FRAME_MS
            self._current.append(frequency_hz)
        elif self._group and at_ms - self._group[-1].end_ms >= _GAP_MS:
            group, self._group = tuple(self._group), []
            return group
        return ()

    def _end_tone(self, at_ms: int) -> None:
        tone = Tone(float(np.median(self._current)), self._start_ms, at_ms)
        self._current = []
        if tone.duration_ms >= _SHORTEST_MS:
            self._group.append(tone)

    def _find_tone(self) -> float | None:
        """The frequency of the window's only tone."""
        if len(self._frames) < _WINDOW_FRAMES:
            return None
        pcm = b"".join(self._frames)
        before, self._level = self._level, audioop.rms(pcm, 2)
        if self._level < _QUIETEST_RMS or not before / _STEADY <= self._level <= before * _STEADY:
            return None
        if self.is_thrifty and max(self._crossings) - min(self._crossings) > _STEADY_CROSSINGS:
            return None
        power = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2") * self._taper)) ** 2
        peak_hz = self._frequencies_hz[int(np.argmax(power))]
        near = np.abs(self._frequencies_hz - peak_hz) <= _WIDTH_HZ
        energy = float(power[near].sum())
        if energy < _PURE * float(power.sum()):
            return None
        return float((power[near] * self._frequencies_hz[near]).sum() / energy)


def classify_tones(tones: Sequence[Tone], *, has_spoken: bool) -> Signal | None:
    """What a signal means; `has_spoken` tells whether anybody was heard before it. None: nothing we know."""
    rising = [
        any(abs(tone.frequency_hz - hz) <= _TOLERANCE_HZ for hz in expected)
        for tone, expected in zip(tones[-3:], _INTERCEPT_HZ, strict=False)
    ]
    if len(rising) == len(_INTERCEPT_HZ) and all(rising):
        return "intercept"
    tone = max(tones, key=lambda tone: tone.duration_ms)
    frequency_hz, duration_ms = tone.frequency_hz, tone.duration_ms
    if any(abs(frequency_hz - hz) <= _TOLERANCE_HZ for hz in _ANSWER_TONES_HZ):
        return "fax" if duration_ms >= 400 else None
    if not has_spoken and abs(frequency_hz - _CALLING_TONE_HZ) <= _TOLERANCE_HZ and 400 <= duration_ms <= 700:
        return "fax"
    if 380 <= frequency_hz <= 500 and (duration_ms >= 700 or (not has_spoken and duration_ms >= 300)):
        return "ringing"
    # More tones than this are music.
    return "beep" if 400 <= frequency_hz <= 2050 and len(tones) <= 3 else None
