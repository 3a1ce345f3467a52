"""What calls used: an entry per ended call, folded into days, so that any range is read at the same cost.

The end of a call only adds a row, which no other transaction waits for; entries outlive the deletion of their calls.
"""

import dataclasses
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.accounts import store as account_store
from ringdown.db import engine

# What has no number or batch is stored as "": null would not be unique in a key.
usage_entries = sa.Table(
    "usage_entries",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, nullable=False, comment="of the call's end, UTC: 2026-11-22"),
    sa.Column("agent_id", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False, comment="ours"),
    sa.Column("batch_call_id", sa.Text, nullable=False),
    sa.Column("duration_seconds", sa.BigInteger, nullable=False),
    sa.Column("credits", sa.BigInteger, nullable=False),
    sa.Column("is_answered", sa.Boolean, nullable=False, server_default=sa.false()),
)
usage_days = sa.Table(
    "usage_days",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("batch_call_id", sa.Text, primary_key=True),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("answered_calls", sa.BigInteger, nullable=False),
    sa.Column("duration_seconds", sa.BigInteger, nullable=False),
    sa.Column("credits", sa.BigInteger, nullable=False),
)

UsageInterval = Literal["day", "month", "total"]
UsageGroup = Literal["agent", "number", "batch"]

_KEY = ("organization_id", "day", "agent_id", "number", "batch_call_id")
_SUMS = ("calls", "answered_calls", "duration_seconds", "credits")
_GROUPED_BY: dict[UsageGroup, str] = {"agent": "agent_id", "number": "number", "batch": "batch_call_id"}


@cache
def _make_insert(dialect_name: str) -> sa.Executable:
    # Kept, because the end of every call executes it. A call that is ended again, as after somebody mended its row by
    # hand, has its entry already.
    return engine.insert_for(dialect_name, usage_entries).on_conflict_do_nothing()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntry:
    """What one call used."""

    organization_id: str
    call_id: str
    ended_at: int
    agent_id: str
    number: str | None
    batch_call_id: str | None
    is_answered: bool
    duration_seconds: int
    credits: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Which days (UTC, `2026-11-22`, both included), and what is summed up together."""

    organization_id: str
    first_day: str
    last_day: str
    interval: UsageInterval = "day"
    group_by: UsageGroup | None = None
    agent_id: str | None = None
    number: str | None = None
    batch_call_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A sum: of which day or month, of which agent, number or batch; None: of all."""

    period: str | None
    group: str | None
    calls: int
    answered_calls: int
    duration_seconds: int
    credits: int


async def insert_entry(connection: AsyncConnection, entry: UsageEntry) -> None:
    """Store what a call used; a call has one entry for ever."""
    row = {
        "organization_id": entry.organization_id,
        "call_id": entry.call_id,
        "day": datetime.fromtimestamp(entry.ended_at / 1000, UTC).strftime("%Y-%m-%d"),
        "agent_id": entry.agent_id,
        "number": entry.number or "",
        "batch_call_id": entry.batch_call_id or "",
        "is_answered": entry.is_answered,
        "duration_seconds": entry.duration_seconds,
        "credits": entry.credits,
    }
    await connection.execute(_make_insert(connection.dialect.name), row)


async def has_many(connection: AsyncConnection, organization_id: str, *, count: int) -> bool:
    """Whether at least `count` entries are not folded into days yet."""
    entries = sa.select(sa.literal(1)).where(usage_entries.c.organization_id == organization_id)
    found = await connection.execute(entries.limit(1).offset(count - 1))
    return found.scalar() is not None


async def fold_entries(connection: AsyncConnection, organization_id: str, *, limit: int) -> int:
    """Add at most `limit` entries to their days and drop them; returns how many."""
    await account_store.lock_organization(connection, organization_id)  # two that fold would count an entry twice
    is_ours = usage_entries.c.organization_id == organization_id
    chosen = sa.select(usage_entries.c.call_id).where(is_ours).order_by(usage_entries.c.call_id).limit(limit)
    ids = list((await connection.execute(chosen)).scalars())
    if not ids:
        return 0
    is_chosen = is_ours & usage_entries.c.call_id.in_(ids)
    keys = [usage_entries.c[name] for name in _KEY]
    sums = sa.select(*keys, *_sum_entries()).where(is_chosen).group_by(*keys)
    rows = [dict(row._mapping) for row in await connection.execute(sums)]
    insert = engine.insert(connection, usage_days)
    grown = {name: usage_days.c[name] + insert.excluded[name] for name in _SUMS}
    await connection.execute(insert.on_conflict_do_update(index_elements=list(_KEY), set_=grown), rows)
    await connection.execute(usage_entries.delete().where(is_chosen))
    return len(ids)


async def list_usage(
    connection: AsyncConnection, query: UsageQuery, *, limit: int, offset: int
) -> tuple[list[Usage], int]:
    """A page of sums, newest period first and the most calls first in each, and how many there are."""
    sums = _select_usage(query).subquery()
    total = (await connection.execute(sa.select(sa.func.count()).select_from(sums))).scalar_one()
    page = sa.select(sums).order_by(sums.c.period.desc(), sums.c.calls.desc(), sums.c.group)
    rows = await connection.execute(page.limit(limit).offset(offset))
    return [_to_usage(row) for row in rows], total


def _select_usage(query: UsageQuery) -> sa.Select[Any]:
    both = sa.union_all(
        sa.select(*(usage_days.c[name] for name in (*_KEY, *_SUMS))).where(*_make_conditions(usage_days, query)),
        # What is not folded yet counts just the same.
        sa.select(*(usage_entries.c[name] for name in _KEY), *_sum_entries())
        .where(*_make_conditions(usage_entries, query))
        .group_by(*(usage_entries.c[name] for name in _KEY)),
    ).subquery()
    period: sa.ColumnElement[Any] = sa.literal("")
    if query.interval != "total":
        period = both.c.day if query.interval == "day" else sa.func.substr(both.c.day, 1, 7)
    group: sa.ColumnElement[Any] = sa.literal("")
    if query.group_by is not None:
        group = both.c[_GROUPED_BY[query.group_by]]
    sums = [sa.func.sum(both.c[name]).label(name) for name in _SUMS]
    grouped = [part for part in (period, group) if not isinstance(part, sa.BindParameter)]
    select = sa.select(period.label("period"), group.label("group"), *sums)
    # Without a group there is one row even when there is nothing to sum up.
    return select.group_by(*grouped) if grouped else select.having(sa.func.count() > 0)


def _sum_entries() -> list[sa.ColumnElement[Any]]:
    return [
        sa.func.count().label("calls"),
        sa.func.sum(sa.case((usage_entries.c.is_answered, 1), else_=0)).label("answered_calls"),
        sa.func.sum(usage_entries.c.duration_seconds).label("duration_seconds"),
        sa.func.sum(usage_entries.c.credits).label("credits"),
    ]


def _make_conditions(table: sa.Table, query: UsageQuery) -> list[sa.ColumnElement[bool]]:
    columns = table.c
    wanted = [
        columns.organization_id == query.organization_id,
        columns.day.between(query.first_day, query.last_day),
    ]
    for name in ("agent_id", "number", "batch_call_id"):
        value = getattr(query, name)
        if value is not None:
            wanted.append(columns[name] == value)
    return wanted


def _to_usage(row: sa.Row[Any]) -> Usage:
    sums = {name: int(getattr(row, name)) for name in _SUMS}
    return Usage(period=row.period or None, group=row.group or None, **sums)
