"""Lists of calls: filters, orders, exact totals and pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import tables
from ringdown.calls.cursor import Place
from ringdown.calls.models import Call, CallStatus, Direction, EndedReason
from ringdown.calls.store import calls as rows

calls = tables.calls

Sort = Literal["-created_at", "created_at", "-duration_seconds", "-cost_credits", "-latency_p50"]

_SORTED_BY: Mapping[Sort, str] = {
    "-duration_seconds": "duration_seconds",
    "-cost_credits": "cost_credits",
    "-latency_p50": "latency_p50_ms",
}
# In the place of a value that a call does not have.
_UNKNOWN = -1


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
    sort: Sort = "-created_at"


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
    connection: AsyncConnection, query: CallQuery, *, limit: int, offset: int = 0, after: Place | None = None
) -> CallPage:
    """A page of calls in the order of `query.sort`: from `offset`, or after the call at `after`."""
    condition = _matches(query)
    rest = condition if after is None else condition & _follows(query.sort, after)
    total, remaining = await _count(connection, condition, rest)
    if after is not None:
        offset = total - remaining
    # The page is found on indexes alone where they allow it; whole rows are read for its calls only.
    page = sa.select(calls.c.seq).where(rest).order_by(*_order(query.sort)).limit(limit)
    if after is None:
        page = page.offset(offset)
    found = page.subquery()
    select = (
        calls.select()
        .join(found, (calls.c.organization_id == query.organization_id) & (calls.c.seq == found.c.seq))
        .order_by(*_order(query.sort))
    )
    page_calls = [rows.to_call(row) for row in await connection.execute(select)]
    return CallPage(page_calls, offset, total)


def find_place(call: Call, sort: Sort) -> Place:
    """Where a call stands in a list."""
    name = _SORTED_BY.get(sort)
    value = None if name is None else getattr(call, name)
    return Place(call.seq, 0 if name is None else _UNKNOWN if value is None else value)


async def _count(
    connection: AsyncConnection, condition: sa.ColumnElement[bool], rest: sa.ColumnElement[bool]
) -> tuple[int, int]:
    counted = sa.func.count()
    row = (await connection.execute(sa.select(counted, counted.filter(rest)).select_from(calls).where(condition))).one()
    return row[0], row[1]


def _order(sort: Sort) -> tuple[sa.ColumnElement[Any], ...]:
    """Calls of one value are newest first; those without a value come last."""
    if sort == "created_at":
        return (calls.c.seq.asc(),)
    newest = calls.c.seq.desc()
    return (newest,) if sort not in _SORTED_BY else (_key(sort).desc(), newest)


def _follows(sort: Sort, place: Place) -> sa.ColumnElement[bool]:
    if sort == "created_at":
        return calls.c.seq > place.seq
    is_older = calls.c.seq < place.seq
    if sort not in _SORTED_BY:
        return is_older
    key = _key(sort)
    return (key < place.key) | ((key == place.key) & is_older)


def _key(sort: Sort) -> sa.ColumnElement[int]:
    return sa.func.coalesce(calls.c[_SORTED_BY[sort]], _UNKNOWN)


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
