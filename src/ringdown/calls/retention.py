"""Deletes recordings and transcripts when their organization wants them no longer: a stretch of calls at a time.

Calls stand in the order of their creation, so that each organization needs one mark for each of the two: whatever the
number of calls, a run reads only those that have come of age since the last one. The mark moves in the transaction
that forgets; a crash repeats at most the stretch that it cut off. A recording's file goes before its row forgets it:
no file is ever left that no row leads to.
"""

import asyncio
import dataclasses
import random
from collections.abc import Callable, Sequence

import structlog

from ringdown import values
from ringdown.accounts import preference_store
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.calls.store import calls as store
from ringdown.calls.store import forgetting
from ringdown.db.engine import Database

log = structlog.get_logger(__name__)

#: The kind of the job, and how often it runs.
JOB_KIND = "calls.retention"
INTERVAL_MS = 60_000

_DAY_MS = 24 * 3_600_000
# Of one transaction: other writers of SQLite wait for it.
_STRETCH = {"recordings_seq": 1000, "transcripts_seq": 100}
# Files that are deleted at the same time: an object store takes its time for each.
_FILES_AT_ONCE = 20
# A job may run for 100 seconds; the next run goes on.
_RUN_SECONDS = 40.0
_REST_SECONDS = 0.01


async def delete_expired(database: Database, *, spool: Spool, now_ms: int, run_seconds: float = _RUN_SECONDS) -> int:
    """Delete what is older than its organization keeps; returns how many calls were looked at.

    Days count from a call's creation. Calls that have not ended, and those behind them, wait.
    """
    async with database.read() as connection:
        kept = await preference_store.list_with_retention(connection)
    loop = asyncio.get_running_loop()
    ends_at, passed = loop.time() + run_seconds, 0
    for organization_id, preferences in random.sample(list(kept.items()), len(kept)):  # nobody is always last
        for mark, days in (
            ("recordings_seq", preferences.recording_retention_days),
            ("transcripts_seq", preferences.transcript_retention_days),
        ):
            if days is None:
                continue
            run = _Run(database, spool.store, organization_id, mark)
            passed += await run.advance(created_before=now_ms - days * _DAY_MS, goes_on=lambda: loop.time() < ends_at)
        if preferences.recording_retention_days is not None:
            await _delete_unkept(
                database, spool, organization_id, now_ms - preferences.recording_retention_days * _DAY_MS
            )
    return passed


class _Run:
    """The retention of recordings, or of transcripts, of one organization."""

    def __init__(self, database: Database, recordings: RecordingStore, organization_id: str, mark: str) -> None:
        self._database = database
        self._recordings = recordings
        self._organization_id = organization_id
        self._mark = mark

    async def advance(self, *, created_before: int, goes_on: Callable[[], bool]) -> int:
        """Forget stretch after stretch; returns how many places of the order were passed."""
        async with self._database.read() as connection:
            end = await forgetting.find_last_before(connection, self._organization_id, created_before)
            progress = await forgetting.get_progress(connection, self._organization_id)
        begun = at = getattr(progress, self._mark)
        while at < end and goes_on():
            last = await self._find_stretch(at + 1, min(at + _STRETCH[self._mark], end))
            if last <= at:
                log.info(
                    "retention waits for a call that has not ended", organization_id=self._organization_id, seq=at + 1
                )
                break
            if self._mark == "recordings_seq":
                await self._forget_recordings(at + 1, last)
            else:
                await self._forget_words(at + 1, last)
            at = last
            await asyncio.sleep(_REST_SECONDS)
        return int(at - begun)

    async def _find_stretch(self, first: int, last: int) -> int:
        async with self._database.read() as connection:
            live = await forgetting.find_live(connection, self._organization_id, first, last)
        return last if live is None else live - 1

    async def _forget_recordings(self, first: int, last: int) -> None:
        async with self._database.read() as connection:
            recorded = await forgetting.list_recorded(connection, self._organization_id, first, last)
        await delete_files(self._recordings, self._organization_id, recorded)
        async with self._database.write() as connection:
            if recorded:
                await forgetting.forget_recordings(connection, self._organization_id, recorded, now_ms=values.now_ms())
            progress = await forgetting.get_progress(connection, self._organization_id)
            progress = dataclasses.replace(progress, recordings_seq=max(progress.recordings_seq, last))
            await forgetting.set_progress(connection, self._organization_id, progress)

    async def _forget_words(self, first: int, last: int) -> None:
        async with self._database.write() as connection:
            calls = await forgetting.lock_range(connection, self._organization_id, first, last)
            unforgotten = [call for call in calls if call.forgotten_at is None]
            await forgetting.forget_words(connection, unforgotten, now_ms=values.now_ms())
            progress = await forgetting.get_progress(connection, self._organization_id)
            progress = dataclasses.replace(progress, transcripts_seq=max(progress.transcripts_seq, last))
            await forgetting.set_progress(connection, self._organization_id, progress)


async def delete_files(recordings: RecordingStore, organization_id: str, call_ids: Sequence[str]) -> None:
    """Delete the recordings of these calls; safe to repeat."""
    for first in range(0, len(call_ids), _FILES_AT_ONCE):
        async with asyncio.TaskGroup() as tasks:
            for call_id in call_ids[first : first + _FILES_AT_ONCE]:
                tasks.create_task(recordings.delete(organization_id, call_id))


async def _delete_unkept(database: Database, spool: Spool, organization_id: str, created_before: int) -> None:
    """Recordings that never came into the store lie where they grew: no row leads to them."""
    for call_id in spool.list_calls(organization_id):
        async with database.read() as connection:
            call = await store.find_call(connection, organization_id, call_id)
        if call is None or (not call.is_live and call.created_at < created_before):
            spool.discard(organization_id, call_id)
