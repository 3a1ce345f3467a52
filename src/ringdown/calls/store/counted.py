"""Totals and pages of the filters that have counters: exact, in the order in which calls were placed.

What is sealed is read from counters, the rest and the ends of a range of times are counted; a page is looked for from
the root down to its blocks, and only those are read. Every statement is made once and kept.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import counting
from ringdown.calls.counting import LAST_SEQ, Counted, Stretch, Walk
from ringdown.db.direct import DirectConnection, Row

Reader = AsyncConnection | DirectConnection

#: Of each call of a page its `seq` alone.
ONLY_SEQ = ("seq",)

# In the place of a node: how many blocks are sealed; the calls after them; those of the first stretch without a node,
# less one for each that follows; and nothing at all.
_SEALED, _REST, _LIVE = -1, -2, -3
_NO_NODE = -(2**40)
_ROOT = Stretch(1, LAST_SEQ, counting.find_node(0, counting.ROOT_LEVEL))

# By organization, how many blocks were sealed when its calls were last counted. By it is guessed what a page needs, to
# count it in the same go; what is counted is true of its nodes whatever was sealed since.
_MAX_SEEN = 10_000
_seen_blocks: dict[str, int] = {}


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
    return 0 if asked is None else _add_up((await _count_all(asked)).counted)


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
    page = _Page(limit, offset, None, newest_first, tuple(columns))
    rows, total, _ = await _find_page(_Asked.of(connection, wanted), page)
    return rows, total


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
    page = _Page(limit, 0, after_seq, newest_first, tuple(columns))
    return await _find_page(_Asked.of(connection, wanted), page)


class _Shape(NamedTuple):
    """What tells one statement from another."""

    dialect: str
    columns: tuple[str, ...]
    has_two_keys: bool
    is_from: bool
    is_until: bool


class _Page(NamedTuple):
    """A page that begins at an offset, or after a call."""

    limit: int
    offset: int
    after_seq: int | None
    newest_first: bool
    columns: tuple[str, ...]


class _Everything(NamedTuple):
    """The range of calls that a filter is about, and how many match in each of its stretches, oldest first."""

    first: int
    last: int
    sealed_blocks: int
    counted: Sequence[Counted]


class _Asked(NamedTuple):
    """A filter as statements need it; and what has been counted of it, by node or by a stretch that has none."""

    connection: Reader
    shape: _Shape
    parameters: dict[str, Any]
    known: dict[int | Stretch, int]

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
            connection,
            _Shape(
                connection.dialect.name,
                tuple(given),
                len(keys) > 1,
                wanted.created_after is not None,
                wanted.created_before is not None,
            ),
            parameters,
            {},
        )


async def _find_page(asked: _Asked | None, page: _Page) -> tuple[list[Row], int, int]:
    """The calls of a page, how many match in all, and how many of them stand before what follows a call."""
    if asked is None:
        return [], 0, 0
    everything = await _count_all(asked, page)
    counted, total = everything.counted, _add_up(everything.counted)
    if page.after_seq is not None:
        counted = await _count(asked, _list_rest(page, everything.first, everything.last, everything.sealed_blocks))
    return await _read_page(asked, counted, page), total, total - _add_up(counted)


def _list_rest(page: _Page, first: int, last: int, sealed_blocks: int) -> Sequence[Stretch]:
    """What of a range follows the call after which a page begins."""
    assert page.after_seq is not None
    if page.newest_first:
        last = min(last, page.after_seq - 1)
    else:
        first = max(first, page.after_seq + 1)
    return counting.decompose(first, last, sealed_blocks=sealed_blocks)


async def _count_all(asked: _Asked, page: _Page | None = None) -> _Everything:
    """All that match; in the same go is counted what the page needs, as far as it can be foreseen."""
    if not asked.shape.is_from and not asked.shape.is_until:
        blocks = await _count_root(asked, page)
        return _Everything(1, LAST_SEQ, blocks, await _count(asked, _list_all(blocks)))
    [(blocks, first, last)] = await _fetch(asked, _find_range(asked.shape), {})
    if first is None or last is None:
        return _Everything(1, 0, blocks, [])
    stretches = counting.decompose(first, last, sealed_blocks=blocks)
    if page is not None and page.after_seq is not None:
        await _count(asked, [*stretches, *_list_rest(page, first, last, blocks)])
    return _Everything(first, last, blocks, await _count(asked, stretches))


async def _count_root(asked: _Asked, page: _Page | None) -> int:
    """Count the root, the calls after it, and what the page is thought to need; how many blocks are sealed."""
    organization_id = asked.parameters["organization_id"]
    seen = _seen_blocks.get(organization_id, 0)
    await _look_up(asked, [_ROOT, *(_foresee(page, seen) if page and seen else ())], has_rest=True)
    blocks = _seen_blocks[organization_id] = asked.known.pop(_SEALED)
    asked.known[_list_all(blocks)[-1]] = asked.known.pop(_REST)
    if len(_seen_blocks) > _MAX_SEEN:
        _seen_blocks.clear()
    return blocks


def _foresee(page: _Page, sealed_blocks: int) -> Sequence[Stretch]:
    """What must be counted for a page when so many blocks are sealed, without what may be long if more are."""
    if page.after_seq is not None:
        rest = _list_rest(page, 1, LAST_SEQ, sealed_blocks)
        return [one for one in rest if one.node is not None or one.last - one.first < counting.SCHEME.block_size]
    if page.offset == 0 and page.newest_first:
        return []  # it is seldom in a sealed block
    return counting.split(_list_all(sealed_blocks)[0])


def _list_all(sealed_blocks: int) -> Sequence[Stretch]:
    return counting.decompose(1, LAST_SEQ, sealed_blocks=sealed_blocks)


async def _count(asked: _Asked, stretches: Sequence[Stretch]) -> list[Counted]:
    """How many calls of each of the stretches match."""
    known = asked.known
    unknown = list(dict.fromkeys(one for one in stretches if (one if one.node is None else one.node) not in known))
    if unknown:
        await _look_up(asked, unknown)
    return [Counted(one, known[one if one.node is None else one.node]) for one in stretches]


async def _look_up(asked: _Asked, stretches: Sequence[Stretch], *, has_rest: bool = False) -> None:
    """Make the calls of each stretch known; and, by marks, how many blocks are sealed and the calls after them."""
    known = asked.known
    parameters: dict[str, Any] = {"block_size": counting.SCHEME.block_size}
    live = [one for one in stretches if one.node is None]
    for number, one in enumerate(live):
        parameters |= {f"first_{number}": one.first, f"last_{number}": one.last}
    nodes = [one.node for one in stretches if one.node is not None]
    known |= dict.fromkeys(nodes, 0)  # what has no counter has no calls
    # Few lengths, so that few statements are prepared.
    parameters["nodes"] = nodes + [_NO_NODE] * ((1 << max(len(nodes) - 1, 0).bit_length()) - len(nodes))
    for node, calls in await _fetch(asked, _count_stretches(asked.shape, len(live), has_rest), parameters):
        known[node] = known.get(node, 0) + calls
    for number, one in enumerate(live):
        known[one] = known.pop(_LIVE - number)


async def _read_page(asked: _Asked, counted: Sequence[Counted], page: _Page) -> list[Row]:
    """The calls of a page of stretches, which are given oldest first."""
    step = -1 if page.newest_first else 1
    needed, skipped = counting.trim(counted[::step], skipped=page.offset, limit=page.limit)
    while not all(counting.is_block(one.stretch) for one in needed):
        parts = [part for one in needed for part in _open(one.stretch, step)]
        needed, skipped = counting.trim(await _count(asked, parts), skipped=skipped, limit=page.limit)
    walks = counting.list_walks(needed, skipped)
    if not walks:
        return []
    first, last, offset = walks[0]
    place = {"first": first, "last": last, "offset": offset, "limit": page.limit}
    walk = _walk(asked.shape, page.newest_first, page.columns)
    rows = list(await _fetch(asked, walk, place))
    if len(rows) < page.limit and walks[1:]:
        rows += await _read_rest(asked, walks[1:], page._replace(limit=page.limit - len(rows)))
    return rows


async def _read_rest(asked: _Asked, walks: Sequence[Walk], page: _Page) -> list[Row]:
    """What follows the first walk of a page, in one go: a page of few calls in each block would take fifty trips."""
    ends: dict[str, object] = {}
    if asked.shape.dialect == "sqlite":
        ends["walks"] = json.dumps([walk[:2] for walk in walks])
    else:
        ends |= {"firsts": [walk.first for walk in walks], "lasts": [walk.last for walk in walks]}
    found = await _fetch(asked, _walk_all(asked.shape, page.columns), ends)
    return sorted(found, key=itemgetter(0), reverse=page.newest_first)[: page.limit]


async def _fetch(asked: _Asked, statement: sa.TextClause, parameters: dict[str, Any]) -> Sequence[Row]:
    found: Any = await asked.connection.execute(statement, asked.parameters | parameters)
    rows: Sequence[Row] = found.all()
    return rows


def _open(stretch: Stretch, step: int) -> Sequence[Stretch]:
    """The stretches that one is made of, in the order of a page; of a block itself."""
    return [stretch] if counting.is_block(stretch) else counting.split(stretch)[::step]


def _add_up(counted: Iterable[Counted]) -> int:
    return sum(one.calls for one in counted)


_SEALED_BLOCKS = "COALESCE((SELECT sealed_blocks FROM call_seals WHERE organization_id = :organization_id), 0)"


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
def _count_stretches(shape: _Shape, live: int, has_rest: bool) -> sa.TextClause:
    counters = (
        f"SELECT node, calls FROM call_counts WHERE organization_id = :organization_id AND node IN :nodes"
        f" AND {_key(shape)}"
    )
    # Both ends are given: PostgreSQL takes a range with one for a third of all calls, and another index.
    ends = {_LIVE - number: (f":first_{number}", f":last_{number}") for number in range(live)}
    if has_rest:
        ends[_REST] = (f"{_SEALED_BLOCKS} * :block_size + 1", f"{LAST_SEQ}")
    counted = [
        f"SELECT {mark}, COUNT(*) FROM {_calls(shape)} AND seq BETWEEN {first} AND {last}"
        for mark, (first, last) in ends.items()
    ]
    if has_rest:
        counted.append(f"SELECT {_SEALED}, {_SEALED_BLOCKS}")
    return sa.text(" UNION ALL ".join((counters, *counted))).bindparams(sa.bindparam("nodes", expanding=True))


@cache
def _walk(shape: _Shape, newest_first: bool, columns: tuple[str, ...]) -> sa.TextClause:
    order = "DESC" if newest_first else "ASC"
    selected, of_page = f"SELECT {', '.join(columns)} FROM", f"{_calls(shape)} AND seq BETWEEN :first AND :last"
    placed = f"ORDER BY seq {order} LIMIT :limit OFFSET :offset"
    if shape.dialect == "sqlite" or columns == ONLY_SEQ:  # SQLite reads no row that is skipped
        return sa.text(f"{selected} {of_page} {placed}")
    if not shape.columns:  # from the call where the page begins
        start = f"(SELECT seq FROM {of_page} ORDER BY seq {order} LIMIT 1 OFFSET :offset)"
        ends = f":first AND {start}" if newest_first else f"{start} AND :last"
        return sa.text(f"{selected} {_calls(shape)} AND seq BETWEEN {ends} ORDER BY seq {order} LIMIT :limit")
    return sa.text(
        f"{selected} (SELECT seq AS place FROM {of_page} {placed}) AS page"
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
