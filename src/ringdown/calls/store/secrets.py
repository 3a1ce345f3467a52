"""Secrets of this installation that no operator chooses, such as the key that signs links."""

import secrets

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.calls import tables
from ringdown.db import engine

_SECRET_BYTES = 32


async def find_secret(connection: AsyncConnection, name: str) -> str | None:
    """The secret of that name, if it was made already."""
    query = sa.select(tables.secrets.c.secret).where(tables.secrets.c.name == name)
    secret: str | None = (await connection.execute(query)).scalar_one_or_none()
    return secret


async def make_secret(connection: AsyncConnection, name: str) -> str:
    """The secret of that name; made when there is none, the same one for all who ask at the same time."""
    row = {"name": name, "secret": secrets.token_hex(_SECRET_BYTES), "created_at": values.now_ms()}
    await connection.execute(engine.insert(connection, tables.secrets).values(row).on_conflict_do_nothing())
    secret = await find_secret(connection, name)
    assert secret is not None
    return secret
