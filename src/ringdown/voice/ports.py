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
    write down this kind of speech at all (an offline recognizer and free speech). `language` is the
    BCP-47 tag of what was spoken, where the recognizer tells.
    """

    text: str
    words: tuple[Word, ...] = ()
    understood: bool = True
    language: str | None = None


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


class Wire(Protocol):
    """What lies between a conversation and its packets; asked within `tick`, for that tick."""

    @property
    def held_ms(self) -> int | None:
        """How long before the instant of the tick its audio had come; None when none came."""

    @property
    def lag_ms(self) -> int:
        """How long after that instant what the tick returns leaves."""


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
    """A tool as the model sees it; `parameters` is a JSON schema.

    A tool `runs` while the answer is being written, and the model goes on with its result; or after the words of
    the answer were played, and then it is the last thing of the answer (a transfer, keypad digits).
    """

    name: str
    description: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    runs: Literal["during", "after_words"] = "during"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered, as the model reads it: JSON or text."""

    content: str
    is_error: bool = False


class ToolBox(Protocol):
    """The tools of one call."""

    def specs(self) -> Sequence[ToolSpec]:
        """The tools that the model may use now."""

    async def call(self, request: ToolRequest) -> ToolResult:
        """Use a tool. Faults are results, too: never raises, and is bounded in time."""

    def check(self, request: ToolRequest) -> ToolResult | None:
        """What keeps a tool that runs `after_words` from being begun, before the words are said; None: nothing."""


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


# --- hears, thinks and speaks at once ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak, `at_ms` of the audio pushed: the model has stopped, what is left to play is void."""

    turn_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The caller is done, the last voice was `at_ms` of the audio pushed: an answer follows."""

    turn_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CallerWords:
    """What the caller said in a turn; may arrive after the answer has begun, or after the next turn's words.

    `understood` is False when nobody could write it down.
    """

    turn_id: str
    text: str
    understood: bool = True
    language: str | None = None


@dataclass(frozen=True, slots=True)
class AgentStarted:
    """The agent begins to answer: what was asked for under `label`, or of its own accord (an empty one)."""

    label: str = ""


@dataclass(frozen=True, slots=True)
class AgentWords:
    """A piece of the text of an item that the agent says."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class AgentAudio:
    """A piece of an item that the agent says, as PCM at the session's rate."""

    item_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class AgentDone:
    """The answer is complete, after the tools it asks for; what was sent of it is all."""


DuplexEvent = (
    SpeechStarted | SpeechStopped | CallerWords | AgentStarted | AgentWords | AgentAudio | AgentDone | ToolRequest
)


class DuplexSession(Protocol):
    """One call's session with a model that hears and speaks by itself.

    Nothing but `events` and `close` waits; what fails is raised by `events`.
    """

    def push(self, pcm: bytes) -> None:
        """Take the caller's audio."""

    def events(self) -> AsyncIterator[DuplexEvent]:
        """What the model does. Raises `ProviderError`, also when the session ends."""

    def say(self, text: str, *, label: str) -> None:
        """Let the agent say exactly these words, after what it is saying."""

    def respond(self, instructions: str | None = None, *, label: str) -> None:
        """Let the agent speak, as `instructions` say, after what it is saying."""

    def hear(self, text: str) -> None:
        """Take words of the caller that came another way (keypad digits); `respond` answers them."""

    def answer_tool(self, request: ToolRequest, result: ToolResult) -> None:
        """Give a tool's result; `respond` lets the model go on."""

    def stop(self) -> None:
        """The agent says no more of its answer."""

    def truncate(self, item_id: str, heard_ms: int) -> None:
        """Only the first `heard_ms` of an item were heard: the model forgets the rest."""

    def flush(self) -> None:
        """The caller is gone: what was pushed last is a turn, whose words are wanted."""

    async def close(self) -> None:
        """End the session; safe to call twice."""


class SpeechToSpeech(Protocol):
    """A model that hears and speaks."""

    async def open(
        self,
        *,
        instructions: str,
        tools: Sequence[ToolSpec],
        sample_rate_hz: int,
        language: str,
        temperature: float,
        history: Sequence[Message] = (),
    ) -> DuplexSession:
        """Begin a session, or go on after `history`; PCM of both sides at `sample_rate_hz`. Raises `ProviderError`."""
