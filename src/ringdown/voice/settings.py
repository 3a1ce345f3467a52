"""How one conversation behaves: greeting, voice activity, silence, length, waits. Values only."""

from dataclasses import dataclass, field
from typing import Literal

EndBehavior = Literal["END_BEHAVIOR_UNSPECIFIED", "END_BEHAVIOR_HANG_UP_SOFT", "END_BEHAVIOR_HANG_UP_STRICT"]


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
class ConversationSettings:
    """Everything about a conversation that does not depend on what is said in it.

    `sample_rate_hz` is that of both sides' PCM, 8000 or 16000; another raises `ValueError`.
    """

    language: str = "en-US"
    greeting: GreetingSettings = field(default_factory=GreetingSettings)
    inactivity_messages: tuple[InactivityMessage, ...] = ()
    max_duration_ms: int = 3_600_000
    time_exceeded_message: str | None = None
    vad: VadSettings = field(default_factory=VadSettings)
    sample_rate_hz: int = 8000
    apology: str = "I'm sorry, something went wrong on our side. Please call again later. Goodbye."
    timeouts: Timeouts = field(default_factory=Timeouts)

    def __post_init__(self) -> None:
        if self.sample_rate_hz not in (8000, 16000):
            raise ValueError("a conversation has 8000 or 16000 samples a second")
