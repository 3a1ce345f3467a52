"""Lists of calls: any filter in any order, with totals and pages; each page is read in the way that suits it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import tables
from ringdown.calls.cursor import Place
from ringdown.calls.models import Call
from ringdown.calls.store import asked as asking
from ringdown.calls.store import calls as rows
from ringdown.calls.store import counted, scanned
from ringdown.calls.store.asked import SORTED_BY, Asked
from ringdown.calls.store.asked import CallQuery as CallQuery
from ringdown.calls.store.asked import Sort as Sort
from ringdown.calls.store.asked import find_place as find_place
from ringdown.calls.store.counted import Reader
from ringdown.db.direct import Row

calls = tables.calls

#: Totals of words, metadata and durations are exact up to here.
MAX_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class SeqPage:
    """Which calls stand on a page, by their `seq`, the number of calls before them and in the whole list.

    A total that is not exact is the greatest that is counted; the number of calls before is no greater either.
    """

    seqs: Sequence[int]
    offset: int
    total: int
    has_more: bool
    total_exact: bool = True


@dataclass(frozen=True, slots=True)
class CallPage:
    """The calls of a page, and the page."""

    calls: Sequence[Call]
    offset: int
    total: int
    has_more: bool
    total_exact: bool = True


def is_quick(query: CallQuery) -> bool:
    """Whether a page of this list needs kept statements of bounded cost alone, whatever the number of calls."""
    return query.is_counted and query.sort not in SORTED_BY


async def list_calls(
    connection: AsyncConnection, query: CallQuery, *, limit: int, offset: int = 0, after: Place | None = None
) -> CallPage:
    """A page of calls in the order of `query.sort`: from `offset`, or after the call at `after`."""
    page = await find_page(connection, query, limit=limit, offset=offset, after=after)
    found = await read_calls(connection, query.organization_id, page.seqs)
    return CallPage(found, page.offset, page.total, page.has_more, page.total_exact)


async def find_page(
    connection: Reader, query: CallQuery, *, limit: int, offset: int = 0, after: Place | None = None
) -> SeqPage:
    """Which calls stand on a page: from `offset`, or after the call at `after`. Only quick lists are read directly."""
    if is_quick(query):
        rows, total, offset = await find_counted(connection, query, limit=limit, offset=offset, after=after)
        return SeqPage([row[0] for row in rows], offset, total, offset + len(rows) < total)
    assert isinstance(connection, AsyncConnection)
    asked = await asking.ask(connection, query)
    most = MAX_COUNTED + 1 if query.is_capped else None
    total = await scanned.count_calls(connection, asked, limit=most)
    if after is not None:
        offset = await _count_before(connection, asked, after, total=total)
    # One more than wanted tells whether the list goes on, whatever its total.
    seqs = await _find_seqs(connection, asked, limit=limit + 1, offset=offset if after is None else 0, after=after)
    has_more = len(seqs) > limit
    if total == most:
        return SeqPage(seqs[:limit], min(offset, MAX_COUNTED), MAX_COUNTED, has_more, total_exact=False)
    return SeqPage(seqs[:limit], offset, total, has_more)


async def find_next(connection: AsyncConnection, query: CallQuery, *, limit: int, after: Place | None) -> Sequence[int]:
    """The `seq` of each of the next calls after a place, or of the first ones; nothing is counted."""
    if is_quick(query):
        rows, _, _ = await find_counted(connection, query, limit=limit, after=after)
        return [row[0] for row in rows]
    return await _find_seqs(connection, await asking.ask(connection, query), limit=limit, offset=0, after=after)


async def read_calls(connection: AsyncConnection, organization_id: str, seqs: Sequence[int]) -> list[Call]:
    """The calls of these `seq`s, in this order."""
    if not seqs:
        return []
    condition = (calls.c.organization_id == organization_id) & calls.c.seq.in_(seqs)
    found: dict[int, sa.Row[Any]] = {row.seq: row for row in await connection.execute(calls.select().where(condition))}
    return [rows.to_call(found[seq]) for seq in seqs]


async def find_counted(
    connection: Reader,
    query: CallQuery,
    *,
    columns: Sequence[str] = counted.ONLY_SEQ,
    limit: int,
    offset: int = 0,
    after: Place | None = None,
) -> tuple[list[Row], int, int]:
    """The rows of a page of a quick list, how many calls match in all, and how many stand before the page."""
    newest_first = query.sort != "created_at"
    if after is None:
        rows, total = await counted.find_rows(
            connection, query.counted_filter, columns=columns, limit=limit, offset=offset, newest_first=newest_first
        )
        return rows, total, offset
    return await counted.find_rows_after(
        connection, query.counted_filter, columns=columns, limit=limit, after_seq=after.seq, newest_first=newest_first
    )


async def _find_seqs(
    connection: AsyncConnection, asked: Asked, *, limit: int, offset: int, after: Place | None
) -> list[int]:
    if asked.query.sort in SORTED_BY:
        return await scanned.find_keyed_seqs(connection, asked, limit=limit, offset=offset, after=after)
    rest = asked if after is None else _cut(asked, after, keeps_before=False)
    return await scanned.find_seqs(connection, rest, limit=limit, offset=offset)


async def _count_before(connection: AsyncConnection, asked: Asked, after: Place, *, total: int) -> int:
    if asked.query.sort in SORTED_BY:
        return await scanned.count_before(connection, asked, after, limit=total)
    return await scanned.count_calls(connection, _cut(asked, after, keeps_before=True), limit=total)


def _cut(asked: Asked, place: Place, *, keeps_before: bool) -> Asked:
    """The part of a list in the order of time that stands before what follows a place, or follows it."""
    is_older = (asked.query.sort == "created_at") == keeps_before
    if is_older:
        return asked.narrow(last=min(asked.last, place.seq - (not keeps_before)))
    return asked.narrow(first=max(asked.first, place.seq + (not keeps_before)))
