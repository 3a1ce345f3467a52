"""Rows of counters: what sealing adds to them, and what a change to a call of a sealed block does to them.

Whoever changes what is counted of a call tells of it with `note_change`. Just before the transaction commits, its
changes are added up and applied in one order, after a lock that all those who change calls share and the sealer has
alone: so each change is seen either by the sealer or in the counters, and nobody waits in a circle. Inserting needs
neither: a block is full once the last of its calls is visible, and calls become visible in their order.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import counting, tables
from ringdown.calls.counting import Facts
from ringdown.calls.store import bitmaps
from ringdown.db import engine

counts, seals = tables.counts, tables.seals

_STEP = "calls.counts"
# Any number: it keeps these locks apart from others of the same organization.
_LOCK_SPACE = 0x636F756E

_ORGANIZATION = sa.bindparam("organization_id", type_=sa.Text)
_LOCK_KEY = sa.func.hashtextextended(_ORGANIZATION, _LOCK_SPACE)
_SHARE = sa.select(sa.func.pg_advisory_xact_lock_shared(_LOCK_KEY))
_LOCK = sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY))
_SEALED_BLOCKS = sa.select(seals.c.sealed_blocks).where(seals.c.organization_id == _ORGANIZATION)


def note_change(
    connection: AsyncConnection, organization_id: str, seq: int, *, before: Facts, after: Facts | None
) -> None:
    """Tell what is counted of a call before and after a change of this transaction; None is a deletion."""
    _find_changes(connection).noted.append(_Change(organization_id, counting.find_block(seq), before, after))


def note_text(connection: AsyncConnection, organization_id: str, number: int) -> None:
    """Tell that the words of a call change in this transaction, or go: `number` is that of its text."""
    if connection.dialect.name == "postgresql":
        _find_changes(connection).texts.add((organization_id, number))


async def lock_counters(connection: AsyncConnection, organization_id: str) -> None:
    """Let no other transaction change counters of the organization, or calls that they count, until this one ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_LOCK, {"organization_id": organization_id})


async def count_sealed_blocks(connection: AsyncConnection, organization_id: str) -> int:
    """How many blocks of the organization are sealed."""
    sealed = (await connection.execute(_SEALED_BLOCKS, {"organization_id": organization_id})).scalar_one_or_none()
    return 0 if sealed is None else int(sealed)


async def add_counts(connection: AsyncConnection, organization_id: str, rolled: Mapping[tuple[int, str], int]) -> None:
    """Add to counters, by node and key."""
    insert = engine.insert(connection, counts)
    added = insert.on_conflict_do_update(
        index_elements=["organization_id", "node", "key"], set_={"calls": counts.c.calls + insert.excluded.calls}
    )
    rows = [
        {"organization_id": organization_id, "node": node, "key": key, "calls": calls}
        for (node, key), calls in sorted(rolled.items())
        if calls
    ]
    if rows:
        await connection.execute(added, rows)


def _find_changes(connection: AsyncConnection) -> "_Changes":
    changes = engine.get_last_steps(connection).setdefault(_STEP, _Changes(connection))
    assert isinstance(changes, _Changes)
    return changes


class _Change(NamedTuple):
    organization_id: str
    block: int
    before: Facts
    after: Facts | None


class _Changes:
    """The changes of one transaction to what is counted of calls, and to what is searched of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.noted: list[_Change] = []
        self.texts: set[tuple[str, int]] = set()

    async def __call__(self) -> None:
        """Apply those to sealed blocks and to ranges of texts, in the order that all transactions keep."""
        noted, self.noted = self.noted, []
        texts, self.texts = self.texts, set()
        owners = sorted({change.organization_id for change in noted})
        if self._connection.dialect.name == "postgresql":
            for owner in sorted({*owners, *(owner for owner, _ in texts)}):
                await self._connection.execute(_SHARE, {"organization_id": owner})
        for owner in owners:
            sealed = await count_sealed_blocks(self._connection, owner)
            of_sealed = [change for change in noted if change.organization_id == owner and change.block < sealed]
            if of_sealed:
                await add_counts(self._connection, owner, counting.roll_up(_list_additions(of_sealed)))
        await bitmaps.forget_ranges(self._connection, {bitmaps.find_range(number) for _, number in texts})


def _list_additions(changes: Iterable[_Change]) -> Iterator[tuple[int, str, int]]:
    for change in changes:
        yield from ((change.block, key, -1) for key in counting.list_keys(change.before))
        if change.after is not None:
            yield from ((change.block, key, 1) for key in counting.list_keys(change.after))
