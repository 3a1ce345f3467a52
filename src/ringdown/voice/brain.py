"""What decides the agent's words: the protocol between the conversation and a flow or a language model."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from ringdown.voice import ports
from ringdown.voice.events import ConversationReport
from ringdown.voice.turns import Completeness


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller's contribution: words, keypad digits, or silence where an answer was due.

    `is_understood` is False when the recognizer cannot write down this kind of speech; `duration_ms` is the speech.
    """

    text: str = ""
    source: Literal["speech", "keypad", "silence"] = "speech"
    is_understood: bool = True
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Listening:
    """What the brain expects next, and how patiently to wait for it; None leaves a wait to the usual rules.

    `end_silence_ms` of silence end an answer (a dictated message has pauses), `max_ms` end it in any case;
    `answer_timeout_ms` without speech is reported to the brain as silence.
    """

    expectation: ports.Expectation = field(default_factory=ports.Expectation)
    end_silence_ms: int | None = None
    max_ms: int | None = None
    answer_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class HangUp:
    """The agent hangs up when its words so far have been played."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The answer goes no further before it is certain that it will be heard: what follows has effects."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The answer waits for something; one of `texts` is said where nothing else is for a while. Comes repeatedly.

    `said` is told what is said.
    """

    texts: tuple[str, ...] = ()
    said: Callable[[str], None] = lambda _text: None


@dataclass(frozen=True, slots=True)
class Act:
    """Something to be done when the words so far have been played; the last part of an answer that goes on.

    `begun` is called just before; never when the caller took the floor first.
    """

    request: ports.ToolRequest
    begun: Callable[[], None] = lambda: None


Part = str | HangUp | Commit | Waiting | Act


class Proposal(Protocol):
    """An answer that is being prepared; nothing has happened until it is committed."""

    def parts(self) -> AsyncIterator[Part]:
        """Stream the answer. Raises `ports.ProviderError`.

        May be called again after a failure: then the answer begins anew, or goes on after its last `Commit`.
        """

    def commit(self) -> None:
        """The caller now hears the answer: what was heard and decided becomes a fact."""


class Brain(Protocol):
    """Decides what the agent says. Its methods do no I/O, except in `Proposal.parts` and `summarise`."""

    def listening(self) -> Listening:
        """What may be answered next."""

    def open(self, greeting: str | None, heard: Heard | None) -> Proposal:
        """The first words; `heard` is what the caller said before them, if anything."""

    def consider(self, heard: Heard) -> Proposal:
        """Prepare the answer to `heard`. Speculative: called again when the caller goes on."""

    def judge(self, text: str) -> Completeness:
        """Whether `text` is all of an expected answer."""

    def judge_keypad(self, digits: str) -> Completeness:
        """Whether `digits` are all of an expected answer; "unknown" waits for more, then takes what there is."""

    def spoken(self, text: str) -> None:
        """The agent's turn is over; the caller heard `text` of it."""

    async def summarise(self) -> None:
        """Prepare the report's summary. Raises `ports.ProviderError`."""

    def report(self) -> ConversationReport:
        """What was achieved so far."""

    async def close(self) -> None:
        """The call is over: wait for tools that still run, for a while, and stop them. Safe to call twice."""


@runtime_checkable
class Navigator(Protocol):
    """A brain that may be able to press keys."""

    def navigate(self, menu: str) -> Proposal | None:
        """Prepare the answer to what a phone menu said; None when no key can be pressed."""


@runtime_checkable
class Polyglot(Protocol):
    """A brain that speaks more than one language."""

    def switch_language(self, language: str) -> None:
        """The caller speaks `language` (BCP-47) now, and is to be answered in it."""


@runtime_checkable
class Accountant(Protocol):
    """A brain that remembers what came of what it asked for."""

    def settle(self, tool_call_id: str, result: ports.ToolResult) -> None:
        """What came of a tool that ran after the words."""


@dataclass(frozen=True, slots=True)
class FixedProposal:
    """Words that are known already; with `is_last` the agent hangs up after them."""

    text: str
    is_last: bool = False

    async def parts(self) -> AsyncIterator[Part]:
        """Yield the text, then the hang-up."""
        if self.text:
            yield self.text
        if self.is_last:
            yield HangUp()

    def commit(self) -> None:
        """Nothing depends on these words."""
