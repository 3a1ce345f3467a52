"""Where calls meet the ledger: live calls that are locked for a hold, and the verification of ended ones."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.billing.store import ledger_entries
from ringdown.calls import tables

_calls = tables.calls
_LIVE = ("queued", "ringing", "in_progress")


async def lock_live_calls(connection: AsyncConnection, keys: Sequence[tuple[str, str]]) -> set[str]:
    """The ids of those of these calls (organization and id) that are live, and stay so until the transaction ends."""
    columns = _calls.c
    is_wanted = sa.tuple_(columns.organization_id, columns.id).in_(keys)
    query = sa.select(columns.id).where(is_wanted, columns.status.in_(_LIVE))
    locked = query.order_by(columns.organization_id, columns.id).with_for_update()
    return set((await connection.execute(locked)).scalars())


async def count_unsettled(connection: AsyncConnection, organization_id: str) -> int:
    """How many calls hold credits after their end, or were charged something else than they cost.

    Of deleted calls only the holds are known.
    """
    entries, columns = ledger_entries.c, _calls.c
    held = sa.func.sum(sa.case((entries.kind.in_(("hold", "release")), entries.amount), else_=0))
    charged = -sa.func.sum(sa.case((entries.kind == "charge", entries.amount), else_=0))
    by_call = (
        sa.select(entries.call_id, held.label("held"), charged.label("charged"))
        .where(entries.organization_id == organization_id, entries.call_id.is_not(None))
        .group_by(entries.call_id)
        .subquery()
    )
    is_call = (columns.organization_id == organization_id) & (columns.id == by_call.c.call_id)
    is_live = columns.status.in_(_LIVE)
    is_wrong = sa.or_(
        sa.and_(by_call.c.held != 0, sa.or_(columns.id.is_(None), ~is_live)),
        sa.and_(is_live, by_call.c.charged != 0),
        sa.and_(~is_live, by_call.c.charged != 0, by_call.c.charged != columns.cost_credits),
    )
    joined = by_call.outerjoin(_calls, is_call)
    wrong = await connection.execute(sa.select(sa.func.count()).select_from(joined).where(is_wrong))
    has_entry = sa.exists().where(
        entries.organization_id == organization_id, entries.call_id == columns.id, entries.kind == "charge"
    )
    is_free = columns.cost_credits == 0
    unknown = sa.select(sa.func.count()).where(columns.organization_id == organization_id, ~is_free, ~has_entry)
    return int(wrong.scalar_one()) + int((await connection.execute(unknown)).scalar_one())
