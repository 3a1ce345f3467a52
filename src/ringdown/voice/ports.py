"""The ports of the conversation: what hears, thinks and speaks; and the values that cross them.

PCM is always signed 16-bit little-endian mono.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol


class ProviderError(Exception):
    """A speech or language-model provider failed.

    `provider` names it; `retryable` tells whether the same request may succeed later.
    """

    def __init__(self, provider: str, message: str, *, retryable: bool) -> None:
        super().__init__(f"{provider}: {message}")
        self.provider = provider
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its place on a clock that the holder names, in milliseconds."""

    text: str
    start_ms: int
    end_ms: int


# --- hears -----------------------------------------------------------------------------------------------------------

ExpectationKind = Literal["free", "yes_no", "choice", "digits", "date", "message"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What may be answered next; narrows a recognizer that works with grammars.

    `phrases` are the allowed answers of kind `choice` (lower-case words separated by spaces). `free` expects anything,
    `message` expects speech that is kept as audio and not recognized by offline recognizers.
    """

    kind: ExpectationKind = "free"
    phrases: tuple[str, ...] = ()
    min_digits: int = 1
    max_digits: int = 16


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was said in an utterance; word times count from its first sample.

    `text` is empty when nothing was understood. `understood` is False for a recognizer that cannot
    write down this kind of speech at all (an offline recognizer and free speech).
    """

    text: str
    words: tuple[Word, ...] = ()
    understood: bool = True


class Utterance(Protocol):
    """One stretch of the caller's speech on its way through a recognizer."""

    def push(self, pcm: bytes) -> None:
        """Take more audio. Never blocks."""

    def partial(self) -> str:
        """The words so far, or `""` where the recognizer gives none before the end."""

    async def final(self) -> Recognition:
        """What was said in all audio pushed so far. May be called again after more audio was pushed.

        Raises `ProviderError`.
        """

    async def close(self) -> None:
        """Let go of the utterance; safe to call twice."""


class SpeechToText(Protocol):
    """A recognizer."""

    def open(self, *, sample_rate_hz: int, language: str, expectation: Expectation) -> Utterance:
        """Begin an utterance. `language` is BCP-47."""


# --- thinks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the history given to a language model."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_call_id: str | None = None
    tool_calls: tuple["ToolRequest", ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the model's answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """The model asks for a tool; `arguments` is a JSON object."""

    tool_call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, object] = field(default_factory=dict)


class LanguageModel(Protocol):
    """A chat model."""

    def reply(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[TextDelta | ToolRequest]:
        """Stream the next message of the assistant. Closing the iterator cancels the request.

        Raises `ProviderError`.
        """


# --- speaks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of spoken text: audio, and the words that start in it, on the clock of the whole text's audio.

    `words` may be empty where a provider gives no times; the listener then spreads the text over the audio.
    """

    pcm: bytes
    words: tuple[Word, ...] = ()


class TextToSpeech(Protocol):
    """A voice."""

    def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        """Stream `text` as audio. Closing the iterator cancels the rest. Raises `ProviderError`."""
