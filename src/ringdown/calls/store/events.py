"""What happened in calls besides their turns, in order."""

import dataclasses
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import tables
from ringdown.calls.models import CallEvent
from ringdown.db import engine

events = tables.events

_FIELDS = dataclasses.fields(CallEvent)


async def insert_events(
    connection: AsyncConnection, organization_id: str, call_id: str, new_events: Sequence[CallEvent]
) -> None:
    """Store events; a position that is stored already keeps what it has."""
    if not new_events:
        return
    rows = [
        {"organization_id": organization_id, "call_id": call_id, **msgspec.to_builtins(event)} for event in new_events
    ]
    await connection.execute(engine.insert(connection, events).on_conflict_do_nothing(), rows)


async def list_events(
    connection: AsyncConnection, organization_id: str, call_id: str, *, limit: int, offset: int
) -> tuple[int, list[CallEvent]]:
    """How many events a call has, and a page of them."""
    condition = (events.c.organization_id == organization_id) & (events.c.call_id == call_id)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(events).where(condition))).scalar_one()
    query = events.select().where(condition).order_by(events.c.position).limit(limit).offset(offset)
    found = [
        msgspec.convert({field.name: getattr(row, field.name) for field in _FIELDS}, type=CallEvent)
        for row in await connection.execute(query)
    ]
    return total, found
