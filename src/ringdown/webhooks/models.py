"""What customers are told, and to whom: endpoints, events, deliveries and their attempts; pure values."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

EventType = Literal[
    "call.started",
    "call.joined",
    "call.ended",
    "call.analyzed",
    "call.billed",
    "call.failed",
    "batch.status.changed",
    "batch.completed",
    "voice.training.completed",
    "voice.training.failed",
    "credits.low",
]
#: A parked delivery has failed for so long that it is not tried any more by itself.
DeliveryStatus = Literal["pending", "delivered", "parked"]

EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
#: Stands for all types, those of later versions included.
ALL_TYPES = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """A customer's URL. Secrets are ciphertext; the old one is good until `old_secret_expires_at`.

    With `agent_id` it is told of that agent's calls alone; `is_crm` when the agent's `crm_webhook_url` keeps it.
    `failing_since` is the first of `failure_count` failures without anything that was accepted in between.
    """

    organization_id: str
    id: str
    url: str
    description: str | None
    event_types: tuple[str, ...]
    is_enabled: bool
    secret: str
    created_at: int
    updated_at: int
    old_secret: str | None = None
    old_secret_expires_at: int | None = None
    failing_since: int | None = None
    failure_count: int = 0
    probe_at: int | None = None
    agent_id: str | None = None
    is_crm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact. `data` is the JSON text that is sent; `endpoint_id` is set for a test, which nobody else gets.

    `agent_id` is that of the call it is about; None when it is about something else.
    """

    organization_id: str
    id: str
    event: EventType
    subject_id: str
    data: str
    created_at: int
    endpoint_id: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event that is owed to an endpoint. `subject_id` is what the event is about: its call, batch or voice."""

    organization_id: str
    id: str
    endpoint_id: str
    event_id: str
    event: EventType
    subject_id: str
    status: DeliveryStatus
    attempt_count: int
    due_at: int
    delivered_at: int | None
    response_status: int | None
    error: str | None
    created_at: int
    updated_at: int
    failing_since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One request that was made for a delivery, counted from 1, and what came of it."""

    number: int
    started_at: int
    duration_ms: int
    response_status: int | None
    response_body: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Owed:
    """How many deliveries an endpoint has not accepted."""

    pending_count: int = 0
    parked_count: int = 0


def is_chosen(event: Event, event_types: Collection[str], agent_id: str | None) -> bool:
    """Whether an endpoint with these types, of this agent or of all (None), is told of an event."""
    return (ALL_TYPES in event_types or event.event in event_types) and agent_id in (None, event.agent_id)
