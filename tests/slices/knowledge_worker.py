"""Runs the worker's knowledge jobs in the test's own process until none is due."""

from collections.abc import Mapping

from ringdown import values
from ringdown.db.engine import Database
from ringdown.jobs import store
from ringdown.jobs.loop import Handler


async def run_due_jobs(database: Database, handlers: Mapping[str, Handler]) -> int:
    """Claim, run and delete jobs as the job loop does, one after the other; returns how many."""
    done = 0
    while True:
        now_at = values.now_ms()
        async with database.write() as connection:
            claimed = await store.claim_jobs(
                connection,
                kinds=list(handlers),
                limit=1,
                now_at=now_at,
                lease_until=now_at + 120_000,
                lease_id=values.new_id("lease"),
            )
        if not claimed:
            return done
        await handlers[claimed[0].kind](claimed[0])
        async with database.write() as connection:
            assert await store.delete_job(connection, claimed[0])
        done += 1
