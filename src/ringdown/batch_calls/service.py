"""The use cases of batch calls as records: create, change, add contacts, delete; each is one transaction."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.agents import store as agent_store
from ringdown.batch_calls import (
    contact_store,
    conversion,
    course,
    lifecycle,
    membership,
    pace_store,
    spreading,
    standing,
    store,
)
from ringdown.batch_calls.membership import Additions
from ringdown.batch_calls.models import BatchCall
from ringdown.batch_calls.schemas import AddContacts, CreateBatchCall, UpdateBatchCall
from ringdown.calls.store import calls as call_store
from ringdown.db.engine import Database
from ringdown.web import idempotency


@dataclass(frozen=True, slots=True)
class Deletion:
    """Which batch calls were deleted, and which were absent or are not over."""

    deleted_ids: list[str]
    failed_ids: list[str]


async def create_batch_call(
    database: Database, *, organization_id: str, body: CreateBatchCall
) -> tuple[BatchCall, Additions]:
    """A new batch call with its contacts; `immediate` with contacts starts at once.

    Raises `NotFound` (agent, folder) and `ValidationFailed`; then nothing is created.
    """
    now = values.now_ms()
    sources = conversion.read_sources(body)
    blank = BatchCall(
        organization_id=organization_id,
        id=values.new_id("batch"),
        name=body.name,
        agent_id=body.agent_id,
        created_at=now,
        updated_at=now,
    )
    batch = conversion.read_batch_call(body, blank)
    if body.contact_source is None and body.contact_folder_id is not None:
        batch = dataclasses.replace(batch, contact_source="folder")
    async with database.write() as connection:
        await agent_store.get_agent(connection, organization_id, batch.agent_id, share=True)
        await _check_numbers(connection, batch)
        await idempotency.bind_resource(connection, batch.id)
        await store.insert_batch_call(connection, batch)
        batch, additions = await membership.add_contacts(connection, batch, sources, now_ms=now)
        if batch.schedule_type == "immediate" and batch.total_contacts:
            batch = await course.start(connection, batch, now_ms=now)
    return batch, additions


async def update_batch_call(
    database: Database, *, organization_id: str, batch_call_id: str, body: UpdateBatchCall
) -> BatchCall:
    """Change what the body names, as far as the state allows; a changed schedule spreads the open contacts anew.

    Raises `NotFound` (batch call, agent) and `ValidationFailed`.
    """
    now = values.now_ms()
    async with database.write() as connection:
        present = await store.get_batch_call(connection, organization_id, batch_call_id, lock=True)
        sent = frozenset(body.model_fields_set) - {"concurrency"}
        lifecycle.check_edit(present.status, sent)
        batch = dataclasses.replace(conversion.read_batch_call(body, present), updated_at=now)
        if "agent_id" in sent:
            await agent_store.get_agent(connection, organization_id, batch.agent_id, share=True)
        if "phone_number_ids" in sent:
            await _check_numbers(connection, batch)
        await store.update_batch_call(connection, batch)
        is_replanned = any(getattr(batch, name) != getattr(present, name) for name in lifecycle.SCHEDULE_FIELDS)
        if is_replanned and batch.status in lifecycle.STARTED:
            batch = await course.replan(connection, batch, now_ms=now)
    return batch


async def add_contacts(
    database: Database, *, organization_id: str, batch_call_id: str, body: AddContacts
) -> tuple[BatchCall, Additions]:
    """Add contacts to a batch call that is not over; a started one has them in its schedule.

    Raises `NotFound` (batch call, folder) and `ValidationFailed`.
    """
    now = values.now_ms()
    sources = conversion.read_sources(body)
    if not sources.contacts and not sources.contact_ids and sources.folder_id is None:
        raise errors.invalid("contacts", "is required, or send contact_ids or a contact_folder_id")
    async with database.write() as connection:
        batch = await store.get_batch_call(connection, organization_id, batch_call_id, lock=True)
        if batch.status not in lifecycle.OPEN:
            raise lifecycle.refuse(batch.status, "extended", lifecycle.OPEN)
        batch, additions = await membership.add_contacts(connection, batch, sources, now_ms=now)
        if batch.status in lifecycle.STARTED:
            spreading.check_length(batch)
            batch = await spreading.go_on(connection, batch, now_ms=now)
            batch = await standing.complete_if_done(connection, batch, now_ms=now)
    return batch, additions


async def delete_batch_call(database: Database, *, organization_id: str, batch_call_id: str) -> None:
    """Delete a batch call that calls nobody any more, with its contacts; its calls stay.

    Raises `NotFound`, and `ValidationFailed` while it is not over.
    """
    async with database.write() as connection:
        batch = await store.get_batch_call(connection, organization_id, batch_call_id, lock=True)
        if batch.status not in lifecycle.DELETABLE:
            raise lifecycle.refuse(batch.status, "deleted", lifecycle.DELETABLE)
        await _delete(connection, batch)


async def delete_batch_calls(database: Database, *, organization_id: str, batch_call_ids: Sequence[str]) -> Deletion:
    """Delete those of the batch calls that are there and may be deleted."""
    deletion = Deletion([], [])
    for batch_call_id in dict.fromkeys(batch_call_ids):
        async with database.write() as connection:
            batch = await store.find_batch_call(connection, organization_id, batch_call_id, lock=True)
            if batch is None or batch.status not in lifecycle.DELETABLE:
                deletion.failed_ids.append(batch_call_id)
                continue
            await _delete(connection, batch)
            deletion.deleted_ids.append(batch_call_id)
    return deletion


async def has_live_calls(connection: AsyncConnection, organization_id: str, agent_id: str) -> bool:
    """Whether calls that have not ended use an agent; raises `ValidationFailed` while a batch call will."""
    batch = await store.find_batch_of_agent(connection, organization_id, agent_id, statuses=lifecycle.STARTED)
    if batch is not None:
        raise errors.invalid(
            "agent_id", f"the batch call {batch.id}, which is {batch.status}, needs it; cancel it first"
        )
    return await call_store.has_live_calls(connection, organization_id, agent_id)


async def _delete(connection: AsyncConnection, batch: BatchCall) -> None:
    await store.delete_batch_call(connection, batch.organization_id, batch.id)
    await pace_store.delete_pace(connection, batch.organization_id, batch.id)
    for position in range(0, batch.total_contacts, contact_store.DELETED_AT_ONCE):
        await contact_store.delete_contacts(connection, batch.organization_id, batch.id, position=position)


async def _check_numbers(connection: AsyncConnection, batch: BatchCall) -> None:
    known = await store.list_numbers(connection, batch.organization_id, number_ids=batch.phone_number_ids, agent_ids=())
    absent = [
        errors.FieldError(f"phone_number_ids.{index}", "there is no active phone number with this id")
        for index, number_id in enumerate(batch.phone_number_ids)
        if number_id not in known
    ]
    if absent:
        raise errors.ValidationFailed(absent)
