"""The worker program: everything that is due and belongs to no live call."""

import asyncio
from collections.abc import Callable

from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import open_database
from ringdown.worker import reaper


async def serve(settings: Settings, *, asked: asyncio.Event, ready: Callable[[], None]) -> None:
    """Do due work until `asked` is set."""
    database = open_database(settings.sqlalchemy_url)
    spool = Spool(settings.data_dir / "spool", RecordingStore.open(settings))
    try:
        async with asyncio.TaskGroup() as group:
            endless = [group.create_task(reaper.reap_forever(database, settings=settings, spool=spool))]
            ready()
            await asked.wait()
            for task in endless:
                task.cancel()
    finally:
        await database.close()
