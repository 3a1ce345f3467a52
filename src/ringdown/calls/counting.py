"""What is counted of calls, and how a range of calls is put together from counts; pure arithmetic, no I/O.

The calls of an organization stand in a row by their `seq`, 1, 2, 3 and so on. Every `block_size` of them are a block;
a sealed block has a count for each filter that matches any of its calls. A node of the first level is `fan_out`
blocks, one of the second `fan_out` of those; the root is all. A node's counts tell of its sealed blocks alone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from ringdown.calls.models import LIVE_STATUSES

#: The level of the one node that has everything; blocks are level 0.
ROOT_LEVEL = 3
#: No call has a `seq` this great.
LAST_SEQ = 2**62

_LEVEL_SHIFT = 48
# Pages of one list, which follow each other, are put together from the same stretches.
_KEPT = 1_000
_ENDED_STATUSES = ("completed", "failed")
# Calls of a batch are dialled; the table holds that, too.
_BATCH_DIRECTION = "outbound"


@dataclass(frozen=True, slots=True)
class Scheme:
    """How many calls make a block, and how many nodes of one level make one of the next."""

    block_size: int = 4096
    fan_out: int = 64


#: Changing it needs `ringdown verify --repair`.
SCHEME = Scheme()


class Facts(NamedTuple):
    """What is counted of a call."""

    agent_id: str
    direction: str
    status: str
    ended_reason: str | None
    batch_call_id: str | None


class Stretch(NamedTuple):
    """The calls from `first` to `last`: those of a node as far as it is sealed, or, without one, not counted yet."""

    first: int
    last: int
    node: int | None = None


class Counted(NamedTuple):
    """How many calls of a stretch match."""

    stretch: Stretch
    calls: int


class Walk(NamedTuple):
    """Part of a page: the matching calls from `first` to `last`, less the `skipped` ones that come first."""

    first: int
    last: int
    skipped: int


def list_keys(facts: Facts) -> list[str]:
    """Under which keys a call counts: one for each combination of filters that matches it."""
    agent_id, direction, status, ended_reason, batch_call_id = facts
    states = [("", ""), (status, "")]
    if ended_reason is not None:
        states.append((status, ended_reason))
    keys = [
        f"|{agent}|{way}|{state}|{reason}"
        for agent, way, (state, reason) in product(("", agent_id), ("", direction), states)
    ]
    if batch_call_id is not None:
        keys += [
            f"{batch_call_id}|{agent}||{state}|{reason}" for agent, (state, reason) in product(("", agent_id), states)
        ]
    return keys


def find_keys(
    *,
    agent_id: str | None = None,
    direction: str | None = None,
    status: str | None = None,
    ended_reason: str | None = None,
    batch_call_id: str | None = None,
) -> list[str]:
    """The keys whose counts add up to what a filter matches; none when it can match nothing."""
    if ended_reason is not None and status in LIVE_STATUSES:
        return []
    if batch_call_id is not None:
        if direction not in (None, _BATCH_DIRECTION):
            return []
        direction = None
    statuses = _ENDED_STATUSES if ended_reason is not None and status is None else (status or "",)
    return [
        f"{batch_call_id or ''}|{agent_id or ''}|{direction or ''}|{state}|{ended_reason or ''}" for state in statuses
    ]


def find_block(seq: int) -> int:
    """The number of the block of a call."""
    return (seq - 1) // SCHEME.block_size


def find_node(block: int, level: int) -> int:
    """The node of a level that a block belongs to."""
    number = 0 if level == ROOT_LEVEL else block // SCHEME.fan_out**level
    return level << _LEVEL_SHIFT | number


def roll_up(counts: Iterable[tuple[int, str, int]]) -> Counter[tuple[int, str]]:
    """What counts of blocks (number, key, calls) add to nodes of all levels, by node and key."""
    rolled: Counter[tuple[int, str]] = Counter()
    for block, key, number in counts:
        for level in range(ROOT_LEVEL + 1):
            rolled[find_node(block, level), key] += number
    return rolled


def decompose(first: int, last: int, *, sealed_blocks: int) -> Sequence[Stretch]:
    """The fewest stretches that the calls from `first` to `last` are made of, oldest first."""
    return _decompose(first, last, sealed_blocks, SCHEME)


@lru_cache(_KEPT)
def _decompose(first: int, last: int, sealed_blocks: int, scheme: Scheme) -> Sequence[Stretch]:
    size = scheme.block_size
    block, end = -(-(first - 1) // size), min(last // size, sealed_blocks)
    if block >= end:
        return (Stretch(first, last),) if first <= last else ()
    stretches = [Stretch(first, block * size)] if first <= block * size else []
    while block < end:
        level = _find_level(block, end, is_open=end == sealed_blocks)
        after = end if level == ROOT_LEVEL else min(block + scheme.fan_out**level, end)
        stretches.append(Stretch(block * size + 1, after * size, find_node(block, level)))
        block = after
    if end * size < last:
        stretches.append(Stretch(end * size + 1, last))
    return tuple(stretches)


def _find_level(block: int, end: int, *, is_open: bool) -> int:
    """The highest level of which a node begins with this block and has no sealed block beyond the end."""
    if block == 0 and is_open:
        return ROOT_LEVEL
    level = 0
    for higher in range(1, ROOT_LEVEL):
        width = SCHEME.fan_out**higher
        if block % width or (block + width > end and not is_open):
            break
        level = higher
    return level


def is_block(stretch: Stretch) -> bool:
    """Whether the calls must be looked at to know more."""
    return stretch.node is None or stretch.node >> _LEVEL_SHIFT == 0


def split(stretch: Stretch) -> Sequence[Stretch]:
    """The fewest nodes below that a node is made of, oldest first: those of the next level that has more than one."""
    return _split(stretch, SCHEME)


@lru_cache(_KEPT)
def _split(stretch: Stretch, scheme: Scheme) -> Sequence[Stretch]:
    assert stretch.node is not None
    level = (stretch.node >> _LEVEL_SHIFT) - 1
    block, end = find_block(stretch.first), find_block(stretch.last) + 1
    while level > 0 and end - block <= scheme.fan_out**level:
        level -= 1
    size, width = scheme.block_size, scheme.fan_out**level
    return tuple(
        Stretch(start * size + 1, min(start + width, end) * size, find_node(start, level))
        for start in range(block, end, width)
    )


def list_runs(nodes: Iterable[int]) -> list[tuple[int, int]]:
    """The first and the last of each run of nodes that follow each other."""
    runs: list[tuple[int, int]] = []
    for node in sorted(set(nodes)):
        if runs and runs[-1][1] == node - 1:
            runs[-1] = (runs[-1][0], node)
        else:
            runs.append((node, node))
    return runs


def trim(counted: Sequence[Counted], *, skipped: int, limit: int) -> tuple[list[Counted], int]:
    """What a page needs of counted stretches, which stand in its order, and how many calls to skip in the first."""
    needed: list[Counted] = []
    wanted = skipped + limit
    for one in counted:
        if wanted <= 0:
            break
        if not needed and one.calls <= skipped:
            skipped -= one.calls
        elif one.calls:
            needed.append(one)
        wanted -= one.calls
    return needed, skipped


def list_walks(needed: Sequence[Counted], skipped: int) -> list[Walk]:
    """How to read a page of stretches, which stand in its order: neighbours in one go."""
    walks: list[Walk] = []
    for (first, last, _), _calls in needed:
        if walks and walks[-1].first == last + 1:
            walks[-1] = Walk(first, walks[-1].last, walks[-1].skipped)
        elif walks and walks[-1].last == first - 1:
            walks[-1] = Walk(walks[-1].first, last, walks[-1].skipped)
        else:
            walks.append(Walk(first, last, 0 if walks else skipped))
    return walks
