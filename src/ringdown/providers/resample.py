"""Changes the sample rate of streamed PCM without delaying it; knows no provider."""

import math

import numpy
from numpy.typing import NDArray

# Zero crossings of the windowed sinc on each side, at the lower of the two rates: 24 give a transition band of about
# 8 % of that rate with the Kaiser window below, so that 8 kHz audio keeps what a telephone carries (up to 3.4 kHz).
_CROSSINGS = 24
_KAISER_BETA = 7.0  # about 70 dB of stop-band attenuation
_PASS = 0.94  # the cut-off, as a share of the lower Nyquist frequency


class Resampler:
    """A streaming polyphase low-pass; pieces join without a click and output sample n stands at time n / rate.

    PCM is signed 16-bit little-endian mono. The filter looks `24 / lower rate` seconds ahead (3 ms at 8 kHz): that much
    audio is held back until more comes or `flush` is called, but nothing is shifted in time.
    """

    def __init__(self, *, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError("sample rates must be positive")
        divisor = math.gcd(from_hz, to_hz)
        self._up, self._down = to_hz // divisor, from_hz // divisor
        self._phases = _filter_bank(self._up, self._down) if from_hz != to_hz else None
        self._half = 0 if self._phases is None else self._phases.shape[1] // 2
        self._odd = b""
        self._pending = numpy.zeros(self._half, numpy.float32)  # input from sample `_first` on
        self._first = -self._half
        self._next_output = 0

    def push(self, pcm: bytes) -> bytes:
        """Take audio and return what is ready. An odd byte waits for its other half."""
        pcm = self._odd + pcm
        whole = len(pcm) - len(pcm) % 2
        self._odd = pcm[whole:]
        if self._phases is None:
            return pcm[:whole]
        samples = numpy.frombuffer(pcm[:whole], "<i2").astype(numpy.float32)
        self._pending = numpy.concatenate((self._pending, samples))
        return self._produce(self._first + len(self._pending) - self._half)

    def flush(self) -> bytes:
        """The rest, as if silence followed; the next push begins a new stream."""
        if self._phases is None:
            self._odd = b""
            return b""
        end = self._first + len(self._pending)
        self._pending = numpy.concatenate((self._pending, numpy.zeros(self._half, numpy.float32)))
        rest = self._produce(end)
        self._odd = b""
        self._pending = numpy.zeros(self._half, numpy.float32)
        self._first, self._next_output = -self._half, 0
        return rest

    def _produce(self, end: int) -> bytes:
        """All outputs that stand before input sample `end`."""
        last = -(-end * self._up // self._down)
        if self._phases is None or last <= self._next_output:
            return b""
        positions = numpy.arange(self._next_output, last, dtype=numpy.int64) * self._down
        centres = positions // self._up
        windows = numpy.lib.stride_tricks.sliding_window_view(self._pending, self._phases.shape[1])
        starts = centres - self._half + 1 - self._first
        output = numpy.einsum("ij,ij->i", windows[starts], self._phases[positions % self._up])
        self._next_output = last
        keep_from = last * self._down // self._up - self._half + 1
        drop = max(0, keep_from - self._first)
        self._pending = self._pending[drop:]
        self._first += drop
        produced: bytes = numpy.clip(numpy.rint(output), -32768, 32767).astype("<i2").tobytes()
        return produced


def _filter_bank(up: int, down: int) -> NDArray[numpy.float32]:
    """One row of taps per output phase: row p weighs the inputs around position p / up."""
    scale = min(1.0, up / down)  # below one when the rate falls: the filter then gets longer
    half = math.ceil(_CROSSINGS / scale)
    offsets = numpy.arange(-half + 1, half + 1)[None, :] - numpy.arange(up)[:, None] / up
    cutoff = scale * _PASS
    window = numpy.i0(_KAISER_BETA * numpy.sqrt(numpy.clip(1 - (offsets / half) ** 2, 0, None))) / numpy.i0(
        _KAISER_BETA
    )
    taps = cutoff * numpy.sinc(cutoff * offsets) * window
    taps /= taps.sum(axis=1, keepdims=True)  # no ripple of the level from phase to phase
    bank: NDArray[numpy.float32] = taps.astype(numpy.float32)
    return bank


def resample(pcm: bytes, *, from_hz: int, to_hz: int) -> bytes:
    """A whole piece of audio at another rate."""
    resampler = Resampler(from_hz=from_hz, to_hz=to_hz)
    return resampler.push(pcm) + resampler.flush()
