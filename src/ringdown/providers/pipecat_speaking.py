"""Pipecat's voices behind our port."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from pipecat.frames.frames import TTSAudioRawFrame, TTSSpeakFrame, TTSStoppedFrame, TTSTextFrame
from pipecat.services.tts_service import InterruptibleTTSService

from ringdown.providers.pipecat_host import ServiceHost, ServicePool
from ringdown.providers.pipecat_plan import ServicePlan
from ringdown.providers.registry import OWN_VOICE
from ringdown.providers.resample import Resampler
from ringdown.voice.ports import ProviderError, Speech, Word


class PipecatSpeaker:
    """A voice (`TextToSpeech`); with word times where the service has them. `language` is BCP-47."""

    def __init__(self, plan: ServicePlan, *, voice: str, language: str) -> None:
        changes = {"language": language} if voice == OWN_VOICE else {"language": language, "voice": voice}
        self._pool = ServicePool(
            plan.provider.name,
            lambda session: plan.build(session=session, **changes),
            timeout_s=plan.provider.timeout_seconds,
            # Their audio does not tell which text it belongs to.
            can_be_interrupted=not issubclass(plan.service, InterruptibleTTSService),
        )

    async def close(self) -> None:
        """Close the services that are idle, and later the others."""
        await self._pool.close()

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        """Stream `text` as audio. Closing the iterator cancels the rest. Raises `ProviderError`."""
        timeout_s = self._pool.timeout_s
        async with (
            self._pool.borrow() as host,
            contextlib.aclosing(_speak(host, text, sample_rate_hz, timeout_s)) as pieces,
        ):
            async for piece in pieces:
                yield piece


async def _speak(host: ServiceHost, text: str, sample_rate_hz: int, timeout_s: float) -> AsyncGenerator[Speech, None]:
    host.clock.next_lap()
    await host.send(TTSSpeakFrame(text, append_to_context=False))
    words = _WordTimes()
    resampler: Resampler | None = None
    spoken_bytes = 0
    while not isinstance(frame := await host.receive(timeout_s=timeout_s), TTSStoppedFrame):
        if isinstance(frame, TTSTextFrame) and frame.pts:
            words.add(frame.text, host.clock.since_lap_ms(frame.pts))
        elif isinstance(frame, TTSAudioRawFrame):
            resampler = resampler or Resampler(from_hz=frame.sample_rate, to_hz=sample_rate_hz)
            pcm = resampler.push(frame.audio)
            spoken_bytes += len(pcm)
            if pcm:
                yield Speech(pcm, words.take())
    rest = resampler.flush() if resampler is not None else b""
    spoken_bytes += len(rest)
    if not spoken_bytes and text.strip():
        raise ProviderError(host.name, "no audio", retryable=True)
    words.end(spoken_bytes // 2 * 1000 // sample_rate_hz)
    yield Speech(rest, words.take())


class _WordTimes:
    """Words as they are told, with their beginnings only: each lasts until the next."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None
        self._ready: list[Word] = []

    def add(self, text: str, start_ms: int) -> None:
        """A word begins. What is left of a text whose words were not all timed comes as one piece, and is no word."""
        if len(text.split()) == 1:
            self.end(start_ms)
            self._last = (text.strip(), start_ms)

    def end(self, at_ms: int) -> None:
        """The last word is over."""
        if self._last is not None:
            text, start_ms = self._last
            self._ready.append(Word(text, start_ms, max(start_ms, at_ms)))
            self._last = None

    def take(self) -> tuple[Word, ...]:
        """The words that are complete."""
        words, self._ready = tuple(self._ready), []
        return words
