"""Lists of calls: filters, exact totals and pages, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import tables
from ringdown.calls.models import Call, CallStatus, Direction, EndedReason
from ringdown.calls.store import calls as rows

calls = tables.calls


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuery:
    """Which calls of an organization; None does not filter. `created_after` is inclusive, `created_before` is not."""

    organization_id: str
    agent_id: str | None = None
    status: CallStatus | None = None
    ended_reason: EndedReason | None = None
    direction: Direction | None = None
    batch_call_id: str | None = None
    created_after: int | None = None
    created_before: int | None = None


@dataclass(frozen=True, slots=True)
class CallPage:
    """Some calls of a list, the number of calls before them and in the whole list: one snapshot."""

    calls: Sequence[Call]
    offset: int
    total: int

    @property
    def has_more(self) -> bool:
        """Whether calls follow this page."""
        return self.offset + len(self.calls) < self.total


async def list_calls(
    connection: AsyncConnection, query: CallQuery, *, limit: int, offset: int = 0, before_seq: int | None = None
) -> CallPage:
    """A page of calls, newest first: from `offset`, or after the call `before_seq`."""
    condition = _matches(query)
    total, rest = await _count(connection, condition, before_seq)
    if before_seq is not None:
        offset = total - rest
    # The page is found on the listing index alone; whole rows are read for its calls only.
    page = sa.select(calls.c.seq).where(_is_after(condition, before_seq)).order_by(calls.c.seq.desc()).limit(limit)
    if before_seq is None:
        page = page.offset(offset)
    found = page.subquery()
    select = (
        calls.select()
        .join(found, (calls.c.organization_id == query.organization_id) & (calls.c.seq == found.c.seq))
        .order_by(calls.c.seq.desc())
    )
    page_calls = [rows.to_call(row) for row in await connection.execute(select)]
    return CallPage(page_calls, offset, total)


async def _count(
    connection: AsyncConnection, condition: sa.ColumnElement[bool], before_seq: int | None
) -> tuple[int, int]:
    counted = sa.func.count()
    rest = counted if before_seq is None else counted.filter(calls.c.seq < before_seq)
    row = (await connection.execute(sa.select(counted, rest).select_from(calls).where(condition))).one()
    return row[0], row[1]


def _is_after(condition: sa.ColumnElement[bool], before_seq: int | None) -> sa.ColumnElement[bool]:
    return condition if before_seq is None else condition & (calls.c.seq < before_seq)


def _matches(query: CallQuery) -> sa.ColumnElement[bool]:
    condition = calls.c.organization_id == query.organization_id
    for name in ("agent_id", "status", "ended_reason", "direction", "batch_call_id"):
        value = getattr(query, name)
        if value is not None:
            condition &= calls.c[name] == value
    if query.created_after is not None:
        condition &= calls.c.created_at >= query.created_after
    if query.created_before is not None:
        condition &= calls.c.created_at < query.created_before
    return condition
