"""Recognizers of sherpa-onnx from a folder of files; all work on models is done in threads of their own."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy

from ringdown.providers import sherpa_files, sherpa_loading
from ringdown.providers.resample import Resampler
from ringdown.providers.sherpa_loading import RecognizerParameters
from ringdown.providers.sherpa_trial import PROVIDER
from ringdown.providers.sherpa_words import join_words
from ringdown.voice.ports import Expectation, ProviderError, Recognition, Word

_RATE_HZ = 16_000
_T_ONE_RATE_HZ = 8_000
# What an online model must hear after the last word before it tells it: its look-ahead.
_TAIL_MS = 700
# Whisper takes no more than 30 s; a longer utterance is decoded in pieces.
_PIECE_S = 28
_SHORTEST_MS = 100
_TIMEOUT_S = 30.0
_TOO_LONG = "the recognizer takes too long"


def open_sherpa_recognizer(folder: Path, parameters: Mapping[str, Any] | None = None) -> "SherpaRecognizer":
    """The recognizer in `folder`, loaded when it is started or first used.

    Raises `ValueError` for unknown parameters and for a folder that holds no recognizer.
    """
    read = sherpa_loading.read_parameters(RecognizerParameters, parameters or {})
    model = sherpa_files.find_recognizer(folder, kind=read.kind)
    sherpa_loading.check_files(model)
    return SherpaRecognizer(model, read)


class SherpaRecognizer:
    """A recognizer (`SpeechToText`). `start` loads the model; `close` it after the last call."""

    def __init__(self, model: sherpa_files.ModelFiles, parameters: RecognizerParameters) -> None:
        self.model = model
        self.sample_rate_hz = _T_ONE_RATE_HZ if model.kind == "online_t_one_ctc" else _RATE_HZ
        self._parameters = parameters
        self._threads = ThreadPoolExecutor(parameters.workers, thread_name_prefix="sherpa")
        self._loading: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Load the model. Raises `ProviderError`."""
        await self.engine()

    async def close(self) -> None:
        """End the threads; safe to call twice."""
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def open(
        self, *, sample_rate_hz: int, language: str, expectation: Expectation
    ) -> "OnlineUtterance|OfflineUtterance":
        """Begin an utterance. The language is that of the model or of its parameters."""
        del language, expectation
        kind = OnlineUtterance if self.model.is_online else OfflineUtterance
        return kind(self, sample_rate_hz=sample_rate_hz)

    async def engine(self) -> Any:
        """sherpa's recognizer, once it is loaded. Raises `ProviderError`."""
        if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
            load = self.work(sherpa_loading.load_recognizer, self.model, self._parameters)
            self._loading = asyncio.get_running_loop().create_task(load)
        return await asyncio.shield(self._loading)

    async def work(self, do: "_Work", *arguments: Any) -> Any:
        """Do something in a thread. Raises `ProviderError`."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, do, *arguments)
        except RuntimeError as error:
            raise ProviderError(PROVIDER, "the recognizer failed", retryable=True) from error


class _Work(Protocol):
    def __call__(self, *arguments: Any) -> Any: ...


class OfflineUtterance:
    """An utterance that is decoded as a whole when its words are asked for."""

    def __init__(self, owner: SherpaRecognizer, *, sample_rate_hz: int) -> None:
        self._owner = owner
        self._resampler = Resampler(from_hz=sample_rate_hz, to_hz=owner.sample_rate_hz)
        self._audio = bytearray()
        self._recognized_bytes = 0
        self._recognition = Recognition("")

    def push(self, pcm: bytes) -> None:
        """Take more audio. Never blocks."""
        self._audio += self._resampler.push(pcm)

    def partial(self) -> str:
        """What the last `final` found; there is nothing before it."""
        return self._recognition.text

    async def final(self) -> Recognition:
        """What was said in all audio pushed so far. Raises `ProviderError`."""
        audio = bytes(self._audio)
        is_too_short = len(audio) < 2 * self._owner.sample_rate_hz * _SHORTEST_MS // 1000
        if is_too_short or len(audio) == self._recognized_bytes:
            return self._recognition
        engine = await self._owner.engine()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                found = await self._owner.work(_decode_whole, engine, audio, self._owner.sample_rate_hz)
        except TimeoutError:
            raise ProviderError(PROVIDER, _TOO_LONG, retryable=True) from None
        assert isinstance(found, Recognition)
        self._recognition, self._recognized_bytes = found, len(audio)
        return found

    async def close(self) -> None:
        """Let go of the audio; safe to call twice."""
        self._audio.clear()
        self._recognized_bytes = 0


class OnlineUtterance:
    """An utterance that is decoded while it is spoken."""

    def __init__(self, owner: SherpaRecognizer, *, sample_rate_hz: int) -> None:
        self._owner = owner
        self._resampler = Resampler(from_hz=sample_rate_hz, to_hz=owner.sample_rate_hz)
        self._pending = bytearray()
        self._stream: Any = None
        self._decoding: asyncio.Task[None] | None = None
        self._failure: ProviderError | None = None
        # What the stream has heard, and where in it silence of ours was put in to hear the last word, in seconds.
        self._heard_bytes = 0
        self._tails: list[float] = []
        self._recognition = Recognition("")
        self._recognized_bytes = 0
        self._is_closed = False

    def push(self, pcm: bytes) -> None:
        """Take more audio. Never blocks."""
        self._pending += self._resampler.push(pcm)
        self._decode()

    def partial(self) -> str:
        """The words so far."""
        return self._recognition.text

    async def final(self) -> Recognition:
        """What was said in all audio pushed so far. Raises `ProviderError`."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._settle()
                if self._heard_bytes != self._recognized_bytes:
                    self._tails.append(self._heard_bytes / 2 / self._owner.sample_rate_hz)
                    self._pending += bytes(_TAIL_MS * self._owner.sample_rate_hz // 1000 * 2)
                    self._decode()
                    await self._settle()
                    self._recognized_bytes = self._heard_bytes
        except TimeoutError:
            raise ProviderError(PROVIDER, _TOO_LONG, retryable=True) from None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return self._recognition

    async def close(self) -> None:
        """Let go of the utterance; safe to call twice."""
        self._is_closed = True
        self._pending.clear()
        if self._decoding is not None:
            await asyncio.gather(self._decoding, return_exceptions=True)
        self._stream = None

    def _decode(self) -> None:
        if self._decoding is None and self._pending and not self._is_closed:
            self._decoding = asyncio.get_running_loop().create_task(self._decode_pending())

    async def _settle(self) -> None:
        while self._decoding is not None:
            await asyncio.shield(self._decoding)

    async def _decode_pending(self) -> None:
        try:
            engine = await self._owner.engine()
            if self._stream is None:
                self._stream = engine.create_stream()
            while self._pending and not self._is_closed:
                audio = bytes(self._pending)
                self._pending.clear()
                self._heard_bytes += len(audio)
                found = await self._owner.work(_decode_more, engine, self._stream, audio, self._owner.sample_rate_hz)
                self._recognition = self._read(*found)
        except ProviderError as error:
            self._failure = error
        finally:
            self._decoding = None

    def _read(self, text: str, tokens: list[str], starts_s: list[float]) -> Recognition:
        tail_s = _TAIL_MS / 1000
        # A word that came in the silence, or after it, was said so much earlier.
        starts = [start - sum(min(tail_s, max(0.0, start - at)) for at in self._tails) for start in starts_s]
        return Recognition(text, join_words(tokens, starts, text=text))


def _decode_whole(engine: Any, audio: bytes, rate_hz: int) -> Recognition:
    """Decode a whole utterance, in a thread."""
    step, texts, language = _PIECE_S * rate_hz * 2, list[str](), None
    words: list[Word] = []
    for begin in range(0, len(audio), step):
        stream = engine.create_stream()
        stream.accept_waveform(rate_hz, memoryview(_to_samples(audio[begin : begin + step])))
        engine.decode_stream(stream)
        result = stream.result
        text = result.text.strip()
        words += join_words(result.tokens, result.timestamps, text=text, offset_ms=begin // 2 * 1000 // rate_hz)
        texts += [text] if text else []
        language = language or result.lang.strip("<|>") or None
    text = " ".join(texts)
    is_timed = " ".join(word.text for word in words) == text
    return Recognition(text, tuple(words) if is_timed else (), language=language)


def _decode_more(engine: Any, stream: Any, audio: bytes, rate_hz: int) -> tuple[str, list[str], list[float]]:
    """Let a stream hear more, in a thread."""
    stream.accept_waveform(rate_hz, memoryview(_to_samples(audio)))
    while engine.is_ready(stream):
        engine.decode_stream(stream)
    return engine.get_result(stream).strip(), engine.tokens(stream), engine.timestamps(stream)


def _to_samples(audio: bytes) -> Any:
    return numpy.frombuffer(audio, "<i2").astype(numpy.float32) / 32768
