"""Offline voices: texts go to an espeak-ng child process and come back as audio with word times.

The library is GPL and is loaded by the child alone; this module never touches it.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ringdown.providers import child, frames
from ringdown.voice.ports import ProviderError, Speech, Word

PROVIDER = "espeak"
DEFAULT_VOICE = "en-us"
_IDLE_TIMEOUT_S = 5.0  # a whole text takes milliseconds
_RESTART_TIMEOUT_S = 15.0  # for a question that waits for the next child
_TRIES = 2


@dataclass(frozen=True, slots=True)
class OfflineVoice:
    """A voice as espeak-ng names it (`en-us`), with the name of its language for people."""

    name: str
    display_name: str


@dataclass(slots=True, eq=False)
class _Request:
    """One question to the child, and what has come back."""

    header: frames.Header
    answers: asyncio.Queue[tuple[frames.Header, bytes] | None] = field(default_factory=asyncio.Queue)  # None: it died
    is_sent: bool = False


class EspeakServer:
    """The one child that speaks for all calls of this process; started again after a crash."""

    def __init__(self) -> None:
        self._child = child.Child(module="ringdown.providers.espeak_process", provider=PROVIDER, listener=self)
        self._requests: dict[int, _Request] = {}
        self._ids = itertools.count(1)

    @property
    def child_pid(self) -> int | None:
        """The process id of the child while it is ready."""
        return self._child.pid

    async def start(self) -> None:
        """Start the child. Raises `ProviderError` when espeak-ng cannot be loaded."""
        await self._child.start()

    async def close(self) -> None:
        """End the child; texts on their way fail. Safe to call twice."""
        await self._child.close()

    async def list_voices(self) -> list[OfflineVoice]:
        """The voices of the installed espeak-ng, ordered by name. Raises `ProviderError`."""
        answer = await self._ask({"do": "voices"})
        return sorted(
            (OfflineVoice(name=name, display_name=display_name) for name, display_name in answer["voices"]),
            key=lambda voice: voice.name,
        )

    async def phonemes(self, words: Sequence[str], *, voice: str = DEFAULT_VOICE) -> list[str]:
        """How each word is spoken: IPA symbols separated by `_`. Raises `ProviderError`."""
        answer = await self._ask({"do": "phonemes", "words": list(words), "voice": voice})
        return list(answer["phonemes"])

    async def speak(
        self, text: str, *, voice: str, words_per_minute: int, pitch: int, sample_rate_hz: int
    ) -> AsyncIterator[Speech]:
        """Stream `text` word by word; after a crash of the child, from where it broke off. Raises `ProviderError`."""
        header = {
            "do": "speak",
            "text": text,
            "voice": voice,
            "words_per_minute": words_per_minute,
            "pitch": pitch,
            "sample_rate_hz": sample_rate_hz,
        }
        delivered_words = delivered_samples = 0
        for _ in range(_TRIES):
            with _Exchange(self, header) as exchange:
                seen_words = seen_samples = 0
                async for answer, pcm in exchange:
                    words, begin = answer["words"], seen_samples
                    seen_words += len(words)
                    seen_samples += len(pcm) // 2
                    if words and seen_words <= delivered_words:
                        continue  # delivered before the crash
                    # The same text takes a few milliseconds more or less each time, so that the words after a crash are
                    # put on the clock of the audio that was delivered.
                    shift_ms = (delivered_samples - begin) * 1000 // sample_rate_hz
                    delivered_words += len(words)
                    delivered_samples += len(pcm) // 2
                    if pcm or words:
                        yield Speech(pcm, tuple(_place(word, shift_ms) for word in words))
                    if "end" in answer:
                        return
        raise ProviderError(PROVIDER, "the voice process failed twice", retryable=True)

    async def _ask(self, header: frames.Header) -> frames.Header:
        for _ in range(_TRIES):
            with _Exchange(self, header) as exchange:
                async for answer, _payload in exchange:
                    return answer
        raise ProviderError(PROVIDER, "the voice process failed twice", retryable=True)

    def open_request(self, header: frames.Header) -> _Request:
        """Send a question, or keep it until the child is ready."""
        request = _Request({**header, "id": next(self._ids)})
        self._requests[request.header["id"]] = request
        self._send(request)
        return request

    def close_request(self, request: _Request) -> None:
        """No more answers are wanted."""
        if self._requests.pop(request.header["id"], None) is not None and request.is_sent:
            self._child.send({"do": "cancel", "id": request.header["id"]})

    def give_up(self) -> None:
        """The child does not answer any more."""
        self._child.kill()

    def _send(self, request: _Request) -> None:
        if self._child.pid is not None:
            request.is_sent = True
            self._child.send(request.header)

    def child_ready(self) -> None:
        """Send what has been waiting."""
        for request in self._requests.values():
            self._send(request)

    def child_message(self, header: frames.Header, payload: bytes) -> None:
        """Pass an answer to its request."""
        request = self._requests.get(header["id"])
        if request is not None:
            request.answers.put_nowait((header, payload))

    def child_gone(self) -> None:
        """Tell the requests on their way; those not yet sent wait for the next child."""
        for request in self._requests.values():
            if request.is_sent:
                request.answers.put_nowait(None)


def _place(word: Sequence[Any], shift_ms: int) -> Word:
    text, start_ms, end_ms = word
    return Word(text, start_ms + shift_ms, end_ms + shift_ms)


class _Exchange:
    """The answers to one question: iterates until the child fails, raises what the child refuses."""

    def __init__(self, server: EspeakServer, header: frames.Header) -> None:
        self._server = server
        self._request = server.open_request(header)

    def __enter__(self) -> "_Exchange":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close_request(self._request)

    async def __aiter__(self) -> AsyncIterator[tuple[frames.Header, bytes]]:
        while True:
            try:
                async with asyncio.timeout(_IDLE_TIMEOUT_S if self._request.is_sent else _RESTART_TIMEOUT_S):
                    received = await self._request.answers.get()
            except TimeoutError:
                self._server.give_up()
                return
            if received is None:
                return
            if "error" in received[0]:
                raise ProviderError(PROVIDER, received[0]["error"], retryable=False)
            yield received


class EspeakVoice:
    """A voice of espeak-ng (`TextToSpeech`); voices may share a server, which they then neither start nor close.

    `words_per_minute` is 80 to 450, `pitch` 0 to 99.
    """

    def __init__(
        self,
        voice: str = DEFAULT_VOICE,
        *,
        words_per_minute: int = 165,
        pitch: int = 50,
        server: EspeakServer | None = None,
    ) -> None:
        self._voice = voice
        self._words_per_minute = min(450, max(80, words_per_minute))
        self._pitch = min(99, max(0, pitch))
        self._server = EspeakServer() if server is None else server
        self._is_owner = server is None

    async def start(self) -> None:
        """Start the server if it is this voice's own. Raises `ProviderError`."""
        if self._is_owner:
            await self._server.start()

    async def close(self) -> None:
        """Close the server if it is this voice's own."""
        if self._is_owner:
            await self._server.close()

    def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        """Stream `text` as audio, a word or two at a time. Closing the iterator cancels the rest.

        Words are what stands between white space in `text`, in order. Raises `ProviderError`.
        """
        return self._server.speak(
            text,
            voice=self._voice,
            words_per_minute=self._words_per_minute,
            pitch=self._pitch,
            sample_rate_hz=sample_rate_hz,
        )
