"""What is owed to webhook endpoints, in the database."""

import dataclasses
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.db import engine
from ringdown.webhooks import models, tables
from ringdown.webhooks.models import Delivery, DeliveryAttempt, DeliveryStatus, Event, Owed

deliveries = tables.deliveries

_COLUMNS = [deliveries.c[field.name] for field in dataclasses.fields(Delivery)]
# What a delivery loses that is made due again: it counts as failing from then on, and who sends it has lost it.
_AGAIN = ("status", "due_at", "updated_at", "delivered_at", "failing_since", "lease_id")
_ATTEMPT_COLUMNS = [tables.attempts.c[field.name] for field in dataclasses.fields(DeliveryAttempt)]


_DISABLED = "The endpoint was disabled."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQuery:
    """Which deliveries; all of the organization by default."""

    organization_id: str
    endpoint_id: str | None = None
    event: str | None = None
    event_id: str | None = None
    status: str | None = None
    subject_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Which deliveries to one endpoint are to be sent again: these, or those of a status since a time.

    With a status, only those that nothing has changed since `unchanged_since`: each is found once.
    """

    ids: Sequence[str] | None = None
    status: DeliveryStatus | None = None
    since: int | None = None
    unchanged_since: int = 0


async def owe_to_all(connection: AsyncConnection, organization_id: str, new_events: Sequence[Event]) -> None:
    """Store what is owed to the endpoints that are enabled and have chosen the events."""
    table = tables.endpoints
    query = sa.select(table.c.id, table.c.event_types, table.c.agent_id).where(
        table.c.organization_id == organization_id, table.c.is_enabled.is_(True)
    )
    chosen = [
        (endpoint_id, event)
        for endpoint_id, event_types, agent_id in await connection.execute(query)
        for event in new_events
        if models.is_chosen(event, event_types, agent_id)
    ]
    if chosen:
        rows = [_make_row(endpoint_id, event, due_at=event.created_at) for endpoint_id, event in chosen]
        await connection.execute(deliveries.insert(), rows)


async def owe_again(
    connection: AsyncConnection, endpoint_id: str, owed_events: Sequence[Event], *, now_ms: int
) -> None:
    """Make these events due to the endpoint now, whether or not they were owed to it before."""
    if not owed_events:
        return
    rows = [_make_row(endpoint_id, event, due_at=now_ms) for event in owed_events]
    owed = engine.insert(connection, deliveries)
    again = {name: owed.excluded[name] for name in _AGAIN}
    key = ["organization_id", "endpoint_id", "event_id"]
    await connection.execute(owed.on_conflict_do_update(index_elements=key, set_=again), rows)


async def get_delivery(
    connection: AsyncConnection, organization_id: str, delivery_id: str, *, lock: bool = False
) -> Delivery:
    """The delivery; raises `NotFound`. `lock` keeps others from changing it until the transaction ends."""
    query = sa.select(*_COLUMNS).where(_is_delivery(organization_id, delivery_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise errors.NotFound("Webhook delivery", delivery_id)
    return Delivery(**row._mapping)


async def find_owed(
    connection: AsyncConnection, organization_id: str, *, endpoint_id: str, event_id: str
) -> Delivery | None:
    """What is owed to an endpoint of an event, if anything."""
    query = sa.select(*_COLUMNS).where(
        deliveries.c.organization_id == organization_id,
        deliveries.c.endpoint_id == endpoint_id,
        deliveries.c.event_id == event_id,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Delivery(**row._mapping)


async def list_deliveries(
    connection: AsyncConnection, query: DeliveryQuery, *, limit: int, offset: int
) -> tuple[list[Delivery], int]:
    """A page of deliveries, newest first, and how many there are."""
    filters = {name: value for name, value in dataclasses.asdict(query).items() if value is not None}
    condition = sa.and_(*(deliveries.c[name] == value for name, value in filters.items()))
    total = (await connection.execute(sa.select(sa.func.count()).select_from(deliveries).where(condition))).scalar_one()
    page = sa.select(*_COLUMNS).where(condition).order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc())
    rows = await connection.execute(page.limit(limit).offset(offset))
    return [Delivery(**row._mapping) for row in rows], total


async def make_due(connection: AsyncConnection, delivery: Delivery, *, now_ms: int) -> Delivery:
    """Have a delivery sent again now; its attempts so far stay."""
    again = dataclasses.replace(
        delivery, status="pending", due_at=now_ms, delivered_at=None, failing_since=None, updated_at=now_ms
    )
    changes = {name: getattr(again, name, None) for name in _AGAIN}
    condition = _is_delivery(delivery.organization_id, delivery.id)
    await connection.execute(deliveries.update().where(condition).values(changes))
    return again


async def make_many_due(
    connection: AsyncConnection,
    organization_id: str,
    endpoint_id: str,
    *,
    which: Again,
    limit: int,
    now_ms: int,
) -> list[Delivery]:
    """Have at most `limit` of these deliveries to an endpoint sent again now, those of the oldest events first."""
    columns = deliveries.c
    condition = (columns.organization_id == organization_id) & (columns.endpoint_id == endpoint_id)
    if which.ids is not None:
        condition &= columns.id.in_(which.ids)
    if which.status is not None:
        condition &= (columns.status == which.status) & (columns.updated_at < which.unchanged_since)
    if which.since is not None:
        condition &= columns.created_at >= which.since
    page = sa.select(*_COLUMNS).where(condition).order_by(columns.created_at, columns.id).limit(limit)
    found = [Delivery(**row._mapping) for row in await connection.execute(page)]
    again = {"status": "pending", "due_at": now_ms, "updated_at": now_ms}
    cleared = {"delivered_at": None, "failing_since": None, "lease_id": None}
    theirs = (columns.organization_id == organization_id) & columns.id.in_([one.id for one in found])
    await connection.execute(deliveries.update().where(theirs).values(again | cleared))
    return found


async def park_all(connection: AsyncConnection, organization_id: str, endpoint_id: str, *, now_ms: int) -> None:
    """Park everything that is pending to an endpoint."""
    columns = deliveries.c
    is_its = (columns.organization_id == organization_id) & (columns.endpoint_id == endpoint_id)
    parked = {"status": "parked", "lease_id": None, "error": _DISABLED, "updated_at": now_ms}
    await connection.execute(deliveries.update().where(is_its, tables.is_pending).values(parked))


async def count_owed(
    connection: AsyncConnection, organization_id: str, endpoint_ids: Sequence[str]
) -> Mapping[str, Owed]:
    """How many deliveries to each of these endpoints are pending and parked."""
    counts = []
    for is_counted in (tables.is_pending, tables.is_parked):
        query = (
            sa.select(deliveries.c.endpoint_id, sa.func.count())
            .where(
                deliveries.c.organization_id == organization_id, deliveries.c.endpoint_id.in_(endpoint_ids), is_counted
            )
            .group_by(deliveries.c.endpoint_id)
        )
        counts.append({row[0]: int(row[1]) for row in await connection.execute(query)})
    pending, parked = counts
    return {one: Owed(pending.get(one, 0), parked.get(one, 0)) for one in endpoint_ids}


async def list_attempts(
    connection: AsyncConnection, organization_id: str, delivery_id: str, *, limit: int
) -> list[DeliveryAttempt]:
    """The last attempts of a delivery, oldest first."""
    columns = tables.attempts.c
    query = (
        sa.select(*_ATTEMPT_COLUMNS)
        .where(columns.organization_id == organization_id, columns.delivery_id == delivery_id)
        .order_by(columns.number.desc())
        .limit(limit)
    )
    newest_first = [DeliveryAttempt(**row._mapping) for row in await connection.execute(query)]
    return newest_first[::-1]


def _make_row(endpoint_id: str, event: Event, *, due_at: int) -> dict[str, object]:
    return {
        "organization_id": event.organization_id,
        "id": values.new_id("dlv"),
        "endpoint_id": endpoint_id,
        "event_id": event.id,
        "event": event.event,
        "subject_id": event.subject_id,
        "status": "pending",
        "attempt_count": 0,
        "due_at": due_at,
        "delivered_at": None,
        "failing_since": None,
        "lease_id": None,
        "created_at": event.created_at,
        "updated_at": due_at,
    }


def _is_delivery(organization_id: str, delivery_id: str) -> sa.ColumnElement[bool]:
    return (deliveries.c.organization_id == organization_id) & (deliveries.c.id == delivery_id)
