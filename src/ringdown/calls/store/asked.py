"""What is asked of the list of calls, and the SQL conditions that say it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import tables
from ringdown.calls.cursor import Place
from ringdown.calls.models import CallStatus, Direction, EndedReason, Outcome
from ringdown.calls.search_tables import SEQ_BITS
from ringdown.calls.store import counted, search
from ringdown.calls.store.counted import CountedFilter
from ringdown.calls.words import Phrase

calls = tables.calls

Sort = Literal["-created_at", "created_at", "-duration_seconds", "-cost_credits", "-latency_p50"]

#: The columns that lists are sorted by, if not by time, and the index of each.
SORTED_BY: Mapping[Sort, tuple[str, str]] = {
    "-duration_seconds": ("duration_seconds", "ix_calls_by_duration"),
    "-cost_credits": ("cost_credits", "ix_calls_by_cost"),
    "-latency_p50": ("latency_p50_ms", "ix_calls_by_latency"),
}
#: Filters without counters, the most telling first, and the index of each.
INDEXED: Mapping[str, str] = {
    "contact_id": "ix_calls_contact",
    "to_number": "ix_calls_to",
    "from_number": "ix_calls_from",
    "outcome": "ix_calls_outcome",
}
#: So many matching calls are gathered and sorted; of more, the order is walked. Those that words or durations find lie
#: together, others are looked up one by one.
FEW = 30_000
FEW_ROWS = 5_000
#: To look up a row takes as long as to read so many entries of an index.
ROW_COST = 16
#: Calls of a filter that are so few are looked at one by one for words and metadata, whatever has these.
NARROW = 1_000
# In the place of a value that a call does not have.
_UNKNOWN = -1
#: No call has a `seq` outside of these.
FIRST, LAST = 1, (1 << SEQ_BITS) - 1
_EQUAL = ("agent_id", "status", "ended_reason", "direction", "batch_call_id", *INDEXED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuery:
    """Which calls of an organization; None does not filter. `created_after` is inclusive, `created_before` is not.

    Durations are whole seconds, both inclusive; a call without one matches neither. Of `metadata` every pair must be
    there, of `phrases` every one must have been said or stand in the summary.
    """

    organization_id: str
    agent_id: str | None = None
    status: CallStatus | None = None
    ended_reason: EndedReason | None = None
    direction: Direction | None = None
    batch_call_id: str | None = None
    contact_id: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    outcome: Outcome | None = None
    created_after: int | None = None
    created_before: int | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    phrases: tuple[Phrase, ...] = ()
    sort: Sort = "-created_at"

    @property
    def is_counted(self) -> bool:
        """Whether all its filters have counters."""
        return not self.is_capped and all(getattr(self, name) is None for name in INDEXED)

    @property
    def is_capped(self) -> bool:
        """Whether its total is exact only up to a limit."""
        return bool(self.phrases or self.metadata) or self.has_duration

    @property
    def has_duration(self) -> bool:
        """Whether it filters by duration."""
        return self.min_duration is not None or self.max_duration is not None

    @property
    def counted_filter(self) -> CountedFilter:
        """Its filters that have counters."""
        return CountedFilter(**{field.name: getattr(self, field.name) for field in fields(CountedFilter)})


class Sortable(Protocol):
    """What a place in a list is made of."""

    @property
    def seq(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query within a range of `seq`, which its times were turned into.

    `owner` is what `search.find_owner` found, `newest` the last call with words, `sparse_ranges` what
    `search.list_sparse_ranges` found, `is_narrow` whether the filters that have counters leave few calls.
    """

    query: CallQuery
    first: int
    last: int
    dialect: str
    owner: int | None = None
    newest: int = 0
    sparse_ranges: frozenset[int] = frozenset()
    is_narrow: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it is clear already that no call matches."""
        query = self.query
        no_text = bool(query.phrases) and (self.owner is None or () in query.phrases)
        return self.first > self.last or no_text

    def narrow(self, **changes: Any) -> "Asked":
        """The same with another `first` or `last`, or another filter."""
        bounds = {name: changes.pop(name) for name in ("first", "last") if name in changes}
        return replace(self, query=replace(self.query, **changes), **bounds)


async def ask(connection: AsyncConnection, query: CallQuery) -> Asked:
    """Turn the times of a query into a range of `seq`: `created_at` never falls as `seq` grows."""
    first, last = FIRST, LAST
    if query.created_after is not None:
        first = await _find_first(connection, query.organization_id, query.created_after) or LAST + 1
    if query.created_before is not None:
        after = await _find_first(connection, query.organization_id, query.created_before)
        last = LAST if after is None else after - 1
    owner = newest = None
    sparse_ranges: frozenset[int] = frozenset()
    if query.phrases:
        owner = await search.find_owner(connection, query.organization_id)
        newest = await search.find_newest(connection, query.organization_id)
        if owner is not None:
            sparse_ranges = await search.list_sparse_ranges(connection, owner=owner, phrases=query.phrases)
    is_narrow = False
    if query.is_capped or query.created_after is not None or query.created_before is not None:
        is_narrow = await counted.count_calls(connection, query.counted_filter) < NARROW
    return Asked(
        query=query,
        first=first,
        last=last,
        dialect=connection.dialect.name,
        owner=owner,
        newest=newest or 0,
        sparse_ranges=sparse_ranges,
        is_narrow=is_narrow,
    )


async def _find_first(connection: AsyncConnection, organization_id: str, at: int) -> int | None:
    condition = (calls.c.organization_id == organization_id) & (calls.c.created_at >= at)
    query = sa.select(calls.c.seq).where(condition).order_by(calls.c.created_at, calls.c.seq).limit(1)
    seq: int | None = (await connection.execute(query)).scalar()
    return seq


def find_place(call: Sortable, sort: Sort) -> Place:
    """Where a call stands in a list."""
    if sort not in SORTED_BY:
        return Place(call.seq)
    value = getattr(call, SORTED_BY[sort][0])
    return Place(call.seq, _UNKNOWN if value is None else value)


def key_of(sort: Sort) -> sa.ColumnElement[int]:
    """What a list is sorted by, as its index has it."""
    # Written out, so that it is the index's own expression.
    return sa.literal_column(f"coalesce(calls.{SORTED_BY[sort][0]}, {_UNKNOWN})", sa.BigInteger)


def match(asked: Asked) -> list[sa.ColumnElement[bool]]:
    """The conditions on columns of `calls`."""
    return [*match_range(asked), *match_rest(asked)]


def match_range(asked: Asked) -> list[sa.ColumnElement[bool]]:
    """Those on organization and `seq`."""
    conditions = [calls.c.organization_id == asked.query.organization_id]
    # Where they say nothing they would only lead a planner to the wrong index.
    if asked.first > FIRST:
        conditions.append(calls.c.seq >= asked.first)
    if asked.last < LAST:
        conditions.append(calls.c.seq <= asked.last)
    return conditions


def match_rest(asked: Asked, *, known: tuple[str, ...] = ()) -> list[sa.ColumnElement[bool]]:
    """The others, but for those of filters that are `known` to hold."""
    query = asked.query
    conditions = [
        calls.c[name] == value for name in _EQUAL if name not in known and (value := getattr(query, name)) is not None
    ]
    duration = key_of("-duration_seconds")
    if query.has_duration:
        conditions.append(duration >= (query.min_duration or 0))
    if query.max_duration is not None:
        conditions.append(duration <= query.max_duration)
    return conditions
