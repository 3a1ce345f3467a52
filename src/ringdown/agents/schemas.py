"""The JSON of agents: what requests may say, in every documented spelling, and what answers say."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from ringdown.agents.flow_schemas import FlowDocument
from ringdown.agents.models import (
    AgentStatus,
    EndBehavior,
    FirstSpeaker,
    OutputMedium,
    TransferMode,
    VoicemailAction,
)
from ringdown.agents.setting_schemas import (
    E164,
    CallTime,
    FallbacksBody,
    GreetingSettings,
    InactivityMessageBody,
    LanguageTag,
    Pause,
    RequestBody,
    RingTime,
    ScreeningSettingsBody,
    TransferNumberBody,
    VadSettingsBody,
    VoicemailSettingsBody,
    other_name,
)
from ringdown.agents.templates import TEMPLATES
from ringdown.webhooks.schemas import OwnSecret, Url


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
    model: str | None = Field(None, description="`builtin`, a configured model, or a documented name.")
    tools: Annotated[list[str], Field(max_length=50)] | None = Field(None, description="Ids of tools.")
    knowledge_bases: Annotated[list[str], Field(max_length=20)] | None = Field(
        None, description="Ids of knowledge bases."
    )
    knowledge_base_ids: Annotated[
        None, other_name("knowledge_bases"), WithJsonSchema({"type": "array", "items": {"type": "string"}})
    ] = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    recording_enabled: bool | None = None
    language_hint: LanguageTag | None = None
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
    template_id: str | None = Field(None, description="Fills what is not given when the agent is created.")
    call_template_name: str | None = None
    success_criteria: str | None = Field(None, description="When a call is a success, for its analysis.")
    extraction_schema: dict[str, Any] | None = Field(
        None, description="JSON schema of an object into which the analysis extracts a call."
    )
    crm_webhook_url: Url | None = Field(None, description="Told of the analysis of each of its calls.")
    crm_webhook_secret: OwnSecret | None = Field(None, description="Signs that; by default one is made. Never shown.")
    recognizer: str | None = Field(None, description="Name of a speech-to-text provider.")
    fallbacks: FallbacksBody | None = None
    languages: Annotated[list[LanguageTag], Field(max_length=20)] | None = Field(
        None, description="Languages that the agent may change to, besides `language_hint`."
    )
    voicemail_settings: VoicemailSettingsBody | None = None
    screening_settings: ScreeningSettingsBody | None = None
    transfer_number: E164 | None = Field(None, description="Short for a single entry of `transfer_numbers`.")
    transfer_numbers: Annotated[list[TransferNumberBody], Field(max_length=20)] | None = Field(
        None, description="The only ones to whom the agent may hand a caller over."
    )

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
    system_prompt: Annotated[str, Field(min_length=1)] = Field(description="May come from the `template_id`.")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_template(cls, body: Any) -> Any:
        """What is not given comes from the template; a template that we do not have is only a note."""
        template_id = body.get("template_id") if isinstance(body, dict) else None
        template = TEMPLATES.get(template_id) if isinstance(template_id, str) else None
        if template is None:
            return body
        filled = dict(body)
        if filled.get("system_prompt") is None and filled.get("instructions") is None:
            filled["system_prompt"] = template.system_prompt
        if template.greeting is not None and not {"greeting", "greeting_settings"} & filled.keys():
            filled["greeting"] = template.greeting
        filled.setdefault("flow", template.flow)
        return filled


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


class FallbacksObject(BaseModel):
    """What takes over when a provider fails: names of providers, ids of voices."""

    recognizers: list[str]
    models: list[str]
    voices: list[str]


class VoicemailSettingsObject(BaseModel):
    """What to do when an answering machine takes an outbound call."""

    detection: bool
    action: VoicemailAction
    message: str | None


class ScreeningSettingsObject(BaseModel):
    """What a call screening service is told."""

    name: str | None
    reason: str | None


class TransferNumberObject(BaseModel):
    """Somebody to whom the agent may hand a caller over."""

    name: str
    phone_number: str
    mode: TransferMode


class AgentTemplateObject(BaseModel):
    """What an agent can be made from."""

    id: str
    name: str
    description: str
    category: str
    system_prompt: str
    greeting: str | None
    flow: dict[str, Any]
    is_active: bool


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
    crm_webhook_url: str | None = Field(description="Of now, whatever version of the agent this is.")
    recognizer: str | None
    fallbacks: FallbacksObject
    languages: list[str]
    voicemail_settings: VoicemailSettingsObject
    screening_settings: ScreeningSettingsObject
    transfer_number: str | None
    transfer_numbers: list[TransferNumberObject]
