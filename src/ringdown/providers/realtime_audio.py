"""The audio formats of realtime sessions: to and from PCM of the call's rate; knows no connection."""

import audioop
from typing import Literal

from ringdown.providers.resample import Resampler

AudioFormat = Literal["pcm", "pcmu", "pcma"]

_PCM_RATE_HZ = 24_000
_G711_RATE_HZ = 8_000


class RealtimeAudio:
    """One session's audio in both directions, at `sample_rate_hz` on our side.

    Without `audio_format` a call of 8 kHz is sent as G.711, which is what it came as, and every other as 24 kHz PCM.
    """

    def __init__(self, *, sample_rate_hz: int, audio_format: AudioFormat | None) -> None:
        self._format: AudioFormat = audio_format or ("pcmu" if sample_rate_hz == _G711_RATE_HZ else "pcm")
        self._rate_hz = _PCM_RATE_HZ if self._format == "pcm" else _G711_RATE_HZ
        self.sample_rate_hz = sample_rate_hz
        self._input = Resampler(from_hz=sample_rate_hz, to_hz=self._rate_hz)
        self._output = Resampler(from_hz=self._rate_hz, to_hz=sample_rate_hz)

    def describe(self) -> dict[str, object]:
        """The format as the protocol names it."""
        return (
            {"type": "audio/pcm", "rate": _PCM_RATE_HZ} if self._format == "pcm" else {"type": f"audio/{self._format}"}
        )

    def encode(self, pcm: bytes) -> bytes:
        """The caller's audio as it is sent."""
        audio = self._input.push(pcm)
        if self._format == "pcmu":
            return audioop.lin2ulaw(audio, 2)
        return audioop.lin2alaw(audio, 2) if self._format == "pcma" else audio

    def decode(self, audio: bytes) -> bytes:
        """A piece of the agent's audio as PCM."""
        if self._format == "pcmu":
            audio = audioop.ulaw2lin(audio, 2)
        elif self._format == "pcma":
            audio = audioop.alaw2lin(audio, 2)
        return self._output.push(audio)

    def flush(self) -> bytes:
        """The end of an item's audio."""
        return self._output.flush()

    def restart(self) -> None:
        """What was held back of an item belongs to nothing any more."""
        self._output = Resampler(from_hz=self._rate_hz, to_hz=self.sample_rate_hz)
