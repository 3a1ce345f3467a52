"""Attempts: which gateway dials or carries a call, how far its media clock is, and the dialog to end after a crash."""

from collections.abc import Mapping, Sequence
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.calls import tables
from ringdown.calls.models import Call, UnfinishedCall
from ringdown.calls.store import calls

attempts = tables.attempts

#: One that is `untold` has ended, while its far end was not told.
AttemptState = Literal["dialling", "answered", "untold", "ended"]

# The first half is the condition of the index.
_is_live = (attempts.c.state != "ended") & (attempts.c.state != "untold")


async def insert_attempt(
    connection: AsyncConnection,
    call: Call,
    *,
    gateway_id: str,
    now_ms: int,
    dialog_state: Mapping[str, object] | None = None,
) -> str:
    """Store the one attempt of a call as `dialling` and return its id; a second one violates the table's key."""
    row = _make_row(call, gateway_id=gateway_id, now_ms=now_ms, dialog_state=dialog_state)
    await connection.execute(attempts.insert().values(row))
    return str(row["id"])


async def insert_attempts(
    connection: AsyncConnection, dialled: Sequence[Call], *, gateway_id: str, now_ms: int
) -> list[str]:
    """`insert_attempt` for several calls at the cost of few; their ids in the same order."""
    rows = [_make_row(call, gateway_id=gateway_id, now_ms=now_ms, dialog_state=None) for call in dialled]
    await connection.execute(attempts.insert(), rows)
    return [str(row["id"]) for row in rows]


def _make_row(
    call: Call, *, gateway_id: str, now_ms: int, dialog_state: Mapping[str, object] | None
) -> dict[str, object]:
    return {
        "organization_id": call.organization_id,
        "id": values.new_id("att"),
        "call_id": call.id,
        "gateway_id": gateway_id,
        "state": "dialling",
        "number": call.phone_number,
        "contact_id": call.contact_id,
        "batch_call_id": call.batch_call_id,
        "dialog_state": dialog_state,
        "media_ms": 0,
        "lease_renewed_at": now_ms,
        "created_at": now_ms,
        "updated_at": now_ms,
    }


async def find_attempt_time(connection: AsyncConnection, call: Call) -> int | None:
    """When the call was dialled; None when it never was."""
    condition = (attempts.c.organization_id == call.organization_id) & (attempts.c.call_id == call.id)
    found = await connection.execute(sa.select(attempts.c.created_at).where(condition))
    return found.scalar_one_or_none()


async def set_dialog_state(
    connection: AsyncConnection, organization_id: str, attempt_id: str, dialog_state: Mapping[str, object]
) -> None:
    """Keep what is needed to end the dialog after a crash."""
    condition = (attempts.c.organization_id == organization_id) & (attempts.c.id == attempt_id)
    changes = {"dialog_state": dict(dialog_state), "updated_at": values.now_ms()}
    await connection.execute(attempts.update().where(condition).values(changes))


async def set_state(connection: AsyncConnection, call: Call, state: AttemptState) -> None:
    """Set the state of the call's attempt, if it has one."""
    condition = (attempts.c.organization_id == call.organization_id) & (attempts.c.call_id == call.id)
    await connection.execute(attempts.update().where(condition).values(state=state, updated_at=values.now_ms()))


async def renew_leases(
    connection: AsyncConnection, gateway_id: str, media_ms_by_call: Mapping[str, int], now_ms: int
) -> None:
    """Renew all leases of the gateway, and keep how far the media clock of its calls is."""
    is_ours = (attempts.c.gateway_id == gateway_id) & _is_live
    await connection.execute(attempts.update().where(is_ours).values(lease_renewed_at=now_ms))
    if media_ms_by_call:
        condition = is_ours & (attempts.c.call_id == sa.bindparam("call"))
        update = attempts.update().where(condition).values(media_ms=sa.bindparam("media"))
        rows = [{"call": call_id, "media": media_ms} for call_id, media_ms in media_ms_by_call.items()]
        await connection.execute(update, rows)


async def list_leases(connection: AsyncConnection) -> dict[str, int]:
    """When each gateway that has live calls renewed its lease last."""
    renewed_at = sa.func.max(attempts.c.lease_renewed_at).label("renewed_at")
    query = (
        sa.select(attempts.c.gateway_id, renewed_at)
        .where(_is_live)
        .group_by(attempts.c.gateway_id)
        .order_by(attempts.c.gateway_id)
    )
    return {row.gateway_id: row.renewed_at for row in await connection.execute(query)}


async def list_unfinished(connection: AsyncConnection, gateway_id: str) -> list[UnfinishedCall]:
    """The calls that the gateway carries, oldest first."""
    return await _list_calls(connection, (attempts.c.gateway_id == gateway_id) & _is_live)


async def list_untold(connection: AsyncConnection, gateway_id: str) -> list[UnfinishedCall]:
    """The calls that others have ended for the gateway, and whose far ends only it can tell; oldest first."""
    is_untold = (attempts.c.state != "ended") & (attempts.c.state == "untold")
    return await _list_calls(connection, (attempts.c.gateway_id == gateway_id) & is_untold)


async def _list_calls(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> list[UnfinishedCall]:
    is_attempt = (attempts.c.organization_id == calls.calls.c.organization_id) & (
        attempts.c.call_id == calls.calls.c.id
    )
    query = (
        sa.select(attempts.c.id.label("attempt_id"), attempts.c.dialog_state, attempts.c.media_ms, calls.calls)
        .join(calls.calls, is_attempt)
        .where(condition)
        .order_by(attempts.c.created_at)
    )
    return [
        UnfinishedCall(calls.to_call(row), row.attempt_id, row.dialog_state, row.media_ms)
        for row in await connection.execute(query)
    ]
