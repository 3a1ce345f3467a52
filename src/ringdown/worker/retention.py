"""The recurring job that deletes recordings and transcripts on time."""

from collections.abc import Mapping

from ringdown import values
from ringdown.calls import retention
from ringdown.calls.spool import Spool
from ringdown.db.engine import Database
from ringdown.jobs import loop
from ringdown.jobs.store import Job

#: How often it runs.
INTERVALS_MS = {retention.JOB_KIND: retention.INTERVAL_MS}


def list_handlers(database: Database, spool: Spool) -> Mapping[str, loop.Handler]:
    """The handler by kind of job."""

    async def delete(_job: Job) -> None:
        await retention.delete_expired(database, spool=spool, now_ms=values.now_ms())

    return {retention.JOB_KIND: delete}
