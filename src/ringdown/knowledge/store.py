"""Knowledge bases and their sources in the database."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.db import engine
from ringdown.knowledge.models import KnowledgeBase, Source, Totals

bases = sa.Table(
    "knowledge_bases",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("version", sa.BigInteger, nullable=False, comment="grows when its vectors change"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index("ix_knowledge_bases_listing", "organization_id", "created_at", "id"),
)

sources = sa.Table(
    "knowledge_sources",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("knowledge_base_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="document, web or text"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("origin", sa.JSON, nullable=False, comment="file name and format, or URLs and limits"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("progress", sa.Double, nullable=False, comment="0 to 1"),
    sa.Column("error", sa.Text),
    sa.Column("warnings", sa.JSON, nullable=False),
    sa.Column("chunk_count", sa.Integer, nullable=False),
    sa.Column("embedded_count", sa.Integer, nullable=False),
    sa.Column("embedding_model", sa.Text),
    sa.Column("cursor", sa.JSON(none_as_null=True), comment="where the ingestion goes on"),
    sa.Column("run_id", sa.Text, comment="the run that may write"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index("ix_knowledge_sources_base", "organization_id", "knowledge_base_id", "created_at", "id"),
)


async def insert_base(connection: AsyncConnection, base: KnowledgeBase) -> None:
    """Store a new knowledge base."""
    await connection.execute(bases.insert().values(dataclasses.asdict(base)))


async def get_base(
    connection: AsyncConnection, organization_id: str, knowledge_base_id: str, *, lock: bool = False
) -> KnowledgeBase:
    """The knowledge base; raises `NotFound`. `lock` keeps others from changing or deleting it meanwhile."""
    query = bases.select().where(_is_base(organization_id, knowledge_base_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise errors.NotFound("Knowledge base", knowledge_base_id)
    return KnowledgeBase(**row._mapping)


async def list_bases(
    connection: AsyncConnection, organization_id: str, *, name: str | None = None, limit: int, offset: int
) -> tuple[list[KnowledgeBase], int]:
    """A page of knowledge bases, newest first, and how many there are; `name` is a part of the name in any case."""
    condition = bases.c.organization_id == organization_id
    if name is not None:
        condition &= bases.c.name.icontains(name, autoescape=True)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(bases).where(condition))).scalar_one()
    page = bases.select().where(condition).order_by(bases.c.created_at.desc(), bases.c.id.desc())
    rows = await connection.execute(page.limit(limit).offset(offset))
    return [KnowledgeBase(**row._mapping) for row in rows], total


async def list_known_bases(
    connection: AsyncConnection, organization_id: str, ids: Collection[str]
) -> list[KnowledgeBase]:
    """Those of the knowledge bases that exist in the organization."""
    condition = (bases.c.organization_id == organization_id) & bases.c.id.in_(ids)
    return [KnowledgeBase(**row._mapping) for row in await connection.execute(bases.select().where(condition))]


async def list_searched_bases(
    connection: AsyncConnection, organization_id: str, ids: Collection[str]
) -> tuple[list[KnowledgeBase], int]:
    """The same in one statement with how many chunks they have together."""
    condition = (bases.c.organization_id == organization_id) & bases.c.id.in_(ids)
    of_base = (sources.c.organization_id == bases.c.organization_id) & (sources.c.knowledge_base_id == bases.c.id)
    count = sa.select(sa.func.coalesce(sa.func.sum(sources.c.chunk_count), 0)).where(of_base).scalar_subquery()
    rows = (await connection.execute(sa.select(bases, count).where(condition))).all()
    names = bases.c.keys()
    return [KnowledgeBase(**dict(zip(names, row, strict=False))) for row in rows], sum(int(row[-1]) for row in rows)


async def update_base(
    connection: AsyncConnection, organization_id: str, knowledge_base_id: str, changes: dict[str, Any]
) -> None:
    """Change columns of a knowledge base."""
    await connection.execute(bases.update().where(_is_base(organization_id, knowledge_base_id)).values(changes))


async def grow_version(connection: AsyncConnection, organization_id: str, knowledge_base_id: str) -> None:
    """Have everybody read the vectors of the knowledge base again."""
    grown = bases.update().where(_is_base(organization_id, knowledge_base_id)).values(version=bases.c.version + 1)
    await connection.execute(grown)


async def delete_base(connection: AsyncConnection, organization_id: str, knowledge_base_id: str) -> None:
    """Delete the knowledge base and its sources, not their chunks."""
    of_base = (sources.c.organization_id == organization_id) & (sources.c.knowledge_base_id == knowledge_base_id)
    await connection.execute(sources.delete().where(of_base))
    await connection.execute(bases.delete().where(_is_base(organization_id, knowledge_base_id)))


async def sum_sources(connection: AsyncConnection, organization_id: str, ids: Sequence[str]) -> dict[str, Totals]:
    """What the sources of each knowledge base amount to."""
    columns = sources.c
    query = (
        sa.select(
            columns.knowledge_base_id,
            sa.func.count(),
            sa.func.count().filter(columns.status == "processing"),
            sa.func.count().filter(columns.status == "failed"),
            sa.func.sum(columns.chunk_count),
            sa.func.sum(columns.embedded_count),
        )
        .where(columns.organization_id == organization_id, columns.knowledge_base_id.in_(ids))
        .group_by(columns.knowledge_base_id)
    )
    found = {row[0]: Totals(*row[1:]) for row in await connection.execute(query)}
    return {identifier: found.get(identifier, Totals()) for identifier in ids}


async def insert_source(connection: AsyncConnection, source: Source) -> None:
    """Store a new source."""
    await connection.execute(sources.insert().values(_to_row(source)))


async def get_source(
    connection: AsyncConnection, organization_id: str, knowledge_base_id: str, source_id: str, *, lock: bool = False
) -> Source:
    """The source of this knowledge base; raises `NotFound`."""
    query = sources.select().where(
        _is_source(organization_id, source_id), sources.c.knowledge_base_id == knowledge_base_id
    )
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise errors.NotFound("Source", source_id)
    return Source(**row._mapping)


async def find_source(
    connection: AsyncConnection, organization_id: str, source_id: str, *, lock: bool = False
) -> Source | None:
    """The source, or None."""
    query = sources.select().where(_is_source(organization_id, source_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else Source(**row._mapping)


async def list_sources(
    connection: AsyncConnection,
    organization_id: str,
    knowledge_base_id: str,
    *,
    status: str | None = None,
    limit: int,
    offset: int,
) -> tuple[list[Source], int]:
    """A page of the sources of a knowledge base, newest first, and how many there are."""
    condition = (sources.c.organization_id == organization_id) & (sources.c.knowledge_base_id == knowledge_base_id)
    if status is not None:
        condition &= sources.c.status == status
    total = (await connection.execute(sa.select(sa.func.count()).select_from(sources).where(condition))).scalar_one()
    page = sources.select().where(condition).order_by(sources.c.created_at.desc(), sources.c.id.desc())
    rows = await connection.execute(page.limit(limit).offset(offset))
    return [Source(**row._mapping) for row in rows], total


async def list_unembedded(connection: AsyncConnection, *, model: str) -> list[tuple[str, str]]:
    """Organization and id of the ready sources of the installation that have chunks without a vector of `model`."""
    columns = sources.c
    is_behind = sa.or_(columns.embedded_count < columns.chunk_count, columns.embedding_model.is_distinct_from(model))
    query = sa.select(columns.organization_id, columns.id).where(
        columns.status == "ready", columns.chunk_count > 0, is_behind
    )
    return [(row[0], row[1]) for row in await connection.execute(query)]


async def update_source(
    connection: AsyncConnection,
    organization_id: str,
    source_id: str,
    changes: dict[str, Any],
    *,
    run_id: str | None = None,
) -> bool:
    """Change columns of a source; with a `run_id` only while that run may write. False when nothing was changed."""
    condition = _is_source(organization_id, source_id)
    if run_id is not None:
        condition &= sources.c.run_id == run_id
    return (await connection.execute(sources.update().where(condition).values(changes))).rowcount == 1


async def delete_source(connection: AsyncConnection, organization_id: str, source_id: str) -> None:
    """Delete the source, not its chunks."""
    await connection.execute(sources.delete().where(_is_source(organization_id, source_id)))


def _to_row(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in sources.c.keys()}  # noqa: SIM118 - the names, not the columns


def _is_base(organization_id: str, knowledge_base_id: str) -> sa.ColumnElement[bool]:
    return (bases.c.organization_id == organization_id) & (bases.c.id == knowledge_base_id)


def _is_source(organization_id: str, source_id: str) -> sa.ColumnElement[bool]:
    return (sources.c.organization_id == organization_id) & (sources.c.id == source_id)
