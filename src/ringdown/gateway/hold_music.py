"""What somebody hears who waits: a soft pattern of tones, made once for each sample rate."""

import functools

import numpy as np

_FRAME_MS = 20
_LOOP_S = 6.0
_LEVEL = 1600  # of 32767: well below speech
# Two gentle chords and a pause (Hz, start and length in seconds).
_NOTES = (
    (392.0, 0.0, 1.6),
    (493.9, 0.2, 1.4),
    (587.3, 0.4, 1.2),
    (349.2, 2.0, 1.6),
    (440.0, 2.2, 1.4),
    (523.3, 2.4, 1.2),
)


class HoldMusic:
    """An endless piece of music, 20 ms at a time, as 16-bit PCM."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._loop = _make_loop(sample_rate_hz)
        self._frame_bytes = 2 * sample_rate_hz * _FRAME_MS // 1000
        self._position = 0

    def next(self) -> bytes:
        """The next 20 ms."""
        frame = self._loop[self._position : self._position + self._frame_bytes]
        self._position = (self._position + self._frame_bytes) % len(self._loop)
        return frame


@functools.lru_cache(maxsize=4)
def _make_loop(sample_rate_hz: int) -> bytes:
    time_s = np.arange(int(_LOOP_S * sample_rate_hz)) / sample_rate_hz
    mixed = np.zeros_like(time_s)
    for frequency_hz, start_s, length_s in _NOTES:
        place = (time_s - start_s) / length_s
        envelope = np.where((place >= 0) & (place < 1), np.sin(np.pi * np.clip(place, 0, 1)) ** 2, 0)
        mixed += envelope * np.sin(2 * np.pi * frequency_hz * time_s)
    return (mixed * _LEVEL).astype("<i2").tobytes()
