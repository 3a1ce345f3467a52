"""What an agent is: its settings, and their defaults; pure values, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

AgentStatus = Literal["draft", "creating", "active", "failed"]
FirstSpeaker = Literal["agent", "user"]
EndBehavior = Literal["END_BEHAVIOR_UNSPECIFIED", "END_BEHAVIOR_HANG_UP_SOFT", "END_BEHAVIOR_HANG_UP_STRICT"]
OutputMedium = Literal["MESSAGE_MEDIUM_VOICE", "MESSAGE_MEDIUM_TEXT", "MESSAGE_MEDIUM_UNSPECIFIED"]

VoicemailAction = Literal["hang_up", "leave_message", "continue"]
TransferMode = Literal["blind", "attended"]

#: What a call can achieve, in the API's words; also what a flow may say that it has achieved.
Outcome = Literal["contacted", "voicemail", "no_answer", "escalated", "interested", "not_interested", "busy", "failed"]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

#: The brain that needs no language model: flows and the built-in receptionist.
BUILTIN_MODEL = "builtin"
#: Whatever is the default when a call begins; an agent that names no model follows a later change of the settings.
DEFAULT_MODEL = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """How a conversation begins. `text` and `fallback_text` are templates."""

    first_speaker: FirstSpeaker = "agent"
    text: str | None = None
    prompt: str | None = None
    delay_ms: int = 0
    uninterruptible: bool = False
    fallback_delay_ms: int | None = None
    fallback_text: str | None = None
    fallback_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class InactivityMessage:
    """Spoken `duration_ms` of silence after the message before it."""

    duration_ms: int
    message: str
    end_behavior: EndBehavior = "END_BEHAVIOR_UNSPECIFIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class VadSettings:
    """When speech counts as a turn or as an interruption."""

    turn_endpoint_delay_ms: int = 384
    minimum_turn_duration_ms: int = 0
    minimum_interruption_duration_ms: int = 90
    frame_activation_threshold: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallbacks:
    """Names of the providers, and ids of the voices, that take over in this order when one fails."""

    recognizers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicemailSettings:
    """Whether to look for an answering machine, and what to do about it. `message` is a template."""

    detection: bool = False
    action: VoicemailAction = "hang_up"
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningSettings:
    """What a service is told that asks who calls and why; templates. None: the agent's name; nothing."""

    name: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferNumber:
    """Somebody to whom the agent may hand a caller over: the only ones, so that nobody talks it into others."""

    name: str
    phone_number: str
    mode: TransferMode = "blind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What answers or dials. Instants are milliseconds UTC; `recording_enabled` None means not set."""

    organization_id: str
    id: str
    name: str
    status: AgentStatus
    voice_id: str
    system_prompt: str
    created_at: int
    updated_at: int
    description: str | None = None
    model: str = BUILTIN_MODEL
    temperature: float = 0.3
    tools: tuple[str, ...] = ()
    knowledge_bases: tuple[str, ...] = ()
    recording_enabled: bool | None = None
    language_hint: str = "en-US"
    join_timeout_ms: int = 30_000
    max_duration_ms: int = 3_600_000
    time_exceeded_message: str | None = None
    greeting: Greeting = Greeting()
    inactivity_messages: tuple[InactivityMessage, ...] = ()
    initial_output_medium: OutputMedium = "MESSAGE_MEDIUM_VOICE"
    vad: VadSettings = VadSettings()
    flow: Mapping[str, object] | None = None
    template_id: str | None = None
    call_template_name: str | None = None
    success_criteria: str | None = None
    extraction_schema: Mapping[str, object] | None = None
    recognizer: str | None = None
    fallbacks: Fallbacks = Fallbacks()
    languages: tuple[str, ...] = ()
    voicemail: VoicemailSettings = VoicemailSettings()
    screening: ScreeningSettings = ScreeningSettings()
    transfer_numbers: tuple[TransferNumber, ...] = ()
