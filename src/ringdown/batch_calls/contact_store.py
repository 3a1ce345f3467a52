"""Rows of the contacts of batch calls; the counts on the batch are kept by whoever changes a contact's state."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls.models import OPEN_STATUSES, BatchContact, ContactStatus
from ringdown.batch_calls.tables import batch_contacts
from ringdown.db import engine

_columns = batch_contacts.c
#: A statement of PostgreSQL may take 60 seconds.
DELETED_AT_ONCE = 100_000
# What changes in the course of a contact.
_STATE = (
    "status", "attempts", "earlier_attempts", "scheduled_at", "retry_at", "call_id", "called_at", "reason", "outcome",
    "updated_at",
)  # fmt: skip


async def insert_contacts(connection: AsyncConnection, contacts: Sequence[BatchContact]) -> set[str]:
    """Store contacts whose numbers the batch does not have yet; returns their numbers, the others are not stored.

    Numbers are looked for by inserting them: a batch that this very transaction fills has no statistics yet, and
    PostgreSQL would answer a query by reading all of it.
    """
    if not contacts:
        return set()
    key = [_columns.organization_id, _columns.batch_call_id, _columns.phone_number]
    insert = engine.insert(connection, batch_contacts).on_conflict_do_nothing(index_elements=key)
    inserted = await connection.execute(insert.returning(_columns.phone_number), _to_rows(contacts))
    return set(inserted.scalars())


async def update_contacts(connection: AsyncConnection, contacts: Sequence[BatchContact]) -> None:
    """Store how far contacts are that exist, by their key and nothing else, for the same reason.

    Their batch must have been locked before they were read.
    """
    if not contacts:
        return
    insert = engine.insert(connection, batch_contacts)
    states = {name: getattr(insert.excluded, name) for name in _STATE}
    key = [_columns.organization_id, _columns.batch_call_id, _columns.position]
    await connection.execute(insert.on_conflict_do_update(index_elements=key, set_=states), _to_rows(contacts))


def _to_rows(contacts: Sequence[BatchContact]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(contact) for contact in contacts]


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


async def find_called(connection: AsyncConnection, organization_id: str, call_id: str) -> BatchContact | None:
    """The contact that is being called by this call, or None."""
    condition = (_columns.organization_id == organization_id) & (_columns.call_id == call_id)
    row = (await connection.execute(select_called().where(condition))).one_or_none()
    return None if row is None else _from_row(row)


def select_called(*columns: Any) -> sa.Select[Any]:
    """Contacts that are being called, by the index of those alone.

    SQLite would rather read all contacts of an organization; for a hint it must see the state.
    """
    is_calling = _columns.status == sa.literal_column("'calling'")
    hint = "INDEXED BY ix_batch_contacts_calling"
    return sa.select(*(columns or _columns)).where(is_calling).with_hint(batch_contacts, hint, "sqlite")


async def revise_outcome(
    connection: AsyncConnection, organization_id: str, batch_call_id: str, *, number: str, call_id: str, outcome: str
) -> None:
    """Set what a call to the contact with this number achieved, which is known later; nothing after a later call."""
    is_called = (_columns.phone_number == number) & (_columns.call_id == call_id)
    condition = _is_of_batch(organization_id, batch_call_id) & is_called
    await connection.execute(batch_contacts.update().where(condition).values(outcome=outcome))


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


async def list_failed_contacts(
    connection: AsyncConnection,
    organization_id: str,
    batch_call_id: str,
    *,
    reasons: Collection[str],
    failed_until: int,
    position: int,
    limit: int,
) -> list[BatchContact]:
    """The first `limit` contacts from `position` on that have failed for one of these reasons, and not after then."""
    return await _list(
        connection,
        _is_of_batch(organization_id, batch_call_id)
        & (_columns.status == "failed")
        & (_columns.position >= position)
        & _columns.reason.in_(reasons)
        & (_columns.updated_at <= failed_until),
        limit=limit,
        # SQLite would rather read all contacts, of whom few may have failed.
        hint="INDEXED BY ix_batch_contacts_status",
    )


async def delete_contacts(
    connection: AsyncConnection,
    organization_id: str,
    batch_call_id: str,
    *,
    position: int,
    limit: int = DELETED_AT_ONCE,
) -> None:
    """Delete the `limit` contacts from `position` on."""
    condition = _is_of_batch(organization_id, batch_call_id) & (_columns.position >= position)
    await connection.execute(batch_contacts.delete().where(condition, _columns.position < position + limit))


async def _list(
    connection: AsyncConnection, condition: sa.ColumnElement[bool], *, limit: int | None = None, hint: str = ""
) -> list[BatchContact]:
    query = batch_contacts.select().where(condition).order_by(_columns.position).limit(limit)
    if hint:
        query = query.with_hint(batch_contacts, hint, "sqlite")
    rows = await connection.execute(query)
    return [_from_row(row) for row in rows]


def _from_row(row: sa.Row[Any]) -> BatchContact:
    return BatchContact(**row._mapping)


def _is_of_batch(organization_id: str, batch_call_id: str) -> sa.ColumnElement[bool]:
    return (_columns.organization_id == organization_id) & (_columns.batch_call_id == batch_call_id)
