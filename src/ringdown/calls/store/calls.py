"""Rows of calls: insert, get, change, delete."""

import dataclasses
import itertools
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.calls import tables
from ringdown.calls.counting import Facts
from ringdown.calls.models import LIVE_STATUSES, Call
from ringdown.calls.store import counts, search
from ringdown.telephony.models import Trunk

calls = tables.calls

_FIELDS = dataclasses.fields(Call)
_get_owner = attrgetter("organization_id")
# A browser's call waits for its browser.
_IS_TO_DIAL = (calls.c.status == "queued") & (calls.c.direction != "webrtc")


def to_call(row: sa.Row[Any]) -> Call:
    """The call in a row of all columns."""
    return msgspec.convert({field.name: getattr(row, field.name) for field in _FIELDS}, type=Call)


async def insert_call(connection: AsyncConnection, call: Call) -> None:
    """Store a new call."""
    await connection.execute(calls.insert().values(msgspec.to_builtins(call)))
    await search.insert_metadata(connection, call)


async def insert_calls(connection: AsyncConnection, new_calls: Sequence[Call]) -> None:
    """Store new calls of one organization at the cost of few."""
    await connection.execute(calls.insert(), [msgspec.to_builtins(call) for call in new_calls])
    await search.insert_all_metadata(connection, new_calls)


async def get_call(connection: AsyncConnection, organization_id: str, call_id: str, *, lock: bool = False) -> Call:
    """The call; raises `NotFound`. `lock` keeps others from changing it until the transaction ends."""
    call = await find_call(connection, organization_id, call_id, lock=lock)
    if call is None:
        raise errors.NotFound("Call", call_id)
    return call


async def find_call(
    connection: AsyncConnection, organization_id: str, call_id: str, *, lock: bool = False
) -> Call | None:
    """The call, if there is one; `lock` as in `get_call`."""
    query = calls.select().where(is_call(organization_id, call_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else to_call(row)


async def update_call(connection: AsyncConnection, call: Call, **changes: Any) -> Call:
    """Set fields of a call and return it as it is then; `call` must be the row as this transaction has locked it."""
    condition = is_call(call.organization_id, call.id)
    await connection.execute(calls.update().where(condition).values(msgspec.to_builtins(changes)))
    changed = dataclasses.replace(call, **changes)
    if (before := _to_facts(call)) != (after := _to_facts(changed)):
        counts.note_change(connection, call.organization_id, call.seq, before=before, after=after)
    if "metadata" in changes:
        await search.replace_metadata(connection, call, changed)
    return changed


async def start_ringing(connection: AsyncConnection, queued: Sequence[Call], *, now_ms: int) -> list[Call]:
    """Have locked calls ring; `update_call` for all of them at the cost of one for each organization."""
    changes: dict[str, Any] = {"status": "ringing", "updated_at": now_ms}
    for organization_id, theirs in itertools.groupby(sorted(queued, key=_get_owner), _get_owner):
        condition = (calls.c.organization_id == organization_id) & calls.c.id.in_([call.id for call in theirs])
        await connection.execute(calls.update().where(condition).values(changes))
    ringing = [dataclasses.replace(call, **changes) for call in queued]
    for call, changed in zip(queued, ringing, strict=True):
        counts.note_change(connection, call.organization_id, call.seq, before=_to_facts(call), after=_to_facts(changed))
    return ringing


def _to_facts(call: Call) -> Facts:
    return Facts(call.agent_id, call.direction, call.status, call.ended_reason, call.batch_call_id)


async def add_summary(
    connection: AsyncConnection, organization_id: str, call_id: str, *, summary: str, now_ms: int
) -> bool:
    """Set the summary of an ended call that has none; False when there is no such call."""
    is_lacking = calls.c.summary.is_(None) & calls.c.status.not_in(LIVE_STATUSES) & calls.c.forgotten_at.is_(None)
    update = calls.update().where(is_call(organization_id, call_id) & is_lacking)
    return (await connection.execute(update.values(summary=summary, updated_at=now_ms))).rowcount == 1


async def list_ended_ids(connection: AsyncConnection, organization_id: str, call_ids: Collection[str]) -> set[str]:
    """Those of the ids whose calls exist and have ended."""
    is_ended = (calls.c.organization_id == organization_id) & calls.c.id.in_(call_ids)
    query = sa.select(calls.c.id).where(is_ended, calls.c.status.not_in(LIVE_STATUSES))
    return set((await connection.execute(query)).scalars())


async def delete_calls(connection: AsyncConnection, organization_id: str, call_ids: Collection[str]) -> None:
    """Delete calls with their turns, events, attempts and commands to them."""
    await search.forget_calls(connection, organization_id, call_ids)
    is_deleted = (calls.c.organization_id == organization_id) & calls.c.id.in_(call_ids)
    deleted = sa.delete(calls).where(is_deleted).returning(calls.c.seq, *(calls.c[name] for name in Facts._fields))
    for seq, *facts in await connection.execute(deleted):
        counts.note_change(connection, organization_id, seq, before=Facts(*facts), after=None)
    for part in (tables.turns, tables.events, tables.attempts, tables.commands):
        is_theirs = (part.c.organization_id == organization_id) & part.c.call_id.in_(call_ids)
        await connection.execute(sa.delete(part).where(is_theirs))


async def has_live_calls(connection: AsyncConnection, organization_id: str, agent_id: str) -> bool:
    """Whether calls that have not ended yet use the agent."""
    condition = (calls.c.organization_id == organization_id) & (calls.c.agent_id == agent_id)
    live = condition & calls.c.ended_at.is_(None) & calls.c.status.in_(LIVE_STATUSES)
    return bool((await connection.execute(sa.select(sa.exists().where(live)))).scalar_one())


async def has_talking(connection: AsyncConnection, organization_id: str) -> bool:
    """Whether any call of the organization rings or talks."""
    talking = calls.c.ended_at.is_(None) & calls.c.status.in_(("ringing", "in_progress"))
    query = sa.select(sa.exists().where(calls.c.organization_id == organization_id, talking))
    return bool((await connection.execute(query)).scalar_one())


async def has_queued(connection: AsyncConnection) -> bool:
    """Whether any call of any organization waits for a gateway."""
    return bool((await connection.execute(sa.select(sa.exists().where(_IS_TO_DIAL)))).scalar_one())


async def list_queued(
    connection: AsyncConnection,
    limit: int,
    *,
    except_trunks: Collection[str] = (),
    except_batches: Collection[str] = (),
) -> list[Call]:
    """The oldest queued calls of all organizations, locked; calls that another gateway is taking are passed over."""
    query = calls.select().where(_IS_TO_DIAL).order_by(calls.c.created_at, calls.c.seq).limit(limit)
    for column, refused in ((calls.c.trunk_id, except_trunks), (calls.c.batch_call_id, except_batches)):
        if refused:
            query = query.where(sa.func.coalesce(column, "").not_in(refused))
    rows = await connection.execute(query.with_for_update(skip_locked=True))
    return [to_call(row) for row in rows]


async def count_live_by_trunk(connection: AsyncConnection, trunks: Collection[Trunk]) -> dict[str, int]:
    """How many calls of each trunk ring or talk, by trunk id."""
    if not trunks:
        return {}
    is_theirs = sa.or_(
        *((calls.c.organization_id == trunk.organization_id) & (calls.c.trunk_id == trunk.id) for trunk in trunks)
    )
    query = (
        sa.select(calls.c.trunk_id, sa.func.count().label("live"))
        .where(calls.c.ended_at.is_(None), calls.c.status.in_(("ringing", "in_progress")), is_theirs)
        .group_by(calls.c.trunk_id)
    )
    return {row.trunk_id: row.live for row in await connection.execute(query)}


async def count_live_by_batch(
    connection: AsyncConnection, batches: Collection[tuple[str, str]]
) -> dict[str, dict[str, int]]:
    """How many calls of each batch call are in each live status, by batch call id; of (organization, batch call)."""
    found: dict[str, dict[str, int]] = {batch_call_id: {} for _, batch_call_id in batches}
    if not batches:
        return found
    is_theirs = sa.or_(
        *((calls.c.organization_id == owner) & (calls.c.batch_call_id == batch_id) for owner, batch_id in batches)
    )
    query = (
        sa.select(calls.c.batch_call_id, calls.c.status, sa.func.count().label("live"))
        .where(calls.c.ended_at.is_(None), calls.c.batch_call_id.is_not(None), is_theirs)
        .group_by(calls.c.batch_call_id, calls.c.status)
    )
    for row in await connection.execute(query):
        found[row.batch_call_id][row.status] = row.live
    return found


def is_call(organization_id: str, call_id: str) -> sa.ColumnElement[bool]:
    """The condition that picks one call."""
    return (calls.c.organization_id == organization_id) & (calls.c.id == call_id)
