"""The use cases of a batch call's course: scheduled, started, paused, resumed, cancelled; each is one transaction."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.agents import store as agent_store
from ringdown.batch_calls import conversion, lifecycle, pace_store, spreading, standing, store
from ringdown.batch_calls.lifecycle import Action
from ringdown.batch_calls.models import BatchCall, BatchStatus
from ringdown.batch_calls.schemas import ScheduleBatchCall
from ringdown.db.engine import Database
from ringdown.errors import FieldError
from ringdown.jobs import queue
from ringdown.jobs.store import Job

#: The job that starts a scheduled batch call when its time has come.
ACTIVATE = "batch_calls.activate"


async def schedule_batch_call(
    database: Database, *, organization_id: str, batch_call_id: str, body: ScheduleBatchCall
) -> BatchCall:
    """Start a draft at the time that is sent; without one at the batch's own time, else now.

    Raises `NotFound`, and `ValidationFailed` in another state or when it cannot be started.
    """
    now = values.now_ms()
    async with database.write() as connection:
        batch = await store.get_batch_call(connection, organization_id, batch_call_id, lock=True)
        lifecycle.check_action("schedule", batch.status)
        return await start(connection, conversion.read_schedule(body, batch, now_ms=now), now_ms=now)


async def pause_batch_call(database: Database, *, organization_id: str, batch_call_id: str) -> BatchCall:
    """Place no further calls; those that are under way go on. Raises `NotFound`, `ValidationFailed`."""
    now = values.now_ms()
    async with database.write() as connection:
        batch = await _get(connection, organization_id, batch_call_id, "pause")
        return await standing.change_status(connection, batch, "pause", to="paused", now_ms=now, paused_at=now)


async def resume_batch_call(database: Database, *, organization_id: str, batch_call_id: str) -> BatchCall:
    """Go on, with the open contacts spread anew. Raises `NotFound`, and `ValidationFailed` as for a start."""
    now = values.now_ms()
    async with database.write() as connection:
        batch = await _get(connection, organization_id, batch_call_id, "resume")
        await check_start(connection, batch)
        await pace_store.set_rest(connection, organization_id, batch_call_id, until_ms=0)
        return await _run(connection, batch, "resume", now_ms=now, resumed_at=now, recent_endings="")


async def cancel_batch_call(database: Database, *, organization_id: str, batch_call_id: str) -> BatchCall:
    """Never place a call again; those that are under way go on. Raises `NotFound`, `ValidationFailed`."""
    now = values.now_ms()
    async with database.write() as connection:
        batch = await _get(connection, organization_id, batch_call_id, "cancel")
        return await standing.change_status(connection, batch, "cancel", to="cancelled", now_ms=now, ended_at=now)


async def run_activation(database: Database, job: Job) -> None:
    """The job: start a batch call that waits for its time, or have it fail; safe to run twice."""
    now = values.now_ms()
    async with database.write() as connection:
        batch = await store.find_batch_call(connection, job.organization_id, job.payload["batch_call_id"], lock=True)
        if batch is None or batch.status != "scheduled" or not _is_due(batch, now):
            return
        try:
            await check_start(connection, batch)
        except errors.ValidationFailed as refusal:
            await standing.change_status(
                connection, batch, "fail", to="failed", now_ms=now, status_reason=refusal.message, ended_at=now
            )
            return
        batch = await standing.change_status(connection, batch, "activate", to="active", now_ms=now, started_at=now)
        await standing.complete_if_done(connection, batch, now_ms=now)


async def start(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> BatchCall:
    """Start a locked draft, at once or at its time. Raises `ValidationFailed` when it cannot be started."""
    await check_start(connection, batch)
    return await _run(connection, batch, "schedule", now_ms=now_ms)


async def replan(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> BatchCall:
    """Spread a locked batch call, whose schedule was changed, anew; one that waited for a time now past is started."""
    if batch.status == "scheduled" and _is_due(batch, now_ms):
        await check_start(connection, batch)
        batch = await standing.change_status(
            connection, batch, "activate", to="active", now_ms=now_ms, started_at=now_ms
        )
    return await _spread(connection, batch, now_ms=now_ms)


async def check_start(connection: AsyncConnection, batch: BatchCall) -> None:
    """Raise `ValidationFailed` naming everything that the batch call lacks to be started; keeps its agent."""
    refused = []
    try:
        agent = await agent_store.get_agent(connection, batch.organization_id, batch.agent_id, share=True)
        if agent.status != "active":
            refused.append(FieldError("agent_id", f"the agent is {agent.status}; publish it before it can call"))
    except errors.NotFound:
        refused.append(FieldError("agent_id", "the agent does not exist any more"))
    if not await store.list_callers(connection, batch):
        gone = "none of these numbers exists any more"
        lacking = gone if batch.phone_number_ids else "the agent has no outbound number; assign one"
        refused.append(FieldError("phone_number_ids", lacking))
    if not batch.total_contacts:
        refused.append(FieldError("contacts", "the batch call has no contacts; add some before it is started"))
    if refused:
        raise errors.ValidationFailed(refused)


async def _run(
    connection: AsyncConnection, batch: BatchCall, action: Action, *, now_ms: int, **fields: Any
) -> BatchCall:
    to: BatchStatus = "active" if _is_due(batch, now_ms) else "scheduled"
    if to == "active" and batch.started_at is None:
        fields["started_at"] = now_ms
    batch = await standing.change_status(connection, batch, action, to=to, now_ms=now_ms, **fields)
    return await _spread(connection, batch, now_ms=now_ms)


async def _spread(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> BatchCall:
    spreading.check_length(batch)
    batch = await spreading.begin(connection, batch, now_ms=now_ms)
    if batch.status == "scheduled":
        await queue.defer_job(
            connection,
            kind=ACTIVATE,
            organization_id=batch.organization_id,
            payload={"batch_call_id": batch.id},
            delay_ms=max(0, (batch.scheduled_at or 0) - now_ms),
        )
    return await standing.complete_if_done(connection, batch, now_ms=now_ms)


def _is_due(batch: BatchCall, now_ms: int) -> bool:
    return (batch.scheduled_at or 0) <= now_ms


async def _get(connection: AsyncConnection, organization_id: str, batch_call_id: str, action: Action) -> BatchCall:
    batch = await store.get_batch_call(connection, organization_id, batch_call_id, lock=True)
    lifecycle.check_action(action, batch.status)
    return batch
