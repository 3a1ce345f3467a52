"""The one loop that works off due jobs: claim, run, complete or back off."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

import structlog

from ringdown import values
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.db.wakeup import Wakeup
from ringdown.jobs import backoff, queue, store
from ringdown.jobs.store import Job

_log = structlog.get_logger(__name__)

Handler = Callable[[Job], Awaitable[None]]

#: A handler is cancelled before its lease ends, so that no two workers run one job at once.
LEASE_MS = 120_000
_RUN_SECONDS = 100
_IDLE_SECONDS = 1.0
_CONCURRENCY = 8
_MAX_ERROR_LENGTH = 1_000


async def run_jobs(database: Database, handlers: Mapping[str, Handler], stop: asyncio.Event) -> None:
    """Work off due jobs of the kinds in `handlers` until `stop` is set; those that run then are finished first.

    A handler that raises has its job tried again later (`backoff`), parked after too many failures; a recurring job is
    never parked. Any number of processes may run this on one database.
    """
    loop = _Loop(database, handlers)
    async with Wakeup(database, queue.CHANNEL) as wakeup, asyncio.TaskGroup() as tasks:
        while not stop.is_set():
            claimed = await loop.claim()
            for job in claimed:
                loop.running += 1
                tasks.create_task(loop.run(job))
            if not claimed:
                await wakeup.wait(_IDLE_SECONDS)
            elif loop.running >= _CONCURRENCY:
                await loop.wait_for_place()


class TryLater(Exception):
    """What a job waits for is away, through no fault of ours: it is put off like a failure, in one line of the log."""


class _Loop:
    """The jobs that one process runs at the moment."""

    def __init__(self, database: Database, handlers: Mapping[str, Handler]) -> None:
        self._database = database
        self._handlers = handlers
        self._has_place = asyncio.Event()
        self.running = 0

    async def claim(self) -> list[Job]:
        """Lease as many due jobs as there are places; none when the database is away."""
        limit = _CONCURRENCY - self.running
        now_at = values.now_ms()
        kinds = list(self._handlers)
        try:
            async with self._database.read() as connection:
                if limit < 1 or not await store.has_due(connection, kinds=kinds, now_at=now_at):
                    return []
            async with self._database.write() as connection:
                return await store.claim_jobs(
                    connection,
                    kinds=kinds,
                    limit=limit,
                    now_at=now_at,
                    lease_until=now_at + LEASE_MS,
                    lease_id=values.new_id("lease"),
                )
        except engine.UNAVAILABLE:
            _log.exception("jobs_not_claimed")
            return []

    async def run(self, job: Job) -> None:
        """Run one job to its end, good or bad; never raises."""
        try:
            if job.interval_ms is None and backoff.is_exhausted(job.attempts - 1):
                raise RuntimeError("every run of this job has ended with its process")  # counted at the claim
            async with asyncio.timeout(_RUN_SECONDS):
                await self._handlers[job.kind](job)
            await self._complete(job)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is a failure of its job
            await self._fail(job, error)
        finally:
            self.running -= 1
            self._has_place.set()

    async def wait_for_place(self) -> None:
        """Wait until a running job has ended; bounded by the time a job may take."""
        self._has_place.clear()
        await self._has_place.wait()

    async def _complete(self, job: Job) -> None:
        async with self._database.write() as connection:
            if job.interval_ms is None:
                await store.delete_job(connection, job)
            else:
                due_at = values.now_ms() + job.interval_ms
                await store.reschedule_job(connection, job, due_at=due_at, attempts=0, last_error=None)

    async def _fail(self, job: Job, error: Exception) -> None:
        is_parked = job.interval_ms is None and backoff.is_exhausted(job.attempts)
        delay_ms = backoff.compute_delay_ms(job.attempts, random.random())
        if job.interval_ms is not None:
            delay_ms = min(delay_ms, job.interval_ms)
        facts = {"job_id": job.id, "kind": job.kind, "attempts": job.attempts, "is_parked": is_parked}
        if isinstance(error, TryLater):
            _log.warning("job_put_off", **facts, reason=str(error))
        else:
            _log.exception("job_failed", **facts)
        try:
            async with self._database.write() as connection:
                await store.reschedule_job(
                    connection,
                    job,
                    due_at=None if is_parked else values.now_ms() + delay_ms,
                    attempts=job.attempts,
                    last_error=f"{type(error).__name__}: {error}"[:_MAX_ERROR_LENGTH],
                )
        except engine.UNAVAILABLE:
            _log.exception("job_failure_not_stored", job_id=job.id)  # its lease runs out, and it falls due again
