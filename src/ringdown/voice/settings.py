"""How one conversation behaves: greeting, voice activity, silence, length, waits. Values only."""

from dataclasses import dataclass, field
from typing import Literal

EndBehavior = Literal["END_BEHAVIOR_UNSPECIFIED", "END_BEHAVIOR_HANG_UP_SOFT", "END_BEHAVIOR_HANG_UP_STRICT"]
MachineMode = Literal["off", "hang_up", "leave_message", "continue"]


@dataclass(frozen=True, slots=True)
class GreetingSettings:
    """Who speaks first, and what.

    `text` is said before whatever the brain opens with. With `first_speaker` `user` the agent waits; after
    `fallback_delay_ms` of silence it says `fallback_text` (or `text`). `fallback_delay_ms=None` waits for ever.
    """

    first_speaker: Literal["agent", "user"] = "agent"
    text: str | None = None
    delay_ms: int = 0
    uninterruptible: bool = False
    fallback_delay_ms: int | None = None
    fallback_text: str | None = None


@dataclass(frozen=True, slots=True)
class InactivityMessage:
    """What to say after `duration_ms` without a sign of the caller, and whether to hang up then."""

    duration_ms: int
    message: str
    end_behavior: EndBehavior = "END_BEHAVIOR_UNSPECIFIED"


@dataclass(frozen=True, slots=True)
class VadSettings:
    """What counts as speech, as an interruption and as the end of a turn.

    `turn_endpoint_delay_ms` is the least silence before an answer; None leaves it to the rules of `voice.turns`.
    """

    turn_endpoint_delay_ms: int | None = None
    minimum_turn_duration_ms: int = 0
    minimum_interruption_duration_ms: int = 90
    frame_activation_threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The longest wait for a provider, in seconds; each is followed by one retry."""

    recognition_s: float = 5.0
    model_s: float = 10.0
    speech_s: float = 5.0
    last_words_s: float = 5.0
    summary_s: float = 15.0


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What to do when an answering machine, a menu or a fax takes our call; "off" does not look, and costs nothing.

    With any other mode the agent speaks when somebody has answered with a few words, or after `max_silence_ms` of
    silence. Whether a long greeting is a machine's is decided `max_detection_ms` after its first word at the latest.
    `leave_message` says `message` (or the greeting) after the beep, `max_greeting_ms` after the machine was detected
    at the latest; `continue` only tells.
    """

    mode: MachineMode = "off"
    message: str | None = None
    max_silence_ms: int = 1500
    max_detection_ms: int = 4000
    max_greeting_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class ScreeningSettings:
    """What a service is told that asks who calls before it puts us through."""

    is_answered: bool = True
    name: str = ""
    reason: str = ""

    @property
    def answer(self) -> str:
        """The words of the answer; empty when the service gets none."""
        parts = [part.strip().rstrip(".") for part in (self.name, self.reason)] if self.is_answered else []
        return " ".join(f"{part}." for part in parts if part)


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """Everything about a conversation that does not depend on what is said in it.

    `languages` are those that the agent may change to, besides `language`, when the caller speaks them.
    `sample_rate_hz` is that of both sides' PCM, 8000 or 16000; another raises `ValueError`.
    """

    language: str = "en-US"
    languages: tuple[str, ...] = ()
    greeting: GreetingSettings = field(default_factory=GreetingSettings)
    inactivity_messages: tuple[InactivityMessage, ...] = ()
    max_duration_ms: int = 3_600_000
    time_exceeded_message: str | None = None
    vad: VadSettings = field(default_factory=VadSettings)
    sample_rate_hz: int = 8000
    farewell: str = "I'm sorry, I have to end our call here. Goodbye."
    apology: str = "I'm sorry, something went wrong on our side. Please call again later. Goodbye."
    timeouts: Timeouts = field(default_factory=Timeouts)
    machine: MachineSettings = field(default_factory=MachineSettings)
    screening: ScreeningSettings | None = None

    @property
    def is_watching_answer(self) -> bool:
        """Whether it matters who answers."""
        return self.machine.mode != "off" or (self.screening is not None and bool(self.screening.answer))

    def __post_init__(self) -> None:
        if self.sample_rate_hz not in (8000, 16000):
            raise ValueError("a conversation has 8000 or 16000 samples a second")
