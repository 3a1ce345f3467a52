"""The JSON of an agent's settings as a request may write them: durations, and the objects inside an agent."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ringdown import values
from ringdown.agents.models import EndBehavior, FirstSpeaker, TransferMode, VoicemailAction

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


def _check_phone_number(value: str) -> str:
    if not values.is_e164(value):
        raise ValueError("must be a phone number in E.164 form, such as +14155550100")
    return value


#: A phone number in E.164 form.
E164 = Annotated[
    str, AfterValidator(_check_phone_number), WithJsonSchema({"type": "string", "pattern": "^\\+[1-9]\\d{1,14}$"})
]
#: A language tag.
LanguageTag = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]


class FallbacksBody(RequestBody):
    """What takes over, in this order, when a provider fails: names of providers, ids or readable names of voices."""

    recognizers: Annotated[list[str], Field(max_length=10)] = []
    models: Annotated[list[str], Field(max_length=10)] = []
    voices: Annotated[list[str], Field(max_length=10)] = []


class VoicemailSettingsBody(RequestBody):
    """What to do when an answering machine takes an outbound call."""

    detection: bool = True
    action: VoicemailAction = "hang_up"
    message: Annotated[str, Field(min_length=1, max_length=2000)] | None = Field(
        None, description="Left after the beep; a template. Required for `leave_message`."
    )

    @model_validator(mode="after")
    def _check_message(self) -> "VoicemailSettingsBody":
        if self.action == "leave_message" and self.message is None:
            raise ValueError("leave_message needs a message")
        return self


class ScreeningSettingsBody(RequestBody):
    """What a call screening service is told; templates."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="By default the agent's."
    )
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class TransferNumberBody(RequestBody):
    """Somebody to whom the agent may hand a caller over."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][\w -]{0,63}$")]
    phone_number: E164
    mode: TransferMode = "blind"
