"""The jobs of batch calls: starting them at their time, spreading their contacts, finding those left hanging."""

import functools
from collections.abc import Mapping

from ringdown.batch_calls import course, retry, spreading, sweep
from ringdown.db.engine import Database
from ringdown.jobs import loop
from ringdown.jobs.store import Job


def list_handlers(database: Database) -> Mapping[str, loop.Handler]:
    """The handlers by kind of job."""

    async def sweep_hanging(_job: Job) -> None:
        await sweep.sweep(database)

    return {
        sweep.JOB_KIND: sweep_hanging,
        course.ACTIVATE: functools.partial(course.run_activation, database),
        spreading.JOB_KIND: functools.partial(spreading.run_job, database),
        retry.JOB_KIND: functools.partial(retry.run_job, database),
    }
