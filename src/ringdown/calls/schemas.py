"""The JSON of calls: what requests may say, and what answers say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

from ringdown import values
from ringdown.agents.setting_schemas import CallTime, RequestBody, RingTime, other_name
from ringdown.calls.models import (
    CallSettings,
    CallStatus,
    Direction,
    EndedReason,
    Outcome,
    Transfer,
    TransferMode,
    TransferStatus,
)

MAX_BULK_IDS = 1000


def _check_number(number: str) -> str:
    if not values.is_e164(number):
        raise ValueError("must be a phone number in E.164 format, such as +12125551234")
    return number


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueError("must be a string")


Number = Annotated[
    str, AfterValidator(_check_number), Field(examples=["+12125551234"]), WithJsonSchema(
        {"type": "string", "pattern": r"^\+[1-9]\d{1,14}$", "examples": ["+12125551234"]}
    )
]  # fmt: skip
#: The value of a template variable; numbers and booleans become their text.
VariableText = Annotated[str, BeforeValidator(_to_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
OTHER_VARIABLES = WithJsonSchema({"type": "object", "deprecated": True})


class CallSettingsBody(RequestBody):
    """What is different for this call; what is absent or null is the agent's."""

    recording_enabled: bool | None = None
    transcription_enabled: bool | None = Field(
        None, description="Whether the turns are kept. Summary, outcome and collected answers are kept in any case."
    )
    greeting: str | None = Field(None, description="Said instead of the agent's greeting; may contain variables.")
    max_duration: CallTime | None = None
    join_timeout: RingTime | None = Field(None, description="How long the phone rings.")

    def to_settings(self, present: CallSettings) -> CallSettings:
        """The settings of a call with what was sent changed."""
        sent = self.model_fields_set
        return CallSettings(
            recording_enabled=self.recording_enabled if "recording_enabled" in sent else present.recording_enabled,
            transcription_enabled=(
                self.transcription_enabled if "transcription_enabled" in sent else present.transcription_enabled
            ),
            greeting=self.greeting if "greeting" in sent else present.greeting,
            max_duration_ms=self.max_duration if "max_duration" in sent else present.max_duration_ms,
            join_timeout_ms=self.join_timeout if "join_timeout" in sent else present.join_timeout_ms,
        )


class CreateCall(RequestBody):
    """A call to place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "agent_id": "agt_01kar6nq9zj3k8f5v7c1r6y2hd",
                    "phone_number": "+12125551234",
                    "variables": {"first_name": "Ana"},
                    "call_settings": {"recording_enabled": True, "max_duration": "900s", "join_timeout": "30s"},
                    "metadata": {"order": "A-17"},
                }
            ]
        }
    )

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"context": "variables", "to_number": "phone_number"}

    agent_id: str
    phone_number: Number
    to_number: Annotated[None, other_name("phone_number"), WithJsonSchema({"type": "string", "deprecated": True})] = (
        None
    )
    from_number: Number | None = Field(
        None, description="One of the agent's outbound numbers; the first of them by default."
    )
    direction: Literal["outbound"] | None = None
    call_settings: CallSettingsBody | None = None
    variables: dict[str, VariableText] | None = Field(None, description="Fill `{{name}}` in prompt and greeting.")
    context: Annotated[None, other_name("variables"), OTHER_VARIABLES] = None
    metadata: dict[str, JsonValue] | None = Field(None, description="Kept with the call and returned as it is.")


class TransferCall(RequestBody):
    """To whom the far party is handed over."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "phone_number": "+12125550123",
                    "mode": "attended",
                    "introduction": "Ana Lopez is calling about her order.",
                    "timeout": "30s",
                }
            ]
        }
    )

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"to": "phone_number", "to_number": "phone_number"}

    phone_number: Number
    to: Annotated[None, other_name("phone_number"), WithJsonSchema({"type": "string", "deprecated": True})] = None
    to_number: Annotated[None, other_name("phone_number"), WithJsonSchema({"type": "string", "deprecated": True})] = (
        None
    )
    mode: TransferMode = Field(
        "blind", description="`attended`: the agent asks the other person first, and comes back if that fails."
    )
    introduction: str | None = Field(
        None, max_length=1000, description="What an attended transfer tells the other person about the caller."
    )
    timeout: RingTime | None = Field(None, description="How long the other phone rings; 30 s by default.")

    def to_transfer(self) -> Transfer:
        """The transfer that is asked for."""
        asked = Transfer(to=self.phone_number, mode=self.mode, introduction=self.introduction)
        return asked if self.timeout is None else replace(asked, timeout_ms=self.timeout)


class SendDigits(RequestBody):
    """Keypad digits to play to the far party."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"digits": "1234#"}]})

    digits: Annotated[str, Field(pattern=r"^[0-9*#A-Da-dw,]{1,64}$", description="`w` and `,` wait half a second.")]


class UpdateCall(RequestBody):
    """What may be changed of a call.

    `call_settings` only while the call is queued, setting by setting. `variables` and `metadata` replace what was
    there. A field that is absent or null changes nothing.
    """

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"context": "variables"}

    call_settings: CallSettingsBody | None = None
    variables: dict[str, VariableText] | None = None
    context: Annotated[None, other_name("variables"), OTHER_VARIABLES] = None
    metadata: dict[str, JsonValue] | None = None


class BulkDelete(RequestBody):
    """Calls to delete."""

    ids: Annotated[list[str], Field(min_length=1, max_length=MAX_BULK_IDS)]


class TurnLatencyObject(BaseModel):
    """From the last voiced packet in to the first voiced packet out, in milliseconds; the stages sum to the total."""

    total_ms: int
    endpoint_ms: int = Field(description="Waiting for the end of the turn.")
    recognition_ms: int
    model_ms: int = Field(description="Until the model's first token.")
    speech_ms: int = Field(description="Until the first audio of the voice.")
    playout_ms: int = Field(description="Until the first packet left.")


class TurnObject(BaseModel):
    """One contribution by one side, as heard; times in seconds from `started_at`, on the recording's clock."""

    speaker: Literal["agent", "contact"]
    text: str
    timestamp: float
    end_timestamp: float
    interrupted: bool
    latency: TurnLatencyObject | None = Field(description="Of an agent's answer: where its time went.")


class CallEventObject(BaseModel):
    """Something that happened in a call; `timestamp` in seconds from `started_at`."""

    type: str = Field(description="Such as `tool.finished`, `knowledge.searched` or `provider.fallback`.")
    timestamp: float
    created_at: str
    data: dict[str, Any]


class LatencyObject(BaseModel):
    """How long the far party waited for answers."""

    p50_ms: int | None
    p95_ms: int | None


class QualityObject(BaseModel):
    """How well the sides could hear each other."""

    codec: str
    is_encrypted: bool
    packets_received: int
    packets_lost: int
    loss_percent: float
    jitter_ms: float
    round_trip_ms: float | None
    remote_loss_percent: float | None = Field(description="What the far end lost of ours, as it reported.")
    mos: float | None = Field(description="Estimated opinion score, 1 (bad) to 4.5 (excellent).")


class TransferObject(BaseModel):
    """How far a transfer is."""

    to: str
    mode: TransferMode
    status: TransferStatus
    reason: str | None = Field(description="Why it failed.")


class CallObject(BaseModel):
    """A call. What is not known yet is null."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "call_01kar6qvj5s8q9d0x4w2m7t3nb",
                    "status": "completed",
                    "direction": "outbound",
                    "agent_id": "agt_01kar6nq9zj3k8f5v7c1r6y2hd",
                    "to": "+12125551234",
                    "from": "+18005559876",
                    "duration_seconds": 142,
                    "recording_url": "https://calls.example/recordings/call_01kar6qvj5s8q9d0x4w2m7t3nb.mp3?signature=…",
                    "transcript_url": "https://calls.example/calls/call_01kar6qvj5s8q9d0x4w2m7t3nb/transcript",
                    "summary": "The refund was explained.",
                    "cost_credits": 24,
                    "metadata": {},
                    "started_at": "2026-04-05T10:00:00Z",
                    "ended_at": "2026-04-05T10:02:22Z",
                    "created_at": "2026-04-05T09:59:58Z",
                    "updated_at": "2026-04-05T10:02:22Z",
                    "ended_reason": "user_hangup",
                    "outcome": "contacted",
                    "sentiment": None,
                    "phone_number": "+12125551234",
                    "from_number": "+18005559876",
                    "to_number": "+12125551234",
                    "variables": {"first_name": "Ana"},
                    "latency": {"p50_ms": 640, "p95_ms": 910},
                    "analysis": None,
                }
            ]
        }
    )

    id: str
    status: CallStatus
    direction: Direction
    agent_id: str
    to: str | None
    from_: str | None = Field(alias="from")
    duration_seconds: int | None
    recording_url: str | None = Field(description="A signed link to an MP3 that expires; needs no API key.")
    transcript_url: str | None = Field(description="Needs the API key; null until the call was answered.")
    summary: str | None = Field(description="A model's summary follows the end of the call by some seconds.")
    cost_credits: int
    metadata: dict[str, Any]
    started_at: str | None = Field(description="When the far party answered.")
    ended_at: str | None
    created_at: str
    updated_at: str
    ended_reason: EndedReason | None
    outcome: Outcome | None
    sentiment: str | None = Field(description="`positive`, `neutral` or `negative`, by a model's analysis.")
    phone_number: str | None = Field(description="The far party's number.")
    from_number: str | None
    to_number: str | None
    variables: dict[str, str]
    latency: LatencyObject
    analysis: dict[str, Any] | None = Field(
        description="What came of an answered call: `structured_data`, `answers`, `is_success` and how it was found."
    )
    trunk_id: str | None = Field(description="The trunk that carries the call; null for phones on this machine.")
    media_quality: QualityObject | None = Field(description="How well the sides could hear each other; at the end.")
    transfer: TransferObject | None = Field(description="The last transfer that was asked for.")
    transcript: list[TurnObject] | None = Field(
        None, description="On a single call, and in lists with `include=transcript`; null until the call was answered."
    )


class TranscriptObject(BaseModel):
    """What was said."""

    call_id: str
    transcript: list[TurnObject]
    summary: str | None


class RecordingObject(BaseModel):
    """Where the recording is."""

    call_id: str
    recording_url: str
    format: Literal["mp3"]
    duration_seconds: int | None


class BulkDeleteObject(BaseModel):
    """Which calls were deleted, and which were absent or have not ended."""

    deleted_count: int
    failed_count: int
    deleted_ids: list[str]
    failed_ids: list[str]
