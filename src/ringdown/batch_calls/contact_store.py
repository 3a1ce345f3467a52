"""Rows of the contacts of batch calls; the counts on the batch are kept by whoever changes a contact's state."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls.models import OPEN_STATUSES, BatchContact, ContactStatus
from ringdown.batch_calls.tables import batch_contacts

_columns = batch_contacts.c
_DELETED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """A contact's place in the schedule."""

    position: int
    scheduled_at: int


async def insert_contacts(connection: AsyncConnection, contacts: Sequence[BatchContact]) -> None:
    """Store contacts whose numbers the batch does not have yet (`find_known_numbers`)."""
    if contacts:
        await connection.execute(batch_contacts.insert(), [msgspec.to_builtins(contact) for contact in contacts])


async def find_known_numbers(
    connection: AsyncConnection, organization_id: str, batch_call_id: str, *, numbers: Collection[str]
) -> set[str]:
    """Which of these numbers the batch has already."""
    query = sa.select(_columns.phone_number).where(
        _is_of_batch(organization_id, batch_call_id), _columns.phone_number.in_(numbers)
    )
    return set((await connection.execute(query)).scalars())


async def list_contacts(
    connection: AsyncConnection, organization_id: str, batch_call_id: str, *, limit: int, offset: int
) -> list[BatchContact]:
    """A page of the batch's contacts in the order in which they were added; as quick at any offset."""
    return await _list(
        connection,
        _is_of_batch(organization_id, batch_call_id)
        & (_columns.position >= offset)
        & (_columns.position < offset + limit),
    )


async def list_contacts_by_status(
    connection: AsyncConnection,
    organization_id: str,
    batch_call_id: str,
    *,
    status: ContactStatus,
    limit: int,
    offset: int,
) -> tuple[list[BatchContact], int]:
    """A page of the batch's contacts in this state, in the same order, and how many are in it."""
    condition = _is_of_batch(organization_id, batch_call_id) & (_columns.status == status)
    count = sa.select(sa.func.count()).select_from(batch_contacts).where(condition)
    total = (await connection.execute(count)).scalar_one()
    # The page is found in the index alone; only its rows are read.
    page = sa.select(_columns.position).where(condition).order_by(_columns.position).limit(limit).offset(offset)
    positions = (await connection.execute(page)).scalars().all()
    found = await _list(connection, _is_of_batch(organization_id, batch_call_id) & _columns.position.in_(positions))
    return found, total


async def list_open_contacts(
    connection: AsyncConnection, organization_id: str, batch_call_id: str, *, position: int, limit: int
) -> list[BatchContact]:
    """Those of the `limit` contacts from `position` on that wait to be called."""
    return await _list(
        connection,
        _is_of_batch(organization_id, batch_call_id)
        & (_columns.position >= position)
        & (_columns.position < position + limit)
        & _columns.status.in_(OPEN_STATUSES),
    )


async def update_places(
    connection: AsyncConnection, organization_id: str, batch_call_id: str, *, places: Sequence[Place], now_ms: int
) -> None:
    """Put contacts into the schedule."""
    if not places:
        return
    update = (
        batch_contacts.update()
        .where(_is_of_batch(organization_id, batch_call_id), _columns.position == sa.bindparam("at_position"))
        .values(status="scheduled", scheduled_at=sa.bindparam("place"), updated_at=now_ms)
    )
    rows = [{"at_position": place.position, "place": place.scheduled_at} for place in places]
    await connection.execute(update, rows)


async def fail_contacts(
    connection: AsyncConnection,
    organization_id: str,
    batch_call_id: str,
    *,
    positions: Sequence[int],
    reason: str,
    now_ms: int,
) -> None:
    """Be done with contacts that will not be called."""
    if not positions:
        return
    update = (
        batch_contacts.update()
        .where(_is_of_batch(organization_id, batch_call_id), _columns.position.in_(positions))
        .values(status="failed", reason=reason, scheduled_at=None, updated_at=now_ms)
    )
    await connection.execute(update)


async def delete_contacts(connection: AsyncConnection, organization_id: str, batch_call_id: str) -> bool:
    """Delete some thousand contacts of a batch that is deleted; True when that were all."""
    some = (
        sa.select(_columns.position)
        .where(_is_of_batch(organization_id, batch_call_id))
        .order_by(_columns.position)
        .limit(_DELETED_AT_ONCE)
        .scalar_subquery()
    )
    condition = _is_of_batch(organization_id, batch_call_id) & _columns.position.in_(some)
    deleted = await connection.execute(batch_contacts.delete().where(condition))
    return deleted.rowcount < _DELETED_AT_ONCE


async def _list(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> list[BatchContact]:
    query = batch_contacts.select().where(condition).order_by(_columns.position)
    rows = await connection.execute(query)
    return [_from_row(row) for row in rows]


def _from_row(row: sa.Row[Any]) -> BatchContact:
    return BatchContact(**row._mapping)


def _is_of_batch(organization_id: str, batch_call_id: str) -> sa.ColumnElement[bool]:
    return (_columns.organization_id == organization_id) & (_columns.batch_call_id == batch_call_id)
