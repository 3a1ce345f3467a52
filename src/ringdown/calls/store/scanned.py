"""Lists of calls by filters and in orders that have no counters: how many there are, and which stand on a page.

A list is read from what finds few rows: the words, a pair of metadata, or an index of `calls`. Where many calls match,
the list is walked in its order instead, and each call on the way is looked at: a page of them is found soon.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import tables
from ringdown.calls.cursor import Place
from ringdown.calls.models import CALL_STATUSES
from ringdown.calls.store import asked as asking
from ringdown.calls.store import counted, search
from ringdown.calls.store.asked import INDEXED, SORTED_BY, Asked

calls = tables.calls

# How many calls stand before a place that may be anywhere.
_FAR = 1_000_000
# In the order of how long their calls are.
_STATUSES = ("completed", "failed", "in_progress", "ringing", "queued")


async def count_calls(connection: AsyncConnection, asked: Asked, *, limit: int | None = None) -> int:
    """How many calls match; counts no further than `limit`."""
    if asked.is_empty:
        return 0
    if asked.query.is_counted:
        return await counted.count_calls(connection, asked.query.counted_filter)
    known = await _count_ranges(connection, asked)
    found = sum(known.values())
    if limit is not None and found >= limit:
        return limit
    rows = _select(asked, known_ranges=known)
    rows = rows if limit is None else rows.limit(limit - found)
    query = sa.select(sa.func.count()).select_from(rows.subquery())
    return found + int((await connection.execute(query)).scalar_one())


async def _count_ranges(connection: AsyncConnection, asked: Asked) -> Mapping[int, int]:
    """What is known of ranges of calls without looking at their hits."""
    query = asked.query
    if not (query.phrases and _reads_hits(asked)) or query.metadata or _match_rest(asked):
        return {}
    assert asked.owner is not None
    return await search.count_ranges(
        connection, owner=asked.owner, phrases=query.phrases, facts=_list_facts(asked), **_find_span(asked)
    )


async def count_before(connection: AsyncConnection, asked: Asked, place: Place, *, limit: int | None = None) -> int:
    """How many matching calls stand before what follows `place` in an order other than by time; at most `limit`."""
    found = 0
    for rows in await _list_parts(connection, asked, wanted=_FAR):
        key, seq = rows.selected_columns["key"], rows.selected_columns["seq"]
        at = sa.literal(place.key, sa.BigInteger)
        for hits in (rows.where(key > at), rows.where(key == at, seq >= place.seq)):
            hits = hits if limit is None else hits.limit(limit - found)
            query = sa.select(sa.func.count()).select_from(hits.subquery())
            found += int((await connection.execute(query)).scalar_one())
            if found == limit:
                return found
    return found


async def find_seqs(connection: AsyncConnection, asked: Asked, *, limit: int, offset: int = 0) -> list[int]:
    """The `seq` of each call of a page in the order of time; `asked` ends where a cursor stands."""
    newest_first = asked.query.sort != "created_at"
    if asked.is_empty:
        return []
    if _reads_durations(asked) and await count_calls(connection, asked, limit=asking.FEW) < asking.FEW:
        all_rows = _select(asked).offset(0).subquery()
        order = all_rows.c.seq.desc() if newest_first else all_rows.c.seq.asc()
        page = sa.select(all_rows.c.seq).order_by(order)
    else:
        page = _select(asked, newest_first=newest_first)
    return list((await connection.execute(page.limit(limit).offset(offset))).scalars())


async def find_keyed_seqs(
    connection: AsyncConnection, asked: Asked, *, limit: int, offset: int = 0, after: Place | None = None
) -> list[int]:
    """The `seq` of each call of a page in an order other than by time, from `offset` or after the call at a place."""
    wanted = limit + offset
    parts = await _list_parts(connection, asked, wanted=wanted)
    arms = [arm for rows in parts[:1] for arm in _list_arms(rows, after, wanted)]
    if len(parts) > 1:
        # Most calls that talked stand before all others, which are looked through only as far as these do not fill it.
        lowest = _union(arms).order_by(sa.desc("key")).limit(1).offset(wanted - 1)
        least = (await connection.execute(sa.select(lowest.subquery().c["key"]))).scalar()
        for rows in parts[1:]:
            key = rows.selected_columns["key"]
            arms += _list_arms(rows if least is None else rows.where(key >= least), after, wanted)
    if not arms:
        return []
    found = _union(arms).subquery()
    page = sa.select(found.c.seq).order_by(found.c.key.desc(), found.c.seq.desc()).limit(limit).offset(offset)
    return list((await connection.execute(page)).scalars())


def _union(arms: Sequence[sa.Select[Any]]) -> sa.CompoundSelect[Any]:
    return sa.union_all(*(sa.select(arm.subquery()) for arm in arms))


async def _list_parts(connection: AsyncConnection, asked: Asked, *, wanted: int) -> list[sa.Select[Any]]:
    """The `seq` and `key` of all matching calls, in no order; by status, the greatest keys first, if they are many.

    `wanted` is how many of the first ones are needed.
    """
    if asked.is_empty:
        return []
    is_hit = bool(asked.query.phrases or asked.query.metadata)
    few = asking.FEW if is_hit else asking.FEW_ROWS
    if not asked.query.is_counted and _has_index(asked) and await count_calls(connection, asked, limit=few) < few:
        return [_gather_keyed(asked)]
    parts: list[sa.Select[Any]] = []
    status = asked.query.status
    for one in _STATUSES if status is None else (status,):
        part = asked.narrow(status=one)
        # Metadata knows no status: there it takes longer to count than to walk.
        is_costly = asked.query.metadata and _reads_hits(asked)
        matching = few if is_costly else await count_calls(connection, part, limit=few)
        if matching:
            if part.query.is_counted:
                gathers = await _is_gathered_sooner(connection, part, matching=matching, wanted=wanted)
            else:
                gathers = matching < few and _has_index(part)
            parts.append(_gather_keyed(part) if gathers else _walk_keyed(part))
    return parts


async def _is_gathered_sooner(connection: AsyncConnection, asked: Asked, *, matching: int, wanted: int) -> bool:
    """Whether few calls of an agent or a batch are read sooner than the index of the order up to the last of a page."""
    if not _has_index(asked):
        return False
    found_by = asked.narrow(status=None, direction=None, ended_reason=None)
    walked = asked.narrow(
        agent_id=None, batch_call_id=None, direction=None, ended_reason=None, created_after=None, created_before=None
    )
    gathered = await count_calls(connection, found_by) + asking.ROW_COST * matching
    return gathered * matching < wanted * await count_calls(connection, walked)


def _list_arms(rows: sa.Select[Any], after: Place | None, limit: int) -> Iterator[sa.Select[Any]]:
    """The first rows after a place: those with the same key, and those with a smaller one, each a range of an index."""
    key, seq = rows.selected_columns["key"], rows.selected_columns["seq"]
    order = (key.desc(), seq.desc())
    if after is None:
        yield rows.order_by(*order).limit(limit)
        return
    at = sa.literal(after.key, sa.BigInteger)
    yield rows.where(key == at, seq < after.seq).order_by(seq.desc()).limit(limit)  # ordered by the key as it is
    yield rows.where(key < at).order_by(*order).limit(limit)


def _gather_keyed(asked: Asked) -> sa.Select[Any]:
    """All matching calls, found by what finds few."""
    query = asked.query
    key = asking.key_of(query.sort)
    if _reads_hits(asked):
        hits = _select_hits(asked).offset(0).subquery()
        sorted_by = sa.select(key).where(
            calls.c.organization_id == query.organization_id, calls.c.seq == hits.c.seq, *_match_rest(asked)
        )
        rows = sa.select(hits.c.seq, sorted_by.scalar_subquery().label("key"))
    else:
        rows = _select_rows(asked).add_columns(key.label("key"))
    # A fence: the order of a page does not change how its calls are found.
    gathered = rows.offset(0).subquery()
    return sa.select(gathered.c.seq, gathered.c.key).where(gathered.c.key.is_not(None))


def _walk_keyed(asked: Asked) -> sa.Select[Any]:
    """All matching calls of one status, found on the index of the order."""
    rows = sa.select(calls.c.seq, asking.key_of(asked.query.sort).label("key"))
    return _hint(rows.where(*asking.match(asked), *_list_held(asked)), SORTED_BY[asked.query.sort][1])


def _select(asked: Asked, *, newest_first: bool | None = None, known_ranges: Container[int] = ()) -> sa.Select[Any]:
    """The `seq` of all matching calls but those of `known_ranges`, in the order of time if one is named."""
    query = asked.query
    if not _reads_hits(asked):
        rows = _select_rows(asked, in_order=newest_first is not None)
        if newest_first is None:
            return rows
        return rows.order_by(calls.c.seq.desc() if newest_first else calls.c.seq.asc())
    rows = _select_hits(asked, newest_first=newest_first, known_ranges=known_ranges)
    rest = _match_rest(asked)
    if rest:
        found: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
            calls.c.organization_id == query.organization_id, calls.c.seq == rows.selected_columns["seq"], *rest
        )
        rows = rows.where(found.scalar_subquery() == sa.literal_column("1"))
    return rows


def _select_hits(
    asked: Asked, *, newest_first: bool | None = None, known_ranges: Container[int] = ()
) -> sa.Select[Any]:
    """The `seq` of the calls that match as far as words and metadata tell, in the order of time if one is named."""
    query, others = asked.query, asked.query.metadata
    if query.phrases:
        assert asked.owner is not None
        rows = search.select_hits(
            asked.dialect,
            owner=asked.owner,
            phrases=query.phrases,
            facts=_list_facts(asked),
            newest_first=newest_first,
            known_ranges=known_ranges,
            sparse_ranges=asked.sparse_ranges,
            **_find_span(asked),
        )
    else:
        rows = search.select_pair(
            query.organization_id, others[0], first=asked.first, last=asked.last, newest_first=newest_first
        )
        others = others[1:]
    seq = rows.selected_columns["seq"]
    return rows.where(*(search.has_pair(query.organization_id, seq, pair) for pair in others))


def _list_facts(asked: Asked) -> dict[str, str]:
    return {name: value for name in search.FACTS if (value := getattr(asked.query, name)) is not None}


def _find_span(asked: Asked) -> dict[str, int]:
    """The first and the last call that may have words."""
    return {"first": asked.first, "last": min(asked.last, asked.newest)}


def _match_rest(asked: Asked) -> list[sa.ColumnElement[bool]]:
    return asking.match_rest(asked, known=search.FACTS if asked.query.phrases else ())


def _list_held(asked: Asked) -> list[sa.ColumnElement[bool]]:
    """The conditions on words and metadata of calls that are looked at."""
    query = asked.query
    held = [search.has_pair(query.organization_id, calls.c.seq, pair) for pair in query.metadata]
    return [*held, search.hold(query.organization_id, calls.c.seq, query.phrases)] if query.phrases else held


def _select_rows(asked: Asked, *, in_order: bool = False) -> sa.Select[Any]:
    """The same on an index of `calls`."""
    query = asked.query
    rows = sa.select(calls.c.seq).where(*asking.match(asked), *_list_held(asked))
    index = next((index for name, index in INDEXED.items() if getattr(query, name) is not None), None)
    if index is None and _reads_durations(asked) and not in_order:
        index = "ix_calls_by_duration"
        if query.status is None:
            rows = rows.where(calls.c.status.in_(CALL_STATUSES))
    if index is None and query.batch_call_id is not None:
        index = "ix_calls_batch"
    if index is None:
        index = "ix_calls_listing" if query.agent_id is None else "ix_calls_agent"
    return _hint(rows, index)


def _hint(rows: sa.Select[Any], index: str) -> sa.Select[Any]:
    # SQLite knows little of how many rows an index finds; PostgreSQL knows, and has no hints.
    return rows.with_hint(calls, f"INDEXED BY {index}", "sqlite")


def _reads_hits(asked: Asked) -> bool:
    """Whether words or metadata find the calls, and not what finds fewer."""
    query = asked.query
    return bool(query.phrases or query.metadata) and not asked.is_narrow and query.contact_id is None


def _has_index(asked: Asked) -> bool:
    """Whether few matching calls are found without looking at many."""
    query = asked.query
    names = ("batch_call_id", "agent_id", *INDEXED)
    return bool(query.phrases or query.metadata or asked.is_narrow) or any(getattr(query, name) for name in names)


def _reads_durations(asked: Asked) -> bool:
    """Whether the calls are found by their duration, as nothing tells more of them."""
    query = asked.query
    is_found = query.phrases or query.metadata or any(getattr(query, name) is not None for name in INDEXED)
    return query.has_duration and not is_found and not asked.is_narrow
