"""Tones that tests send, and how they are found again by their spectrum."""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000


def make_tone(frequency_hz: float, duration_ms: int, *, amplitude: int = 8000, sample_rate_hz: int = RATE_HZ) -> bytes:
    """16-bit mono PCM of a sine."""
    time_s = np.arange(sample_rate_hz * duration_ms // 1000) / sample_rate_hz
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time_s)).astype("<i2").tobytes()


def find_tone(pcm: bytes, *, sample_rate_hz: int = RATE_HZ) -> float:
    """The strongest frequency in Hz, at a resolution of the inverse of the duration."""
    return find_tone_in(np.frombuffer(pcm, "<i2").astype(float), sample_rate_hz)


def find_tone_in(samples: NDArray[np.floating], sample_rate_hz: int = RATE_HZ) -> float:
    """The strongest frequency of floating point samples."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * sample_rate_hz / len(samples))


def purity(pcm: bytes) -> float:
    """How much of the energy lies within 20 Hz of the strongest frequency: 1 for a clean sine."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    width = max(2, round(20 * len(samples) / RATE_HZ))
    peak = int(np.argmax(power))
    return float(power[max(0, peak - width) : peak + width + 1].sum() / power.sum())


def level(pcm: bytes) -> float:
    """Root mean square of 16-bit PCM."""
    return float(np.sqrt(np.mean(np.frombuffer(pcm, "<i2").astype(float) ** 2)))


def frames(pcm: bytes, size: int = 320) -> list[bytes]:
    """PCM cut into frames."""
    return [pcm[start : start + size] for start in range(0, len(pcm), size)]
