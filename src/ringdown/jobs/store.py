"""Rows of deferred work: due at a time, leased to one worker at a time, deleted when done.

Claiming a job moves its due time to the end of the lease, so that the job of a dead worker falls due again by itself.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine

jobs = sa.Table(
    "jobs",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True, comment="empty: the installation's own"),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False, comment="JSON object"),
    sa.Column("unique_key", sa.Text, comment="at most one job of the kind has it"),
    sa.Column("interval_ms", sa.BigInteger, comment="set: runs again this long after it was done"),
    sa.Column("due_at", sa.BigInteger, comment="null: parked after too many failures"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="runs since the last success"),
    sa.Column("lease_id", sa.Text, comment="the claim that works, or worked, on it"),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index("ix_jobs_due_at", "due_at"),
    sa.Index("ux_jobs_organization_id_kind_unique_key", "organization_id", "kind", "unique_key", unique=True),
)


@dataclass(frozen=True, slots=True)
class Job:
    """Deferred work; `attempts` counts this run too."""

    id: str
    organization_id: str
    kind: str
    payload: Mapping[str, Any]
    interval_ms: int | None
    attempts: int
    lease_id: str


async def insert_job(
    connection: AsyncConnection,
    *,
    organization_id: str,
    job_id: str,
    kind: str,
    payload: Mapping[str, Any],
    due_at: int,
    created_at: int,
    unique_key: str | None = None,
    interval_ms: int | None = None,
) -> bool:
    """Add a job; False when the organization has one of this kind and unique key."""
    insert = (
        engine.insert(connection, jobs)
        .values(
            organization_id=organization_id,
            id=job_id,
            kind=kind,
            payload=json.dumps(payload),
            unique_key=unique_key,
            interval_ms=interval_ms,
            due_at=due_at,
            created_at=created_at,
        )
        .on_conflict_do_nothing()
    )
    return (await connection.execute(insert)).rowcount == 1


async def has_due(connection: AsyncConnection, *, kinds: Collection[str], now_at: int) -> bool:
    """Whether a job is due; costs no write transaction."""
    query = sa.select(sa.literal(1)).where(jobs.c.due_at <= now_at, jobs.c.kind.in_(kinds)).limit(1)
    return (await connection.execute(query)).first() is not None


async def claim_jobs(
    connection: AsyncConnection, *, kinds: Collection[str], limit: int, now_at: int, lease_until: int, lease_id: str
) -> list[Job]:
    """Lease the `limit` jobs that are due the longest; other workers pass them over."""
    due = (
        sa.select(jobs.c.organization_id, jobs.c.id)
        .where(jobs.c.due_at <= now_at, jobs.c.kind.in_(kinds))
        .order_by(jobs.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    keys = [tuple(row) for row in await connection.execute(due)]
    if not keys:
        return []
    claimed = await connection.execute(
        sa.update(jobs)
        .where(sa.tuple_(jobs.c.organization_id, jobs.c.id).in_(keys))
        .values(due_at=lease_until, attempts=jobs.c.attempts + 1, lease_id=lease_id)
        .returning(jobs.c.id, jobs.c.organization_id, jobs.c.kind, jobs.c.payload, jobs.c.interval_ms, jobs.c.attempts)
    )
    return [
        Job(
            id=row.id,
            organization_id=row.organization_id,
            kind=row.kind,
            payload=json.loads(row.payload),
            interval_ms=row.interval_ms,
            attempts=row.attempts,
            lease_id=lease_id,
        )
        for row in claimed
    ]


async def delete_job(connection: AsyncConnection, job: Job) -> bool:
    """Forget a job that is done; False when its lease has run out and another worker has it."""
    return (await connection.execute(sa.delete(jobs).where(_is_held(job)))).rowcount == 1


async def delete_waiting(connection: AsyncConnection, *, organization_id: str, kind: str, unique_key: str) -> None:
    """Forget the job of this kind and unique key unless it runs."""
    columns = jobs.c
    key = (columns.organization_id == organization_id) & (columns.kind == kind) & (columns.unique_key == unique_key)
    await connection.execute(sa.delete(jobs).where(key, columns.lease_id.is_(None)))


async def reschedule_job(
    connection: AsyncConnection, job: Job, *, due_at: int | None, attempts: int, last_error: str | None
) -> bool:
    """Let a job fall due again, or park it with `due_at` None; False when another worker has it."""
    changed = await connection.execute(
        sa.update(jobs)
        .where(_is_held(job))
        .values(due_at=due_at, attempts=attempts, last_error=last_error, lease_id=None)
    )
    return changed.rowcount == 1


def _is_held(job: Job) -> sa.ColumnElement[bool]:
    columns = jobs.c
    return sa.and_(
        columns.organization_id == job.organization_id, columns.id == job.id, columns.lease_id == job.lease_id
    )
