"""Events in the database, and the order in which those who catch up read them.

Transactions do not commit in the order of the events' ids, so that whoever pages by id would miss some. An event gets
its `seq` after it was committed, from the first who asks for events in order: later events never stand before it.
"""

import dataclasses
import functools
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.accounts import store as account_store
from ringdown.webhooks import tables
from ringdown.webhooks.models import Event

events = tables.events

_FIELDS = [field.name for field in dataclasses.fields(Event)]
_COLUMNS = [events.c[name] for name in _FIELDS]
_is_unnumbered = events.c.seq.is_(None) & events.c.endpoint_id.is_(None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events; all of the organization that are not tests by default."""

    organization_id: str
    event: str | None = None
    subject_id: str | None = None
    since: int | None = None


async def insert_events(connection: AsyncConnection, new_events: Sequence[Event]) -> bool:
    """Store events of one organization; whether an endpoint is enabled that may be told of them."""
    row = {f"{name}_{index}": getattr(event, name) for index, event in enumerate(new_events) for name in _FIELDS}
    inserted = await connection.execute(_make_insert(len(new_events)), {**row, "owner": new_events[0].organization_id})
    return any(inserted.scalars())


async def get_event(connection: AsyncConnection, organization_id: str, event_id: str) -> Event:
    """The event; raises `NotFound`."""
    query = sa.select(*_COLUMNS).where(events.c.organization_id == organization_id, events.c.id == event_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise errors.NotFound("Event", event_id)
    return Event(**row._mapping)


async def list_newest(
    connection: AsyncConnection, query: EventQuery, *, limit: int, offset: int
) -> tuple[list[Event], int]:
    """A page of events, newest first, and how many there are."""
    condition = _make_condition(query)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(events).where(condition))).scalar_one()
    page = sa.select(*_COLUMNS).where(condition).order_by(events.c.created_at.desc(), events.c.id.desc())
    rows = await connection.execute(page.limit(limit).offset(offset))
    return [Event(**row._mapping) for row in rows], total


async def list_in_order(
    connection: AsyncConnection, query: EventQuery, *, after_seq: int, limit: int, offset: int
) -> tuple[list[Event], int]:
    """A page of numbered events behind `after_seq`, oldest first, and how many there are behind it."""
    condition = _make_condition(query) & (events.c.seq > after_seq)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(events).where(condition))).scalar_one()
    page = sa.select(*_COLUMNS).where(condition).order_by(events.c.seq).limit(limit).offset(offset)
    return [Event(**row._mapping) for row in await connection.execute(page)], total


async def find_seq(connection: AsyncConnection, organization_id: str, event_id: str) -> int | None:
    """The place of an event in the order; None when there is no such event."""
    query = sa.select(events.c.seq).where(events.c.organization_id == organization_id, events.c.id == event_id)
    seq: int | None = (await connection.execute(query)).scalar()
    return seq


async def has_unnumbered(connection: AsyncConnection, organization_id: str) -> bool:
    """Whether events wait for their place in the order."""
    waiting = sa.exists().where(events.c.organization_id == organization_id, _is_unnumbered)
    return bool((await connection.execute(sa.select(waiting))).scalar_one())


async def number_events(connection: AsyncConnection, organization_id: str, *, limit: int) -> int:
    """Give at most `limit` committed events their places, oldest first; returns how many."""
    await account_store.lock_organization(connection, organization_id)  # two that number would give a place twice
    is_ours = events.c.organization_id == organization_id
    newest = sa.select(sa.func.coalesce(sa.func.max(events.c.seq), 0)).where(is_ours)
    last_seq = int((await connection.execute(newest)).scalar_one())
    order = (events.c.created_at, events.c.id)
    waiting = (
        sa.select(events.c.id, sa.func.row_number().over(order_by=order).label("place"))
        .where(is_ours, _is_unnumbered)
        .order_by(*order)
        .limit(limit)
        .subquery()
    )
    numbered = events.update().where(is_ours, events.c.id == waiting.c.id).values(seq=waiting.c.place + last_seq)
    return (await connection.execute(numbered)).rowcount


async def list_for_replay(
    connection: AsyncConnection,
    organization_id: str,
    *,
    event_types: Collection[str] | None,
    agent_id: str | None,
    since: int,
    after_id: str,
    limit: int,
) -> list[Event]:
    """Events at or after `since` that are not tests, oldest first, of these types and this agent, or of all (None).

    Those of the instant `since` itself begin behind the event `after_id`.
    """
    moment = sa.tuple_(events.c.created_at, events.c.id)
    condition = (
        (events.c.organization_id == organization_id)
        & events.c.endpoint_id.is_(None)
        & (moment > sa.tuple_(sa.literal(since), sa.literal(after_id)))
    )
    if event_types is not None:
        condition &= events.c.event.in_(event_types)
    if agent_id is not None:
        condition &= events.c.agent_id == agent_id
    page = sa.select(*_COLUMNS).where(condition).order_by(events.c.created_at, events.c.id).limit(limit)
    return [Event(**row._mapping) for row in await connection.execute(page)]


@functools.cache
def _make_insert(count: int) -> sa.TextClause:
    """Stores `count` events; kept, because every call executes it.

    It tells whether anybody wants to be told, so that otherwise no second statement asks. As text, because SQLAlchemy
    cannot name the table of a column inside RETURNING.
    """
    rows = ", ".join(f"({', '.join(f':{name}_{index}' for name in _FIELDS)})" for index in range(count))
    is_its = "(e.agent_id IS NULL OR e.agent_id = events.agent_id)"
    is_wanted = f"""
        EXISTS (SELECT 1 FROM webhook_endpoints AS e WHERE e.organization_id = :owner AND e.is_enabled AND {is_its})
    """
    statement = sa.text(f"INSERT INTO events ({', '.join(_FIELDS)}) VALUES {rows} RETURNING {is_wanted}")
    typed = [sa.bindparam(f"{name}_{index}", type_=events.c[name].type) for index in range(count) for name in _FIELDS]
    return statement.bindparams(*typed)


def _make_condition(query: EventQuery) -> sa.ColumnElement[bool]:
    wanted: list[Any] = [events.c.organization_id == query.organization_id, events.c.endpoint_id.is_(None)]
    if query.event is not None:
        wanted.append(events.c.event == query.event)
    if query.subject_id is not None:
        wanted.append(events.c.subject_id == query.subject_id)
    if query.since is not None:
        wanted.append(events.c.created_at >= query.since)
    return sa.and_(*wanted)
