"""Putting work off: rows that commit with what causes them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.db import wakeup
from ringdown.db.engine import Database
from ringdown.jobs import store

#: Wake-up channel of the job loops.
CHANNEL = "jobs"
#: The organization of jobs that belong to the installation.
INSTALLATION = ""


async def defer_job(
    connection: AsyncConnection,
    *,
    kind: str,
    payload: Mapping[str, Any],
    organization_id: str = INSTALLATION,
    delay_ms: int = 0,
    unique_key: str | None = None,
) -> str | None:
    """Have a job run once this transaction has committed, `delay_ms` later; returns its id.

    With a `unique_key`, None when such a job waits or runs already. A job runs at least once: its handler must bear
    being run again.
    """
    now_at = values.now_ms()
    job_id = values.new_id("job")
    is_new = await store.insert_job(
        connection,
        organization_id=organization_id,
        job_id=job_id,
        kind=kind,
        payload=payload,
        due_at=now_at + delay_ms,
        created_at=now_at,
        unique_key=unique_key,
    )
    if not is_new:
        return None
    await wakeup.notify(connection, CHANNEL)
    return job_id


async def cancel_job(connection: AsyncConnection, *, organization_id: str, kind: str, unique_key: str) -> None:
    """Have a job not run that waits for its time, if there is one."""
    await store.delete_waiting(connection, organization_id=organization_id, kind=kind, unique_key=unique_key)


async def ensure_recurring(database: Database, *, kind: str, interval_ms: int) -> None:
    """Have a job of this kind run now and then again `interval_ms` after each run; one for the installation."""
    now_at = values.now_ms()
    async with database.write() as connection:
        await store.insert_job(
            connection,
            organization_id=INSTALLATION,
            job_id=values.new_id("job"),
            kind=kind,
            payload={},
            due_at=now_at,
            created_at=now_at,
            unique_key="recurring",
            interval_ms=interval_ms,
        )
