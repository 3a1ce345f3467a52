"""Telling customers: a fact becomes a row in the transaction that makes it true, and is owed to who wants it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.webhooks import delivery_store, event_store, payload
from ringdown.webhooks.models import Event, EventType

# Each number of events has a statement of its own, which is kept.
_STORED_AT_ONCE = 25


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fact is about: a call, with the agent whose call it is, a batch, a voice or an organization."""

    id: str
    agent_id: str | None = None


async def record_event(
    connection: AsyncConnection,
    *,
    organization_id: str,
    event: EventType,
    data: Mapping[str, object],
    now_ms: int,
    subject_id: str,
    agent_id: str | None = None,
) -> str:
    """Store a fact in the caller's transaction, owed to the endpoints that have chosen it; returns its id.

    `data` is the flat form (see `payload`); `subject_id` is what it is about, and `agent_id` whose call that is. Facts
    of one subject are told in the order of `now_ms`, so that it must not be less than that of the fact before.
    """
    [event_id] = await record_events(
        connection,
        organization_id=organization_id,
        subject_id=subject_id,
        agent_id=agent_id,
        facts=[(event, data)],
        now_ms=now_ms,
    )
    return event_id


async def record_events(
    connection: AsyncConnection,
    *,
    organization_id: str,
    subject_id: str,
    facts: Sequence[tuple[EventType, Mapping[str, object]]],
    now_ms: int,
    agent_id: str | None = None,
) -> list[str]:
    """`record_event` for several facts of one subject, in order."""
    about = Subject(subject_id, agent_id)
    new_events = [_make_event(organization_id, about, event, data, now_ms) for event, data in facts]
    if await event_store.insert_events(connection, new_events):
        await delivery_store.owe_to_all(connection, organization_id, new_events)
    return [event.id for event in new_events]


async def record_for_many(
    connection: AsyncConnection,
    *,
    organization_id: str,
    event: EventType,
    data_by_subject: Mapping[Subject, Mapping[str, object]],
    now_ms: int,
) -> None:
    """`record_event` of one fact about each of many subjects, at the cost of few."""
    new_events = [_make_event(organization_id, about, event, data, now_ms) for about, data in data_by_subject.items()]
    for start in range(0, len(new_events), _STORED_AT_ONCE):
        page = new_events[start : start + _STORED_AT_ONCE]
        if await event_store.insert_events(connection, page):
            await delivery_store.owe_to_all(connection, organization_id, page)


def _make_event(
    organization_id: str, about: Subject, event: EventType, data: Mapping[str, object], now_ms: int
) -> Event:
    event_id = values.new_id("evt")
    return Event(
        organization_id=organization_id,
        id=event_id,
        event=event,
        subject_id=about.id,
        data=payload.serialize_data(event_id, event, data),
        created_at=now_ms,
        agent_id=about.agent_id,
    )
