"""What the sender asks and tells the database, for all organizations: what is due, who has it, what came of it.

Whoever changes more than one delivery of an endpoint locks the endpoint first, and endpoints in the order of their ids.
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.webhooks import endpoint_store, tables
from ringdown.webhooks.models import Delivery, DeliveryAttempt, Event, WebhookEndpoint
from ringdown.webhooks.ordering import Deferral, Pending
from ringdown.webhooks.retrying import Health, Verdict

#: The organization and the id of an endpoint.
Key = tuple[str, str]

_deliveries, _endpoints = tables.deliveries, tables.endpoints
_columns = _deliveries.c
_COLUMNS = [_columns[field.name] for field in dataclasses.fields(Delivery)]
_EVENT_COLUMNS = [tables.events.c[field.name] for field in dataclasses.fields(Event)]
_is_pending = tables.is_pending

NEVER_ACCEPTED = "The endpoint has accepted nothing for 72 hours."

_DUE = sa.select(_endpoints.c.organization_id, _endpoints.c.id).where(
    sa.or_(_endpoints.c.probe_at.is_(None), _endpoints.c.probe_at <= sa.bindparam("now_ms")),
    sa.exists().where(
        _columns.organization_id == _endpoints.c.organization_id,
        _columns.endpoint_id == _endpoints.c.id,
        _is_pending,
        _columns.due_at <= sa.bindparam("now_ms"),
    ),
)
_DEFER = (
    _deliveries.update()
    .where(_columns.organization_id == sa.bindparam("owner"), _columns.id == sa.bindparam("delivery"), _is_pending)
    .values(due_at=sa.bindparam("again_at"), failing_since=sa.bindparam("since"), lease_id=None)
)
_CONCLUDE = (
    _deliveries.update()
    .where(_columns.organization_id == sa.bindparam("owner"), _columns.id == sa.bindparam("delivery"))
    .values(
        status=sa.bindparam("became"),
        due_at=sa.bindparam("again_at"),
        failing_since=sa.bindparam("since"),
        attempt_count=_columns.attempt_count + sa.bindparam("attempts"),
        response_status=sa.bindparam("answered"),
        error=sa.bindparam("fault"),
        updated_at=sa.bindparam("now_ms"),
        lease_id=None,
    )
)


async def list_due_endpoints(connection: AsyncConnection, *, now_ms: int) -> list[Key]:
    """The endpoints to which something is due and that may be tried now."""
    return [(row.organization_id, row.id) for row in await connection.execute(_DUE, {"now_ms": now_ms})]


async def lock_endpoints(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, WebhookEndpoint]:
    """These endpoints, as far as they exist; nobody else changes them until the transaction ends."""
    found: dict[Key, WebhookEndpoint] = {}
    for organization_id in sorted({organization_id for organization_id, _ in keys}):
        ids = [endpoint_id for owner, endpoint_id in keys if owner == organization_id]
        locked = await endpoint_store.lock_endpoints(connection, organization_id, ids)
        found |= {(organization_id, endpoint.id): endpoint for endpoint in locked}
    return found


async def list_due_subjects(connection: AsyncConnection, key: Key, *, now_ms: int, limit: int) -> list[str]:
    """The subjects of the deliveries that are due the longest."""
    query = (
        sa.select(_columns.subject_id)
        .where(_is_of(key), _is_pending, _columns.due_at <= now_ms)
        .order_by(_columns.due_at, _columns.created_at, _columns.id)
        .limit(limit)
    )
    return list(dict.fromkeys((await connection.execute(query)).scalars()))


async def list_pending(connection: AsyncConnection, key: Key, subjects: Sequence[str], *, limit: int) -> list[Pending]:
    """The oldest pending deliveries of these subjects, due or not, sorted by subject and time."""
    order = (_columns.created_at, _columns.id)
    oldest = (
        sa.select(
            _columns.id,
            _columns.subject_id,
            _columns.due_at,
            _columns.lease_id.is_not(None).label("is_leased"),
            _columns.failing_since,
            _columns.created_at,
        )
        .where(_is_of(key), _is_pending, _is_among(connection, _columns.subject_id, subjects))
        .order_by(*order)
        .limit(limit)
        .subquery()
    )
    query = sa.select(oldest).order_by(oldest.c.subject_id, oldest.c.created_at, oldest.c.id)
    return [
        Pending(row.id, row.subject_id, row.due_at, bool(row.is_leased), row.failing_since)
        for row in await connection.execute(query)
    ]


async def lease(
    connection: AsyncConnection, organization_id: str, ids: Sequence[str], *, lease_id: str, until: int
) -> dict[str, Delivery]:
    """Keep these deliveries from other senders until then; they fall due again by themselves."""
    taken = (
        _deliveries.update()
        .where(_columns.organization_id == organization_id, _is_among(connection, _columns.id, ids))
        .values(lease_id=lease_id, due_at=until)
        .returning(*_COLUMNS)
    )
    return {row.id: Delivery(**row._mapping) for row in await connection.execute(taken)}


async def list_events(connection: AsyncConnection, organization_id: str, ids: Sequence[str]) -> dict[str, Event]:
    """These events, as far as they are there."""
    events = tables.events.c
    query = sa.select(*_EVENT_COLUMNS).where(
        events.organization_id == organization_id, _is_among(connection, events.id, ids)
    )
    return {row.id: Event(**row._mapping) for row in await connection.execute(query)}


async def defer(connection: AsyncConnection, organization_id: str, deferrals: Sequence[Deferral]) -> None:
    """Have pending deliveries wait, in nobody's hands."""
    rows = [
        {"owner": organization_id, "delivery": one.id, "again_at": one.due_at, "since": one.failing_since}
        for one in deferrals
    ]
    if rows:
        await connection.execute(_DEFER, rows)


async def list_held(
    connection: AsyncConnection, organization_id: str, ids: Sequence[str], *, lease_id: str
) -> set[str]:
    """Which of these deliveries are still in the hands of this lease; locked until the transaction ends."""
    query = sa.select(_columns.id).where(_is_held(connection, organization_id, ids, lease_id)).with_for_update()
    return set((await connection.execute(query)).scalars())


async def mark_delivered(
    connection: AsyncConnection,
    organization_id: str,
    ids: Sequence[str],
    *,
    lease_id: str,
    response_status: int,
    now_ms: int,
) -> set[str]:
    """Conclude what was accepted; returns those that were still in the hands of this lease."""
    accepted = (
        _deliveries.update()
        .where(_is_held(connection, organization_id, ids, lease_id))
        .values(
            status="delivered",
            delivered_at=now_ms,
            updated_at=now_ms,
            attempt_count=_columns.attempt_count + 1,
            response_status=response_status,
            error=None,
            failing_since=None,
            lease_id=None,
        )
        .returning(_columns.id)
    )
    return set((await connection.execute(accepted)).scalars())


async def mark_failed(
    connection: AsyncConnection,
    organization_id: str,
    failed: Sequence[tuple[Delivery, Verdict, DeliveryAttempt | None, str | None]],
    *,
    now_ms: int,
) -> None:
    """Store what became of deliveries that were not accepted, each with its last attempt, if any, and why."""
    rows = [
        {
            "owner": organization_id,
            "delivery": delivery.id,
            "became": verdict.status,
            "again_at": now_ms if verdict.due_at is None else verdict.due_at,
            "since": verdict.failing_since,
            "attempts": 0 if attempt is None else 1,
            "answered": None if attempt is None else attempt.response_status,
            "fault": error,
            "now_ms": now_ms,
        }
        for delivery, verdict, attempt, error in failed
    ]
    await connection.execute(_CONCLUDE, rows)


async def insert_attempts(
    connection: AsyncConnection, organization_id: str, made: Sequence[tuple[str, DeliveryAttempt]]
) -> None:
    """Store attempts by the ids of their deliveries."""
    rows = [
        {"organization_id": organization_id, "delivery_id": delivery_id, **_to_row(attempt)}
        for delivery_id, attempt in made
    ]
    if rows:
        await connection.execute(tables.attempts.insert(), rows)


async def save_health(connection: AsyncConnection, key: Key, health: Health) -> None:
    """Store whether an endpoint accepts."""
    is_it = (_endpoints.c.organization_id == key[0]) & (_endpoints.c.id == key[1])
    changes = {name: getattr(health, name) for name in ("failing_since", "failure_count", "probe_at")}
    await connection.execute(_endpoints.update().where(is_it).values(changes))


async def wake(connection: AsyncConnection, key: Key, *, now_ms: int) -> int:
    """Make due now what waits for a retry at an endpoint that accepts again; returns how many."""
    waits = (_columns.due_at > now_ms) & _columns.lease_id.is_(None)
    woken = await connection.execute(_deliveries.update().where(_is_of(key), _is_pending, waits).values(due_at=now_ms))
    return woken.rowcount


async def park_older(connection: AsyncConnection, key: Key, *, before: int, now_ms: int, limit: int) -> int:
    """Park at most `limit` deliveries that have been owed since before then and are in nobody's hands."""
    since = sa.func.coalesce(_columns.failing_since, _columns.updated_at)
    oldest = (
        sa.select(_columns.id)
        .where(_is_of(key), _is_pending, _columns.due_at <= now_ms, since <= before)
        .order_by(_columns.due_at)
        .limit(limit)
    )
    ids = list((await connection.execute(oldest)).scalars())
    if ids:
        parked = _deliveries.update().where(_columns.organization_id == key[0], _is_among(connection, _columns.id, ids))
        await connection.execute(parked.values(status="parked", updated_at=now_ms, lease_id=None, error=NEVER_ACCEPTED))
    return len(ids)


def _to_row(attempt: DeliveryAttempt) -> dict[str, Any]:
    return {name: getattr(attempt, name) for name in _ATTEMPT_NAMES}


_ATTEMPT_NAMES = tuple(field.name for field in dataclasses.fields(DeliveryAttempt))


def _is_of(key: Key) -> sa.ColumnElement[bool]:
    return (_columns.organization_id == key[0]) & (_columns.endpoint_id == key[1])


def _is_held(
    connection: AsyncConnection, organization_id: str, ids: Sequence[str], lease_id: str
) -> sa.ColumnElement[bool]:
    is_ours = (_columns.organization_id == organization_id) & (_columns.lease_id == lease_id) & _is_pending
    return is_ours & _is_among(connection, _columns.id, ids)


def _is_among(
    connection: AsyncConnection, column: sa.ColumnElement[str], members: Sequence[str]
) -> sa.ColumnElement[bool]:
    """`column IN members` as one statement for any number of them: PostgreSQL plans a new text anew."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(members), sa.ARRAY(sa.Text)))
    return column.in_(members)
