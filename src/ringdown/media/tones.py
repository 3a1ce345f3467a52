"""Makes and hears keypad digits as pairs of tones in the audio (ITU-T Q.23, Q.24); knows PCM, not packets."""

from collections import deque
from functools import cache
from typing import NamedTuple

import numpy as np

from ringdown.media.digits import check_digits
from ringdown.media.wheel import FRAME_MS

ROWS_HZ = (697, 770, 852, 941)
COLUMNS_HZ = (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")

# 0 dBm0 as root mean square: a full-scale sine is +3.17 dBm0 in G.711.
_RMS_0_DBM0 = 32_767 / 2**0.5 / 10 ** (3.17 / 20)
_SENT_DBM0 = {"row": -9.0, "column": -7.0}
_RAMP_MS = 2

# 40 ms of tone hold two whole blocks wherever they begin, 23 ms (which must not count) never do.
_BLOCK_MS = 12.75
_WEAKEST_DBM0 = -34.0  # Q.24: -25 and louder must be heard; the margin is for tones off their frequency
_MAX_TWIST_DB = 5.0  # column above row: Q.24 wants 4 heard
_MAX_REVERSE_TWIST_DB = 9.5  # row above column: 8
_MAX_REMAINDER = 0.12  # of the energy that is not in the two tones; speech has its energy in many
_MAX_SPREAD_DB = 3.0  # between the halves of two blocks in the tone's middle: what begins or ends differs by more
_MAX_OFFSET = 0.025  # Q.24: 1.5 % must be heard, 3.5 % must not
_LEAST_SHARE_PRESSED = 0.1  # a hole of some milliseconds leaves so much of the tones in its block
_BLOCKS_OF_PAUSE = 2

_Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def make_digit(digit: str, *, duration_ms: int, sample_rate_hz: int) -> bytes:
    """PCM of one digit of 0-9, *, #, A-D. Raises `ValueError` for another."""
    row, column = _find_key(digit)
    times = np.arange(duration_ms * sample_rate_hz // 1000) / sample_rate_hz
    samples = sum(
        2**0.5 * _RMS_0_DBM0 * 10 ** (level / 20) * np.sin(2 * np.pi * frequency * times)
        for frequency, level in ((row, _SENT_DBM0["row"]), (column, _SENT_DBM0["column"]))
    )
    ramp = np.minimum(1.0, (np.minimum(times, times[::-1]) * 1000 + 0.1) / _RAMP_MS)
    pcm: bytes = (samples * ramp).astype("<i2").tobytes()
    return pcm


def _find_key(digit: str) -> tuple[int, int]:
    for row, keys in zip(ROWS_HZ, _KEYS, strict=True):
        if digit and digit.upper() in keys:
            return row, COLUMNS_HZ[keys.index(digit.upper())]
    raise ValueError("digits must be of 0-9, *, #, A-D")


class ToneSender:
    """Plays digits as tones, one frame a tick, each followed by its pause."""

    def __init__(self, *, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.queue: deque[bytes] = deque()

    def add(self, digits: str, *, duration_ms: int, pause_ms: int) -> None:
        """Queues digits of `duration_ms` each, followed by `pause_ms`. Raises `ValueError` for other characters."""
        check_digits(digits, duration_ms=duration_ms, pause_ms=pause_ms)
        size = 2 * self.sample_rate_hz * FRAME_MS // 1000
        for digit in digits:
            tone = make_digit(digit, duration_ms=duration_ms, sample_rate_hz=self.sample_rate_hz)
            pcm = tone + bytes(2 * self.sample_rate_hz * pause_ms // 1000 + size - 2)
            self.queue.extend(pcm[start : start + size] for start in range(0, len(pcm) - size + 1, size))

    def next(self) -> bytes | None:
        """The frame of this tick; None when nothing is queued."""
        return self.queue.popleft() if self.queue else None


class _Grid(NamedTuple):
    """What is computed once for a sample rate: waves to find the loudest tones, and fits of each pair of tones.

    A fit takes half a block to the sine and cosine parts of a row's and a column's tone (least squares, so that the
    stronger does not leak into the weaker); its waves take them back.
    """

    waves: np.ndarray[tuple[int, ...], np.dtype[np.complex128]]
    fits: list[list[tuple[_Floats, _Floats]]]


@cache
def _make_grid(sample_rate_hz: int, half: int) -> _Grid:
    times = np.arange(2 * half) / sample_rate_hz
    waves = np.exp(-2j * np.pi * np.outer(times, np.array(ROWS_HZ + COLUMNS_HZ))) / complex(half)
    fits = []
    for row in ROWS_HZ:
        angles = [2 * np.pi * np.outer(times[:half], (row, column)) for column in COLUMNS_HZ]
        pairs = [np.concatenate((np.cos(angle), -np.sin(angle)), axis=1) for angle in angles]
        fits.append([(np.linalg.pinv(pair), pair) for pair in pairs])
    return _Grid(waves, fits)


class _Tones(NamedTuple):
    """What a block holds: a key's row and column, and the amplitudes of both tones in both halves."""

    row: int
    column: int
    amplitudes: np.ndarray[tuple[int, ...], np.dtype[np.complex128]]


class ToneDetector:
    """Hears digits in a stream of PCM; each press is told once, some 40 ms after its tone began.

    Two neighbouring blocks must hold the same two steady tones at the right frequencies and little else. A press lasts
    until two blocks are without it, so that a hole of ten milliseconds does not make it two.
    """

    def __init__(self, *, sample_rate_hz: int) -> None:
        self._half = round(_BLOCK_MS * sample_rate_hz / 2000)
        self._half_s = self._half / sample_rate_hz
        self._grid = _make_grid(sample_rate_hz, self._half)
        self._weakest = _RMS_0_DBM0**2 * 10 ** (_WEAKEST_DBM0 / 10)
        self._waiting = np.zeros(0)
        self._before: _Tones | None = None
        self._pressed: tuple[int, int] | None = None
        self._pause = 0

    def receive(self, pcm: bytes) -> str:
        """Takes PCM of any length; the digits whose presses it has shown to begin."""
        samples = np.concatenate((self._waiting, np.frombuffer(pcm, "<i2")))
        digits, start, size = "", 0, 2 * self._half
        while len(samples) - start >= size:
            digits += self._judge(samples[start : start + size])
            start += size
        self._waiting = samples[start:]
        return digits

    def _judge(self, block: _Floats) -> str:
        before, self._before = self._before, None
        energy = float(block @ block) / len(block)
        if energy < self._weakest:
            return self._count_pause()
        power = np.abs(block @ self._grid.waves) ** 2 / 2
        key = int(np.argmax(power[:4])), int(np.argmax(power[4:]))
        weaker = min(power[key[0]], power[4 + key[1]])
        if key == self._pressed and weaker > max(_LEAST_SHARE_PRESSED * energy / 2, self._weakest / 2):
            self._pause = 0
            return ""
        tones = self._fit(block, key) if weaker > self._weakest / 2 else None
        self._before = tones
        if tones is not None and before is not None and self._is_one_tone(before, tones):
            self._pressed, self._pause = key, 0
            return _KEYS[key[0]][key[1]]
        return self._count_pause()

    def _count_pause(self) -> str:
        self._pause += 1
        if self._pause >= _BLOCKS_OF_PAUSE:
            self._pressed = None
        return ""

    def _fit(self, block: _Floats, key: tuple[int, int]) -> _Tones | None:
        """The key's tones, when both halves of this block hold them, at levels that go together, and little else."""
        fit, waves = self._grid.fits[key[0]][key[1]]
        halves = block.reshape(2, self._half)
        parts = halves @ fit.T
        remainder = halves - parts @ waves.T
        if np.any((remainder**2).sum(axis=1) > _MAX_REMAINDER * (halves**2).sum(axis=1)):
            return None
        amplitudes = parts[:, :2] + 1j * parts[:, 2:]
        row_power, column_power = (np.abs(amplitudes) ** 2).sum(axis=0) / 4
        if min(row_power, column_power) < self._weakest:
            return None
        twist_db = 10 * np.log10(column_power / row_power)
        return _Tones(*key, amplitudes) if -_MAX_REVERSE_TWIST_DB <= twist_db <= _MAX_TWIST_DB else None

    def _is_one_tone(self, before: _Tones, after: _Tones) -> bool:
        """Whether both tones go on as loud as they were and at the frequencies that they should have."""
        if before[:2] != after[:2]:
            return False
        amplitudes = np.concatenate((before.amplitudes, after.amplitudes))
        levels_db = 20 * np.log10(np.maximum(np.abs(amplitudes), 1))
        if np.any(np.ptp(levels_db, axis=0) > _MAX_SPREAD_DB):
            return False
        frequencies = np.array((ROWS_HZ[after.row], COLUMNS_HZ[after.column]))
        # How much further than an exact tone's the phase went from half to half.
        advance = np.exp(2j * np.pi * frequencies * self._half_s)
        turns = np.angle(amplitudes[1:] / amplitudes[:-1] / advance).mean(axis=0) / (2 * np.pi)
        return bool(np.all(np.abs(turns / self._half_s) <= _MAX_OFFSET * frequencies))
