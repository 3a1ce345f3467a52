"""Sealing: the calls of whole blocks are counted once, and their counts kept."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.accounts import store as account_store
from ringdown.calls import counting, tables
from ringdown.calls.counting import Facts
from ringdown.calls.models import LIVE_STATUSES
from ringdown.calls.store import counts
from ringdown.db import engine

calls, seals = tables.calls, tables.seals

#: So many full blocks at most wait for calls that have not ended: what is not sealed, every list counts.
MAX_WAITING_BLOCKS = 2
# Blocks that one transaction seals.
_MAX_BLOCKS = 64

_ORGANIZATION = calls.c.organization_id == sa.bindparam("organization_id")
_IN_RANGE = _ORGANIZATION & calls.c.seq.between(sa.bindparam("first"), sa.bindparam("last"))
_NEWEST = sa.select(calls.c.seq).where(_ORGANIZATION).order_by(calls.c.seq.desc()).limit(1)
_OLDEST_LIVE = sa.select(calls.c.seq).where(_IN_RANGE, calls.c.status.in_(LIVE_STATUSES)).order_by(calls.c.seq).limit(1)
_BLOCK = ((calls.c.seq - 1) // sa.bindparam("block_size", type_=sa.BigInteger)).label("block")
_FACTS = tuple(calls.c[name] for name in Facts._fields)
_GROUPS = (
    sa.select(_BLOCK, *_FACTS, sa.func.count().label("calls")).where(_IN_RANGE).group_by(sa.text("block"), *_FACTS)
)


@dataclass(frozen=True, slots=True)
class ReadyBlocks:
    """The blocks that can be sealed next: from `first`, `blocks` of them."""

    first: int
    blocks: int


async def list_organizations_to_seal(connection: AsyncConnection) -> list[str]:
    """The organizations that have a full block which is not sealed."""
    organizations = account_store.organizations
    sealed = sa.func.coalesce(seals.c.sealed_blocks, 0)
    query = (
        sa.select(organizations.c.id)
        .outerjoin(seals, seals.c.organization_id == organizations.c.id)
        .where(organizations.c.call_seq >= (sealed + 1) * counting.SCHEME.block_size)
        .order_by(organizations.c.id)
    )
    return list((await connection.execute(query)).scalars())


async def find_ready(connection: AsyncConnection, organization_id: str, *, waits: bool = True) -> ReadyBlocks:
    """What can be sealed in one transaction; a block `waits` for its calls to end unless too many wait already."""
    size = counting.SCHEME.block_size
    first = await counts.count_sealed_blocks(connection, organization_id)
    newest = (await connection.execute(_NEWEST, {"organization_id": organization_id})).scalar_one_or_none() or 0
    full = newest // size
    end = min(full, first + _MAX_BLOCKS)
    if waits and first < end:
        block_range = {"organization_id": organization_id, "first": first * size + 1, "last": end * size}
        live = (await connection.execute(_OLDEST_LIVE, block_range)).scalar_one_or_none()
        ended = end if live is None else counting.find_block(live)
        end = min(end, max(ended, full - MAX_WAITING_BLOCKS))
    return ReadyBlocks(first, max(end - first, 0))


async def seal_blocks(connection: AsyncConnection, organization_id: str, *, waits: bool = True) -> int:
    """Seal what `find_ready` finds; returns how many blocks. Alone among those who change calls."""
    await counts.lock_counters(connection, organization_id)
    ready = await find_ready(connection, organization_id, waits=waits)
    if not ready.blocks:
        return 0
    counted = await count_blocks(connection, organization_id, first=ready.first, blocks=ready.blocks)
    await counts.add_counts(connection, organization_id, counting.roll_up(counted))
    await set_sealed_blocks(connection, organization_id, ready.first + ready.blocks)
    return ready.blocks


async def set_sealed_blocks(connection: AsyncConnection, organization_id: str, sealed_blocks: int) -> None:
    """Tell that the first `sealed_blocks` blocks have their counts."""
    insert = engine.insert(connection, seals)
    upsert = insert.on_conflict_do_update(
        index_elements=["organization_id"], set_={"sealed_blocks": insert.excluded.sealed_blocks}
    )
    await connection.execute(upsert, {"organization_id": organization_id, "sealed_blocks": sealed_blocks})


async def count_blocks(
    connection: AsyncConnection, organization_id: str, *, first: int, blocks: int
) -> list[tuple[int, str, int]]:
    """Count the calls of `blocks` blocks from `first` one by one: block, key, calls."""
    size = counting.SCHEME.block_size
    parameters = {
        "organization_id": organization_id,
        "first": first * size + 1,
        "last": (first + blocks) * size,
        "block_size": size,
    }
    counted: dict[tuple[int, str], int] = {}
    for block, *facts, number in await connection.execute(_GROUPS, parameters):
        for key in counting.list_keys(Facts(*facts)):
            counted[block, key] = counted.get((block, key), 0) + number
    return [(block, key, number) for (block, key), number in counted.items()]


async def delete_counters(connection: AsyncConnection, organization_id: str) -> None:
    """Forget all counts of the organization: until its blocks are sealed again, every list counts its calls."""
    await counts.lock_counters(connection, organization_id)
    for table in (tables.counts, seals):
        await connection.execute(sa.delete(table).where(table.c.organization_id == organization_id))
