"""Calling contacts once more that have failed, because somebody asks for it: however many, page by page.

A page is a transaction that changes contacts and counts. When the last one is done, everybody who waits is spread
anew. Contacts that fail after the request are not part of it, so that the job may be run twice.
"""

import dataclasses
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.batch_calls import contact_store, course, lifecycle, retrying, spreading, standing, store
from ringdown.batch_calls.models import BatchCall
from ringdown.calls.models import EndedReason
from ringdown.db.engine import Database
from ringdown.jobs import queue
from ringdown.jobs.store import Job

#: The job that goes on where the request has stopped.
JOB_KIND = "batch_calls.retry"
PAGE = 1000
_PAGES_AT_ONCE = 3
_PAGES_PER_JOB = 200


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """Who is to be called again: those who had failed so until then; `position` tells from where on."""

    reasons: tuple[str, ...]
    failed_until: int
    position: int = 0


async def retry_batch_call(
    database: Database, *, organization_id: str, batch_call_id: str, reasons: Sequence[EndedReason] | None
) -> BatchCall:
    """Put contacts that have failed back into the schedule, with all attempts that the batch call allows.

    A completed batch call is active again. Raises `NotFound`, and `ValidationFailed` in another state, or as for a
    start.
    """
    now = values.now_ms()
    async with database.write() as connection:
        batch = await store.get_batch_call(connection, organization_id, batch_call_id, lock=True)
        lifecycle.check_action("retry", batch.status)
        await course.check_start(connection, batch)
        # By the clock of whoever has changed it last, which may be ahead of ours.
        failed_until = max(now, batch.updated_at)
        asked = _Asked(tuple(retrying.RETRIED_BY_DEFAULT if reasons is None else reasons), failed_until)
        for _ in range(_PAGES_AT_ONCE):
            batch, following = await _retry_page(connection, batch, asked, now_ms=now)
            spreading.check_length(batch)
            if following is None:
                return batch
            asked = following
        await _defer(connection, batch, asked)
        return batch


async def run_job(database: Database, job: Job) -> None:
    """The job: go on, one transaction to a page; safe to run twice."""
    payload = job.payload
    asked = _Asked(tuple(payload["reasons"]), payload["failed_until"], payload["position"])
    for page in range(_PAGES_PER_JOB):
        async with database.write() as connection:
            batch = await store.find_batch_call(connection, job.organization_id, payload["batch_call_id"], lock=True)
            if batch is None or batch.status not in lifecycle.TRANSITIONS["retry"]:
                return
            batch, following = await _retry_page(connection, batch, asked, now_ms=values.now_ms())
            if following is None:
                return
            asked = following
            if page == _PAGES_PER_JOB - 1:
                await _defer(connection, batch, asked)


async def _retry_page(
    connection: AsyncConnection, batch: BatchCall, asked: _Asked, *, now_ms: int
) -> tuple[BatchCall, _Asked | None]:
    """Have one page of contacts wait for a place; behind the last page, give everybody one. None when that is done."""
    page = await contact_store.list_failed_contacts(
        connection,
        batch.organization_id,
        batch.id,
        reasons=asked.reasons,
        failed_until=asked.failed_until,
        position=asked.position,
        limit=PAGE,
    )
    reopened = [
        dataclasses.replace(
            contact,
            status="pending",
            earlier_attempts=contact.attempts,
            scheduled_at=None,
            retry_at=None,
            updated_at=now_ms,
        )
        for contact in page
    ]
    await contact_store.update_contacts(connection, reopened)
    if page:
        batch = await _reopen(connection, batch, len(page), now_ms=now_ms)
    if len(page) == PAGE:
        return batch, dataclasses.replace(asked, position=page[-1].position + 1)
    if page or asked.position:
        batch = await spreading.begin(connection, batch, now_ms=now_ms)
        batch = await standing.complete_if_done(connection, batch, now_ms=now_ms)
    return batch, None


async def _reopen(connection: AsyncConnection, batch: BatchCall, count: int, *, now_ms: int) -> BatchCall:
    failed = batch.failed_contacts - count
    batch = await store.change_batch_call(connection, batch, failed_contacts=failed, updated_at=now_ms)
    if batch.status != "completed":
        return batch
    return await standing.change_status(connection, batch, "retry", to="active", now_ms=now_ms, ended_at=None)


async def _defer(connection: AsyncConnection, batch: BatchCall, asked: _Asked) -> None:
    payload = {"batch_call_id": batch.id, **dataclasses.asdict(asked)}
    await queue.defer_job(connection, kind=JOB_KIND, organization_id=batch.organization_id, payload=payload)
