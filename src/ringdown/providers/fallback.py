"""Several providers behind one port: whoever fails or answers late is followed by the next, and that is told."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from ringdown.voice import streams
from ringdown.voice.ports import (
    Expectation,
    LanguageModel,
    Message,
    ProviderError,
    Recognition,
    Speech,
    SpeechToText,
    TextDelta,
    TextToSpeech,
    ToolRequest,
    ToolSpec,
    Utterance,
)

#: Takes `provider.fallback {kind, from, to, error}` and `provider.failed {kind, provider, error}`.
OnNote = Callable[[str, Mapping[str, object]], None]
PortKind = Literal["recognizer", "model", "voice"]

# How long a provider that failed is asked last.
_BAD_S = 30.0
# The longest wait for a first answer while somebody else could still give one: two of them fit into the wait of the
# conversation (`voice.settings.Timeouts`).
_FIRST_ANSWER_S: Mapping[PortKind, float] = {"recognizer": 2.3, "model": 4.0, "voice": 2.3}

P = TypeVar("P")
Piece = TypeVar("Piece")


class ProviderHealth:
    """Which providers have failed lately; shared by all calls of the process."""

    def __init__(self) -> None:
        self._bad_until: dict[tuple[PortKind, str], float] = {}

    def mark_bad(self, kind: PortKind, name: str) -> None:
        """The provider has failed: for a while it is asked last."""
        self._bad_until[kind, name] = asyncio.get_running_loop().time() + _BAD_S

    def is_bad(self, kind: PortKind, name: str) -> bool:
        """Whether the provider has failed lately."""
        return asyncio.get_running_loop().time() < self._bad_until.get((kind, name), float("-inf"))


class _Choice(Generic[P]):
    """The providers of one port of one call, in the agent's order."""

    def __init__(
        self, kind: PortKind, providers: Sequence[tuple[str, P]], *, health: ProviderHealth, on_note: OnNote
    ) -> None:
        if not providers:
            raise ValueError(f"no {kind} to choose from")
        self.kind = kind
        self._providers = providers
        self._health = health
        self._on_note = on_note

    def rank(self) -> list[tuple[str, P]]:
        """All providers, those that failed lately last."""
        return sorted(self._providers, key=lambda named: self._health.is_bad(self.kind, named[0]))

    def first_answer_s(self, *, is_last: bool) -> float | None:
        """How long to wait for a first answer; the last one is bound by its own timeout only."""
        return None if is_last else _FIRST_ANSWER_S[self.kind]

    def note(self, name: str, error: ProviderError, *, following: str | None) -> None:
        """Tell that a provider failed, and who is asked instead."""
        self._health.mark_bad(self.kind, name)
        if following is None:
            self._on_note("provider.failed", {"kind": self.kind, "provider": name, "error": str(error)})
        else:
            self._on_note("provider.fallback", {"kind": self.kind, "from": name, "to": following, "error": str(error)})

    async def stream(self, open_stream: Callable[[P], AsyncIterator[Piece]]) -> AsyncGenerator[Piece, None]:
        """The pieces of the first provider that gives any.

        Raises `ProviderError` when all fail, or when one breaks off after its first piece; asking again helps then,
        if there is somebody else.
        """
        ranked = self.rank()
        for index, (name, provider) in enumerate(ranked):
            following = ranked[index + 1][0] if index + 1 < len(ranked) else None
            has_piece = False
            pieces = _bound_first(open_stream(provider), name, self.first_answer_s(is_last=following is None))
            try:
                async with contextlib.aclosing(pieces):
                    async for piece in pieces:
                        has_piece = True
                        yield piece
                if has_piece or following is None:
                    return
                raise ProviderError(name, "an empty answer", retryable=True)
            except ProviderError as error:
                other = ranked[0 if index else 1][0] if has_piece and len(ranked) > 1 else following
                self.note(name, error, following=other)
                if has_piece and other is not None:
                    raise ProviderError(error.provider, "the answer broke off", retryable=True) from error
                if other is None:
                    raise


class FallbackModel:
    """A chat model (`LanguageModel`) made of several."""

    def __init__(
        self, providers: Sequence[tuple[str, LanguageModel]], *, health: ProviderHealth, on_note: OnNote
    ) -> None:
        self._choice = _Choice("model", providers, health=health, on_note=on_note)

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[TextDelta | ToolRequest]:
        """Stream the next message of the assistant. Closing the iterator cancels the request.

        Raises `ProviderError`.
        """
        pieces = self._choice.stream(lambda model: model.reply(messages, tools=tools, temperature=temperature))
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece


class FallbackSpeaker:
    """A voice (`TextToSpeech`) made of several."""

    def __init__(
        self, providers: Sequence[tuple[str, TextToSpeech]], *, health: ProviderHealth, on_note: OnNote
    ) -> None:
        self._choice = _Choice("voice", providers, health=health, on_note=on_note)

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        """Stream `text` as audio. Closing the iterator cancels the rest. Raises `ProviderError`."""
        pieces = self._choice.stream(lambda voice: voice.speak(text, sample_rate_hz=sample_rate_hz))
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece


class FallbackRecognizer:
    """A recognizer (`SpeechToText`) made of several: an utterance that one fails at goes to the next, as a whole."""

    def __init__(
        self, providers: Sequence[tuple[str, SpeechToText]], *, health: ProviderHealth, on_note: OnNote
    ) -> None:
        self._choice = _Choice("recognizer", providers, health=health, on_note=on_note)

    def open(self, *, sample_rate_hz: int, language: str, expectation: Expectation) -> "FallbackUtterance":
        """Begin an utterance. `language` is BCP-47."""
        return FallbackUtterance(
            self._choice, {"sample_rate_hz": sample_rate_hz, "language": language, "expectation": expectation}
        )


class FallbackUtterance:
    """One utterance: its audio is kept for whoever may have to recognize it next."""

    def __init__(self, choice: _Choice[SpeechToText], terms: dict[str, Any]) -> None:
        self._choice = choice
        self._terms = terms
        self._waiting = choice.rank()
        self._audio = bytearray()
        self._name, recognizer = self._waiting.pop(0)
        self._utterance: Utterance = recognizer.open(**terms)

    def push(self, pcm: bytes) -> None:
        """Take more audio. Never blocks."""
        if self._waiting:
            self._audio += pcm
        self._utterance.push(pcm)

    def partial(self) -> str:
        """The words so far."""
        return self._utterance.partial()

    async def final(self) -> Recognition:
        """What was said in all audio pushed so far. Raises `ProviderError` when nobody is left to ask."""
        while True:
            first_answer_s = self._choice.first_answer_s(is_last=not self._waiting)
            try:
                async with asyncio.timeout(first_answer_s) as deadline:
                    return await self._utterance.final()
            except TimeoutError:
                if not deadline.expired():
                    raise
                error = ProviderError(self._name, f"no words within {first_answer_s:g} s", retryable=True)
            except ProviderError as failure:
                error = failure
            await self._move_on(error)

    async def close(self) -> None:
        """Let go of the utterance; safe to call twice."""
        self._audio.clear()
        await self._utterance.close()

    async def _move_on(self, error: ProviderError) -> None:
        """Hand the utterance to the next recognizer; raises `error` where there is none."""
        self._choice.note(self._name, error, following=self._waiting[0][0] if self._waiting else None)
        if not self._waiting:
            raise error
        failed, (self._name, recognizer) = self._utterance, self._waiting.pop(0)
        self._utterance = recognizer.open(**self._terms)
        self._utterance.push(bytes(self._audio))
        await streams.ignore_failure(failed.close(), timeout_s=1.0)


async def _bound_first(
    iterator: AsyncIterator[Piece], name: str, first_answer_s: float | None
) -> AsyncGenerator[Piece, None]:
    """The same pieces; a first one that takes too long is a failure."""
    try:
        is_first = True
        while True:
            try:
                async with asyncio.timeout(first_answer_s if is_first else None) as deadline:
                    piece = await anext(iterator)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not deadline.expired():
                    raise
                raise ProviderError(name, f"no answer within {first_answer_s:g} s", retryable=True) from None
            is_first = False
            yield piece
    finally:
        await streams.close(iterator)
