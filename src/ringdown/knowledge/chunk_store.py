"""Chunks in the database: their words with a full-text index of each dialect, and their vectors.

PostgreSQL has a GIN index; SQLite has an FTS5 table beside the chunks that triggers keep in step. Neither can filter by
another column inside of the index, so that the id of the knowledge base is a word there. The indexes only tell which
chunks hold a word: `ranking` does the rest, alike on both.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine
from ringdown.knowledge import store, words
from ringdown.knowledge.models import Chunk, Passage

# Without a list of pending entries, which every search would read.
_GIN = {"fastupdate": "off"}
_LEXEMES = "array_to_tsvector(string_to_array(replace(knowledge_base_id, '_', '') || ' ' || words, ' '))"

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
    sa.Column("words", sa.Text, nullable=False, comment="of title and text in order, with single spaces"),
    sa.Column("embedding_model", sa.Text),
    sa.Column("embedding", sa.LargeBinary, comment="32-bit floats of length 1, little-endian"),
    sa.Index("ix_knowledge_chunks_base", "organization_id", "knowledge_base_id", "number"),
    sa.Index("ix_knowledge_chunks_words", sa.text(_LEXEMES), postgresql_using="gin", postgresql_with=_GIN).ddl_if(
        dialect="postgresql"
    ),
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

# One statement for all forms, always the same one: it stays prepared.
_LIST_HITS = {
    "sqlite": sa.text(
        "SELECT key, (SELECT json_group_array(rowid) FROM"
        " (SELECT rowid FROM knowledge_words WHERE knowledge_words MATCH form.value LIMIT :limit))"
        " FROM json_each(:forms) AS form ORDER BY key"
    ),
    "postgresql": sa.text(
        f"SELECT place, ARRAY(SELECT number FROM knowledge_chunks WHERE {_LEXEMES} @@ CAST(form AS tsquery)"
        " LIMIT :limit)"
        " FROM unnest(CAST(:forms AS text[])) WITH ORDINALITY AS forms(form, place) ORDER BY place"
    ),
}
# Materialized: by their numbers, not by walking through the organization, whatever the planner knows of a new table.
_LIST_WORDS = {
    dialect: sa.text(
        "WITH named AS MATERIALIZED (SELECT number, words, organization_id FROM knowledge_chunks"
        f" WHERE number {condition}) SELECT number, words FROM named WHERE organization_id = :organization_id"
    )
    for dialect, condition in (
        ("sqlite", "IN (SELECT value FROM json_each(:numbers))"),
        ("postgresql", "= ANY(CAST(:numbers AS bigint[]))"),
    )
}


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
        rows.append(
            {
                "organization_id": organization_id,
                "source_id": source_id,
                "position": first_position + place,
                "knowledge_base_id": knowledge_base_id,
                "title": chunk.title,
                "url": chunk.url,
                "text": chunk.text,
                "words": " ".join(words.list_words(chunk.full_text)),
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


async def list_hits(
    connection: AsyncConnection, *, knowledge_base_ids: Sequence[str], forms: Sequence[words.Form], limit: int
) -> list[list[int]]:
    """For each form the numbers of up to `limit` chunks that hold it; the bases must be the organization's."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        expressions = [words.make_fts5_query(form, knowledge_base_ids) for form in forms]
        rows = await connection.execute(_LIST_HITS[dialect], {"forms": json.dumps(expressions), "limit": limit})
        return [json.loads(row[1]) for row in rows]
    expressions = [words.make_tsquery(form, knowledge_base_ids) for form in forms]
    rows = await connection.execute(_LIST_HITS[dialect], {"forms": expressions, "limit": limit})
    return [row[1] for row in rows]


async def list_words(
    connection: AsyncConnection, organization_id: str, numbers: Sequence[int]
) -> list[tuple[int, str]]:
    """Number and words of these chunks, in no order."""
    dialect = connection.dialect.name
    wanted = json.dumps(list(numbers)) if dialect == "sqlite" else list(numbers)
    found = await connection.execute(_LIST_WORDS[dialect], {"organization_id": organization_id, "numbers": wanted})
    return [(row[0], row[1]) for row in found]


async def list_passages(connection: AsyncConnection, organization_id: str, scores: dict[int, float]) -> list[Passage]:
    """The passages of these chunks with their scores, best first, without those of sources that are gone."""
    columns, source = chunks.c, store.sources
    named = (
        sa.select(
            columns.number, columns.organization_id, columns.source_id, columns.knowledge_base_id, columns.text,
            columns.position, columns.title, columns.url,
        )
        .where(columns.number.in_(scores))
        .cte("named")
        .prefix_with("MATERIALIZED")
    )  # fmt: skip
    query = (
        sa.select(named, source.c.name)
        .join(source, (source.c.organization_id == named.c.organization_id) & (source.c.id == named.c.source_id))
        .where(named.c.organization_id == organization_id, source.c.status != "failed")
    )
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
