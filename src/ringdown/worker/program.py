"""The worker program: everything that is due and belongs to no live call."""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from ringdown import values
from ringdown.batch_calls import following as _following  # noqa: F401, registers what follows the end of a call
from ringdown.batch_calls import sweep
from ringdown.billing import service as billing
from ringdown.calls import browser, callback, sealing, word_bitmaps
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import Database, open_database
from ringdown.errors import RingdownError
from ringdown.jobs import loop, queue
from ringdown.jobs.store import Job
from ringdown.privacy import erasing
from ringdown.web import idempotency
from ringdown.webhooks import sender
from ringdown.webhooks import service as webhooks
from ringdown.worker import analysis, batches, dialler, knowledge, reaper, retention, vendors

log = structlog.get_logger(__name__)

_REAP = "calls.reap"
_FORGET = "idempotency.forget"
_TIDY = "records.tidy"
_INTERVALS_MS = (
    {
        _REAP: 5_000,
        _FORGET: 3_600_000,
        _TIDY: 60_000,
        sealing.JOB_KIND: sealing.INTERVAL_MS,
        word_bitmaps.JOB_KIND: word_bitmaps.INTERVAL_MS,
        sweep.JOB_KIND: sweep.INTERVAL_MS,
    }
    | vendors.INTERVALS_MS
    | retention.INTERVALS_MS
)


async def serve(settings: Settings, *, asked: asyncio.Event, ready: Callable[[], None]) -> None:
    """Do due work until `asked` is set; what runs then is finished."""
    database = open_database(settings.sqlalchemy_url)
    try:
        for kind, interval_ms in _INTERVALS_MS.items():
            await queue.ensure_recurring(database, kind=kind, interval_ms=interval_ms)
        async with (
            knowledge.open_handlers(settings, database) as of_knowledge,
            analysis.open_handlers(settings, database, asked) as of_analysis,
            asyncio.TaskGroup() as tasks,
        ):
            ready()
            # A loop of its own: slow models hold nothing else up.
            tasks.create_task(loop.run_jobs(database, of_analysis, asked))
            tasks.create_task(sender.run(database, settings, asked))
            tasks.create_task(dialler.run_dialler(database, settings=settings, stop=asked))
            own = {**_list_handlers(settings, database), **vendors.list_handlers(settings, database)}
            handlers = {**own, **of_knowledge, **batches.list_handlers(database)}
            await loop.run_jobs(database, handlers, asked)
    finally:
        await database.close()


def _list_handlers(settings: Settings, database: Database) -> Mapping[str, loop.Handler]:
    spool = Spool(settings.data_dir / "spool", RecordingStore.open(settings))

    async def reap(_job: Job) -> None:
        await reaper.reap(database, settings=settings, spool=spool)
        await browser.end_unjoined_calls(database, settings=settings)

    async def forget(_job: Job) -> None:
        async with database.write() as connection:
            await idempotency.delete_expired(connection, now_at=values.now_ms())

    async def tidy(_job: Job) -> None:
        await billing.fold_all_usage(database)
        await webhooks.number_all_events(database)

    async def seal(_job: Job) -> None:
        await sealing.seal_due(database)

    async def make_bitmaps(_job: Job) -> None:
        await word_bitmaps.make_due(database)

    async def call_back(job: Job) -> None:
        try:
            await callback.place_callback(
                database, settings=settings, organization_id=job.organization_id, payload=job.payload
            )
        except RingdownError as refusal:  # a later try would be refused, too
            log.warning("callback not placed", call_id=job.payload["call_id"], reason=refusal.message)

    own = {
        _REAP: reap,
        _FORGET: forget,
        _TIDY: tidy,
        sealing.JOB_KIND: seal,
        word_bitmaps.JOB_KIND: make_bitmaps,
        callback.JOB_KIND: call_back,
    }
    return {**own, **retention.list_handlers(database, spool), **erasing.list_handlers(database, spool)}
