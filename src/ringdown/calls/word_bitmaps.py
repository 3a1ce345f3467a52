"""The use case on bitmaps of words: making those of ranges of texts that have been quiet for a while."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.calls.store import bitmaps, counts
from ringdown.calls.store.bitmaps import Owner, Places, TextRange
from ringdown.db.engine import Database

#: The kind of the job that makes them, and how often it runs.
JOB_KIND = "calls.words"
INTERVAL_MS = 60_000
#: Summaries are written some time after calls have ended, and each change makes the work void.
QUIET_MS = 600_000
# Of one run: each takes seconds.
_MAX_RANGES = 8
_TEXTS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Verified:
    """How many bitmaps an organization has, how many of them are wrong, and the ranges of those."""

    bitmaps: int
    differences: int
    wrong_ranges: Sequence[int]


async def make_due(database: Database) -> int:
    """Make the bitmaps of some ranges that were quiet long enough; returns of how many. SQLite needs none."""
    return await _make(database, quiet_ms=QUIET_MS, limit=_MAX_RANGES)


async def make_all(database: Database) -> int:
    """Make the bitmaps of every range that is full; returns of how many."""
    return await _make(database, quiet_ms=0, limit=1 << 30)


async def verify(database: Database, organization_id: str) -> Verified:
    """Make all bitmaps of an organization anew, and compare those that are kept with them."""
    checked = differences = 0
    wrong: list[int] = []
    if database.dialect == "sqlite":
        return Verified(checked, differences, wrong)
    async with database.read() as connection:
        for one in await bitmaps.list_made(connection, organization_id):
            found = (await _read_places(connection, organization_id, one)).list_bitmaps()
            kept = await bitmaps.read_bitmaps(connection, one.range_number)
            made = {str(row["word"]): (row["calls"], row["bits"]) for row in found}
            wrong_words = sum(kept.get(word) != made.get(word) for word in kept.keys() | made.keys())
            checked += len(kept)
            differences += wrong_words
            wrong += [one.range_number] if wrong_words else []
    return Verified(checked, differences, wrong)


async def forget(database: Database, found: Verified) -> None:
    """Have the bitmaps of ranges where any is wrong made anew, once they were quiet; the index counts meanwhile."""
    async with database.write() as connection:
        await bitmaps.forget_ranges(connection, found.wrong_ranges)


async def _make(database: Database, *, quiet_ms: int, limit: int) -> int:
    if database.dialect == "sqlite":
        return 0
    async with database.read() as connection:
        owners = await bitmaps.list_owners(connection)
        to_open = [owner for owner in owners if await bitmaps.count_ranges(connection, owner) < owner.full_ranges]
    for owner in to_open:
        async with database.write() as connection:
            await counts.lock_counters(connection, owner.organization_id)
            await bitmaps.open_ranges(connection, owner, now_ms=values.now_ms())
    async with database.read() as connection:
        opened = await bitmaps.list_open(connection, since=values.now_ms() - quiet_ms, limit=limit)
    known = {owner.number: owner for owner in owners}
    return sum([await _make_one(database, known[one.owner], one) for one in opened if one.owner in known])


async def _make_one(database: Database, owner: Owner, opened: TextRange) -> bool:
    """Whether the range has its bitmaps now: not if one of its texts was changed meanwhile."""
    async with database.read() as connection:
        found = await _read_places(connection, owner.organization_id, opened)
    async with database.write() as connection:
        return await bitmaps.close_range(connection, opened, found)


async def _read_places(connection: AsyncConnection, organization_id: str, one: TextRange) -> Places:
    found = Places()
    first, last = one.seqs
    after = first - 1
    while rows := await bitmaps.read_texts(connection, organization_id, after=after, last=last, limit=_TEXTS_AT_ONCE):
        await asyncio.to_thread(found.add, rows)
        after = rows[-1].seq
    return found
