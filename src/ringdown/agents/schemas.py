"""The JSON of agents: what requests may say, in every documented spelling, and what answers say."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from ringdown import values
from ringdown.agents.flow_schemas import FlowDocument
from ringdown.agents.models import AgentStatus, EndBehavior, FirstSpeaker, OutputMedium

_MAX_DURATION_MS = 24 * 3600 * 1000


def _check_duration(minimum_ms: int, maximum_ms: int) -> Callable[[int], int]:
    allowed = f"from {values.format_duration(minimum_ms)} to {values.format_duration(maximum_ms)}"

    def check(value: int) -> int:
        if not minimum_ms <= value <= maximum_ms:
            raise ValueError(f"must be a duration {allowed}")
        return value

    return check


def _parse_duration(value: Any) -> int:
    if not isinstance(value, (str, int, float)):
        raise ValueError('must be a duration such as "30s", "500ms" or whole seconds')
    return values.parse_duration_ms(value)


_DURATION_SCHEMA = WithJsonSchema(
    {
        "anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s)$"}, {"type": "number", "minimum": 0}],
        "description": 'A duration: "30s", "500ms", or seconds as a number.',
    }
)
#: A pause of the conversation, in milliseconds once read.
Pause = Annotated[
    int, AfterValidator(_check_duration(0, _MAX_DURATION_MS)), BeforeValidator(_parse_duration), _DURATION_SCHEMA
]
#: How long a phone may ring.
RingTime = Annotated[
    int, AfterValidator(_check_duration(1000, 600_000)), BeforeValidator(_parse_duration), _DURATION_SCHEMA
]
#: How long a call may last.
CallTime = Annotated[
    int, AfterValidator(_check_duration(1000, _MAX_DURATION_MS)), BeforeValidator(_parse_duration), _DURATION_SCHEMA
]


class RequestBody(BaseModel):
    """A body in which an unknown field is refused, and in which fields may have other documented names."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Our name of each other documented name."""
        return {}

    @model_validator(mode="before")
    @classmethod
    def _accept_spellings(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        renamed = dict(body)
        for other, name in cls.spellings().items():
            if other in renamed and renamed.get(name) in (None, renamed[other]):
                renamed[name] = renamed.pop(other)
        return renamed


def other_name(name: str) -> BeforeValidator:
    """Marks a field that is another name of `name`; it is left over only when both were sent and differ."""

    def refuse(_value: object) -> None:
        raise ValueError(f"is another name of {name}, which says something else; send one of them")

    return BeforeValidator(refuse)


class GreetingSettings(RequestBody):
    """How a conversation begins; the fallback is for a user who should speak first and is silent."""

    first_speaker: FirstSpeaker = "agent"
    text: str | None = None
    prompt: Annotated[str | None, Field(description="Instructs the model to word the greeting.")] = None
    delay: Pause = 0
    uninterruptible: bool = False
    fallback_delay: Pause | None = None
    fallback_text: str | None = None
    fallback_prompt: str | None = None


class InactivityMessageBody(RequestBody):
    """Spoken after `duration` of silence since the message before it."""

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"end_behavior": "endBehavior"}

    duration: Pause
    message: Annotated[str, Field(min_length=1)]
    endBehavior: EndBehavior = "END_BEHAVIOR_UNSPECIFIED"  # noqa: N815 (the wire's name)
    end_behavior: Annotated[None, other_name("endBehavior"), WithJsonSchema({"type": "string"})] = None


class VadSettingsBody(RequestBody):
    """When speech counts as a turn or as an interruption."""

    turn_endpoint_delay: Pause = 384
    minimum_turn_duration: Pause = 0
    minimum_interruption_duration: Pause = 90
    frame_activation_threshold: Annotated[float, Field(ge=0.1, le=1)] = 0.1


class UpdateAgent(RequestBody):
    """What may be changed of an agent.

    A field that is absent stays. `null` puts an optional field back to its default; of `name`, `voice_id` and
    `system_prompt` it changes nothing.
    """

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"instructions": "system_prompt", "knowledge_base_ids": "knowledge_bases"}

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    voice_id: str | None = Field(None, description="Id or readable name (`espeak:en-us`) of a voice.")
    system_prompt: Annotated[str, Field(min_length=1)] | None = None
    instructions: Annotated[None, other_name("system_prompt"), WithJsonSchema({"type": "string"})] = None
    status: Literal["draft", "active"] | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None
    model: str | None = Field(None, description="`builtin`, the configured model, or a documented name.")
    tools: list[str] | None = None
    knowledge_bases: list[str] | None = None
    knowledge_base_ids: Annotated[
        None, other_name("knowledge_bases"), WithJsonSchema({"type": "array", "items": {"type": "string"}})
    ] = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    recording_enabled: bool | None = None
    language_hint: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")] | None = None
    join_timeout: RingTime | None = None
    max_duration: CallTime | None = None
    time_exceeded_message: str | None = None
    greeting: str | None = Field(None, description="Short for `greeting_settings.text`.")
    greeting_settings: GreetingSettings | None = None
    inactivity_message: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Short for a single entry of `inactivity_messages`."
    )
    inactivity_timeout: Pause | None = Field(None, description="The `duration` of that entry; 30 s by default.")
    inactivity_messages: list[InactivityMessageBody] | None = None
    initial_output_medium: OutputMedium | None = None
    vad_settings: VadSettingsBody | None = None
    flow: FlowDocument | None = None
    template_id: str | None = None
    call_template_name: str | None = None
    success_criteria: str | None = None
    extraction_schema: dict[str, Any] | None = None

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str | None) -> str | None:
        if name is not None and not name.strip():
            raise ValueError("must not be blank")
        return name


class CreateAgent(UpdateAgent):
    """A new agent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Front desk",
                    "voice_id": "espeak:en-us",
                    "system_prompt": "You answer the phone of a dentist. Be brief and kind.",
                    "greeting": "Hello {{first_name}}, how can I help you?",
                }
            ]
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=255)]
    voice_id: str = Field(description="Id or readable name (`espeak:en-us`) of a voice.")
    system_prompt: Annotated[str, Field(min_length=1)]


class AgentNumber(BaseModel):
    """A phone number of an agent."""

    id: str
    phone_number: str


class GreetingObject(BaseModel):
    """How a conversation begins; durations as strings."""

    first_speaker: FirstSpeaker
    text: str | None
    prompt: str | None
    delay: str
    uninterruptible: bool
    fallback_delay: str | None
    fallback_text: str | None
    fallback_prompt: str | None


class InactivityMessageObject(BaseModel):
    """Spoken after `duration` of silence since the message before it."""

    duration: str
    message: str
    endBehavior: EndBehavior  # noqa: N815 (the wire's name)


class VadSettingsObject(BaseModel):
    """When speech counts as a turn or as an interruption; durations as strings."""

    turn_endpoint_delay: str
    minimum_turn_duration: str
    minimum_interruption_duration: str
    frame_activation_threshold: float


class AgentObject(BaseModel):
    """An agent."""

    id: str
    name: str
    description: str | None
    status: AgentStatus
    model: str
    voice_id: str
    voice_name: str | None
    system_prompt: str
    greeting: str | None
    inactivity_message: str | None
    inactivity_timeout: int | None = Field(description="In seconds.")
    max_duration: int = Field(description="In seconds.")
    temperature: float
    tools: list[str]
    knowledge_base_ids: list[str]
    knowledge_bases: list[str]
    inbound_phone_numbers: list[AgentNumber]
    outbound_phone_numbers: list[AgentNumber]
    created_at: str
    updated_at: str
    greeting_settings: GreetingObject
    inactivity_messages: list[InactivityMessageObject]
    join_timeout: str
    recording_enabled: bool
    language_hint: str
    time_exceeded_message: str | None
    initial_output_medium: OutputMedium
    vad_settings: VadSettingsObject
    flow: dict[str, Any] | None
    template_id: str | None
    call_template_name: str | None
    success_criteria: str | None
    extraction_schema: dict[str, Any] | None
