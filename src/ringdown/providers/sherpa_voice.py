"""Voices of sherpa-onnx from a folder of files; speech is made in threads, sentence by sentence."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy

from ringdown.providers import sherpa_files, sherpa_loading
from ringdown.providers.resample import Resampler
from ringdown.providers.sherpa_loading import VoiceParameters
from ringdown.providers.sherpa_trial import PROVIDER
from ringdown.voice.ports import ProviderError, Speech

_TIMEOUT_S = 30.0


def open_sherpa_voice(folder: Path, parameters: Mapping[str, Any] | None = None) -> "SherpaVoice":
    """The voice in `folder`, loaded when it is started or first used.

    Raises `ValueError` for unknown parameters and for a folder that holds no voice.
    """
    read = sherpa_loading.read_parameters(VoiceParameters, parameters or {})
    model = sherpa_files.find_voice(folder, kind=read.kind)
    sherpa_loading.check_files(model)
    return SherpaVoice(SherpaVoiceModel(model, read), speaker=read.speaker)


class SherpaVoiceModel:
    """A model with one or more speakers. `close` it after the last call."""

    def __init__(self, model: sherpa_files.ModelFiles, parameters: VoiceParameters) -> None:
        self.model = model
        self._parameters = parameters
        self._threads = ThreadPoolExecutor(parameters.workers, thread_name_prefix="sherpa-voice")
        self._loading: asyncio.Task[Any] | None = None

    async def close(self) -> None:
        """End the threads; safe to call twice."""
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def engine(self) -> Any:
        """sherpa's voice, once it is loaded. Raises `ProviderError`."""
        if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
            self._loading = asyncio.get_running_loop().create_task(self._load())
        return await asyncio.shield(self._loading)

    async def _load(self) -> Any:
        work = asyncio.get_running_loop().run_in_executor
        return await work(self._threads, sherpa_loading.load_voice, self.model, self._parameters)

    async def generate(self, text: str, *, speaker: int) -> AsyncIterator[tuple[bytes, int]]:
        """The audio of `text`, sentence by sentence, with its sample rate. Raises `ProviderError`."""
        engine, loop = await self.engine(), asyncio.get_running_loop()
        if not 0 <= speaker < max(1, engine.num_speakers):
            raise ProviderError(
                PROVIDER, f"there is no speaker {speaker}; there are {engine.num_speakers}", retryable=False
            )
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        is_wanted = threading.Event()
        is_wanted.set()

        def take(samples: Any, _progress: float) -> int:
            pcm = (numpy.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
            loop.call_soon_threadsafe(pieces.put_nowait, pcm)
            return int(is_wanted.is_set())

        def work() -> None:
            try:
                # The samples of the result would be made a list, which holds up all of Python for long.
                engine.generate(text, sid=speaker, speed=self._parameters.speed, callback=take)
            finally:
                loop.call_soon_threadsafe(pieces.put_nowait, None)

        working = loop.run_in_executor(self._threads, work)
        try:
            while True:
                async with asyncio.timeout(_TIMEOUT_S):
                    piece = await pieces.get()
                if piece is None:
                    break
                yield piece, engine.sample_rate
            await working
        except TimeoutError:
            raise ProviderError(PROVIDER, "the voice takes too long", retryable=True) from None
        except RuntimeError as error:
            raise ProviderError(PROVIDER, "the voice failed", retryable=True) from error
        finally:
            is_wanted.clear()


class SherpaVoice:
    """A voice (`TextToSpeech`) without word times: one speaker of a model."""

    def __init__(self, model: SherpaVoiceModel, *, speaker: int = 0) -> None:
        self.model = model
        self.speaker = speaker

    async def start(self) -> None:
        """Load the model. Raises `ProviderError`."""
        await self.model.engine()

    async def close(self) -> None:
        """Close the model; safe to call twice."""
        await self.model.close()

    def with_speaker(self, speaker: int) -> "SherpaVoice":
        """Another speaker of the same model."""
        return SherpaVoice(self.model, speaker=speaker)

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        """Stream `text` as audio. Closing the iterator cancels the rest. Raises `ProviderError`."""
        resampler: Resampler | None = None
        async for pcm, rate_hz in self.model.generate(text, speaker=self.speaker):
            if resampler is None:
                resampler = Resampler(from_hz=rate_hz, to_hz=sample_rate_hz)
            yield Speech(resampler.push(pcm))
        if resampler is None:
            raise ProviderError(PROVIDER, "no audio for the text", retryable=False)
        if rest := resampler.flush():
            yield Speech(rest)
