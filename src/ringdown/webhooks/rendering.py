"""Endpoints and deliveries as the API shows them; pure."""

from collections.abc import Mapping, Sequence

from ringdown import values
from ringdown.webhooks import payload
from ringdown.webhooks.models import Delivery, DeliveryAttempt, Event, Owed, WebhookEndpoint


def render_endpoint(endpoint: WebhookEndpoint, owed: Owed) -> dict[str, object]:
    """The endpoint without its secret."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "enabled": endpoint.is_enabled,
        "agent_id": endpoint.agent_id,
        "old_secret_expires_at": values.to_wire_time(endpoint.old_secret_expires_at),
        "failing_since": values.to_wire_time(endpoint.failing_since),
        "pending_count": owed.pending_count,
        "parked_count": owed.parked_count,
        "created_at": values.to_wire_time(endpoint.created_at),
        "updated_at": values.to_wire_time(endpoint.updated_at),
    }


def render_delivery(delivery: Delivery, probe_times: Mapping[str, int]) -> dict[str, object]:
    """The delivery without its attempts; `probe_times` are those of endpoints that accept nothing, by id."""
    is_pending = delivery.status == "pending"
    is_test = delivery.subject_id == delivery.event_id
    next_attempt_at = max(delivery.due_at, probe_times.get(delivery.endpoint_id, 0))
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "event_id": delivery.event_id,
        "event": delivery.event,
        "subject_id": delivery.subject_id,
        "call_id": delivery.subject_id if delivery.event.startswith("call.") and not is_test else None,
        "status": delivery.status,
        "attempt_count": delivery.attempt_count,
        "next_attempt_at": values.to_wire_time(next_attempt_at) if is_pending else None,
        "delivered_at": values.to_wire_time(delivery.delivered_at),
        "response_status": delivery.response_status,
        "error": delivery.error,
        "created_at": values.to_wire_time(delivery.created_at),
        "updated_at": values.to_wire_time(delivery.updated_at),
    }


def render_with_attempts(
    delivery: Delivery, event: Event, attempts: Sequence[DeliveryAttempt], probe_times: Mapping[str, int]
) -> dict[str, object]:
    """The delivery with the body that is sent and its attempts."""
    return {
        **render_delivery(delivery, probe_times),
        "body": payload.render_event(event),
        "attempts": [
            {
                "number": attempt.number,
                "started_at": values.to_wire_time(attempt.started_at),
                "duration_ms": attempt.duration_ms,
                "response_status": attempt.response_status,
                "response_body": attempt.response_body,
                "error": attempt.error,
            }
            for attempt in attempts
        ],
    }
