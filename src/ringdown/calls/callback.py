"""Calls that an agent promised for later: put off as a job, placed exactly once when due."""

from collections.abc import Mapping
from typing import Any

from ringdown import errors, values
from ringdown.calls import service
from ringdown.calls.models import Call, CallSettings, PlaceCall
from ringdown.calls.store import calls as store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.jobs import queue

#: The kind of the job that places a callback.
JOB_KIND = "calls.callback"
MIN_DELAY_MS = 60_000
MAX_DELAY_MS = 30 * 24 * 3_600_000


async def schedule_callback(database: Database, *, call: Call, at_ms: int, reason: str | None) -> str:
    """Have the agent of `call` ring its far party again at `at_ms`; returns the id that the new call will have.

    A call has one callback at most, however often a model promises it: a later promise replaces the one before.
    Raises `ValidationFailed` when the far party has no number, or the time is not between a minute and 30 days ahead.
    """
    if call.phone_number is None or not values.is_e164(call.phone_number):
        raise errors.invalid("phone_number", "the far party's number is not known, so it cannot be called back")
    delay_ms = at_ms - values.now_ms()
    if not MIN_DELAY_MS <= delay_ms <= MAX_DELAY_MS:
        raise errors.invalid("at", "must be between one minute and 30 days from now")
    call_id = values.new_id("call")
    payload = {
        "call_id": call_id,
        "agent_id": call.agent_id,
        "phone_number": call.phone_number,
        "variables": dict(call.variables),
        "metadata": {**call.metadata, "callback_of": call.id, **({"callback_reason": reason} if reason else {})},
    }
    async with database.write() as connection:
        await queue.cancel_job(connection, kind=JOB_KIND, organization_id=call.organization_id, unique_key=call.id)
        await queue.defer_job(
            connection,
            kind=JOB_KIND,
            payload=payload,
            organization_id=call.organization_id,
            delay_ms=delay_ms,
            unique_key=call.id,
        )
    return call_id


async def place_callback(
    database: Database, *, settings: Settings, organization_id: str, payload: Mapping[str, Any]
) -> Call:
    """Place a call that is due; running it again places no second one. Raises as `service.place_call` does."""
    request = PlaceCall(
        agent_id=payload["agent_id"],
        phone_number=payload["phone_number"],
        settings=CallSettings(),
        variables=payload["variables"],
        metadata=payload["metadata"],
    )
    async with database.write() as connection:
        if (present := await store.find_call(connection, organization_id, payload["call_id"])) is not None:
            return present
        return await service.insert_placed_call(
            connection,
            settings=settings,
            organization_id=organization_id,
            request=request,
            call_id=payload["call_id"],
        )
