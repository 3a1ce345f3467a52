"""Rows of batch calls."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.batch_calls.models import BatchCall, BatchStatus
from ringdown.batch_calls.tables import batch_calls
from ringdown.telephony.store import PhoneNumber, phone_numbers

_columns = batch_calls.c
# The places taken by day are for the schedule alone, and may be many.
_SHOWN = [column for column in _columns if column is not _columns.spread_days]


def _from_row(row: sa.Row[Any]) -> BatchCall:
    return msgspec.convert({str(name): value for name, value in row._mapping.items()}, type=BatchCall)


async def insert_batch_call(connection: AsyncConnection, batch: BatchCall) -> None:
    """Store a new batch call."""
    await connection.execute(batch_calls.insert().values(msgspec.to_builtins(batch)))


async def change_batch_call(connection: AsyncConnection, batch: BatchCall, **changes: Any) -> BatchCall:
    """Set fields of a batch call that this transaction has locked, and return it as it is then."""
    condition = _is_batch(batch.organization_id, batch.id)
    await connection.execute(batch_calls.update().where(condition).values(msgspec.to_builtins(changes)))
    return dataclasses.replace(batch, **changes)


async def update_batch_call(connection: AsyncConnection, batch: BatchCall) -> None:
    """Store a batch call that exists; it must have been read as a whole with `lock` in this transaction."""
    condition = _is_batch(batch.organization_id, batch.id)
    await connection.execute(batch_calls.update().where(condition).values(msgspec.to_builtins(batch)))


async def get_batch_call(
    connection: AsyncConnection, organization_id: str, batch_call_id: str, *, lock: bool = False
) -> BatchCall:
    """The batch call; raises `NotFound`. `lock` keeps others from changing it until the transaction ends."""
    found = await find_batch_call(connection, organization_id, batch_call_id, lock=lock)
    if found is None:
        raise errors.NotFound("Batch call", batch_call_id)
    return found


async def find_batch_call(
    connection: AsyncConnection, organization_id: str, batch_call_id: str, *, lock: bool = False
) -> BatchCall | None:
    """The batch call, or None; `lock` as in `get_batch_call`."""
    query = batch_calls.select().where(_is_batch(organization_id, batch_call_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else _from_row(row)


async def list_by_ids(connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> list[BatchCall]:
    """The batch calls of these (organization, id) without their `spread_days`."""
    if not keys:
        return []
    query = sa.select(*_SHOWN).where(sa.or_(*(_is_batch(*key) for key in keys)))
    return [_from_row(row) for row in await connection.execute(query)]


async def lock_batch_call(connection: AsyncConnection, organization_id: str, batch_call_id: str) -> BatchCall | None:
    """The locked batch call without its `spread_days`, for `change_batch_call`; None when it is gone."""
    query = sa.select(*_SHOWN).where(_is_batch(organization_id, batch_call_id)).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _from_row(row)


async def list_batch_calls(
    connection: AsyncConnection, organization_id: str, *, status: BatchStatus | None = None, limit: int, offset: int
) -> tuple[list[BatchCall], int]:
    """A page of batch calls, newest first, and how many there are."""
    condition = _columns.organization_id == organization_id
    if status is not None:
        condition &= _columns.status == status
    count = sa.select(sa.func.count()).select_from(batch_calls).where(condition)
    total = (await connection.execute(count)).scalar_one()
    page = sa.select(*_SHOWN).where(condition).order_by(_columns.id.desc()).limit(limit).offset(offset)
    return [_from_row(row) for row in await connection.execute(page)], total


async def find_batch_of_agent(
    connection: AsyncConnection, organization_id: str, agent_id: str, *, statuses: Collection[BatchStatus]
) -> BatchCall | None:
    """A batch call of this agent in one of these states, the oldest of them, or None."""
    condition = (_columns.organization_id == organization_id) & (_columns.agent_id == agent_id)
    oldest = batch_calls.select().where(condition, _columns.status.in_(statuses)).order_by(_columns.id).limit(1)
    row = (await connection.execute(oldest)).one_or_none()
    return None if row is None else _from_row(row)


async def delete_batch_call(connection: AsyncConnection, organization_id: str, batch_call_id: str) -> None:
    """Delete the batch call, but not its contacts; nothing happens when it is not there."""
    await connection.execute(batch_calls.delete().where(_is_batch(organization_id, batch_call_id)))


async def list_numbers(
    connection: AsyncConnection, organization_id: str, *, number_ids: Collection[str], agent_ids: Collection[str]
) -> Mapping[str, PhoneNumber]:
    """The active phone numbers with these ids, and those that these agents call from; by id, oldest first."""
    numbers = phone_numbers.c
    query = (
        sa.select(*numbers)
        .where(
            numbers.organization_id == organization_id,
            numbers.status == "active",
            sa.or_(numbers.id.in_(number_ids), numbers.outbound_agent_id.in_(agent_ids)),
        )
        .order_by(numbers.id)
    )
    return {row.id: PhoneNumber(**row._mapping) for row in await connection.execute(query)}


async def list_callers(connection: AsyncConnection, batch: BatchCall) -> list[PhoneNumber]:
    """The active phone numbers that the batch call calls from, in its order: its own, else those of its agent."""
    ids = batch.phone_number_ids
    found = await list_numbers(
        connection, batch.organization_id, number_ids=ids, agent_ids=() if ids else (batch.agent_id,)
    )
    return [found[number_id] for number_id in ids if number_id in found] if ids else list(found.values())


def _is_batch(organization_id: str, batch_call_id: str) -> sa.ColumnElement[bool]:
    return (_columns.organization_id == organization_id) & (_columns.id == batch_call_id)
