"""The web layer's own rows: requests counted per key and minute, and answers kept per idempotency key."""

from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine

request_windows = sa.Table(
    "request_windows",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("window_at", sa.BigInteger, nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("request_key", sa.Text, primary_key=True, comment="SHA-256 of endpoint and key"),
    sa.Column("body_hash", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False, comment="the request that works, or worked, on it"),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("resource_id", sa.Text, comment="what the request has created, committed with it"),
    sa.Column("status", sa.Integer, comment="null while in flight"),
    sa.Column("body", sa.LargeBinary),
    sa.Index("ix_idempotency_keys_started_at", "started_at"),
)


@dataclass(frozen=True, slots=True)
class IdempotencyRow:
    """What is known of an idempotency key."""

    body_hash: str
    holder: str
    started_at: int
    resource_id: str | None
    status: int | None
    body: bytes | None


async def count_request(
    connection: AsyncConnection, *, organization_id: str, key_id: str, window_at: int
) -> tuple[int, int]:
    """Count one request in the key's window; returns the window's start and its requests, this one included.

    A window never goes back, so that a process whose clock is behind does not open an old one again.
    """
    counted = await connection.execute(
        _make_count(connection.dialect.name),
        {"organization_id": organization_id, "key_id": key_id, "window_at": window_at, "requests": 1},
    )
    window = counted.one()
    return window.window_at, window.requests


@cache
def _make_count(dialect_name: str) -> sa.Executable:
    # Kept, because every request executes it.
    insert = engine.insert_for(dialect_name, request_windows)
    row = request_windows.c
    is_same_window = row.window_at >= insert.excluded.window_at
    return insert.on_conflict_do_update(
        index_elements=[row.organization_id, row.key_id],
        set_={
            "window_at": sa.case((is_same_window, row.window_at), else_=insert.excluded.window_at),
            "requests": sa.case((is_same_window, row.requests + 1), else_=1),
        },
    ).returning(row.window_at, row.requests)


async def insert_idempotency_row(
    connection: AsyncConnection, *, organization_id: str, request_key: str, row: IdempotencyRow
) -> bool:
    """Mark a request as in flight; False when its key is known already."""
    insert = (
        engine.insert(connection, idempotency_keys)
        .values(
            organization_id=organization_id,
            request_key=request_key,
            body_hash=row.body_hash,
            holder=row.holder,
            started_at=row.started_at,
        )
        .on_conflict_do_nothing()
    )
    return (await connection.execute(insert)).rowcount == 1


async def get_idempotency_row(connection: AsyncConnection, *, organization_id: str, request_key: str) -> IdempotencyRow:
    """The row of a known key, locked for this transaction."""
    columns = idempotency_keys.c
    query = (
        sa.select(
            columns.body_hash, columns.holder, columns.started_at, columns.resource_id, columns.status, columns.body
        )
        .where(columns.organization_id == organization_id, columns.request_key == request_key)
        .with_for_update()
    )
    return IdempotencyRow(*(await connection.execute(query)).one())


async def replace_idempotency_row(
    connection: AsyncConnection, *, organization_id: str, request_key: str, row: IdempotencyRow
) -> None:
    """Give a key to another request: the former one has expired or died in flight."""
    await connection.execute(
        sa.update(idempotency_keys)
        .where(idempotency_keys.c.organization_id == organization_id, idempotency_keys.c.request_key == request_key)
        .values(
            body_hash=row.body_hash,
            holder=row.holder,
            started_at=row.started_at,
            resource_id=row.resource_id,
            status=row.status,
            body=row.body,
        )
    )


async def update_held_row(
    connection: AsyncConnection, *, organization_id: str, request_key: str, holder: str, values: dict[str, object]
) -> bool:
    """Change the row of a key that `holder` still holds; False when another request has taken it over."""
    changed = await connection.execute(
        sa.update(idempotency_keys)
        .where(
            idempotency_keys.c.organization_id == organization_id,
            idempotency_keys.c.request_key == request_key,
            idempotency_keys.c.holder == holder,
        )
        .values(values)
    )
    return changed.rowcount == 1


async def delete_held_row(connection: AsyncConnection, *, organization_id: str, request_key: str, holder: str) -> None:
    """Forget a key whose request created nothing."""
    await connection.execute(
        sa.delete(idempotency_keys).where(
            idempotency_keys.c.organization_id == organization_id,
            idempotency_keys.c.request_key == request_key,
            idempotency_keys.c.holder == holder,
            idempotency_keys.c.resource_id.is_(None),
        )
    )


async def delete_idempotency_rows(connection: AsyncConnection, *, before_at: int) -> int:
    """Forget the keys of all organizations that are older; returns how many."""
    deleted = await connection.execute(sa.delete(idempotency_keys).where(idempotency_keys.c.started_at < before_at))
    return deleted.rowcount
