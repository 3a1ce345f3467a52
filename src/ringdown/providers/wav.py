"""PCM as a WAV file, for providers that take files."""

import io
import wave


def to_wav(pcm: bytes, sample_rate_hz: int) -> bytes:
    """The WAV file of 16-bit mono samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate_hz)
        writer.writeframes(pcm)
    return file.getvalue()
