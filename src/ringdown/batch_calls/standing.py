"""Moves a batch call from one state to another, and tells customers in the same transaction."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls import lifecycle, store
from ringdown.batch_calls.lifecycle import Action
from ringdown.batch_calls.models import BatchCall, BatchStatus
from ringdown.webhooks import events, payload
from ringdown.webhooks.models import EventType


async def change_status(
    connection: AsyncConnection, batch: BatchCall, action: Action, *, to: BatchStatus, now_ms: int, **fields: Any
) -> BatchCall:
    """Store the state that the action leads to for the batch call, which is locked; `fields` change with it."""
    lifecycle.check_transition(action, batch.status, to)
    # What is told of it is in order, also when the clock that told the last change is ahead of this one.
    now_ms = max(now_ms, batch.updated_at)
    changes = {"status_reason": None, **fields, "status": to, "updated_at": now_ms}
    changed = await store.change_batch_call(connection, batch, **changes)
    told: dict[str, object] = {
        "status": to,
        "previous_status": batch.status,
        "reason": changed.status_reason,
        "name": batch.name,
        "agent_id": batch.agent_id,
        "total_contacts": changed.total_contacts,
        "called": changed.called_contacts,
        "completed": changed.completed_contacts,
        "failed": changed.failed_contacts,
        "pending": changed.pending_contacts,
    }
    described = payload.describe_batch(batch_id=batch.id, fields=told)
    facts: list[tuple[EventType, dict[str, object]]] = [("batch.status.changed", described)]
    if to == "completed":
        facts.append(("batch.completed", described))
    await events.record_events(
        connection, organization_id=batch.organization_id, subject_id=batch.id, facts=facts, now_ms=now_ms
    )
    return changed


async def stop(connection: AsyncConnection, batch: BatchCall, *, reason: str, now_ms: int) -> BatchCall:
    """Pause a locked batch call that must not go on by itself, and say why; one that calls nobody stays as it is."""
    if batch.status not in lifecycle.TRANSITIONS["pause"]:
        return batch
    return await change_status(
        connection, batch, "pause", to="paused", now_ms=now_ms, paused_at=now_ms, status_reason=reason
    )


async def complete_if_done(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> BatchCall:
    """Complete a running batch call in which nobody is left to be called; call it after every contact's end."""
    is_done = batch.status in lifecycle.TRANSITIONS["complete"] and batch.is_spread and batch.pending_contacts == 0
    if not is_done:
        return batch
    return await change_status(connection, batch, "complete", to="completed", now_ms=now_ms, ended_at=now_ms)
