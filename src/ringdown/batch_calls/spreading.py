"""Puts the open contacts of a batch call into its schedule, page by page, and bars those who must not be called.

The first pages are part of the transaction that needs them. The rest is left to a job whose every page is a
transaction that also moves `spread_position`, so that a crash loses nothing and nobody is called out of turn.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.batch_calls import contact_store, lifecycle, pace_store, scheduling, standing, store, zones
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.scheduling import Spreader
from ringdown.calls.store import calls as call_store
from ringdown.contacts import dnc_store
from ringdown.db.engine import Database
from ringdown.jobs import queue
from ringdown.jobs.store import Job

JOB_KIND = "batch_calls.spread"
PAGE = 1000
_PAGES_AT_ONCE = 3
# A page takes about 0.1 s, a job may take 100 s.
_PAGES_PER_JOB = 200
DNC_BLOCKED = "dnc_blocked"


def check_length(batch: BatchCall) -> None:
    """Raise `ValidationFailed` when the daily maximum would make the schedule last for more than ten years."""
    if scheduling.estimate_days(batch) > scheduling.MAX_DAYS:
        raise errors.invalid(
            "max_calls_per_day", f"is too small for {batch.pending_contacts} contacts: it would take over ten years"
        )


async def begin(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> BatchCall:
    """Spread all open contacts of a locked batch call anew, from its start or from now; all others stay as they are."""
    fresh = dataclasses.replace(
        batch,
        spread_position=0,
        spread_from=max(now_ms, batch.scheduled_at or 0),
        spread_days=await _count_today(connection, batch, now_ms=now_ms),
        updated_at=now_ms,
    )
    return await go_on(connection, fresh, now_ms=now_ms)


async def go_on(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> BatchCall:
    """Spread those of a locked batch call who are not in its schedule yet, and leave what is many to the job."""
    batch = await _spread(connection, batch, pages=_PAGES_AT_ONCE, now_ms=now_ms)
    if not batch.is_spread:
        await _defer(connection, batch)
    return batch


async def run_job(database: Database, job: Job) -> None:
    """The job: go on until everybody is in the schedule, one transaction to a page; safe to run twice."""
    for page in range(_PAGES_PER_JOB):
        async with database.write() as connection:
            batch = await store.find_batch_call(
                connection, job.organization_id, job.payload["batch_call_id"], lock=True
            )
            if batch is None or batch.is_spread or batch.status not in lifecycle.STARTED:
                return
            now = values.now_ms()
            batch = await _spread(connection, batch, pages=1, now_ms=now)
            await standing.complete_if_done(connection, batch, now_ms=now)
            if page == _PAGES_PER_JOB - 1 and not batch.is_spread:
                await _defer(connection, batch)


async def _count_today(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> Mapping[str, int]:
    """The calls that count towards the maximum of this day: those dialled, and those that wait for a gateway."""
    if batch.max_calls_per_day is None:
        return {}
    today = scheduling.to_day(now_ms, zones.get_zone(batch.timezone))
    # In this order, a call that is dialled meanwhile is missed: one place too many is put off, one too few is lost.
    dialled = (await pace_store.get_pace(connection, batch.organization_id, batch.id)).count(today)
    live = await call_store.count_live_by_batch(connection, [(batch.organization_id, batch.id)])
    calls = dialled + live[batch.id].get("queued", 0)
    return {today: calls} if calls else {}


async def _defer(connection: AsyncConnection, batch: BatchCall) -> None:
    # Without a unique key: a job that is about to end must not swallow this one, and two of them do no harm.
    await queue.defer_job(
        connection, kind=JOB_KIND, organization_id=batch.organization_id, payload={"batch_call_id": batch.id}
    )


async def _spread(connection: AsyncConnection, batch: BatchCall, *, pages: int, now_ms: int) -> BatchCall:
    zone = zones.get_zone(batch.timezone)
    spreader = Spreader(
        window=scheduling.read_window(batch),
        zone=zone,
        starts_at=max(batch.spread_from or 0, now_ms),
        max_per_day=batch.max_calls_per_day,
        taken=batch.spread_days,
    )
    position, failed = batch.spread_position, 0
    for _ in range(pages):
        if position >= batch.total_contacts:
            break
        page = await contact_store.list_open_contacts(
            connection, batch.organization_id, batch.id, position=position, limit=PAGE
        )
        failed += await _place(connection, batch, page, spreader=spreader, now_ms=now_ms)
        position = min(position + PAGE, batch.total_contacts)
    spread = dataclasses.replace(
        batch,
        spread_position=position,
        spread_days=spreader.taken,
        failed_contacts=batch.failed_contacts + failed,
    )
    await store.update_batch_call(connection, spread)
    return spread


async def _place(
    connection: AsyncConnection, batch: BatchCall, page: list[BatchContact], *, spreader: Spreader, now_ms: int
) -> int:
    """Give each contact of the page its place; returns how many have failed instead."""
    numbers = [contact.phone_number for contact in page]
    blocked = await dnc_store.find_blocked(connection, batch.organization_id, numbers)
    zone = zones.get_zone(batch.timezone)
    changed = []
    for contact in page:
        if contact.phone_number in blocked:
            state: dict[str, Any] = {"status": "failed", "scheduled_at": None, "reason": DNC_BLOCKED}
        else:
            clock = zones.choose_zone(own=contact.timezone, phone_number=contact.phone_number, batch_zone=zone)
            state = {"status": "scheduled", "scheduled_at": spreader.place(clock, not_before=contact.retry_at)}
        changed.append(dataclasses.replace(contact, updated_at=now_ms, **state))
    await contact_store.update_contacts(connection, changed)
    return len(blocked)
