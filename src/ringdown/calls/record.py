"""The use cases on the record of a call: change what a customer set, delete calls with their recordings."""

from collections.abc import Sequence
from dataclasses import dataclass

from ringdown import errors, values
from ringdown.calls import words
from ringdown.calls.models import Call
from ringdown.calls.recording import RecordingStore
from ringdown.calls.schemas import UpdateCall
from ringdown.calls.store import calls as store
from ringdown.db.engine import Database


@dataclass(frozen=True, slots=True)
class BulkDeletion:
    """Which calls were deleted; those that failed are absent or have not ended."""

    deleted_ids: Sequence[str]
    failed_ids: Sequence[str]


async def update_call(database: Database, *, organization_id: str, call_id: str, body: UpdateCall) -> Call:
    """Change settings of a queued call, or variables and metadata of any.

    Raises `NotFound`, and `ValidationFailed` for metadata of too many values, or for `call_settings` of a call that is
    not queued any more.
    """
    words.check_metadata(body.metadata or {})
    async with database.write() as connection:
        call = await store.get_call(connection, organization_id, call_id, lock=True)
        changes: dict[str, object] = {}
        if body.call_settings is not None:
            if call.status != "queued":
                reason = f"can be changed only while the call is queued; it is {call.status}"
                raise errors.invalid("call_settings", reason)
            changes["settings"] = body.call_settings.to_settings(call.settings)
        if body.variables is not None:
            changes["variables"] = body.variables
        if body.metadata is not None:
            changes["metadata"] = body.metadata
        if not changes:
            return call
        return await store.update_call(connection, call, **changes, updated_at=values.now_ms())


async def delete_call(database: Database, *, recordings: RecordingStore, organization_id: str, call_id: str) -> None:
    """Delete a call that has ended, with its transcript and recording.

    The recording goes first: a crash in between leaves a call whose deletion can be repeated, never a recording
    that no call leads to. Raises `NotFound`, and `ValidationFailed` when the call has not ended.
    """
    async with database.read() as connection:
        call = await store.get_call(connection, organization_id, call_id)
    if call.is_live:
        raise errors.invalid("status", f"the call has not ended ({call.status}); hang it up first")
    await recordings.delete(organization_id, call_id)
    async with database.write() as connection:
        await store.delete_calls(connection, organization_id, [call_id])


async def delete_calls(
    database: Database, *, recordings: RecordingStore, organization_id: str, call_ids: Sequence[str]
) -> BulkDeletion:
    """Delete those of the calls that exist and have ended; their recordings go first, as in `delete_call`."""
    wanted = list(dict.fromkeys(call_ids))
    async with database.read() as connection:
        ended = await store.list_ended_ids(connection, organization_id, wanted)
    for call_id in ended:
        await recordings.delete(organization_id, call_id)
    async with database.write() as connection:
        await store.delete_calls(connection, organization_id, ended)
    return BulkDeletion(
        [call_id for call_id in wanted if call_id in ended], [call_id for call_id in wanted if call_id not in ended]
    )
