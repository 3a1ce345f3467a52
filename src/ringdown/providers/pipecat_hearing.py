"""Pipecat's recognizers behind our port: those that are streamed to, and those that take whole utterances."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.services.stt_service import SegmentedSTTService

from ringdown.providers import pipecat_host, resample
from ringdown.providers.pipecat_host import ServiceHost, ServicePool
from ringdown.providers.pipecat_plan import ServicePlan
from ringdown.providers.wav import to_wav
from ringdown.voice.ports import Expectation, ProviderError, Recognition, Utterance

# What the detector of Pipecat's pipelines waits before it says that speech is over.
_STOP_S = 0.2
# More may follow the first words after the end of speech.
_SETTLE_S = 0.15
# The wait for words after the end of speech, where the service does not tell its usual time.
_USUAL_S = 1.0
_CLOSE_TIMEOUT_S = 2.0


class PipecatRecognizer:
    """A recognizer (`SpeechToText`). Each call takes one `for_call`: late words of one never reach another."""

    def __init__(self, plan: ServicePlan) -> None:
        self._plan = plan
        self._pools: dict[tuple[int, str], ServicePool] = {}
        self._children: weakref.WeakSet[PipecatRecognizer] = weakref.WeakSet()

    def for_call(self) -> "PipecatRecognizer":
        """The recognizer of one call."""
        child = PipecatRecognizer(self._plan)
        self._children.add(child)
        return child

    async def close(self) -> None:
        """Close the services that are idle, and later the others."""
        pools = [pool for owner in (self, *self._children) for pool in owner._pools.values()]
        await asyncio.gather(*(pool.close() for pool in pools))

    def open(self, *, sample_rate_hz: int, language: str, expectation: Expectation) -> Utterance:
        """Begin an utterance. `language` is BCP-47."""
        del expectation
        pool = self._pools.get((sample_rate_hz, language))
        if pool is None:
            pool = self._pools[sample_rate_hz, language] = ServicePool(
                self._plan.provider.name,
                lambda session: self._plan.build(session=session, language=language),
                timeout_s=self._plan.provider.timeout_seconds,
                in_hz=sample_rate_hz,
            )
        if issubclass(self._plan.service, SegmentedSTTService):
            return SegmentUtterance(pool, sample_rate_hz=sample_rate_hz)
        return StreamedUtterance(pool, sample_rate_hz=sample_rate_hz)


class SegmentUtterance:
    """An utterance that is uploaded as a whole when its words are asked for."""

    def __init__(self, pool: ServicePool, *, sample_rate_hz: int) -> None:
        self._pool = pool
        self._sample_rate_hz = sample_rate_hz
        self._audio = bytearray()
        self._recognized_bytes = 0
        self._recognition = Recognition("")

    def push(self, pcm: bytes) -> None:
        """Take more audio. Never blocks."""
        self._audio += pcm

    def partial(self) -> str:
        """What the last `final` found; there is nothing before it."""
        return self._recognition.text

    async def final(self) -> Recognition:
        """What was said in all audio pushed so far. Raises `ProviderError`."""
        audio = bytes(self._audio)
        if len(audio) == self._recognized_bytes:
            return self._recognition
        async with self._pool.borrow() as host:
            work = self._transcribe(host, audio)
            recognition = await pipecat_host.attempt(work, name=self._pool.name, timeout_s=self._pool.timeout_s)
        self._recognition, self._recognized_bytes = recognition, len(audio)
        return recognition

    async def close(self) -> None:
        """Let go of the audio; safe to call twice."""
        self._audio.clear()
        self._recognized_bytes = 0

    async def _transcribe(self, host: ServiceHost, audio: bytes) -> Recognition:
        service = host.service
        pcm = _resample(audio, from_hz=self._sample_rate_hz, to_hz=service.sample_rate)
        upload = to_wav(pcm, service.sample_rate) if service.wants_wav_segments else pcm
        heard = _Heard()
        frames: AsyncIterator[Frame | None] = service.run_stt(upload)
        async for frame in frames:
            if isinstance(frame, ErrorFrame):
                raise pipecat_host.to_provider_error(host.name, frame)
            if isinstance(frame, TranscriptionFrame):
                heard.add(frame)
        return heard.recognition()


class _Heard:
    """What a recognizer has told of an utterance."""

    def __init__(self) -> None:
        self.interim = ""
        self._finals: list[str] = []
        self._language: str | None = None

    @property
    def text(self) -> str:
        return " ".join(text for text in (*self._finals, self.interim) if text)

    def add(self, frame: TranscriptionFrame) -> None:
        self._finals.append(frame.text.strip())
        self.interim = ""
        if frame.language is not None:
            self._language = str(getattr(frame.language, "value", frame.language))

    def recognition(self) -> Recognition:
        return Recognition(self.text, language=self._language)


class StreamedUtterance:
    """An utterance whose audio is sent as it comes. After a failure the next `final` sends all of it again."""

    def __init__(self, pool: ServicePool, *, sample_rate_hz: int) -> None:
        self._pool = pool
        self._sample_rate_hz = sample_rate_hz
        self._audio = bytearray()
        self._is_closed = False
        self._asked_bytes = 0
        self._stopped = asyncio.Event()
        self._begin()

    def push(self, pcm: bytes) -> None:
        """Take more audio. Never blocks."""
        self._audio += pcm
        self._inbox.put_nowait(pcm)

    def partial(self) -> str:
        """The words so far."""
        return self._heard.text

    async def final(self) -> Recognition:
        """What was said in all audio pushed so far. Raises `ProviderError`."""
        if self._error is not None:
            self._begin()
        if self._asked_bytes != len(self._audio):
            self._asked_bytes = len(self._audio)
            self._stopped.clear()
            self._inbox.put_nowait(self._stopped)
            await self._until_final()
        return self._heard.recognition()

    async def close(self) -> None:
        """Let go of the utterance; safe to call twice."""
        self._is_closed = True
        self._inbox.put_nowait(None)
        await asyncio.wait({self._task}, timeout=_CLOSE_TIMEOUT_S)
        self._task.cancel()

    def _begin(self) -> None:
        self._heard = _Heard()
        self._error: ProviderError | None = None
        self._asked_bytes = 0
        self._has_interims = False
        self._usual_s = _USUAL_S
        self._words_since_stop = asyncio.Event()
        self._is_complete = asyncio.Event()
        self._stopped = asyncio.Event()
        # Audio; an event where the speech is over for now; None at the end.
        self._inbox: asyncio.Queue[bytes | asyncio.Event | None] = asyncio.Queue()
        if self._audio:
            self._inbox.put_nowait(bytes(self._audio))
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with self._pool.borrow() as host:
                host.listener = self._hear
                while not host.frames.empty():  # it may have failed to connect
                    self._hear(host.frames.get_nowait())
                try:
                    await self._feed(host)
                    if self._error is not None:
                        raise self._error
                finally:
                    host.listener = None
        except ProviderError as error:
            self._fail(error)

    async def _feed(self, host: ServiceHost) -> None:
        service_hz = host.service.sample_rate
        resampler = resample.Resampler(from_hz=self._sample_rate_hz, to_hz=service_hz)
        metadata = host.service.service_metadata_frame()
        if isinstance(metadata, STTMetadataFrame) and metadata.ttfs_p99_latency > 0:
            self._usual_s = metadata.ttfs_p99_latency
        is_speaking = False
        while (item := await self._inbox.get()) is not None:
            if isinstance(item, asyncio.Event):
                self._words_since_stop.clear()
                self._is_complete.clear()
                await host.send(VADUserStoppedSpeakingFrame(stop_secs=_STOP_S))
                item.set()
                is_speaking = False
                continue
            if not is_speaking:
                await host.send(VADUserStartedSpeakingFrame())
                is_speaking = True
            pcm = resampler.push(item)
            if pcm:
                await host.send(InputAudioRawFrame(pcm, service_hz, 1))
        if is_speaking:  # nobody asked for the words: none may be left over for the next utterance
            await host.send(VADUserStoppedSpeakingFrame(stop_secs=_STOP_S))

    def _hear(self, frame: Frame) -> None:
        if isinstance(frame, TranscriptionFrame):
            self._heard.add(frame)
            self._words_since_stop.set()
            if frame.finalized:
                self._is_complete.set()
        elif isinstance(frame, InterimTranscriptionFrame):
            self._heard.interim = frame.text.strip()
            self._has_interims = True
        elif isinstance(frame, ErrorFrame):
            self._fail(pipecat_host.to_provider_error(self._pool.name, frame))

    def _fail(self, error: ProviderError) -> None:
        if self._is_closed:
            return
        self._error = error
        for event in (self._stopped, self._words_since_stop, self._is_complete):
            event.set()
        self._inbox.put_nowait(None)

    async def _until_final(self) -> None:
        """Wait until the service has told all it will, as far as one can know."""
        if not await _is_set(self._stopped, within_s=self._pool.timeout_s):
            raise ProviderError(self._pool.name, "no connection in time", retryable=True)
        # A service that gives interims, and owes none, has told everything already.
        is_ahead = self._has_interims and not self._heard.interim and self._heard.text
        if await _is_set(self._words_since_stop, within_s=_SETTLE_S if is_ahead else self._usual_s):
            await _is_set(self._is_complete, within_s=_SETTLE_S)
        if self._error is not None:
            raise self._error


async def _is_set(event: asyncio.Event, *, within_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    return event.is_set()


def _resample(pcm: bytes, *, from_hz: int, to_hz: int) -> bytes:
    return pcm if from_hz == to_hz else resample.resample(pcm, from_hz=from_hz, to_hz=to_hz)
