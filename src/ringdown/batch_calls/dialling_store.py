"""What the dialler asks of batch calls, contacts and calls of all organizations, and what it changes of them."""

import itertools
from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls import contact_store
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.rotation import Uses
from ringdown.batch_calls.tables import batch_calls, batch_contacts, batch_paces
from ringdown.calls.tables import attempts, calls

_batches, _contacts = batch_calls.c, batch_contacts.c
_get_batch = attrgetter("organization_id", "batch_call_id")
_IS_OF_BATCH = (_contacts.organization_id == _batches.organization_id) & (_contacts.batch_call_id == _batches.id)
# Any number: it keeps these locks apart from others.
_LOCK_SPACE = 0x6469616C


async def list_active(connection: AsyncConnection, *, now_ms: int) -> list[tuple[str, str, bool]]:
    """Every active batch call: its organization and id, and whether somebody is due."""
    is_due = sa.exists().where(_IS_OF_BATCH, _contacts.status == "scheduled", _contacts.scheduled_at <= now_ms)
    query = sa.select(_batches.organization_id, _batches.id, is_due).where(_batches.status == "active")
    rows = await connection.execute(query.order_by(_batches.organization_id, _batches.id))
    return [(row[0], row[1], bool(row[2])) for row in rows]


async def list_due_contacts(
    connection: AsyncConnection, batch: BatchCall, *, now_ms: int, limit: int
) -> list[BatchContact]:
    """Contacts of a locked batch call whose time has come, in the order of their places; found in one index."""
    due = (
        batch_contacts.select()
        .where(
            _contacts.organization_id == batch.organization_id,
            _contacts.batch_call_id == batch.id,
            _contacts.status == "scheduled",
            _contacts.scheduled_at <= now_ms,
        )
        .order_by(_contacts.scheduled_at, _contacts.position)
        .limit(limit)
    )
    if not batch.is_spread:
        due = due.where(_contacts.position < batch.spread_position)
    return [BatchContact(**row._mapping) for row in await connection.execute(due)]


async def list_called(
    connection: AsyncConnection, organization_id: str, call_ids: Collection[str]
) -> dict[str, BatchContact]:
    """The contacts that are being called by these calls, by call id."""
    query = contact_store.select_called().where(
        _contacts.organization_id == organization_id, _contacts.call_id.in_(call_ids)
    )
    return {row.call_id: BatchContact(**row._mapping) for row in await connection.execute(query)}


async def count_dials(connection: AsyncConnection, dialled: Iterable[BatchContact], *, now_ms: int) -> None:
    """Count an attempt of each of these contacts, which are being called by calls that this transaction has locked."""
    for (owner, batch_call_id), theirs in itertools.groupby(dialled, key=_get_batch):
        await connection.execute(
            batch_contacts.update()
            .where(
                _contacts.organization_id == owner,
                _contacts.batch_call_id == batch_call_id,
                _contacts.position.in_([contact.position for contact in theirs]),
            )
            .values(attempts=_contacts.attempts + 1, called_at=now_ms, updated_at=now_ms)
        )


async def get_number_uses(connection: AsyncConnection, batch: BatchCall) -> Uses:
    """When each number of a locked batch call was used last."""
    uses: Mapping[str, int] = (await connection.execute(_pick(sa.select(_batches.number_uses), batch))).scalar_one()
    return uses


async def set_number_uses(connection: AsyncConnection, batch: BatchCall, uses: Uses) -> None:
    """Store when each number of a locked batch call was used last."""
    await connection.execute(_pick(batch_calls.update(), batch).values(number_uses=dict(uses)))


async def lock_numbers(connection: AsyncConnection, organization_id: str, numbers: Collection[str]) -> None:
    """Let nobody else decide to dial these people until this transaction ends; on SQLite nobody else writes."""
    if connection.dialect.name == "postgresql":
        statement = sa.text(
            "SELECT pg_advisory_xact_lock(hashtextextended(CAST(:owner AS text) || number, CAST(:space AS bigint)))"
            " FROM unnest(CAST(:numbers AS text[])) AS number"
        )
        parameters = {"owner": organization_id, "space": _LOCK_SPACE, "numbers": sorted(set(numbers))}
        await connection.execute(statement, parameters)


async def list_last_dials(
    connection: AsyncConnection, organization_id: str, numbers: Collection[str], *, since: int
) -> list[tuple[str, str, int, bool]]:
    """Dials of these numbers for batch calls at `since` or later, or that go on: number, batch call, time, goes on."""
    goes_on = attempts.c.state.not_in(("ended", "untold"))
    query = sa.select(attempts.c.number, attempts.c.batch_call_id, attempts.c.created_at, goes_on).where(
        attempts.c.organization_id == organization_id,
        attempts.c.number.in_(numbers),
        attempts.c.batch_call_id.is_not(None),
        (attempts.c.created_at >= since) | goes_on,
    )
    return [(row[0], row[1], row[2], bool(row[3])) for row in await connection.execute(query)]


async def list_to_withdraw(
    connection: AsyncConnection, *, now_ms: int, limit: int
) -> list[tuple[str, str, str, str | None]]:
    """Queued calls of batch calls that do not call or rest: organization, call, batch call and its state, if any."""
    is_theirs = (_batches.organization_id == calls.c.organization_id) & (_batches.id == calls.c.batch_call_id)
    paces = batch_paces.c
    is_its_pace = (paces.organization_id == calls.c.organization_id) & (paces.batch_call_id == calls.c.batch_call_id)
    rests = sa.func.coalesce(paces.not_before, 0) > now_ms
    query = (
        sa.select(calls.c.organization_id, calls.c.id, calls.c.batch_call_id, _batches.status)
        .select_from(calls.outerjoin(batch_calls, is_theirs).outerjoin(batch_paces, is_its_pace))
        .where(
            calls.c.status == "queued",
            calls.c.batch_call_id.is_not(None),
            (sa.func.coalesce(_batches.status, "") != "active") | rests,
        )
        .order_by(calls.c.created_at)
        .limit(limit)
    )
    return [(row[0], row[1], row[2], row[3]) for row in await connection.execute(query)]


async def list_hanging(connection: AsyncConnection, *, limit: int) -> list[tuple[str, str, str]]:
    """Contacts that are being called by a call that has ended or is gone: organization, batch call and call."""
    is_theirs = (calls.c.organization_id == _contacts.organization_id) & (calls.c.id == _contacts.call_id)
    query = (
        contact_store.select_called(_contacts.organization_id, _contacts.batch_call_id, _contacts.call_id)
        .select_from(batch_contacts.outerjoin(calls, is_theirs))
        .where(calls.c.id.is_(None) | calls.c.ended_at.is_not(None))
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in await connection.execute(query)]


def _pick(statement: Any, batch: BatchCall) -> Any:
    return statement.where(_batches.organization_id == batch.organization_id, _batches.id == batch.id)
