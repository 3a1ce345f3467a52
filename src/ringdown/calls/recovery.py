"""How a call ends that its gateway can no longer end: the gateway crashed in the middle of it."""

from ringdown.calls import service
from ringdown.calls.models import Call, FinishedCall, UnfinishedCall
from ringdown.calls.spool import Spool
from ringdown.calls.store import attempts
from ringdown.config import Settings
from ringdown.db.engine import Database

_SUMMARY = "The call was cut off when the gateway stopped unexpectedly."


async def finish_crashed(
    database: Database, *, settings: Settings, unfinished: UnfinishedCall, spool: Spool, is_far_end_told: bool
) -> bool:
    """Store the end of a crashed call with what was recorded of it, billed to the last heartbeat of its media clock.

    False when it had ended before. It is never dialled again: nobody knows whether it rang. A far end that is not told
    is left to its gateway, should that come back.
    """
    has_recording = await spool.keep(unfinished.call)
    return await service.finish_call(
        database,
        settings=settings,
        organization_id=unfinished.call.organization_id,
        call_id=unfinished.call.id,
        finish=FinishedCall(
            ended_reason="recovered_after_crash",
            media_ms=unfinished.media_ms,
            started_at=unfinished.started_at,
            summary=_SUMMARY,
            has_recording=has_recording,
            is_far_end_told=is_far_end_told or unfinished.dialog_state is None,
        ),
    )


async def list_untold(database: Database, *, gateway_id: str) -> list[UnfinishedCall]:
    """The calls that were ended for a gateway while it was away, and whose far ends it has to tell."""
    async with database.read() as connection:
        return await attempts.list_untold(connection, gateway_id)


async def note_told(database: Database, call: Call) -> None:
    """The far end of an ended call has been told."""
    async with database.write() as connection:
        await attempts.set_state(connection, call, "ended")
