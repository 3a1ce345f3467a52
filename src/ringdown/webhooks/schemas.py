"""The JSON of webhooks: what requests may say, and what answers say."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from ringdown import values
from ringdown.webhooks.models import ALL_TYPES, EVENT_TYPES, DeliveryStatus, EventType

_MAX_OVERLAP_MS = 7 * 24 * 3_600_000


class RequestBody(BaseModel):
    """A body in which an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _read_types(value: object) -> object:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise ValueError('must be a list of event types, or "*" for all')
    unknown = [one for one in value if one not in (*EVENT_TYPES, ALL_TYPES, "all")]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not an event type; known are: {', '.join(EVENT_TYPES)}, and * for all")
    if ALL_TYPES in value or "all" in value:
        return [ALL_TYPES]
    return list(dict.fromkeys(value))


def _read_overlap(value: object) -> object:
    if not isinstance(value, (str, int, float)):
        raise ValueError('must be a duration such as "3600s" or whole seconds')
    duration_ms = values.parse_duration_ms(value)
    if duration_ms > _MAX_OVERLAP_MS:
        raise ValueError("must be at most 604800s (7 days)")
    return duration_ms


def _read_instant(value: object) -> object:
    try:
        instant_ms = values.parse_wire_time(str(value))
    except (ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 time such as 2026-04-05T10:00:00Z") from None
    return instant_ms


EventTypes = Annotated[
    list[str],
    BeforeValidator(_read_types),
    WithJsonSchema(
        {"type": "array", "minItems": 1, "items": {"type": "string", "enum": [*EVENT_TYPES, ALL_TYPES, "all"]}}
    ),
]
Url = Annotated[str, Field(min_length=1, max_length=2048, examples=["https://crm.example/hooks/calls"])]
Description = Annotated[str, Field(max_length=1000)]
AgentId = Annotated[str, Field(min_length=1, max_length=100)]
#: A secret of the customer's own, as receivers hold it already.
OwnSecret = Annotated[str, StringConstraints(min_length=16, max_length=255, pattern=r"^[!-~]+$")]
DeliveryId = Annotated[str, Field(min_length=1, max_length=100, pattern="^[!-~]+$")]
Instant = Annotated[int, BeforeValidator(_read_instant), WithJsonSchema({"type": "string", "format": "date-time"})]


class UpdateWebhookEndpoint(RequestBody):
    """What may be changed of an endpoint. What is absent stays; `null` takes description and agent away."""

    url: Url | None = None
    description: Description | None = None
    event_types: EventTypes | None = Field(
        None, validation_alias=AliasChoices("event_types", "events"), description="`*` is all, those to come included."
    )
    enabled: bool | None = None
    agent_id: AgentId | None = Field(
        None, description="Only events of this agent's calls; null: of all, and of what is no call."
    )


class CreateWebhookEndpoint(UpdateWebhookEndpoint):
    """A URL that is to be told of events; of all by default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"url": "https://crm.example/hooks/calls", "event_types": ["call.ended", "call.failed", "call.billed"]}
            ]
        }
    )

    url: Url
    secret: OwnSecret | None = Field(None, description="By default a new one is made.")


class RotateSecret(RequestBody):
    """A new secret for an endpoint."""

    overlap: Annotated[
        int,
        BeforeValidator(_read_overlap),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s)$"},
                    {"type": "number", "minimum": 0, "maximum": 604_800},
                ]
            }
        ),
    ] = Field(
        24 * 3_600_000,
        description='How long the old secret stays good, such as "3600s"; a day by default.',
        json_schema_extra={"default": "86400s"},
    )
    secret: OwnSecret | None = Field(None, description="By default a new one is made.")


class TestWebhookEndpoint(RequestBody):
    """A test of an endpoint."""

    event: EventType = Field("call.ended", description="What the test looks like.")


class ReplayEvents(RequestBody):
    """Which events an endpoint is to get again: `since`, `status` (and `since`), or `delivery_ids`."""

    since: Instant | None = Field(None, description="Events of this time or later.")
    status: DeliveryStatus | None = Field(None, description="Only what it is owed already and is in this state.")
    delivery_ids: Annotated[list[DeliveryId], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Just these, sent in the order of their events."
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.delivery_ids is not None and (self.since is not None or self.status is not None):
            raise ValueError("delivery_ids cannot be combined with since or status")
        if self.delivery_ids is None and self.since is None and self.status is None:
            raise ValueError("one of since, status and delivery_ids is required")
        return self


class WebhookEndpointObject(BaseModel):
    """An endpoint. Its secret is not shown again."""

    id: str
    url: str
    description: str | None
    event_types: list[EventType | Literal["*"]]
    enabled: bool
    agent_id: str | None = Field(description="The agent of whose calls alone it is told; null: it is told of all.")
    old_secret_expires_at: str | None = Field(description="Until when the secret before the present one is good, too.")
    failing_since: str | None = Field(description="The first failure since it last accepted; null while it accepts.")
    pending_count: int = Field(description="Deliveries that it is still to get.")
    parked_count: int = Field(description="Deliveries that are not tried any more, until they are replayed.")
    created_at: str
    updated_at: str


class WebhookEndpointSecretObject(WebhookEndpointObject):
    """An endpoint with its secret, which is shown this once."""

    secret: str


class ReplayObject(BaseModel):
    """What was made due."""

    id: str = Field(description="Of the endpoint.")
    replayed_count: int
    has_more: bool
    next_since: str | None = Field(description="With `has_more`: the `since` of the next request.")


class WebhookDeliveryObject(BaseModel):
    """An event that is owed to an endpoint."""

    id: str
    endpoint_id: str
    event_id: str
    event: EventType
    subject_id: str
    call_id: str | None = Field(description="Null when it is about something else, or a test.")
    status: DeliveryStatus
    attempt_count: int
    next_attempt_at: str | None = Field(description="While it is pending: not before then.")
    delivered_at: str | None
    response_status: int | None
    error: str | None
    created_at: str
    updated_at: str


class DeliveryAttemptObject(BaseModel):
    """One request that was made, and what came of it."""

    number: int
    started_at: str
    duration_ms: int
    response_status: int | None
    response_body: str | None
    error: str | None


class WebhookDeliveryDetailObject(WebhookDeliveryObject):
    """A delivery with what is sent, and its last attempts."""

    body: dict[str, Any]
    attempts: list[DeliveryAttemptObject]


class EventObject(BaseModel):
    """A fact, as webhooks tell it."""

    id: str
    event: EventType
    timestamp: str
    data: dict[str, Any]
