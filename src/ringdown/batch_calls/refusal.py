"""Ends queued calls that are not dialled: contacts go back, or are never called; each is stored with its reason."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.batch_calls import contact_store, following, standing, store
from ringdown.batch_calls.models import BatchCall
from ringdown.calls import service
from ringdown.calls.models import Call, EndedReason, FinishedCall
from ringdown.calls.store import calls as call_store
from ringdown.config import Settings
from ringdown.db.engine import Database

# Nobody else writes to SQLite meanwhile.
_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a queued call is not dialled. `reason` is kept with its contact, `summary` tells people.

    `is_final`: the contact is never called again, else at `not_before` (ms UTC) or later. `pauses`: nobody else can be
    called either, and the batch call is paused.
    """

    organization_id: str
    call_id: str
    batch_call_id: str | None
    ended_reason: EndedReason
    reason: str
    summary: str
    is_final: bool = False
    not_before: int | None = None
    pauses: bool = False


async def refuse_calls(database: Database, *, settings: Settings, refusals: Sequence[Refusal]) -> int:
    """End these calls unless they were dialled or have ended meanwhile; returns how many. Safe to run twice."""
    ordered = sorted(refusals, key=lambda each: (each.organization_id, each.batch_call_id or "", each.call_id))
    ended = 0
    for (organization_id, batch_call_id), group in itertools.groupby(
        ordered, key=lambda each: (each.organization_id, each.batch_call_id)
    ):
        own = list(group)
        for start in range(0, len(own), _AT_ONCE):
            async with database.write() as connection:
                queued = await _lock_calls(connection, own[start : start + _AT_ONCE])
                batch = None
                if queued and batch_call_id is not None:
                    batch = await store.lock_batch_call(connection, organization_id, batch_call_id)
                for call, refusal in queued:
                    batch = await _refuse(connection, batch, call, refusal, settings=settings)
                ended += len(queued)
    return ended


async def _lock_calls(connection: AsyncConnection, refusals: Sequence[Refusal]) -> list[tuple[Call, Refusal]]:
    locked = []
    for refusal in refusals:
        call = await call_store.find_call(connection, refusal.organization_id, refusal.call_id, lock=True)
        if call is not None and call.status == "queued":
            locked.append((call, refusal))
    return locked


async def _refuse(
    connection: AsyncConnection, batch: BatchCall | None, call: Call, refusal: Refusal, *, settings: Settings
) -> BatchCall | None:
    contact = await contact_store.find_called(connection, call.organization_id, call.id)
    now = values.now_ms()
    if batch is not None and contact is not None:
        if refusal.is_final:
            batch = await following.fail_contact(connection, batch, contact, now_ms=now, reason=refusal.reason)
        else:
            batch = await following.release_contact(
                connection, batch, contact, now_ms=now, reason=refusal.reason, not_before=refusal.not_before
            )
    if batch is not None and refusal.pauses and batch.status == "active":
        batch = await standing.stop(connection, batch, reason=refusal.summary, now_ms=now)
    finish = FinishedCall(ended_reason=refusal.ended_reason, summary=refusal.summary)
    await service.end_call(connection, call, finish, settings=settings)
    return batch
