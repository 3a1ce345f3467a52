"""Totals and pages of the filters that have counters: exact, in the order in which calls were placed.

What is sealed is read from counters, the rest and the ends of a range of times are counted; a page is looked for from
the root down to its blocks, and only those are read. Every statement is made once and kept.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import counting
from ringdown.calls.counting import LAST_SEQ, Counted, Stretch, Walk
from ringdown.db.direct import DirectConnection, Row

Reader = AsyncConnection | DirectConnection

#: Of each call of a page its `seq` alone.
ONLY_SEQ = ("seq",)

# In the place of a node: calls that were counted just now, in one stretch or the other; and nothing at all.
_LIVE = (-1, -2)
_NO_NODE = -3


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFilter:
    """Which calls of an organization; None does not filter. `created_after` is inclusive, `created_before` is not."""

    organization_id: str
    agent_id: str | None = None
    direction: str | None = None
    status: str | None = None
    ended_reason: str | None = None
    batch_call_id: str | None = None
    created_after: int | None = None
    created_before: int | None = None


async def count_calls(connection: Reader, wanted: CountedFilter) -> int:
    """How many calls match."""
    asked = _Asked.of(connection, wanted)
    return 0 if asked is None else _add_up((await _count_all(connection, asked)).counted)


async def find_seqs(
    connection: Reader, wanted: CountedFilter, *, limit: int, offset: int = 0, newest_first: bool = True
) -> tuple[list[int], int]:
    """The `seq` of each call of the page that begins at `offset`, in order, and how many calls match in all."""
    rows, total = await find_rows(
        connection, wanted, columns=ONLY_SEQ, limit=limit, offset=offset, newest_first=newest_first
    )
    return [row[0] for row in rows], total


async def find_seqs_after(
    connection: Reader, wanted: CountedFilter, *, limit: int, after_seq: int, newest_first: bool = True
) -> tuple[list[int], int, int]:
    """The page that follows the call `after_seq`, how many calls match in all, and how many stand before the page."""
    rows, total, before = await find_rows_after(
        connection, wanted, columns=ONLY_SEQ, limit=limit, after_seq=after_seq, newest_first=newest_first
    )
    return [row[0] for row in rows], total, before


async def find_rows(
    connection: Reader,
    wanted: CountedFilter,
    *,
    columns: Sequence[str],
    limit: int,
    offset: int = 0,
    newest_first: bool = True,
) -> tuple[list[Row], int]:
    """`find_seqs` with more of each call: SQL of columns of `calls`, the first of which is `seq`."""
    asked = _Asked.of(connection, wanted)
    if asked is None:
        return [], 0
    counted = (await _count_all(connection, asked)).counted
    page = _Page(limit, offset, newest_first, tuple(columns))
    return await _read_page(connection, asked, counted, page), _add_up(counted)


async def find_rows_after(
    connection: Reader,
    wanted: CountedFilter,
    *,
    columns: Sequence[str],
    limit: int,
    after_seq: int,
    newest_first: bool = True,
) -> tuple[list[Row], int, int]:
    """`find_seqs_after` with more of each call, as `find_rows`."""
    asked = _Asked.of(connection, wanted)
    if asked is None:
        return [], 0, 0
    everything = await _count_all(connection, asked)
    first, last, total = everything.first, everything.last, _add_up(everything.counted)
    if newest_first:
        last = min(last, after_seq - 1)
    else:
        first = max(first, after_seq + 1)
    rest = counting.decompose(first, last, sealed_blocks=everything.sealed_blocks)
    counted = await _count(connection, asked, rest)
    rows = await _read_page(connection, asked, counted, _Page(limit, 0, newest_first, tuple(columns)))
    return rows, total, total - _add_up(counted)


class _Shape(NamedTuple):
    """What tells one statement from another."""

    dialect: str
    columns: tuple[str, ...]
    has_two_keys: bool
    is_from: bool
    is_until: bool


class _Page(NamedTuple):
    limit: int
    offset: int
    newest_first: bool
    columns: tuple[str, ...]


class _Everything(NamedTuple):
    """The range of calls that a filter is about, and how many match in each of its stretches, oldest first."""

    first: int
    last: int
    sealed_blocks: int
    counted: Sequence[Counted]


class _Asked(NamedTuple):
    """A filter as statements need it."""

    shape: _Shape
    parameters: dict[str, Any]

    @classmethod
    def of(cls, connection: Reader, wanted: CountedFilter) -> "_Asked | None":
        """None when no call can match."""
        filters = {
            "agent_id": wanted.agent_id,
            "direction": wanted.direction,
            "status": wanted.status,
            "ended_reason": wanted.ended_reason,
            "batch_call_id": wanted.batch_call_id,
        }
        keys = counting.find_keys(**filters)
        if not keys:
            return None
        if wanted.batch_call_id is not None:
            del filters["direction"]  # its index has none: they are all dialled
        given = {name: value for name, value in filters.items() if value is not None}
        parameters: dict[str, Any] = {"organization_id": wanted.organization_id, "key": keys[0], **given}
        if len(keys) > 1:
            parameters["other_key"] = keys[1]
        if wanted.created_after is not None:
            parameters["created_after"] = wanted.created_after
        if wanted.created_before is not None:
            parameters["created_before"] = wanted.created_before
        return cls(
            _Shape(
                connection.dialect.name,
                tuple(given),
                len(keys) > 1,
                wanted.created_after is not None,
                wanted.created_before is not None,
            ),
            parameters,
        )


async def _count_all(connection: Reader, asked: _Asked) -> _Everything:
    shape, parameters = asked
    if shape.is_from or shape.is_until:
        blocks, first, last = (await connection.execute(_find_range(shape), parameters)).one()
        if first is None or last is None:
            return _Everything(1, 0, blocks, [])
        stretches = counting.decompose(first, last, sealed_blocks=blocks)
        return _Everything(first, last, blocks, await _count(connection, asked, stretches))
    size = counting.SCHEME.block_size
    root = {"root": counting.find_node(0, counting.ROOT_LEVEL), "block_size": size}
    blocks, in_root, after = (await connection.execute(_count_everything(shape), parameters | root)).one()
    stretches = counting.decompose(1, LAST_SEQ, sealed_blocks=blocks)
    found = [in_root or 0, after] if blocks else [after]
    counted = [Counted(stretch, int(calls)) for stretch, calls in zip(stretches, found, strict=True)]
    return _Everything(1, LAST_SEQ, blocks, counted)


async def _count(connection: Reader, asked: _Asked, stretches: Sequence[Stretch]) -> list[Counted]:
    """How many calls of each of the stretches match; at most two of them have no node."""
    if not stretches:
        return []
    parameters: dict[str, Any] = dict(asked.parameters)
    live = [stretch for stretch in stretches if stretch.node is None]
    for number, stretch in enumerate(live):
        parameters |= {f"first_{number}": stretch.first, f"last_{number}": stretch.last}
    nodes = [stretch.node for stretch in stretches if stretch.node is not None]
    # Few lengths, so that few statements are prepared.
    parameters["nodes"] = nodes + [_NO_NODE] * ((1 << max(len(nodes) - 1, 0).bit_length()) - len(nodes))
    calls: dict[int, int] = {}
    for node, number in await connection.execute(_count_stretches(asked.shape, len(live)), parameters):
        calls[node] = calls.get(node, 0) + int(number)
    marks = iter(_LIVE)
    return [
        Counted(stretch, calls.get(next(marks) if stretch.node is None else stretch.node, 0)) for stretch in stretches
    ]


async def _read_page(connection: Reader, asked: _Asked, counted: Sequence[Counted], page: _Page) -> list[Row]:
    """The calls of a page of stretches, which are given oldest first."""
    step = -1 if page.newest_first else 1
    needed, skipped = counting.trim(counted[::step], skipped=page.offset, limit=page.limit)
    while not all(counting.is_block(one.stretch) for one in needed):
        whole = [part for one in needed for part in _open(one, step)]
        opened = [part for one, part in whole if one is None]
        known = {part.stretch: part for part in await _count(connection, asked, opened)}
        needed, skipped = counting.trim([one or known[part] for one, part in whole], skipped=skipped, limit=page.limit)
    walks = counting.list_walks(needed, skipped)
    if not walks:
        return []
    first, last, offset = walks[0]
    place = {"first": first, "last": last, "offset": offset, "limit": page.limit}
    walk = _walk(asked.shape, page.newest_first, page.columns)
    rows = list(await _fetch(connection, walk, asked.parameters | place))
    if len(rows) < page.limit and walks[1:]:
        rows += await _read_rest(connection, asked, walks[1:], page._replace(limit=page.limit - len(rows)))
    return rows


async def _read_rest(connection: Reader, asked: _Asked, walks: Sequence[Walk], page: _Page) -> list[Row]:
    """What follows the first walk of a page, in one go: a page of few calls in each block would take fifty trips."""
    ends: dict[str, object] = {}
    if asked.shape.dialect == "sqlite":
        ends["walks"] = json.dumps([walk[:2] for walk in walks])
    else:
        ends |= {"firsts": [walk.first for walk in walks], "lasts": [walk.last for walk in walks]}
    found = await _fetch(connection, _walk_all(asked.shape, page.columns), asked.parameters | ends)
    return sorted(found, key=_get_seq, reverse=page.newest_first)[: page.limit]


async def _fetch(connection: Reader, statement: sa.TextClause, parameters: dict[str, Any]) -> Sequence[Row]:
    found: Any = await connection.execute(statement, parameters)
    rows: Sequence[Row] = found.all()
    return rows


def _get_seq(row: Row) -> int:
    seq: int = row[0]
    return seq


def _open(one: Counted, step: int) -> list[tuple[Counted | None, Stretch]]:
    """A stretch that is counted; or those that it is made of, which are not."""
    if counting.is_block(one.stretch):
        return [(one, one.stretch)]
    parts = counting.split(one.stretch)
    if len(parts) == 1:
        return [(Counted(parts[0], one.calls), parts[0])]
    return [(None, part) for part in parts[::step]]


def _add_up(counted: Iterable[Counted]) -> int:
    return sum(one.calls for one in counted)


_SEALED_BLOCKS = "COALESCE((SELECT sealed_blocks FROM call_seals WHERE organization_id = :organization_id), 0)"


@cache
def _count_everything(shape: _Shape) -> sa.TextClause:
    return sa.text(
        f"SELECT sealed.blocks, (SELECT SUM(calls) FROM call_counts WHERE organization_id = :organization_id"
        f" AND node = :root AND {_key(shape)}),"
        # Both ends are given: PostgreSQL takes a range with one for a third of all calls, and another index.
        f" (SELECT COUNT(*) FROM {_calls(shape)} AND seq BETWEEN sealed.blocks * :block_size + 1 AND {LAST_SEQ})"
        f" FROM (SELECT {_SEALED_BLOCKS} AS blocks) AS sealed"
    )


@cache
def _find_range(shape: _Shape) -> sa.TextClause:
    hint = _hint(shape, "ix_calls_created")
    of_owner = f"SELECT seq FROM calls{hint} WHERE organization_id = :organization_id AND created_at"
    first = f"({of_owner} >= :created_after ORDER BY created_at, seq LIMIT 1)" if shape.is_from else "1"
    last = (
        f"({of_owner} < :created_before ORDER BY created_at DESC, seq DESC LIMIT 1)"
        if shape.is_until
        else f"{LAST_SEQ}"
    )
    return sa.text(f"SELECT {_SEALED_BLOCKS}, {first}, {last}")


@cache
def _count_stretches(shape: _Shape, live: int) -> sa.TextClause:
    counters = (
        f"SELECT node, calls FROM call_counts WHERE organization_id = :organization_id AND node IN :nodes"
        f" AND {_key(shape)}"
    )
    counted = [
        f"SELECT {mark}, COUNT(*) FROM {_calls(shape)} AND seq BETWEEN :first_{number} AND :last_{number}"
        for number, mark in enumerate(_LIVE[:live])
    ]
    return sa.text(" UNION ALL ".join((counters, *counted))).bindparams(sa.bindparam("nodes", expanding=True))


@cache
def _walk(shape: _Shape, newest_first: bool, columns: tuple[str, ...]) -> sa.TextClause:
    order = "DESC" if newest_first else "ASC"
    of_page = f"{_calls(shape)} AND seq BETWEEN :first AND :last ORDER BY seq {order} LIMIT :limit OFFSET :offset"
    if shape.dialect == "sqlite" or columns == ONLY_SEQ:  # SQLite reads no row that is skipped
        return sa.text(f"SELECT {', '.join(columns)} FROM {of_page}")
    return sa.text(
        f"SELECT {', '.join(columns)} FROM (SELECT seq AS place FROM {of_page}) AS page"
        " JOIN calls ON organization_id = :organization_id AND seq = page.place"
        f" ORDER BY seq {order}"
    )


@cache
def _walk_all(shape: _Shape, columns: tuple[str, ...]) -> sa.TextClause:
    if shape.dialect == "sqlite":
        first, last = (f"json_extract(walk.value, '$[{place}]')" for place in (0, 1))
        # What `json_each` finds has columns named as some of `calls`.
        return sa.text(
            f"SELECT {', '.join(columns)} FROM (SELECT value FROM json_each(:walks)) AS walk CROSS JOIN {_calls(shape)}"
            f" AND seq BETWEEN {first} AND {last}"
        )
    # OFFSET 0 is a fence: else PostgreSQL may read everything that the filter finds, and join that.
    return sa.text(
        "SELECT found.* FROM unnest(CAST(:firsts AS BIGINT[]), CAST(:lasts AS BIGINT[])) AS walks (first, last),"
        f" LATERAL (SELECT {', '.join(columns)} FROM {_calls(shape)}"
        " AND seq BETWEEN walks.first AND walks.last OFFSET 0) AS found"
    )


def _key(shape: _Shape) -> str:
    return "key IN (:key, :other_key)" if shape.has_two_keys else "key = :key"


def _calls(shape: _Shape) -> str:
    """The calls that match, whenever they were placed; read from one index alone."""
    name = "batch" if "batch_call_id" in shape.columns else "agent" if "agent_id" in shape.columns else "listing"
    conditions = " AND ".join(f"{column} = :{column}" for column in ("organization_id", *shape.columns))
    return f"calls{_hint(shape, f'ix_calls_{name}')} WHERE {conditions}"


def _hint(shape: _Shape, index: str) -> str:
    # Without statistics of its own SQLite takes another index and sorts.
    return f" INDEXED BY {index}" if shape.dialect == "sqlite" else ""
