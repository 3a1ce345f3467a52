"""Verification: counts the calls of sealed blocks anew, by brute force, and compares the counters with that."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import counting, tables
from ringdown.calls.store import counts, seals

# Blocks that are counted at once.
_MAX_BLOCKS = 64

_counters = tables.counts
_ORGANIZATION = sa.bindparam("organization_id", type_=sa.Text)
_COUNTERS = sa.select(_counters.c.node, _counters.c.key, _counters.c.calls).where(
    _counters.c.organization_id == _ORGANIZATION,
    _counters.c.node >= sa.bindparam("first"),
    _counters.c.node < sa.bindparam("end"),
)
_ANY_NODE = 2**62


@dataclass(frozen=True, slots=True)
class Verified:
    """How many blocks of an organization are sealed, their calls, and how many of their counters are wrong."""

    sealed_blocks: int
    calls: int
    counters: int
    differences: int


async def verify_counters(connection: AsyncConnection, organization_id: str) -> Verified:
    """Compare every counter of an organization with its calls, in the snapshot of the connection."""
    sealed = await counts.count_sealed_blocks(connection, organization_id)
    higher: Counter[tuple[int, str]] = Counter()
    counters = differences = 0
    for first in range(0, sealed, _MAX_BLOCKS):
        end = min(first + _MAX_BLOCKS, sealed)
        counted = await seals.count_blocks(connection, organization_id, first=first, blocks=end - first)
        of_blocks: dict[tuple[int, str], int] = {}
        for (node, key), number in counting.roll_up(counted).items():
            if node < sealed:
                of_blocks[node, key] = number
            else:
                higher[node, key] += number
        stored = await _read_counters(connection, organization_id, first, end)
        counters += len(stored)
        differences += _count_differences(stored, of_blocks)
    stored = await _read_counters(connection, organization_id, sealed, _ANY_NODE)
    root = counting.find_node(0, counting.ROOT_LEVEL)
    calls = higher[root, counting.find_keys()[0]]
    return Verified(sealed, calls, counters + len(stored), differences + _count_differences(stored, higher))


async def _read_counters(
    connection: AsyncConnection, organization_id: str, first: int, end: int
) -> dict[tuple[int, str], int]:
    """The counters of the nodes from `first` to before `end`; nodes of blocks are numbered as the blocks are."""
    parameters = {"organization_id": organization_id, "first": first, "end": end}
    return {(node, key): calls for node, key, calls in await connection.execute(_COUNTERS, parameters)}


def _count_differences(stored: Mapping[tuple[int, str], int], counted: Mapping[tuple[int, str], int]) -> int:
    """How many counters are wrong; one that is not there is 0."""
    return sum(stored.get(place, 0) != counted.get(place, 0) for place in stored.keys() | counted.keys())
