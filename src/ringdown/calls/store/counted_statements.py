"""The statements that count and read the calls of a filter; each is made once and kept."""

from functools import cache
from typing import NamedTuple

import sqlalchemy as sa

from ringdown.calls.counting import LAST_SEQ

#: Of each call of a page its `seq` alone.
ONLY_SEQ = ("seq",)

#: In the place of a node: how many blocks are sealed; the calls after them; those of the first stretch without a node,
#: less one for each that follows.
SEALED, REST, LIVE = -1, -2, -3


class Shape(NamedTuple):
    """What tells one statement from another."""

    dialect: str
    columns: tuple[str, ...]
    has_two_keys: bool
    is_from: bool
    is_until: bool


_SEALED_BLOCKS = "COALESCE((SELECT sealed_blocks FROM call_seals WHERE organization_id = :organization_id), 0)"


@cache
def find_range(shape: Shape) -> sa.TextClause:
    """How many blocks are sealed, and the first and the last `seq` of a range of times; null if it has none."""
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
def count_stretches(shape: Shape, runs: int, live: int, has_rest: bool) -> sa.TextClause:
    """Node and calls: of the nodes of so many runs; of stretches without one, and of the rest, by their marks."""
    hint = _hint(shape, "ix_call_counts_key")
    counters = [
        f"SELECT node, calls FROM call_counts{hint} WHERE organization_id = :organization_id AND {_key(shape)}"
        f" AND node BETWEEN :first_node_{number} AND :last_node_{number}"
        for number in range(runs)
    ]
    # Both ends are given: PostgreSQL takes a range with one for a third of all calls, and another index.
    ends = {LIVE - number: (f":first_{number}", f":last_{number}") for number in range(live)}
    if has_rest:
        ends[REST] = (f"{_SEALED_BLOCKS} * :block_size + 1", f"{LAST_SEQ}")
    counted = [
        f"SELECT {mark}, COUNT(*) FROM {_calls(shape)} AND seq BETWEEN {first} AND {last}"
        for mark, (first, last) in ends.items()
    ]
    if has_rest:
        counted.append(f"SELECT {SEALED}, {_SEALED_BLOCKS}")
    return sa.text(" UNION ALL ".join((*counters, *counted)))


@cache
def walk(shape: Shape, newest_first: bool, columns: tuple[str, ...]) -> sa.TextClause:
    """A page of the calls from `first` to `last`, in its order."""
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
def walk_all(shape: Shape, newest_first: bool, columns: tuple[str, ...]) -> sa.TextClause:
    """The calls of several walks, in no order; on SQLite all that match, on PostgreSQL no more than the page has."""
    if shape.dialect == "sqlite":
        first, last = (f"json_extract(walk.value, '$[{place}]')" for place in (0, 1))
        # What `json_each` finds has columns named as some of `calls`.
        return sa.text(
            f"SELECT {', '.join(columns)} FROM (SELECT value FROM json_each(:walks)) AS walk CROSS JOIN {_calls(shape)}"
            f" AND seq BETWEEN {first} AND {last}"
        )
    order = "DESC" if newest_first else "ASC"
    return sa.text(
        "SELECT found.* FROM unnest(CAST(:firsts AS BIGINT[]), CAST(:lasts AS BIGINT[]), CAST(:offsets AS BIGINT[]))"
        f" AS walk (first, last, skipped), LATERAL (SELECT {', '.join(columns)} FROM (SELECT seq AS place"
        f" FROM {_calls(shape)} AND seq BETWEEN walk.first AND walk.last ORDER BY seq {order}"
        " LIMIT :limit OFFSET walk.skipped) AS page"
        " JOIN calls ON organization_id = :organization_id AND seq = page.place) AS found"
    )


def _key(shape: Shape) -> str:
    return "key IN (:key, :other_key)" if shape.has_two_keys else "key = :key"


def _calls(shape: Shape) -> str:
    """The calls that match, whenever they were placed; read from one index alone."""
    name = "batch" if "batch_call_id" in shape.columns else "agent" if "agent_id" in shape.columns else "listing"
    conditions = " AND ".join(f"{column} = :{column}" for column in ("organization_id", *shape.columns))
    return f"calls{_hint(shape, f'ix_calls_{name}')} WHERE {conditions}"


def _hint(shape: Shape, index: str) -> str:
    # Without statistics of its own SQLite takes another index and sorts.
    return f" INDEXED BY {index}" if shape.dialect == "sqlite" else ""
