"""The JSON that customers get: both documented forms of a fact merged into one; pure."""

from collections.abc import Mapping

import msgspec

from ringdown import values
from ringdown.webhooks.models import Event

_encoder = msgspec.json.Encoder()


def serialize_data(event_id: str, event: str, data: Mapping[str, object]) -> str:
    """The text of `data`: the facts behind the `id` and `event` that the engine's form repeats inside."""
    return _encoder.encode({"id": event_id, "event": event, **data}).decode()


def render_event(event: Event) -> dict[str, object]:
    """The event as it is sent and as `GET /events` shows it."""
    return {
        "id": event.id,
        "event": event.event,
        "timestamp": values.to_wire_time(event.created_at),
        "data": msgspec.Raw(event.data.encode()),
    }


def serialize_body(event: Event) -> bytes:
    """The exact bytes that are signed and sent; the same whenever they are made."""
    return _encoder.encode(render_event(event))


def describe_call(
    *,
    call_id: str,
    agent_id: str,
    status: str,
    ended_reason: str | None,
    duration_seconds: int | None,
    summary: str | None,
    cost_credits: int,
    fields: Mapping[str, object],
) -> dict[str, object]:
    """The `data` of a call's event: flat snake_case, and the engine's nested camelCase; `fields` are added flat."""
    return {
        "call_id": call_id,
        "callId": call_id,
        "status": status,
        "agent_id": agent_id,
        "duration_seconds": duration_seconds,
        **fields,
        "ended_reason": ended_reason,
        "summary": summary,
        "cost_credits": cost_credits,
        "billingStatus": _find_billing_status(status, cost_credits),
        "call": {
            "callId": call_id,
            "agent": {"agentId": agent_id},
            "endReason": ended_reason,
            "summary": summary,
            "shortSummary": _shorten(summary),
        },
    }


def describe_batch(*, batch_id: str, fields: Mapping[str, object]) -> dict[str, object]:
    """The `data` of a batch's event; `fields` are added flat."""
    return {"batch_id": batch_id, "batchId": batch_id, **fields}


def describe_voice(*, voice_id: str, fields: Mapping[str, object]) -> dict[str, object]:
    """The `data` of a voice's event; `fields` are added flat."""
    return {"voice_id": voice_id, "voiceId": voice_id, **fields}


def make_sample(event: str, *, agent_id: str | None = None) -> dict[str, object]:
    """The `data` of a test: what the event would hold, with `test` set; nothing of it exists but the agent, if any."""
    subject, _, _ = event.partition(".")
    blank = "0" * 26
    if subject == "batch":
        return describe_batch(batch_id=f"batch_{blank}", fields={"status": "completed", "test": True})
    if subject == "voice":
        status = event.rpartition(".")[2]
        return describe_voice(voice_id=f"voice_{blank}", fields={"status": status, "test": True})
    if subject == "credits":
        return {"balance": 0, "test": True}
    is_over = event not in ("call.started", "call.joined")
    is_failed = event == "call.failed"
    return describe_call(
        call_id=f"call_{blank}",
        agent_id=agent_id or f"agt_{blank}",
        status=("failed" if is_failed else "completed") if is_over else "in_progress",
        ended_reason=("no_answer" if is_failed else "agent_hangup") if is_over else None,
        duration_seconds=(0 if is_failed else 142) if is_over else None,
        summary="This is a test." if is_over and not is_failed else None,
        cost_credits=24 if is_over and not is_failed else 0,
        fields={"to": "+12025550142", "from": "+12025550101", "test": True},
    )


def _find_billing_status(status: str, cost_credits: int) -> str:
    # The engine's words.
    if status not in ("completed", "failed"):
        return "BILLING_STATUS_PENDING"
    return "BILLING_STATUS_BILLED" if cost_credits else "BILLING_STATUS_FREE_ZERO_EFFECTIVE_DURATION"


def _shorten(summary: str | None) -> str | None:
    """The first sentence of a summary, at most 160 characters."""
    if summary is None:
        return None
    first = summary.partition(". ")[0]
    if len(first) > 160:
        return f"{first[:159]}…"
    return first if first.endswith(".") or first == summary else f"{first}."
