"""What finds calls by words and metadata: written with the calls, and the conditions that ask it."""

from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import search_tables, tables, words
from ringdown.calls.models import Call
from ringdown.calls.search_tables import KIND_BITS, SEQ_BITS
from ringdown.calls.store import bitmaps, counts
from ringdown.calls.words import Phrase
from ringdown.db import engine

calls = tables.calls
texts, pairs, owners = search_tables.texts, search_tables.pairs, search_tables.owners

#: Filters that the full-text index answers itself.
FACTS = ("agent_id", "status", "direction", "batch_call_id")
_SEQ_MASK = (1 << SEQ_BITS) - 1
# SQLite's index as SQL sees it.
_full_text = sa.table("call_words", sa.column("rowid", sa.BigInteger), sa.column("call_words", sa.Text))


async def index_text(connection: AsyncConnection, call: Call, spoken: Iterable[str]) -> None:
    """Make an ended call findable by what was said in it and by its summary, in place of what was there before."""
    found = words.join_words([*spoken, call.summary or ""])
    await _delete_texts(connection, call.organization_id, [call.seq])
    if not any(word.isalnum() for word in found.split()):
        return
    owner = await _take_owner(connection, call.organization_id)
    facts = [words.make_fact(name, value) for name in FACTS if (value := getattr(call, name)) is not None]
    row = {
        "organization_id": call.organization_id,
        "seq": call.seq,
        "number": owner << SEQ_BITS | call.seq,
        "kind": words.make_kind(call.status, call.direction),
        "facts": " ".join(facts),
        "words": found,
    }
    await connection.execute(texts.insert().values(row))
    counts.note_text(connection, call.organization_id, owner << SEQ_BITS | call.seq)


async def insert_metadata(connection: AsyncConnection, call: Call) -> None:
    """Make a call findable by its metadata."""
    if rows := _list_rows(call.organization_id, call.seq, list_shown_metadata(call)):
        await connection.execute(pairs.insert(), rows)


async def insert_all_metadata(connection: AsyncConnection, new_calls: Iterable[Call]) -> None:
    """`insert_metadata` for many calls at once."""
    rows = [row for call in new_calls for row in _list_rows(call.organization_id, call.seq, list_shown_metadata(call))]
    if rows:
        await connection.execute(pairs.insert(), rows)


async def replace_metadata(connection: AsyncConnection, before: Call, after: Call) -> None:
    """The same for a call whose metadata changed."""
    await _delete_pairs(connection, _list_rows(before.organization_id, before.seq, list_shown_metadata(before)))
    await insert_metadata(connection, after)


async def forget_calls(connection: AsyncConnection, organization_id: str, call_ids: Collection[str]) -> None:
    """Take calls out of all that finds them; before they are deleted."""
    columns = (calls.c.seq, calls.c.metadata, calls.c.batch_call_id, calls.c.contact_id)
    query = sa.select(*columns).where(calls.c.organization_id == organization_id, calls.c.id.in_(call_ids))
    found = (await connection.execute(query)).all()
    for row in found:
        await _delete_pairs(connection, _list_rows(organization_id, row.seq, _merge_metadata(*row[1:])))
    await _delete_texts(connection, organization_id, [row.seq for row in found])


def list_shown_metadata(call: Call) -> Mapping[str, object]:
    """The metadata as answers show it: batch and contact go before a client's keys of these names."""
    return _merge_metadata(call.metadata, call.batch_call_id, call.contact_id)


async def find_owner(connection: AsyncConnection, organization_id: str) -> int | None:
    """What the full-text index calls an organization; None when it has no texts."""
    query = sa.select(owners.c.number).where(owners.c.organization_id == organization_id)
    number: int | None = (await connection.execute(query)).scalar()
    return number


async def find_newest(connection: AsyncConnection, organization_id: str) -> int | None:
    """The greatest `seq` of an organization's texts."""
    in_organization = texts.c.organization_id == organization_id
    query = sa.select(texts.c.seq).where(in_organization).order_by(texts.c.seq.desc()).limit(1)
    seq: int | None = (await connection.execute(query)).scalar()
    return seq


def select_hits(
    dialect: str,
    *,
    owner: int,
    phrases: Collection[Phrase],
    facts: Mapping[str, str],
    first: int,
    last: int,
    newest_first: bool | None = None,
    known_ranges: Container[int] = (),
    sparse_ranges: Collection[int] = (),
) -> sa.Select[Any]:
    """The `seq` of the calls from `first` to `last` that hold every phrase and fact, in their order if one is named.

    No more of the index is read than the limit of such a list needs, and nothing of ranges that `count_ranges` told of.
    In `sparse_ranges`, as `list_sparse_ranges` has them, words alone find the calls.
    """
    low, high = owner << SEQ_BITS | first, owner << SEQ_BITS | last
    if dialect == "sqlite":
        return _select_from_sqlite(phrases, facts, low, high, newest_first=newest_first)
    wanted = [number for number in _list_ranges(low, high) if number not in known_ranges]
    is_sparse = [number in sparse_ranges for number in wanted]
    said, all_tokens = _list_tokens(phrases, {}), _list_tokens(phrases, facts)
    forms = [
        _make_tsquery(said if sparse else all_tokens, number) for number, sparse in zip(wanted, is_sparse, strict=True)
    ]
    held = [*_list_holds(phrases, only_long=True), *(_list_held_facts(facts) if any(is_sparse) else ())]
    return _select_from_postgresql(forms, texts.c.number.between(low, high), *held, newest_first=newest_first)


async def list_sparse_ranges(connection: AsyncConnection, *, owner: int, phrases: Collection[Phrase]) -> frozenset[int]:
    """The ranges in which a word of these phrases is so rare that facts are sooner looked at than looked for."""
    if connection.dialect.name == "sqlite":
        return frozenset()
    return await bitmaps.list_sparse_ranges(connection, _list_tokens(phrases, {}), owner=owner)


async def count_ranges(
    connection: AsyncConnection,
    *,
    owner: int,
    phrases: Collection[Phrase],
    facts: Mapping[str, str],
    first: int,
    last: int,
) -> Mapping[int, int]:
    """How many calls hold every phrase and fact, by range: those ranges from `first` to `last` that tell it at once."""
    if connection.dialect.name == "sqlite" or any(len(phrase) > 1 for phrase in phrases):
        return {}
    low = owner << SEQ_BITS | (first if first > 1 else 0)  # no call is 0
    return await bitmaps.count_hits(connection, _list_tokens(phrases, facts), first=low, last=owner << SEQ_BITS | last)


def _select_from_sqlite(
    phrases: Collection[Phrase], facts: Mapping[str, str], low: int, high: int, *, newest_first: bool | None
) -> sa.Select[Any]:
    status, direction = facts.get("status"), facts.get("direction")
    tokens = _list_facts({name: value for name, value in facts.items() if name not in ("status", "direction")})
    quoted = " AND ".join(f'"{" ".join(phrase)}"' for phrase in phrases)
    expression = f"words : ({quoted})" + "".join(f' AND facts : "{token}"' for token in tokens)
    row = _full_text.c.rowid
    has_words = _full_text.c.call_words.op("MATCH", is_comparison=True)(expression)
    in_range = row.between(low << KIND_BITS, (high << KIND_BITS) | ((1 << KIND_BITS) - 1))
    rows = sa.select((row.op(">>")(KIND_BITS)).op("&")(_SEQ_MASK).label("seq")).where(has_words, in_range)
    mask = words.make_kind_mask(has_status=status is not None, has_direction=direction is not None)
    if mask:
        kind = sa.literal(words.make_kind(status, direction))
        rows = rows.where(kind == row.op("&")(mask))
    return rows if newest_first is None else rows.order_by(row.desc() if newest_first else row.asc())


def _select_from_postgresql(
    forms: list[str], *conditions: sa.ColumnElement[bool], newest_first: bool | None
) -> sa.Select[Any]:
    """The rows that meet the conditions of those that match any of the queries, which stand oldest range first."""
    if newest_first:
        forms = forms[::-1]
    # One range after the other, for each of which the index reads all its hits.
    ranges = sa.func.unnest(sa.cast(forms, sa.ARRAY(sa.Text))).table_valued("form", name="ranges").render_derived()
    has_words = sa.literal_column(search_tables.LEXEMES).op("@@")(sa.cast(ranges.c.form, TSQUERY))
    # OFFSET 0 is a fence: whatever the planner thinks of the rest, it begins with the index.
    inside = sa.select(texts.c.number).where(has_words, *conditions).offset(0)
    if newest_first is not None:
        inside = inside.order_by(texts.c.number.desc() if newest_first else texts.c.number.asc())
    hits = inside.lateral("hits")
    return sa.select(hits.c.number.op("&")(_SEQ_MASK).label("seq")).select_from(ranges.join(hits, sa.true()))


def select_pair(
    organization_id: str, pair: tuple[str, str], *, first: int, last: int, newest_first: bool | None = None
) -> sa.Select[Any]:
    """The `seq` of the calls from `first` to `last` that have this metadata, in their order if one is named."""
    condition = (pairs.c.organization_id == organization_id) & (pairs.c.pair == words.make_pair(*pair))
    rows = sa.select(pairs.c.seq).where(condition, pairs.c.seq.between(first, last))
    return rows if newest_first is None else rows.order_by(pairs.c.seq.desc() if newest_first else pairs.c.seq.asc())


def hold(organization_id: str, seq: sa.ColumnElement[int], phrases: Collection[Phrase]) -> sa.ColumnElement[bool]:
    """Whether the call `seq` of a row at hand holds every phrase; for calls that are looked at anyway."""
    held: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
        texts.c.organization_id == organization_id, texts.c.seq == seq, *_list_holds(phrases)
    )
    return held.scalar_subquery() == sa.literal_column("1")


def has_pair(organization_id: str, seq: sa.ColumnElement[int], pair: tuple[str, str]) -> sa.ColumnElement[bool]:
    """Whether the call `seq` of a row at hand has this metadata."""
    other = pairs.alias()
    held: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
        other.c.organization_id == organization_id, other.c.pair == words.make_pair(*pair), other.c.seq == seq
    )
    return held.scalar_subquery() == sa.literal_column("1")


def _list_holds(phrases: Collection[Phrase], *, only_long: bool = False) -> list[sa.ColumnElement[bool]]:
    padded = sa.literal(" ") + texts.c.words + sa.literal(" ")
    # Words are letters and digits: none is a wildcard.
    return [padded.like(f"% {' '.join(phrase)} %") for phrase in phrases if len(phrase) > 1 or not only_long]


def _list_held_facts(facts: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    padded = sa.literal(" ") + texts.c.facts + sa.literal(" ")
    return [padded.like(f"% {fact} %") for fact in _list_facts(facts)]


def _list_facts(facts: Mapping[str, str]) -> list[str]:
    return [words.make_fact(name, value) for name, value in facts.items()]


def _list_tokens(phrases: Collection[Phrase], facts: Mapping[str, str]) -> list[str]:
    return sorted({word for phrase in phrases for word in phrase}.union(_list_facts(facts)))


def _list_ranges(low: int, high: int) -> range:
    return range(bitmaps.find_range(low), bitmaps.find_range(high) + 1)


def _make_tsquery(tokens: Collection[str], prefix: int) -> str:
    return "(" + " & ".join(f"'{prefix:x}.{token}'" for token in tokens) + ")"


async def _take_owner(connection: AsyncConnection, organization_id: str) -> int:
    number = await find_owner(connection, organization_id)
    if number is not None:
        return number
    row: dict[str, object] = {"organization_id": organization_id}
    if connection.dialect.name == "sqlite":  # one writer at a time; PostgreSQL counts by itself
        row["number"] = sa.select(sa.func.coalesce(sa.func.max(owners.c.number), 0) + 1).scalar_subquery()
    await connection.execute(engine.insert(connection, owners).values(row).on_conflict_do_nothing())
    taken = await find_owner(connection, organization_id)
    assert taken is not None
    return taken


async def _delete_texts(connection: AsyncConnection, organization_id: str, seqs: Collection[int]) -> None:
    condition = (texts.c.organization_id == organization_id) & texts.c.seq.in_(seqs)
    deleted = await connection.execute(texts.delete().where(condition).returning(texts.c.number))
    for number in deleted.scalars():
        counts.note_text(connection, organization_id, number)


async def _delete_pairs(connection: AsyncConnection, rows: list[dict[str, object]]) -> None:
    if rows:
        condition = sa.and_(*(column == sa.bindparam(f"old_{column.name}") for column in pairs.c))
        old = [{f"old_{name}": value for name, value in row.items()} for row in rows]
        await connection.execute(pairs.delete().where(condition), old)


def _list_rows(organization_id: str, seq: int, metadata: Mapping[str, object]) -> list[dict[str, object]]:
    return [
        {"organization_id": organization_id, "pair": words.make_pair(*pair), "seq": seq}
        for pair in sorted(words.list_pairs(metadata))
    ]


def _merge_metadata(
    metadata: Mapping[str, object], batch_call_id: str | None, contact_id: str | None
) -> Mapping[str, object]:
    ours = {"campaign_id": batch_call_id, "contact_id": contact_id}
    return {**metadata, **{name: value for name, value in ours.items() if value is not None}}
