"""Bitmaps of frequent words: by them PostgreSQL counts the hits of a search, whose rows it would visit one by one.

The texts of an organization lie in ranges of 32,768 numbers. A range that was quiet for a while gets a bitmap for each
word that is frequent in it; a change to any of its texts forgets that it has them, in the same transaction, and what
has none is counted in the full-text index. A range is opened under the lock that those who change calls share before
they commit: whoever did not see it opened has committed before its texts are read.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import counting, search_tables, tables, words
from ringdown.calls.search_tables import RANGE_BITS, SEQ_BITS
from ringdown.db import engine

texts, ranges, bitmaps = search_tables.texts, search_tables.ranges, search_tables.bitmaps

#: A word that fewer calls of a range hold is counted in the full-text index.
FREQUENT = 64
# Of more words than are planned in any order, hardly a call holds all.
_MOST_WORDS = 8
# Ranges of an organization, less those of all that come before it.
_OWNER_BITS = SEQ_BITS - RANGE_BITS
_PLACES = 1 << RANGE_BITS

_INSERT = bitmaps.insert()
_FORGET = ranges.delete().where(ranges.c.range_number == sa.bindparam("forgotten"))
_CLEAR = bitmaps.delete().where(bitmaps.c.range_number == sa.bindparam("cleared"))
_CLOSE = (
    ranges.update()
    .where(
        ranges.c.range_number == sa.bindparam("closed"),
        ranges.c.since == sa.bindparam("opened_at"),
        ~ranges.c.has_bitmaps,
    )
    .values(has_bitmaps=True)
)


class Owner(NamedTuple):
    """An organization that has texts, the number that the index knows it by, and how many of its ranges are full."""

    organization_id: str
    number: int
    full_ranges: int

    @property
    def first_range(self) -> int:
        """The number of its first range."""
        return self.number << _OWNER_BITS


class TextRange(NamedTuple):
    """A range of texts, and since when none of them has changed."""

    range_number: int
    since: int

    @property
    def owner(self) -> int:
        """The number that the index knows its organization by."""
        return self.range_number >> _OWNER_BITS

    @property
    def seqs(self) -> tuple[int, int]:
        """Those of its first and last call."""
        first = self.range_number % (1 << _OWNER_BITS) << RANGE_BITS
        return first, first + _PLACES - 1


def find_range(number: int) -> int:
    """The range of a text."""
    return number >> RANGE_BITS


async def count_hits(
    connection: AsyncConnection, tokens: Collection[str], *, first: int, last: int
) -> Mapping[int, int]:
    """How many calls hold all of these words and facts: by range, for each in which all of them are frequent.

    Only ranges all of whose numbers lie between `first` and `last` are counted, and those of many words not at all.
    """
    if len(tokens) > _MOST_WORDS:
        return {}
    whole = sa.and_(ranges.c.range_number >= -(-first >> RANGE_BITS), ranges.c.range_number < (last + 1) >> RANGE_BITS)
    held = [bitmaps.alias(f"held_{place}") for place in range(len(tokens))]
    source = ranges.join(held[0], held[0].c.range_number == ranges.c.range_number)
    bits: sa.ColumnElement[Any] = held[0].c.bits
    for other in held[1:]:
        source = source.join(other, other.c.range_number == held[0].c.range_number)
        bits = bits.op("&")(other.c.bits)
    calls = held[0].c.calls if len(held) == 1 else sa.func.bit_count(bits)
    query = (
        sa.select(ranges.c.range_number, calls)
        .select_from(source)
        .where(whole, ranges.c.has_bitmaps, *(one.c.word == token for one, token in zip(held, tokens, strict=True)))
    )
    return {number: int(count) for number, count in await connection.execute(query)}


async def list_sparse_ranges(connection: AsyncConnection, tokens: Collection[str], *, owner: int) -> frozenset[int]:
    """The ranges of an organization in which not all of these words are frequent, as far as it is known."""
    of_range = sa.select(sa.func.count()).where(
        bitmaps.c.word.in_(tokens), bitmaps.c.range_number == ranges.c.range_number
    )
    query = sa.select(ranges.c.range_number).where(
        ranges.c.range_number.between(owner << _OWNER_BITS, (owner + 1 << _OWNER_BITS) - 1),
        ranges.c.has_bitmaps,
        of_range.scalar_subquery() < len(tokens),
    )
    return frozenset((await connection.execute(query)).scalars())


async def forget_ranges(connection: AsyncConnection, numbers: Collection[int]) -> None:
    """Leave the counting in these ranges to the full-text index: texts of them change in this transaction."""
    for number in sorted(numbers):  # in the same order everywhere
        await connection.execute(_FORGET, {"forgotten": number})


async def list_owners(connection: AsyncConnection) -> list[Owner]:
    """The organizations of which a range is full of calls whose blocks are sealed."""
    owners, seals = search_tables.owners, tables.seals
    query = sa.select(owners.c.organization_id, owners.c.number, seals.c.sealed_blocks).join(
        seals, seals.c.organization_id == owners.c.organization_id
    )
    found = await connection.execute(query.order_by(owners.c.number))
    size = counting.SCHEME.block_size
    full = [Owner(owner, number, sealed * size + 1 >> RANGE_BITS) for owner, number, sealed in found]
    return [owner for owner in full if owner.full_ranges]


async def count_ranges(connection: AsyncConnection, owner: Owner) -> int:
    """How many ranges of an organization were opened, and not forgotten since."""
    query = sa.select(sa.func.count()).where(
        ranges.c.range_number.between(owner.first_range, owner.first_range + owner.full_ranges - 1)
    )
    return int((await connection.execute(query)).scalar_one())


async def open_ranges(connection: AsyncConnection, owner: Owner, *, now_ms: int) -> None:
    """Open every full range that is not; alone among those who change calls."""
    numbers = range(owner.first_range, owner.first_range + owner.full_ranges)
    rows = [{"range_number": number, "since": now_ms, "has_bitmaps": False} for number in numbers]
    await connection.execute(engine.insert(connection, ranges).on_conflict_do_nothing(), rows)


async def list_open(connection: AsyncConnection, *, since: int, limit: int) -> list[TextRange]:
    """Ranges without bitmaps of which no text has changed after `since`, the longest quiet first."""
    query = sa.select(ranges.c.range_number, ranges.c.since).where(~ranges.c.has_bitmaps, ranges.c.since <= since)
    rows = await connection.execute(query.order_by(ranges.c.since, ranges.c.range_number).limit(limit))
    return [TextRange(*row) for row in rows]


async def list_made(connection: AsyncConnection, organization_id: str) -> list[TextRange]:
    """The ranges of an organization that have bitmaps."""
    owners = search_tables.owners
    first = owners.c.number.op("<<")(sa.literal(_OWNER_BITS, sa.Integer))
    query = sa.select(ranges.c.range_number, ranges.c.since).where(
        owners.c.organization_id == organization_id,
        ranges.c.range_number.between(first, first + (1 << _OWNER_BITS) - 1),
        ranges.c.has_bitmaps,
    )
    return [TextRange(*row) for row in await connection.execute(query.order_by(ranges.c.range_number))]


async def read_bitmaps(connection: AsyncConnection, range_number: int) -> dict[str, tuple[int, object]]:
    """How many calls of a range hold each of its frequent words, and which."""
    query = sa.select(bitmaps.c.word, bitmaps.c.calls, sa.type_coerce(bitmaps.c.bits, sa.types.NullType()))
    rows = await connection.execute(query.where(bitmaps.c.range_number == range_number))
    return {word: (calls, bits) for word, calls, bits in rows}


async def read_texts(
    connection: AsyncConnection, organization_id: str, *, after: int, last: int, limit: int
) -> Sequence[Any]:
    """The first texts after a `seq`, up to another: `seq`, facts and words."""
    query = sa.select(texts.c.seq, texts.c.facts, texts.c.words).where(
        texts.c.organization_id == organization_id, texts.c.seq > after, texts.c.seq <= last
    )
    found: Sequence[Any] = (await connection.execute(query.order_by(texts.c.seq).limit(limit))).all()
    return found


async def close_range(connection: AsyncConnection, opened: TextRange, found: "Places") -> bool:
    """Give a range its bitmaps; False when a text of it has changed since it was opened, or it has them already."""
    closed = await connection.execute(_CLOSE, {"closed": opened.range_number, "opened_at": opened.since})
    if not closed.rowcount:
        return False
    await connection.execute(_CLEAR, {"cleared": opened.range_number})
    rows = [{"range_number": opened.range_number, **row} for row in found.list_bitmaps()]
    if rows:
        await connection.execute(_INSERT, rows)
    return True


class Places:
    """Where in a range each word stands; pure."""

    def __init__(self) -> None:
        self._of_word: defaultdict[str, array[int]] = defaultdict(lambda: array("H"))

    def add(self, rows: Iterable[Any]) -> None:
        """Add texts: `seq`, facts and words of each."""
        of_word = self._of_word
        for seq, facts, spoken in rows:
            place = seq % _PLACES
            for word in {*facts.split(" "), *spoken.split(" ")}:
                of_word[word].append(place)

    def list_bitmaps(self) -> list[dict[str, object]]:
        """Rows for the words that are frequent, in one order."""
        frequent = ((word, places) for word, places in sorted(self._of_word.items()) if len(places) >= FREQUENT)
        return [
            {"word": word, "calls": len(places), "bits": _make_bits(places)}
            for word, places in frequent
            if word != words.BREAK
        ]


def _make_bits(places: Iterable[int]) -> asyncpg.BitString:
    bits = bytearray(_PLACES // 8)
    for place in places:
        bits[place >> 3] |= 0x80 >> (place & 7)
    return asyncpg.BitString.frombytes(bytes(bits), bitlength=_PLACES)
