"""Phone audio for the turn-taking suite: voices of espeak-ng, noises, band limit and companding; knows no scene.

All PCM is mono float32 in units of 16-bit samples at 8 kHz, until `compand` makes it bytes.
"""

import asyncio
import audioop
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ringdown.providers.espeak import EspeakServer
from ringdown.voice.ports import Word

RATE_HZ = 8000
FRAME_SAMPLES = 160
# Loudness of a caller: -23 dB below full scale while he speaks.
SPEECH_RMS = 2300.0
# Quieter than this belongs to no word: espeak-ng leaves such tails.
_QUIET = 120.0
_BAND_HZ = (300.0, 3400.0)

Samples = NDArray[np.float32]
NoiseKind = Literal["quiet", "line", "car", "babble"]


@dataclass(frozen=True, slots=True)
class Line:
    """A text and the voice that says it; `rate` is in words a minute."""

    text: str
    voice: str
    rate: int = 165
    pitch: int = 50


@dataclass(frozen=True, slots=True)
class Clip:
    """Speech, trimmed to what can be heard; word times count from its first sample."""

    samples: Samples
    words: tuple[Word, ...]

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return len(self.samples) * 1000 // RATE_HZ


def speak_all(lines: Iterable[Line]) -> dict[Line, Clip]:
    """Every line as speech; the voices run in a child process."""
    return asyncio.run(_speak_all(lines))


async def _speak_all(lines: Iterable[Line]) -> dict[Line, Clip]:
    server = EspeakServer()
    await server.start()
    clips = {}
    try:
        for line in dict.fromkeys(lines):
            pcm, words = bytearray(), list[Word]()
            async with asyncio.timeout(60):
                async for piece in server.speak(
                    line.text,
                    voice=line.voice,
                    words_per_minute=line.rate,
                    pitch=line.pitch,
                    sample_rate_hz=RATE_HZ,
                ):
                    pcm += piece.pcm
                    words.extend(piece.words)
            clips[line] = _trim(np.frombuffer(bytes(pcm), np.int16).astype(np.float32), words)
    finally:
        await server.close()
    return clips


def _trim(samples: Samples, words: list[Word]) -> Clip:
    loud = np.flatnonzero(np.abs(samples) > _QUIET)
    first, last = int(loud[0]), int(loud[-1]) + 1
    begin_ms, end_ms = first * 1000 // RATE_HZ, last * 1000 // RATE_HZ
    moved = tuple(
        Word(word.text, max(0, word.start_ms - begin_ms), min(word.end_ms, end_ms) - begin_ms) for word in words
    )
    return Clip(scale_speech(samples[first:last]), moved)


def scale_speech(samples: Samples, rms: float = SPEECH_RMS) -> Samples:
    """Speech whose louder half has this level."""
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    levels = np.sqrt((frames**2).mean(axis=1))
    active = levels[levels > levels.max() * 0.1]
    return (samples * (rms / float(np.sqrt((active**2).mean())))).astype(np.float32)


def band_limit(samples: Samples) -> Samples:
    """Only what a telephone line carries."""
    size = 1 << (len(samples) - 1).bit_length()
    spectrum = np.fft.rfft(samples, size)
    frequencies = np.fft.rfftfreq(size, 1 / RATE_HZ)
    spectrum[(frequencies < _BAND_HZ[0]) | (frequencies > _BAND_HZ[1])] = 0
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)


def compand(samples: Samples) -> bytes:
    """The samples as 16-bit PCM, after a way through G.711 (mu-law)."""
    pcm = np.clip(samples, -32768, 32767).astype(np.int16).tobytes()
    return audioop.ulaw2lin(audioop.lin2ulaw(pcm, 2), 2)


def at_level(samples: Samples, below_speech_db: float) -> Samples:
    """The samples so loud that they lie `below_speech_db` under a caller."""
    rms = float(np.sqrt((samples**2).mean())) or 1.0
    return (samples * (SPEECH_RMS * 10 ** (-below_speech_db / 20) / rms)).astype(np.float32)


def make_noise(kind: NoiseKind, seconds: float, *, snr_db: float, voices: list[Clip], seed: int) -> Samples:
    """Background noise, `snr_db` below the caller."""
    random, length = np.random.default_rng(seed), int(seconds * RATE_HZ)
    if kind == "quiet":
        return at_level(_white(random, length), 55)
    if kind == "line":
        hum = np.sin(np.arange(length) * (2 * np.pi * 350 / RATE_HZ)).astype(np.float32)
        return at_level(_white(random, length) + 0.3 * hum, snr_db)
    if kind == "car":
        brown = np.cumsum(_white(random, length))
        brown -= np.convolve(brown, np.ones(400) / 400, "same")
        return at_level(band_limit(brown.astype(np.float32)) + 0.02 * _white(random, length), snr_db)
    mixed = np.zeros(length, np.float32)
    for _ in range(6):
        track = np.concatenate([voices[index].samples for index in random.permutation(len(voices))])
        mixed += np.resize(np.roll(track, int(random.integers(len(track)))), length)
    return at_level(band_limit(mixed), snr_db)


def make_cough(seed: int, *, louder_db: float = 0.0) -> Samples:
    """One or two bursts of rough noise, each with a hard onset and a decay, with a hoarse tone in the second half."""
    random = np.random.default_rng(seed)
    pieces = []
    for _ in range(int(random.integers(1, 3))):
        length = int(random.uniform(0.12, 0.28) * RATE_HZ)
        time = np.arange(length) / RATE_HZ
        envelope = np.minimum(time / 0.008, 1) * np.exp(-time / random.uniform(0.05, 0.10))
        hoarse = np.sign(np.sin(2 * np.pi * random.uniform(140, 300) * time)) * (time > 0.06) * 0.25
        pieces += [(_white(random, length) + hoarse) * envelope, np.zeros(int(0.09 * RATE_HZ))]
    cough = band_limit(np.concatenate(pieces).astype(np.float32))
    return at_level(cough, -louder_db)


def make_clicks(seed: int) -> Samples:
    """A receiver that is put down and keys that clatter: a few short impulses."""
    random = np.random.default_rng(seed)
    samples = np.zeros(int(0.6 * RATE_HZ), np.float32)
    for start in random.integers(0, len(samples) - 200, int(random.integers(2, 6))):
        samples[start : start + 160] += _white(random, 160) * np.exp(-np.arange(160) / 25) * 9000
    return band_limit(samples)


def make_music(seconds: float, seed: int) -> Samples:
    """Chords that change every half second."""
    random, length = np.random.default_rng(seed), int(seconds * RATE_HZ)
    samples = np.zeros(length, np.float32)
    beat = RATE_HZ // 2
    for start in range(0, length, beat):
        time = np.arange(min(beat, length - start)) / RATE_HZ
        root = 220 * 2 ** (int(random.integers(0, 12)) / 12)
        for interval in (1, 1.26, 1.5):
            for harmonic in (1, 2, 3, 4):
                tone = np.sin(2 * np.pi * root * interval * harmonic * time) / harmonic
                samples[start : start + len(time)] += (tone * np.exp(-time * 3)).astype(np.float32)
    return band_limit(samples)


def _white(random: np.random.Generator, length: int) -> Samples:
    return random.standard_normal(length).astype(np.float32)
