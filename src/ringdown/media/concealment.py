"""Covers lost audio with the last pitch period, fading within 60 ms; knows PCM, not packets."""

import numpy as np

FADE_MS = 60  # a vowel that is repeated for longer sounds like a machine
_FULL_MS = 10
_REFERENCE_MS = 5
_MIN_PERIOD_MS = 2.5  # 400 Hz
_MAX_PERIOD_MS = 15  # 67 Hz
_JOIN_MS = 5


class Concealer:
    """One call's cover for lost frames: `begin` with the last whole frame, `next` as long as nothing comes, `join`."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._per_ms = sample_rate_hz // 1000
        self._cycle = np.zeros(1)
        self._done = 0  # samples since the loss began

    def begin(self, last: bytes) -> None:
        """Looks for the pitch at the end of `last`, which has at least 20 ms."""
        reference = round(_REFERENCE_MS * self._per_ms)
        shortest, longest = round(_MIN_PERIOD_MS * self._per_ms), round(_MAX_PERIOD_MS * self._per_ms)
        past = np.frombuffer(last, "<i2")[-(reference + longest) :].astype(float)
        earlier, end = past[:-shortest], past[-reference:]
        likeness = np.correlate(earlier, end, "valid")
        energy = np.correlate(earlier**2, np.ones(reference), "valid")
        # Squared with its sign: a period upside down fits as well, but not to what comes before it.
        offset = int(np.argmax(likeness * np.abs(likeness) / (energy + 1)))
        self._cycle = past[-(longest - offset) :]
        self._done = 0

    def next(self, size: int) -> bytes:
        """The next `size` bytes: the period again and again, quieter and quieter."""
        done, count = self._done, size // 2
        self._done = done + count
        full, fade = _FULL_MS * self._per_ms, FADE_MS * self._per_ms
        if done >= fade:
            return bytes(size)
        positions = np.arange(done, done + count)
        gains = np.clip((fade - positions) / (fade - full), 0, 1)
        samples: bytes = (self._cycle[positions % len(self._cycle)] * gains).astype("<i2").tobytes()
        return samples

    def join(self, pcm: bytes) -> bytes:
        """What comes after the loss, blended in over its first milliseconds."""
        return blend(self.next(min(2 * _JOIN_MS * self._per_ms, len(pcm))), pcm)


def blend(before: bytes, after: bytes) -> bytes:
    """`after`, but beginning as `before`, which is not longer and fades out."""
    size = len(before)
    rising = np.linspace(0, 1, size // 2)
    old, new = np.frombuffer(before, "<i2"), np.frombuffer(after[:size], "<i2")
    blended: bytes = (old * (1 - rising) + new * rising).astype("<i2").tobytes()
    return blended + after[size:]
