"""Joins: who holds the token of a browser call may join it, once, until it expires; the row goes with the token."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls.models import Call
from ringdown.db import engine

joins = sa.Table(
    "call_joins",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.Text, nullable=False, comment="SHA-256 of the token, in hexadecimal"),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Index("ux_call_joins_token_hash", "token_hash", unique=True),
)


async def insert_join(connection: AsyncConnection, call: Call, *, token_hash: str, expires_at: int) -> None:
    """Let the holder of a token join a queued call until `expires_at`, milliseconds UTC."""
    row = {
        "organization_id": call.organization_id,
        "call_id": call.id,
        "token_hash": token_hash,
        "expires_at": expires_at,
    }
    await connection.execute(joins.insert().values(row))


async def has_join(connection: AsyncConnection, token_hash: str, *, now_ms: int) -> bool:
    """Whether a token is good. It selects the organization."""
    query = sa.select(joins.c.call_id).where(joins.c.token_hash == token_hash, joins.c.expires_at > now_ms)
    return (await connection.execute(query)).first() is not None


async def take_join(connection: AsyncConnection, token_hash: str, *, now_ms: int) -> tuple[str, str] | None:
    """The organization and the call of a token that is good, which it is no longer; None for any other."""
    is_good = (joins.c.token_hash == token_hash) & (joins.c.expires_at > now_ms)
    query = joins.delete().where(is_good).returning(joins.c.organization_id, joins.c.call_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.organization_id, row.call_id)


async def has_expired(connection: AsyncConnection, *, now_ms: int) -> bool:
    """Whether any token of any organization has expired unused."""
    return (
        await connection.execute(sa.select(joins.c.call_id).where(joins.c.expires_at <= now_ms))
    ).first() is not None


async def take_expired(connection: AsyncConnection, *, now_ms: int) -> list[tuple[str, str]]:
    """The organizations and calls of all tokens that have expired unused; they are forgotten."""
    query = joins.delete().where(joins.c.expires_at <= now_ms).returning(joins.c.organization_id, joins.c.call_id)
    return [(row.organization_id, row.call_id) for row in await connection.execute(query)]
