"""What the end of a call, or its refusal, makes of the batch call's contact and of the counts.

Everything happens in the transaction of whoever calls, with the batch call locked: a contact that is not being called
by the call that has ended was followed before, and nothing changes.
"""

import dataclasses
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls import breaker, contact_store, lifecycle, retrying, scheduling, standing, store
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.calls import follow_up
from ringdown.calls.models import FAULTS, Call, EndedReason
from ringdown.calls.store import attempts


async def follow_end(connection: AsyncConnection, ended: Call) -> None:
    """Have a contact completed, failed or scheduled again by how its call has ended, which must be locked.

    Safe to run twice; nothing happens for a call of no batch call, or of one that was deleted.
    """
    if ended.batch_call_id is None or ended.ended_reason is None:
        return
    batch = await store.lock_batch_call(connection, ended.organization_id, ended.batch_call_id)
    if batch is None:
        return
    contact = await contact_store.find_called(connection, ended.organization_id, ended.id)
    if contact is None:
        return
    dialled_at = await attempts.find_attempt_time(connection, ended)
    now = ended.updated_at
    if dialled_at is None and retrying.MEANINGS[ended.ended_reason] == "undialled":
        await release_contact(connection, batch, contact, now_ms=now, reason=ended.ended_reason)
        return
    told = dataclasses.replace(
        contact,
        called_at=ended.started_at or dialled_at or contact.called_at,
        outcome=ended.outcome,
        scheduled_at=None,
        retry_at=None,
        updated_at=now,
    )
    followed = _follow(batch, told, ended.ended_reason, is_answered=ended.started_at is not None)
    await contact_store.update_contacts(connection, [followed])
    is_dialled, is_answered = dialled_at is not None, ended.started_at is not None
    batch = await store.change_batch_call(
        connection,
        batch,
        completed_contacts=batch.completed_contacts + (followed.status == "completed"),
        failed_contacts=batch.failed_contacts + (followed.status == "failed"),
        dialled_calls=batch.dialled_calls + is_dialled,
        answered_calls=batch.answered_calls + is_answered,
        recent_endings=breaker.remember(batch.recent_endings, fault=FAULTS[ended.ended_reason], is_answered=is_answered)
        if is_dialled
        else batch.recent_endings,
        updated_at=max(now, batch.updated_at),
    )
    batch = await standing.complete_if_done(connection, batch, now_ms=now)
    if batch.status == "active" and (trip := breaker.find_trip(batch)) is not None:
        await standing.stop(connection, batch, reason=trip, now_ms=now)


def _follow(batch: BatchCall, contact: BatchContact, reason: EndedReason, *, is_answered: bool) -> BatchContact:
    """The contact as it is after a call that ended so just now."""
    if retrying.is_reached(reason, is_answered=is_answered):
        return dataclasses.replace(contact, status="completed", reason=None)
    delay_ms = None if batch.status in lifecycle.TERMINAL else retrying.find_delay(batch, contact, reason)
    if delay_ms is None:
        return dataclasses.replace(contact, status="failed", reason=reason)
    retry_at = contact.updated_at + delay_ms
    slot = scheduling.find_slot(batch, contact, not_before=retry_at)
    return dataclasses.replace(contact, status="scheduled", reason=reason, scheduled_at=slot, retry_at=retry_at)


async def release_contact(
    connection: AsyncConnection,
    batch: BatchCall,
    contact: BatchContact,
    *,
    now_ms: int,
    reason: str,
    not_before: int | None = None,
) -> BatchCall:
    """`release_contacts` of one."""
    return await release_contacts(connection, batch, [contact], now_ms=now_ms, reason=reason, not_before=not_before)


async def release_contacts(
    connection: AsyncConnection,
    batch: BatchCall,
    contacts: Sequence[BatchContact],
    *,
    now_ms: int,
    reason: str,
    not_before: int | None = None,
) -> BatchCall:
    """Put contacts of a locked batch call, who were not dialled, back to their next open time; that counts nothing.

    They are called at `not_before` at the earliest. Call it before the refused call is ended.
    """
    earliest = max(now_ms, not_before or 0)
    released = [
        dataclasses.replace(
            contact,
            status="scheduled",
            scheduled_at=scheduling.find_slot(batch, contact, not_before=earliest),
            reason=reason,
            updated_at=now_ms,
        )
        for contact in contacts
    ]
    await contact_store.update_contacts(connection, released)
    return batch


async def fail_contact(
    connection: AsyncConnection, batch: BatchCall, contact: BatchContact, *, now_ms: int, reason: str
) -> BatchCall:
    """`fail_contacts` of one."""
    return await fail_contacts(connection, batch, [contact], now_ms=now_ms, reason=reason)


async def fail_contacts(
    connection: AsyncConnection, batch: BatchCall, contacts: Sequence[BatchContact], *, now_ms: int, reason: str
) -> BatchCall:
    """Have contacts of a locked batch call, who are not done, never be called again.

    Returns the batch call with its counts, `completed` when nobody is left. Call it before the refused call is ended.
    """
    if not contacts:
        return batch
    failed = [
        dataclasses.replace(contact, status="failed", scheduled_at=None, reason=reason, updated_at=now_ms)
        for contact in contacts
    ]
    await contact_store.update_contacts(connection, failed)
    batch = await store.change_batch_call(
        connection,
        batch,
        failed_contacts=batch.failed_contacts + len(failed),
        updated_at=max(now_ms, batch.updated_at),
    )
    return await standing.complete_if_done(connection, batch, now_ms=now_ms)


follow_up.register(follow_end)
