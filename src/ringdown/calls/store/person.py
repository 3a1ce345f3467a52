"""The calls of one far party in the database: by the number that was called, or that called."""

import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import forgetting, tables
from ringdown.calls.models import LIVE_STATUSES, Call
from ringdown.calls.store import calls as store
from ringdown.calls.store import forgetting as forgetting_store
from ringdown.webhooks import forgetting_store as event_store

calls, attempts = tables.calls, tables.attempts


async def has_live_call(connection: AsyncConnection, organization_id: str, number: str) -> bool:
    """Whether a call with the number waits, rings or talks."""
    for is_inbound in (False, True):
        is_live = _is_with(organization_id, number, is_inbound=is_inbound) & calls.c.status.in_(LIVE_STATUSES)
        if (await connection.execute(sa.select(sa.exists().where(is_live)))).scalar_one():
            return True
    return False


async def list_calls(
    connection: AsyncConnection,
    organization_id: str,
    number: str,
    *,
    is_inbound: bool,
    after_seq: int = 0,
    limit: int,
) -> list[Call]:
    """Calls from the number, or to it, behind `after_seq`, oldest first."""
    is_next = _is_with(organization_id, number, is_inbound=is_inbound) & (calls.c.seq > after_seq)
    rows = await connection.execute(calls.select().where(is_next).order_by(calls.c.seq).limit(limit))
    return [store.to_call(row) for row in rows]


async def list_dial_times(connection: AsyncConnection, organization_id: str, call_ids: Sequence[str]) -> dict[str, int]:
    """When each of the calls was dialled, or rang here, by its id."""
    query = sa.select(attempts.c.call_id, attempts.c.created_at).where(
        attempts.c.organization_id == organization_id, attempts.c.call_id.in_(call_ids)
    )
    return {row.call_id: row.created_at for row in await connection.execute(query)}


async def lock_calls(connection: AsyncConnection, organization_id: str, call_ids: Sequence[str]) -> list[Call]:
    """Those of the calls that exist, locked in their order."""
    are_theirs = (calls.c.organization_id == organization_id) & calls.c.id.in_(call_ids)
    rows = await connection.execute(calls.select().where(are_theirs).order_by(calls.c.seq).with_for_update())
    return [store.to_call(row) for row in rows]


async def forget_person(connection: AsyncConnection, ended: Sequence[Call], *, now_ms: int) -> None:
    """Take the person out of locked calls: what was said, their number, and what a client has sent with the call.

    Times, endings, cost and everything that is counted stay.
    """
    if not ended:
        return
    organization_id, ids = ended[0].organization_id, [call.id for call in ended]
    await forgetting_store.forget_words(connection, ended, now_ms=now_ms)
    for call in ended:
        side = {"from_number": None} if call.direction == "inbound" else {"to_number": None}
        settings = dataclasses.replace(call.settings, greeting=None)
        await store.update_call(
            connection, call, **side, variables={}, metadata={}, contact_id=None, settings=settings, has_recording=False
        )
    are_theirs = (attempts.c.organization_id == organization_id) & attempts.c.call_id.in_(ids)
    blank = {"number": None, "contact_id": None, "dialog_state": None}
    await connection.execute(attempts.update().where(are_theirs).values(blank))
    await event_store.rewrite_events(connection, organization_id, ids, forgetting.forget_person)


def _is_with(organization_id: str, number: str, *, is_inbound: bool) -> sa.ColumnElement[bool]:
    ours = calls.c.organization_id == organization_id
    if is_inbound:
        return ours & (calls.c.from_number == number) & (calls.c.direction == "inbound")
    return ours & (calls.c.to_number == number) & (calls.c.direction == "outbound")
