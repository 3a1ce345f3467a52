"""Erases one person: a job of small transactions, each of which finds less than the one before.

Nothing remembers how far it is: what is erased has the number no longer, so that a run that was cut off goes on where
it stopped. Contacts and places in batch calls go first, so that nobody dials meanwhile; a call that has not ended is
waited for. A recording's file goes before its row forgets it.
"""

import asyncio
from collections.abc import Mapping

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.accounts import store as account_store
from ringdown.batch_calls import following, person_store
from ringdown.batch_calls import store as batch_store
from ringdown.batch_calls.models import OPEN_STATUSES
from ringdown.batch_calls.person_store import ERASED, Membership
from ringdown.calls import callback
from ringdown.calls.retention import delete_files
from ringdown.calls.spool import Spool
from ringdown.calls.store import person
from ringdown.contacts import person_store as contact_store
from ringdown.db.engine import Database
from ringdown.jobs import loop, queue
from ringdown.jobs.store import Job
from ringdown.privacy import store
from ringdown.privacy.models import Erasure
from ringdown.telephony import store as number_store
from ringdown.web import idempotency

log = structlog.get_logger(__name__)

#: The kind of the job that erases.
JOB_KIND = "privacy.erase"

# Of one transaction: other writers of SQLite wait for it.
_CONTACTS, _CALLS, _PLACES = 100, 20, 100
_WAIT_MS = 15_000
_REST_SECONDS = 0.01


async def request_erasure(database: Database, *, organization_id: str, number: str) -> Erasure:
    """Have everything of the person with this E.164 number erased soon.

    Raises `ValidationFailed` for a number of the organization's own, and while a call with the person has not ended.
    """
    erasure = Erasure(
        organization_id=organization_id, id=values.new_id("era"), phone_number=number, created_at=values.now_ms()
    )
    async with database.write() as connection:
        own = await number_store.find_number(connection, number)
        if own is not None and own.organization_id == organization_id:
            raise errors.invalid("phone_number", "is one of your own numbers, not a person's")
        if await person.has_live_call(connection, organization_id, number):
            raise errors.invalid("phone_number", "is in a call that has not ended; try again after it")
        await store.insert_erasure(connection, erasure)
        await idempotency.bind_resource(connection, erasure.id)
        await _defer(connection, erasure)
    return erasure


async def _defer(connection: AsyncConnection, erasure: Erasure, *, delay_ms: int = 0) -> None:
    await queue.defer_job(
        connection,
        kind=JOB_KIND,
        payload={"erasure_id": erasure.id},
        organization_id=erasure.organization_id,
        delay_ms=delay_ms,
    )


def list_handlers(database: Database, spool: Spool) -> Mapping[str, loop.Handler]:
    """The handler by kind of job."""

    async def erase(job: Job) -> None:
        await run_erasure(
            database, spool=spool, organization_id=job.organization_id, erasure_id=job.payload["erasure_id"]
        )

    return {JOB_KIND: erase}


async def run_erasure(database: Database, *, spool: Spool, organization_id: str, erasure_id: str) -> bool:
    """Erase what is left; False when a call is waited for, and another run put off. Safe to run again."""
    async with database.read() as connection:
        erasure = await store.get_erasure(connection, organization_id, erasure_id)
    if erasure.phone_number is None:
        return True
    run = _Run(database, spool, erasure, erasure.phone_number)
    await run.delete_contacts()
    is_done = await run.forget_places()
    for is_inbound in (False, True):
        is_done &= await run.forget_calls(is_inbound=is_inbound)
    async with database.write() as connection:
        if is_done:
            await contact_store.forget_reason(connection, organization_id, run.number)
            await store.complete(connection, erasure, now_ms=values.now_ms())
        else:
            await _defer(connection, erasure, delay_ms=_WAIT_MS)
    log.info("person erased" if is_done else "erasure waits for a call", erasure_id=erasure_id)
    return is_done


class _Run:
    """One run of an erasure."""

    def __init__(self, database: Database, spool: Spool, erasure: Erasure, number: str) -> None:
        self.number = number
        self._database = database
        self._spool = spool
        self._erasure = erasure
        self._owner = erasure.organization_id

    async def delete_contacts(self) -> None:
        """From all folders."""
        deleted = _CONTACTS
        while deleted == _CONTACTS:
            async with self._database.write() as connection:
                deleted = await contact_store.delete_contacts(connection, self._owner, self.number, limit=_CONTACTS)
                await store.add_counts(connection, self._erasure, contacts=deleted)
            await asyncio.sleep(_REST_SECONDS)

    async def forget_places(self) -> bool:
        """Blank the number's places in batch calls; who waits is never called. False when one is being called."""
        is_done, after = True, ""
        while True:
            async with self._database.read() as connection:
                places = await person_store.list_memberships(
                    connection, self._owner, self.number, after=after, limit=_PLACES
                )
            for place in places:
                is_done &= await self._forget_place(place)
                await asyncio.sleep(_REST_SECONDS)
            if len(places) < _PLACES:
                return is_done
            after = places[-1].batch_call_id

    async def _forget_place(self, place: Membership) -> bool:
        now = values.now_ms()
        async with self._database.write() as connection:
            batch = await batch_store.lock_batch_call(connection, self._owner, place.batch_call_id)
            contact = await person_store.find_contact(connection, self._owner, place)
            if batch is None or contact is None or contact.phone_number != self.number:
                return True  # deleted meanwhile
            if contact.status == "calling":
                return False
            reason = None if contact.status == "completed" else ERASED
            if contact.status in OPEN_STATUSES:
                await following.fail_contact(connection, batch, contact, now_ms=now, reason=ERASED)
            await person_store.forget_contact(connection, self._owner, place, reason=reason, now_ms=now)
            await store.add_counts(connection, self._erasure, batch_contacts=1)
        return True

    async def forget_calls(self, *, is_inbound: bool) -> bool:
        """Take the person out of the calls; False when one has not ended."""
        is_done, after_seq = True, 0
        while True:
            async with self._database.read() as connection:
                found = await person.list_calls(
                    connection, self._owner, self.number, is_inbound=is_inbound, after_seq=after_seq, limit=_CALLS
                )
            if not found:
                return is_done
            after_seq = found[-1].seq
            ended = [call.id for call in found if not call.is_live]
            is_done &= len(ended) == len(found)
            await delete_files(self._spool.store, self._owner, ended)
            for call_id in ended:
                self._spool.discard(self._owner, call_id)
            await self._forget_calls(ended)
            await asyncio.sleep(_REST_SECONDS)

    async def _forget_calls(self, call_ids: list[str]) -> None:
        async with self._database.write() as connection:
            calls = await person.lock_calls(connection, self._owner, call_ids)
            await account_store.lock_organization(connection, self._owner)  # who numbers events changes them, too
            await person.forget_person(connection, calls, now_ms=values.now_ms())
            for call in calls:
                await queue.cancel_job(
                    connection, kind=callback.JOB_KIND, organization_id=self._owner, unique_key=call.id
                )
            recordings = sum(call.has_recording for call in calls)
            await store.add_counts(connection, self._erasure, calls=len(calls), recordings=recordings)
