"""Totals and pages of the filters that have counters: exact, in the order in which calls were placed.

What is sealed is read from counters, the rest and the ends of a range of times are counted; a page is looked for from
the root down to its blocks, and only those are read.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import counting
from ringdown.calls.counting import LAST_SEQ, Counted, Stretch, Walk
from ringdown.calls.store import counted_statements as statements
from ringdown.calls.store.counted_statements import ONLY_SEQ as ONLY_SEQ
from ringdown.calls.store.counted_statements import Shape
from ringdown.db.direct import DirectConnection, Row

Reader = AsyncConnection | DirectConnection

_NO_RUN = (1, 0)
_ROOT = Stretch(1, LAST_SEQ, counting.find_node(0, counting.ROOT_LEVEL))

# What was last counted of filters, by organization and keys, of so many of them. By it is guessed what a page needs, to
# count it in the same go; what is counted is true of its nodes whatever has changed since.
_MAX_SEEN, _MAX_SEEN_PLACES = 256, 512
_seen: dict[tuple[str, ...], "_Seen"] = {}


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
    if asked is None:
        return 0
    everything = await _count_all(asked)
    _remember(asked, everything.sealed_blocks)
    return _add_up(everything.counted)


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


class _Page(NamedTuple):
    """A page that begins at an offset, or after a call."""

    limit: int
    offset: int
    after_seq: int | None
    newest_first: bool
    columns: tuple[str, ...]

    @property
    def step(self) -> int:
        """Which way the page goes through stretches that stand oldest first."""
        return -1 if self.newest_first else 1


class _Everything(NamedTuple):
    """The range of calls that a filter is about, and how many match in each of its stretches, oldest first."""

    first: int
    last: int
    sealed_blocks: int
    counted: Sequence[Counted]


class _Seen(NamedTuple):
    """How many blocks were sealed when a filter was last counted, and what was counted, as `_Asked.known`."""

    sealed_blocks: int
    known: dict[int | Stretch, int]


class _Asked(NamedTuple):
    """A filter as statements need it, and as `_seen` has it; what is counted of it, by node, or stretch without one."""

    connection: Reader
    shape: Shape
    parameters: dict[str, Any]
    known: dict[int | Stretch, int]
    seen_by: tuple[str, ...]

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
            Shape(
                connection.dialect.name,
                tuple(given),
                len(keys) > 1,
                wanted.created_after is not None,
                wanted.created_before is not None,
            ),
            parameters,
            {},
            (wanted.organization_id, *keys),
        )


async def _find_page(asked: _Asked | None, page: _Page) -> tuple[list[Row], int, int]:
    """The calls of a page, how many match in all, and how many of them stand before what follows a call."""
    if asked is None:
        return [], 0, 0
    everything = await _count_all(asked, page)
    counted, total = everything.counted, _add_up(everything.counted)
    if page.after_seq is not None:
        counted = await _count(asked, _list_rest(page, everything.first, everything.last, everything.sealed_blocks))
    needed, skipped = await _find_blocks(asked, counted, page)
    _remember(asked, everything.sealed_blocks)
    return await _read_page(asked, needed, skipped, page), total, total - _add_up(counted)


def _list_rest(page: _Page, first: int, last: int, sealed_blocks: int) -> Sequence[Stretch]:
    """What of a range a page may be in: all of it, or what follows the call after which the page begins."""
    if page.after_seq is None:
        return counting.decompose(first, last, sealed_blocks=sealed_blocks)
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
    [(blocks, first, last)] = await _fetch(asked, statements.find_range(asked.shape), {})
    if first is None or last is None:
        return _Everything(1, 0, blocks, [])
    stretches = counting.decompose(first, last, sealed_blocks=blocks)
    await _count(asked, [*stretches, *(_foresee(asked, page, first, last, blocks) if page else ())])
    return _Everything(first, last, blocks, await _count(asked, stretches))


async def _count_root(asked: _Asked, page: _Page | None) -> int:
    """Count the root, the calls after it, and what the page is thought to need; how many blocks are sealed."""
    seen = _seen.get(asked.seen_by)
    foreseen = _foresee(asked, page, 1, LAST_SEQ, seen.sealed_blocks) if page and seen else ()
    # Without what is long if more blocks are sealed by now.
    short = [one for one in foreseen if one.node is not None or one.last - one.first < counting.SCHEME.block_size]
    await _look_up(asked, [_ROOT, *short], has_rest=True)
    blocks = asked.known.pop(statements.SEALED)
    asked.known[_list_all(blocks)[-1]] = asked.known.pop(statements.REST)
    return blocks


def _foresee(asked: _Asked, page: _Page, first: int, last: int, sealed_blocks: int) -> Sequence[Stretch]:
    """What of a range must be counted for a page if everything is as it was when the filter was last counted."""
    seen = _seen.get(asked.seen_by)
    known = seen.known if seen else {}
    foreseen: dict[Stretch, None] = {}
    parts, skipped = _list_rest(page, first, last, sealed_blocks)[:: page.step], page.offset
    while parts:
        foreseen |= dict.fromkeys(parts)
        if any(_place(one) not in known for one in parts):
            break
        counted = [Counted(one, known[_place(one)]) for one in parts]
        needed, skipped = counting.trim(counted, skipped=skipped, limit=page.limit)
        parts = [] if _has_blocks_alone(needed) else _open_all(needed, page.step)
    return list(foreseen)


def _remember(asked: _Asked, sealed_blocks: int) -> None:
    """Keep what was counted of a filter, for the next page of it."""
    seen = _seen.pop(asked.seen_by, None)
    known = seen.known if seen and len(seen.known) + len(asked.known) <= _MAX_SEEN_PLACES else {}
    known |= asked.known
    _seen[asked.seen_by] = _Seen(sealed_blocks, known)
    if len(_seen) > _MAX_SEEN:
        del _seen[next(iter(_seen))]  # the one that was not asked for longest


def _list_all(sealed_blocks: int) -> Sequence[Stretch]:
    return counting.decompose(1, LAST_SEQ, sealed_blocks=sealed_blocks)


async def _count(asked: _Asked, stretches: Sequence[Stretch]) -> list[Counted]:
    """How many calls of each of the stretches match."""
    known = asked.known
    unknown = list(dict.fromkeys(one for one in stretches if _place(one) not in known))
    if unknown:
        await _look_up(asked, unknown)
    return [Counted(one, known[_place(one)]) for one in stretches]


def _place(stretch: Stretch) -> int | Stretch:
    """By what a stretch is known: its node, if it has one."""
    return stretch if stretch.node is None else stretch.node


async def _look_up(asked: _Asked, stretches: Sequence[Stretch], *, has_rest: bool = False) -> None:
    """Make the calls of each stretch known; and, by marks, how many blocks are sealed and the calls after them."""
    known = asked.known
    parameters: dict[str, Any] = {"block_size": counting.SCHEME.block_size}
    live = [one for one in stretches if one.node is None]
    for number, one in enumerate(live):
        parameters |= {f"first_{number}": one.first, f"last_{number}": one.last}
    nodes = [one.node for one in stretches if one.node is not None]
    known |= dict.fromkeys(nodes, 0)  # what has no counter has no calls
    runs = counting.list_runs(nodes)
    # Few numbers of runs, so that few statements are prepared.
    runs += [_NO_RUN] * ((1 << max(len(runs) - 1, 0).bit_length()) - len(runs))
    for number, (first, last) in enumerate(runs):
        parameters |= {f"first_node_{number}": first, f"last_node_{number}": last}
    statement = statements.count_stretches(asked.shape, len(runs), len(live), has_rest)
    for node, calls in await _fetch(asked, statement, parameters):
        known[node] = known.get(node, 0) + calls
    for number, one in enumerate(live):
        known[one] = known.pop(statements.LIVE - number)


async def _find_blocks(asked: _Asked, counted: Sequence[Counted], page: _Page) -> tuple[list[Counted], int]:
    """The blocks that a page is in, in its order, of stretches oldest first; and how many calls to skip."""
    needed, skipped = counting.trim(counted[:: page.step], skipped=page.offset, limit=page.limit)
    while not _has_blocks_alone(needed):
        parts = await _count(asked, _open_all(needed, page.step))
        needed, skipped = counting.trim(parts, skipped=skipped, limit=page.limit)
    return needed, skipped


async def _read_page(asked: _Asked, needed: Sequence[Counted], skipped: int, page: _Page) -> list[Row]:
    """The calls of a page of blocks, which are given in its order."""
    walks = counting.list_walks(needed, skipped)
    if not walks:
        return []
    if walks[1:] and asked.shape.dialect == "postgresql":
        return await _read_walks(asked, walks, page)
    first, last, offset = walks[0]
    place = {"first": first, "last": last, "offset": offset, "limit": page.limit}
    rows = list(await _fetch(asked, statements.walk(asked.shape, page.newest_first, page.columns), place))
    if len(rows) < page.limit and walks[1:]:
        rows += await _read_walks(asked, walks[1:], page._replace(limit=page.limit - len(rows)))
    return rows


async def _read_walks(asked: _Asked, walks: Sequence[Walk], page: _Page) -> list[Row]:
    """Several walks in one go: a page of few calls in each block would take fifty trips."""
    asks: dict[str, object] = {}
    if asked.shape.dialect == "sqlite":
        asks["walks"] = json.dumps([walk[:2] for walk in walks])
    else:
        asks |= {name: [walk[place] for walk in walks] for place, name in enumerate(("firsts", "lasts", "offsets"))}
        asks["limit"] = page.limit
    found = await _fetch(asked, statements.walk_all(asked.shape, page.newest_first, page.columns), asks)
    return sorted(found, key=itemgetter(0), reverse=page.newest_first)[: page.limit]


async def _fetch(asked: _Asked, statement: sa.TextClause, parameters: dict[str, Any]) -> Sequence[Row]:
    found: Any = await asked.connection.execute(statement, asked.parameters | parameters)
    rows: Sequence[Row] = found.all()
    return rows


def _has_blocks_alone(needed: Iterable[Counted]) -> bool:
    return all(counting.is_block(one.stretch) for one in needed)


def _open_all(needed: Iterable[Counted], step: int) -> list[Stretch]:
    """The stretches that these are made of, blocks of themselves, in the order of a page."""
    return [
        part
        for one in needed
        for part in ([one.stretch] if counting.is_block(one.stretch) else counting.split(one.stretch)[::step])
    ]


def _add_up(counted: Iterable[Counted]) -> int:
    return sum(one.calls for one in counted)
