"""Deferred work on both databases: at least once, one worker at a time, nothing lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
import structlog

from ringdown import values
from ringdown.db.engine import Database
from ringdown.jobs import backoff, loop, queue, store
from ringdown.jobs.loop import Handler
from ringdown.jobs.store import Job


async def _defer(database: Database, kind: str = "greet", **arguments: object) -> str | None:
    async with database.write() as connection:
        return await queue.defer_job(connection, kind=kind, payload={"name": "a"}, **arguments)  # type: ignore[arg-type]


async def _claim(database: Database, *, limit: int = 10, now_at: int | None = None) -> list[Job]:
    now_at = values.now_ms() if now_at is None else now_at
    async with database.write() as connection:
        return await store.claim_jobs(
            connection,
            kinds=["greet"],
            limit=limit,
            now_at=now_at,
            lease_until=now_at + 1_000,
            lease_id=values.new_id("lease"),
        )


async def _rows(database: Database) -> list[sa.RowMapping]:
    async with database.read() as connection:
        return list((await connection.execute(sa.select(store.jobs).order_by(store.jobs.c.id))).mappings())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def _running(database: Database, handlers: dict[str, Handler]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(loop.run_jobs(database, handlers, stop))
        yield
        stop.set()


async def test_a_deferred_job_runs_once_and_is_gone(database: Database) -> None:
    ran: list[Job] = []

    async def greet(job: Job) -> None:
        ran.append(job)

    async with _running(database, {"greet": greet}):
        job_id = await _defer(database, organization_id="org_1")
        await _until(lambda: bool(ran))
    assert [(job.id, job.organization_id, job.payload, job.attempts) for job in ran] == [
        (job_id, "org_1", {"name": "a"}, 1)
    ]
    assert await _rows(database) == []


async def test_a_job_of_a_transaction_that_is_rolled_back_does_not_exist(database: Database) -> None:
    with pytest.raises(ValueError, match="undo"):
        async with database.write() as connection:
            await queue.defer_job(connection, kind="greet", payload={})
            raise ValueError("undo")
    assert await _rows(database) == []


async def test_a_job_is_not_run_before_it_is_due(database: Database) -> None:
    await _defer(database, delay_ms=60_000)
    assert await _claim(database) == []
    assert len(await _claim(database, now_at=values.now_ms() + 61_000)) == 1


async def test_a_unique_job_is_not_deferred_twice(database: Database) -> None:
    assert await _defer(database, unique_key="k") is not None
    assert await _defer(database, unique_key="k") is None
    assert await _defer(database, unique_key="k", organization_id="org_2") is not None
    assert len(await _rows(database)) == 2


async def test_two_workers_never_claim_the_same_job(database: Database) -> None:
    for _ in range(20):
        await _defer(database)
    claimed = await asyncio.gather(*(_claim(database, limit=4) for _ in range(8)))
    ids = [job.id for jobs in claimed for job in jobs]
    assert len(ids) == len(set(ids)) == 20


async def test_the_job_of_a_dead_worker_falls_due_again_and_only_the_new_one_completes_it(database: Database) -> None:
    await _defer(database)
    [lost] = await _claim(database)
    assert await _claim(database) == []
    [again] = await _claim(database, now_at=values.now_ms() + 2_000)
    assert (again.id, again.attempts) == (lost.id, 2)
    async with database.write() as connection:
        assert not await store.delete_job(connection, lost)
        assert not await store.reschedule_job(connection, lost, due_at=0, attempts=0, last_error=None)
        assert await store.delete_job(connection, again)


async def test_a_failed_job_is_tried_again_later_with_its_error_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def fail(job: Job) -> None:
        failed.set()
        raise ValueError("no luck")

    before_at = values.now_ms()
    async with _running(database, {"greet": fail}):
        await _defer(database)
        await failed.wait()
    [row] = await _rows(database)
    assert (row["attempts"], row["last_error"]) == (1, "ValueError: no luck")
    assert before_at + 500 <= row["due_at"] <= values.now_ms() + 1_000

    monkeypatch.setattr(backoff, "FIRST_DELAY_MS", 1)
    ran: list[int] = []

    async def succeed(job: Job) -> None:
        ran.append(job.attempts)

    async with _running(database, {"greet": succeed}):
        await _until(lambda: bool(ran))
    assert ran == [2]


async def test_a_job_that_waits_for_somebody_is_put_off_without_a_traceback(database: Database) -> None:
    ran = asyncio.Event()

    async def wait_for_somebody(job: Job) -> None:
        ran.set()
        raise loop.TryLater("the model is away")

    with structlog.testing.capture_logs() as logged:
        async with _running(database, {"greet": wait_for_somebody}):
            await _defer(database)
            await ran.wait()
    [row] = await _rows(database)
    assert (row["attempts"], row["last_error"]) == (1, "TryLater: the model is away")
    [entry] = logged
    assert (entry["event"], entry["log_level"], entry["reason"]) == ("job_put_off", "warning", "the model is away")
    assert "exc_info" not in entry


async def test_a_job_that_always_fails_is_parked(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_DELAY_MS", 1)
    monkeypatch.setattr(backoff, "MAX_DELAY_MS", 1)
    monkeypatch.setattr(backoff, "MAX_ATTEMPTS", 3)
    runs = 0

    async def fail(job: Job) -> None:
        nonlocal runs
        runs += 1
        raise ValueError("no luck")

    await _defer(database)
    async with _running(database, {"greet": fail}):
        await _until(lambda: runs == 3)
    [row] = await _rows(database)
    assert (row["due_at"], row["attempts"]) == (None, 3)


async def test_a_job_whose_every_run_kills_its_process_is_parked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "MAX_ATTEMPTS", 2)
    await _defer(database)
    async with database.write() as connection:
        await connection.execute(sa.update(store.jobs).values(due_at=0, attempts=2))  # two claims, no end
    ran: list[Job] = []

    async def greet(job: Job) -> None:
        ran.append(job)

    async with _running(database, {"greet": greet}), asyncio.timeout(15):
        while (await _rows(database))[0]["due_at"] is not None:
            await asyncio.sleep(0.01)
    assert ran == []


async def test_a_recurring_job_exists_once_and_runs_again(database: Database) -> None:
    runs = 0

    async def sweep(job: Job) -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise ValueError("no luck")

    for _ in range(2):
        await queue.ensure_recurring(database, kind="sweep", interval_ms=50)
    async with _running(database, {"sweep": sweep}):
        await _until(lambda: runs >= 3)
    [row] = await _rows(database)
    assert row["kind"] == "sweep"
    assert row["due_at"] is not None


async def test_jobs_of_unknown_kinds_wait_for_a_worker_that_knows_them(database: Database) -> None:
    await _defer(database, kind="later")
    assert await _claim(database) == []
    assert len(await _rows(database)) == 1


async def test_a_slow_job_does_not_hold_up_the_others(database: Database) -> None:
    release = asyncio.Event()
    done: list[str] = []

    async def slow(job: Job) -> None:
        await release.wait()

    async def quick(job: Job) -> None:
        done.append(job.id)

    await _defer(database, kind="slow")
    async with _running(database, {"slow": slow, "greet": quick}):
        for _ in range(12):
            await _defer(database)
        await _until(lambda: len(done) == 12)
        release.set()
    assert await _rows(database) == []


async def test_jobs_that_run_when_the_loop_is_stopped_are_finished(database: Database) -> None:
    entered = asyncio.Event()
    release = asyncio.Event()

    async def slow(job: Job) -> None:
        entered.set()
        await release.wait()

    await _defer(database)
    stop = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(loop.run_jobs(database, {"greet": slow}, stop))
        await entered.wait()
        stop.set()
        await asyncio.sleep(0.05)
        assert not task.done()
        release.set()
    assert await _rows(database) == []
