"""What customers are told of a call: which events a change makes, and what they say of the call."""

import dataclasses
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.billing import posting
from ringdown.billing.posting import LowCredits
from ringdown.calls import rendering
from ringdown.calls.models import Call
from ringdown.webhooks import event_store, events, payload
from ringdown.webhooks.event_store import EventQuery
from ringdown.webhooks.events import Subject
from ringdown.webhooks.models import EventType


async def announce(connection: AsyncConnection, call: Call, happened: Sequence[EventType], *, before: Call) -> None:
    """Record events of a call in the transaction that changes it; `before` is the call as it was until then.

    Their time is later than the call's last change even when that was told by a clock that is ahead of ours.
    """
    await events.record_events(
        connection,
        organization_id=call.organization_id,
        subject_id=call.id,
        agent_id=call.agent_id,
        facts=[(event, _describe_for(event, call)) for event in happened],
        now_ms=max(values.now_ms(), before.updated_at + 1, before.created_at + 1),
    )


async def announce_start(connection: AsyncConnection, call: Call) -> None:
    """Record that a call was placed or rings here."""
    await events.record_event(
        connection,
        organization_id=call.organization_id,
        subject_id=call.id,
        agent_id=call.agent_id,
        event="call.started",
        data=describe(call),
        now_ms=call.created_at,
    )


async def announce_analysis(connection: AsyncConnection, call: Call) -> None:
    """Record that a job has analysed the call; later than all that was told of it, whatever the clocks say."""
    query = EventQuery(organization_id=call.organization_id, subject_id=call.id)
    newest, _ = await event_store.list_newest(connection, query, limit=1, offset=0)
    await events.record_event(
        connection,
        organization_id=call.organization_id,
        subject_id=call.id,
        agent_id=call.agent_id,
        event="call.analyzed",
        data=_describe_for("call.analyzed", call),
        now_ms=max(values.now_ms(), *(event.created_at + 1 for event in newest)),
    )


async def announce_starts(connection: AsyncConnection, new_calls: Sequence[Call]) -> None:
    """`announce_start` of new calls of one organization that were placed at once."""
    await events.record_for_many(
        connection,
        organization_id=new_calls[0].organization_id,
        event="call.started",
        data_by_subject={Subject(call.id, call.agent_id): describe(call) for call in new_calls},
        now_ms=new_calls[0].created_at,
    )


def list_ending(before: Call, ended: Call, *, is_analysed: bool) -> list[EventType]:
    """The events of an end: an answer that was not stored is told first, an analysis that is there already last."""
    analysed: list[EventType] = ["call.analyzed"] if is_analysed else []
    if ended.started_at is None:
        return ["call.failed", "call.billed", *analysed]
    joined: list[EventType] = ["call.joined"] if before.started_at is None else []
    return [*joined, "call.ended", "call.billed", *analysed]


async def announce_low_credits(connection: AsyncConnection, low: LowCredits) -> None:
    """Record that an organization's credits have fallen below its mark."""
    await events.record_event(
        connection,
        organization_id=low.organization_id,
        subject_id=low.organization_id,
        event="credits.low",
        data={"balance": low.balance, "held": low.held, "low_mark": low.low_mark},
        now_ms=low.at,
    )


posting.register(announce_low_credits)


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
            "metadata": rendering.render_metadata(call),
            "started_at": values.to_wire_time(call.started_at),
            "ended_at": values.to_wire_time(call.ended_at),
            "created_at": values.to_wire_time(call.created_at),
        },
    )


def _describe_for(event: EventType, call: Call) -> dict[str, object]:
    """What an event says of the call, as it was then."""
    if event == "call.analyzed":
        return {**describe(call), "sentiment": call.sentiment, "analysis": call.analysis}
    return describe(_at(call, event))


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
