"""Chunks in the database: their words for the full-text search of each dialect, and their vectors.

PostgreSQL holds the words as a `tsvector` with a GIN index; SQLite has an FTS5 table beside the chunks that triggers
keep in step. FTS5 knows no columns to filter by, so that the id of the knowledge base is a word there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine
from ringdown.knowledge import store, words
from ringdown.knowledge.models import Chunk, Passage

# Large values come last, so that reading a passage does not read its vector.
chunks = sa.Table(
    "knowledge_chunks",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("knowledge_base_id", sa.Text, nullable=False),
    sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False, comment="the row of the full-text index"),
    sa.Column("title", sa.Text),
    sa.Column("url", sa.Text),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("words", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=False),
    sa.Column("embedding_model", sa.Text),
    sa.Column("embedding", sa.LargeBinary, comment="32-bit floats of length 1, little-endian"),
    sa.Index("ix_knowledge_chunks_base", "organization_id", "knowledge_base_id", "number"),
    sa.Index("ix_knowledge_chunks_words", "words", postgresql_using="gin").ddl_if(dialect="postgresql"),
    sa.Index("ux_knowledge_chunks_number", "number", unique=True),
    # PostgreSQL keeps the words in the row, where ranking reads them, and only the vector beside it.
    postgresql_with={"toast_tuple_target": 8160},
)

_FULL_TEXT = (
    "CREATE VIRTUAL TABLE knowledge_words USING fts5(base, words, content='',"
    " tokenize=\"unicode61 remove_diacritics 0 categories 'L* M* N* Co'\")",
    "CREATE TRIGGER knowledge_words_insert AFTER INSERT ON knowledge_chunks BEGIN"
    " INSERT INTO knowledge_words(rowid, base, words)"
    " VALUES (new.number, replace(new.knowledge_base_id, '_', ''), new.words); END",
    "CREATE TRIGGER knowledge_words_delete AFTER DELETE ON knowledge_chunks BEGIN"
    " INSERT INTO knowledge_words(knowledge_words, rowid, base, words)"
    " VALUES ('delete', old.number, replace(old.knowledge_base_id, '_', ''), old.words); END",
)
for _statement in _FULL_TEXT:
    sa.event.listen(
        chunks,
        "after_create",
        sa.DDL(_statement).execute_if(dialect="sqlite"),  # type: ignore[no-untyped-call]
    )

_BEGINNING_WEIGHT = 0.25
# The id of the base weighs nothing; the words are ranked by BM25.
_FTS5_SEARCH = sa.text(
    "SELECT rowid FROM knowledge_words WHERE knowledge_words MATCH :expression AND rank MATCH 'bm25(0.0, 1.0)'"
    " ORDER BY rank LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A chunk that has no vector of the wanted model."""

    position: int
    text: str


async def insert_chunks(
    connection: AsyncConnection,
    *,
    organization_id: str,
    knowledge_base_id: str,
    source_id: str,
    first_position: int,
    new: Sequence[Chunk],
) -> None:
    """Store chunks of a source from `first_position` on."""
    is_sqlite = connection.dialect.name == "sqlite"
    # One writer at a time on SQLite; PostgreSQL counts by itself.
    last = (await connection.execute(sa.select(sa.func.max(chunks.c.number)))).scalar() or 0 if is_sqlite else 0
    rows = []
    for place, chunk in enumerate(new):
        found = words.list_words(chunk.full_text)
        rows.append(
            {
                "organization_id": organization_id,
                "source_id": source_id,
                "position": first_position + place,
                "knowledge_base_id": knowledge_base_id,
                "title": chunk.title,
                "url": chunk.url,
                "text": chunk.text,
                "words": " ".join(found) if is_sqlite else words.make_tsvector(found),
                **({"number": last + 1 + place} if is_sqlite else {}),
            }
        )
    await connection.execute(chunks.insert(), rows)


async def delete_chunks(
    connection: AsyncConnection,
    *,
    organization_id: str,
    knowledge_base_id: str,
    source_id: str | None,
    from_position: int = 0,
    limit: int,
) -> int:
    """Delete up to `limit` chunks of a source, or of all sources of a base; returns how many."""
    columns = chunks.c
    condition = (columns.organization_id == organization_id) & (columns.knowledge_base_id == knowledge_base_id)
    if source_id is not None:
        condition &= (columns.source_id == source_id) & (columns.position >= from_position)
    some = sa.select(columns.number).where(condition).limit(limit)
    return (await connection.execute(chunks.delete().where(columns.number.in_(some)))).rowcount


async def search_words(
    connection: AsyncConnection,
    *,
    organization_id: str,
    knowledge_base_ids: Sequence[str],
    terms: Sequence[str],
    limit: int,
) -> list[int]:
    """The numbers of the chunks that fit the terms best, best first; the bases must be the organization's."""
    if connection.dialect.name == "sqlite":
        expression = words.make_fts5_query(terms, knowledge_base_ids)
        found = await connection.execute(_FTS5_SEARCH, {"expression": expression, "limit": limit})
        return list(found.scalars())
    condition, rank = _rank_words(terms)
    query = (
        sa.select(chunks.c.number)
        .where(
            chunks.c.organization_id == organization_id,
            chunks.c.knowledge_base_id.in_(knowledge_base_ids),
            condition,
        )
        .order_by(rank.desc(), chunks.c.number)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


def _rank_words(terms: Sequence[str]) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[float]]:
    """What chunks match on PostgreSQL, and how well: a word itself counts more than one that begins like it."""
    whole, beginnings = (
        None if query is None else sa.cast(query, postgresql.TSQUERY) for query in words.make_tsqueries(terms)
    )
    assert whole is not None
    # 1: a long chunk holds more words by chance.
    rank = sa.func.ts_rank(chunks.c.words, whole, 1)
    if beginnings is None:
        return chunks.c.words.op("@@")(whole), rank
    either = whole.op("||")(beginnings)
    return chunks.c.words.op("@@")(either), rank + _BEGINNING_WEIGHT * sa.func.ts_rank(chunks.c.words, beginnings, 1)


async def list_passages(connection: AsyncConnection, organization_id: str, scores: dict[int, float]) -> list[Passage]:
    """The passages of these chunks with their scores, best first, without those of sources that are gone."""
    columns = chunks.c
    source = store.sources
    query = (
        sa.select(
            columns.number, columns.source_id, source.c.name, columns.knowledge_base_id, columns.text,
            columns.position, columns.title, columns.url,
        )
        .join(source, (source.c.organization_id == columns.organization_id) & (source.c.id == columns.source_id))
        .where(columns.organization_id == organization_id, columns.number.in_(scores), source.c.status != "failed")
    )  # fmt: skip
    found = {
        row.number: Passage(
            source_id=row.source_id,
            source_name=row.name,
            knowledge_base_id=row.knowledge_base_id,
            text=row.text,
            score=round(scores[row.number], 4),
            position=row.position,
            title=row.title,
            url=row.url,
        )
        for row in await connection.execute(query)
    }
    return [found[number] for number in sorted(scores, key=lambda number: -scores[number]) if number in found]


async def list_unembedded(
    connection: AsyncConnection, *, organization_id: str, source_id: str, model: str, limit: int
) -> list[Unembedded]:
    """The next chunks of a source that have no vector of `model`."""
    columns = chunks.c
    query = (
        sa.select(columns.position, columns.title, columns.text)
        .where(
            columns.organization_id == organization_id,
            columns.source_id == source_id,
            columns.embedding_model.is_distinct_from(model),
        )
        .order_by(columns.position)
        .limit(limit)
    )
    return [Unembedded(row.position, Chunk(row.text, row.title).full_text) for row in await connection.execute(query)]


async def update_embeddings(
    connection: AsyncConnection, *, organization_id: str, source_id: str, model: str, vectors: dict[int, bytes]
) -> None:
    """Store the vectors of chunks by their position."""
    columns = chunks.c
    update = (
        chunks.update()
        .where(
            columns.organization_id == organization_id,
            columns.source_id == source_id,
            columns.position == sa.bindparam("at"),
        )
        .values(embedding=sa.bindparam("vector"), embedding_model=model)
    )
    rows = [{"at": position, "vector": vector} for position, vector in vectors.items()]
    await connection.execute(update, rows)


async def count_embedded(connection: AsyncConnection, *, organization_id: str, source_id: str, model: str) -> int:
    """How many chunks of a source have a vector of `model`."""
    columns = chunks.c
    query = sa.select(sa.func.count()).where(
        columns.organization_id == organization_id, columns.source_id == source_id, columns.embedding_model == model
    )
    return (await connection.execute(query)).scalar_one()


async def list_vectors(
    connection: AsyncConnection,
    *,
    organization_id: str,
    knowledge_base_id: str,
    model: str,
    after: int,
    limit: int,
) -> list[tuple[int, bytes]]:
    """The next vectors of a base after a chunk's number, by number."""
    columns = chunks.c
    query = (
        sa.select(columns.number, columns.embedding)
        .where(
            columns.organization_id == organization_id,
            columns.knowledge_base_id == knowledge_base_id,
            columns.embedding_model == model,
            columns.number > after,
        )
        .order_by(columns.number)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await connection.execute(query)]
