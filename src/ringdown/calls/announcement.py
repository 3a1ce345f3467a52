"""What customers are told of a call: which events a change makes, and what they say of the call."""

import dataclasses
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.calls.models import Call
from ringdown.webhooks import events, payload
from ringdown.webhooks.models import EventType


async def announce(connection: AsyncConnection, call: Call, happened: Sequence[EventType], *, before: Call) -> None:
    """Record events of a call in the transaction that changes it; `before` is the call as it was until then.

    Their time is later than the call's last change even when that was told by a clock that is ahead of ours.
    """
    await events.record_events(
        connection,
        organization_id=call.organization_id,
        subject_id=call.id,
        facts=[(event, describe(_at(call, event))) for event in happened],
        now_ms=max(values.now_ms(), before.updated_at + 1, before.created_at + 1),
    )


async def announce_start(connection: AsyncConnection, call: Call) -> None:
    """Record that a call was placed or rings here."""
    await events.record_event(
        connection,
        organization_id=call.organization_id,
        subject_id=call.id,
        event="call.started",
        data=describe(call),
        now_ms=call.created_at,
    )


def list_ending(before: Call, ended: Call) -> list[EventType]:
    """The events of an end: an answer that was not stored is told first."""
    if ended.started_at is None:
        return ["call.failed", "call.billed"]
    joined: list[EventType] = ["call.joined"] if before.started_at is None else []
    return [*joined, "call.ended", "call.billed"]


def describe(call: Call) -> dict[str, object]:
    """The `data` of an event of this call, in both documented forms."""
    return payload.describe_call(
        call_id=call.id,
        agent_id=call.agent_id,
        status=call.status,
        ended_reason=call.ended_reason,
        duration_seconds=call.duration_seconds,
        summary=call.summary,
        cost_credits=call.cost_credits,
        fields={
            "direction": call.direction,
            "to": call.to_number,
            "from": call.from_number,
            "phone_number": call.phone_number,
            "outcome": call.outcome,
            "batch_id": call.batch_call_id,
            "contact_id": call.contact_id,
            "metadata": call.metadata,
            "started_at": values.to_wire_time(call.started_at),
            "ended_at": values.to_wire_time(call.ended_at),
            "created_at": values.to_wire_time(call.created_at),
        },
    )


def _at(call: Call, event: EventType) -> Call:
    """The call as it was when it was answered, in case its end is known by now."""
    if event != "call.joined":
        return call
    return dataclasses.replace(
        call,
        status="in_progress",
        duration_seconds=None,
        cost_credits=0,
        summary=None,
        ended_at=None,
        ended_reason=None,
        outcome=None,
    )
