"""Speech as a telephone carries it: an offline voice with line noise, at 8 kHz through mu-law, or at 16 kHz."""

import warnings

import numpy

from ringdown.providers.espeak import EspeakServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

VOICES = ("en-us", "en-gb", "en-us+f2", "en-gb+m3", "en-us+f4", "en-us-nyc")
_SPEECH_LEVEL = 2500.0
_NOISE_LEVEL = 140.0  # 25 dB below


async def say(
    server: EspeakServer, text: str, *, voice: str = "en-us", words_per_minute: int = 150, sample_rate_hz: int = 8000
) -> bytes:
    """`text` with 300 ms before and 200 ms after it; PCM."""
    speech = b""
    stream = server.speak(text, voice=voice, words_per_minute=words_per_minute, pitch=50, sample_rate_hz=sample_rate_hz)
    async for piece in stream:
        speech += piece.pcm
    samples = numpy.frombuffer(speech, "<i2").astype(float)
    samples *= _SPEECH_LEVEL / numpy.sqrt((samples[samples != 0] ** 2).mean())
    samples = numpy.concatenate([numpy.zeros(sample_rate_hz * 3 // 10), samples, numpy.zeros(sample_rate_hz // 5)])
    samples += numpy.random.default_rng(len(text)).normal(0, _NOISE_LEVEL, len(samples))
    pcm = numpy.clip(numpy.rint(samples), -32768, 32767).astype("<i2").tobytes()
    return pcm if sample_rate_hz > 8000 else audioop.ulaw2lin(audioop.lin2ulaw(pcm, 2), 2)
