"""Finds contacts that are being called by a call that has ended or is gone, and follows it up: nobody is left hanging.

The end of a call follows up in its own transaction; this is for what a fault of ours, or a deletion, has torn apart.
"""

from ringdown import values
from ringdown.batch_calls import contact_store, dialling_store, following, store
from ringdown.calls.store import calls as call_store
from ringdown.db.engine import Database

JOB_KIND = "batch_calls.sweep"
INTERVAL_MS = 60_000
_AT_ONCE = 1000
#: Of a contact whose call is gone: whether it was dialled is not known, so that it is never called again.
LOST = "recovered_after_crash"


async def sweep(database: Database) -> int:
    """Follow up what hangs; returns how many contacts. Safe to run twice."""
    async with database.read() as connection:
        hanging = await dialling_store.list_hanging(connection, limit=_AT_ONCE)
    for organization_id, batch_call_id, call_id in hanging:
        async with database.write() as connection:
            call = await call_store.find_call(connection, organization_id, call_id, lock=True)
            if call is not None:
                if not call.is_live:
                    await following.follow_end(connection, call)
                continue
            batch = await store.lock_batch_call(connection, organization_id, batch_call_id)
            contact = await contact_store.find_called(connection, organization_id, call_id)
            if batch is not None and contact is not None:
                await following.fail_contact(connection, batch, contact, now_ms=values.now_ms(), reason=LOST)
    return len(hanging)
