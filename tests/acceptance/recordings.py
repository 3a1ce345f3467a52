"""Finds tones and speech in a recording."""

import io

import av
import httpx
import numpy as np
import numpy.typing as npt

RATE_HZ = 8000
Samples = npt.NDArray[np.float64]


async def fetch(url: str) -> tuple[Samples, Samples]:
    """Far party and agent of a recording, by its signed link."""
    async with httpx.AsyncClient() as anyone:
        answer = await anyone.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/mpeg"
    return decode(answer.content)


def decode(mp3: bytes) -> tuple[Samples, Samples]:
    with av.open(io.BytesIO(mp3)) as container:
        stream = container.streams.audio[0]
        assert stream.rate == RATE_HZ
        frames = [frame.to_ndarray() for frame in container.decode(stream)]
    both = np.concatenate(frames, axis=1).astype(np.float64)
    assert both.shape[0] == 2
    return both[0], both[1]


def find_tone(samples: Samples, frequency_hz: int) -> tuple[float, float] | None:
    """First and last second at which the tone dominates, in windows of 40 ms."""
    size = RATE_HZ * 40 // 1000
    hits = []
    for start in range(0, len(samples) - size, size // 2):
        spectrum = np.abs(np.fft.rfft(samples[start : start + size] * np.hanning(size)))
        peak = int(np.argmax(spectrum)) * RATE_HZ / size
        if spectrum.max() > 1.0 and abs(peak - frequency_hz) <= RATE_HZ / size:
            hits.append(start / RATE_HZ)
    return (hits[0], hits[-1] + size / RATE_HZ) if hits else None


def loudness(samples: Samples, start_s: float, end_s: float) -> float:
    """Root mean square of a stretch; full scale is 1."""
    stretch = samples[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)]
    return float(np.sqrt((stretch**2).mean())) if len(stretch) else 0.0
