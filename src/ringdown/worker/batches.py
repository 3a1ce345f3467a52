"""The jobs of batch calls: starting them at their time, and spreading their contacts."""

import functools
from collections.abc import Mapping

from ringdown.batch_calls import course, spreading
from ringdown.db.engine import Database
from ringdown.jobs import loop


def list_handlers(database: Database) -> Mapping[str, loop.Handler]:
    """The handlers by kind of job."""
    return {
        course.ACTIVATE: functools.partial(course.run_activation, database),
        spreading.JOB_KIND: functools.partial(spreading.run_job, database),
    }
