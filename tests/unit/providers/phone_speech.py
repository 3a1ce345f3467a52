"""Speech as a telephone carries it: an offline voice, at 8 kHz, with line noise, through mu-law."""

import warnings

import numpy

from ringdown.providers.espeak import EspeakServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

VOICES = ("en-us", "en-gb", "en-us+f2", "en-gb+m3", "en-us+f4", "en-us-nyc")
_SPEECH_LEVEL = 2500.0
_NOISE_LEVEL = 140.0  # 25 dB below


async def say(server: EspeakServer, text: str, *, voice: str = "en-us", words_per_minute: int = 150) -> bytes:
    """`text` with 300 ms before and 200 ms after it; 8 kHz PCM."""
    speech = b""
    stream = server.speak(text, voice=voice, words_per_minute=words_per_minute, pitch=50, sample_rate_hz=8000)
    async for piece in stream:
        speech += piece.pcm
    samples = numpy.frombuffer(speech, "<i2").astype(float)
    samples *= _SPEECH_LEVEL / numpy.sqrt((samples[samples != 0] ** 2).mean())
    samples = numpy.concatenate([numpy.zeros(2400), samples, numpy.zeros(1600)])
    samples += numpy.random.default_rng(len(text)).normal(0, _NOISE_LEVEL, len(samples))
    pcm = numpy.clip(numpy.rint(samples), -32768, 32767).astype("<i2").tobytes()
    return audioop.ulaw2lin(audioop.lin2ulaw(pcm, 2), 2)
