"""Rows of erasures."""

import dataclasses

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.db import engine
from ringdown.privacy.models import Erasure

erasures = sa.Table(
    "erasures",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True, comment="grows with time"),
    sa.Column("phone_number", sa.Text, comment="E.164; null once it is done: it is personal, too"),
    sa.Column("contacts", sa.Integer, nullable=False),
    sa.Column("batch_contacts", sa.Integer, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("recordings", sa.Integer, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("completed_at", sa.BigInteger),
)


async def insert_erasure(connection: AsyncConnection, erasure: Erasure) -> None:
    """Store a new erasure."""
    await connection.execute(erasures.insert().values(dataclasses.asdict(erasure)))


async def get_erasure(connection: AsyncConnection, organization_id: str, erasure_id: str) -> Erasure:
    """The erasure; raises `NotFound`."""
    row = (await connection.execute(erasures.select().where(_is(organization_id, erasure_id)))).one_or_none()
    if row is None:
        raise errors.NotFound("Erasure", erasure_id)
    return Erasure(**row._mapping)


async def list_erasures(
    connection: AsyncConnection, organization_id: str, *, limit: int, offset: int
) -> tuple[list[Erasure], int]:
    """A page of erasures, newest first, and how many there are."""
    ours = erasures.c.organization_id == organization_id
    total = (await connection.execute(sa.select(sa.func.count()).select_from(erasures).where(ours))).scalar_one()
    page = erasures.select().where(ours).order_by(erasures.c.id.desc()).limit(limit).offset(offset)
    return [Erasure(**row._mapping) for row in await connection.execute(page)], total


async def add_counts(connection: AsyncConnection, erasure: Erasure, **deleted: int) -> None:
    """Count what this transaction deletes."""
    counts = {name: erasures.c[name] + number for name, number in deleted.items()}
    await connection.execute(erasures.update().where(_is(erasure.organization_id, erasure.id)).values(counts))


async def complete(connection: AsyncConnection, erasure: Erasure, *, now_ms: int) -> None:
    """The erasure is done, and forgets whose it was."""
    done = {"phone_number": None, "completed_at": now_ms}
    await connection.execute(erasures.update().where(_is(erasure.organization_id, erasure.id)).values(done))


def _is(organization_id: str, erasure_id: str) -> sa.ColumnElement[bool]:
    return (erasures.c.organization_id == organization_id) & (erasures.c.id == erasure_id)
