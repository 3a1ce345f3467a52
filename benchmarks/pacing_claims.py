"""How fast contacts are queued and claimed in the database: by one worker, in small batches and in large ones."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from benchmarks import chaos_product, report
from benchmarks.chaos_product import Store
from ringdown.batch_calls import queueing
from ringdown.batch_calls import service as batch_calls
from ringdown.batch_calls.admission import Admission
from ringdown.batch_calls.schemas import ContactBody, CreateBatchCall
from ringdown.calls import service as calls
from ringdown.cli import first_run, preflight
from ringdown.config import Settings
from ringdown.db.engine import Database, open_database

_SMALL = 1_000
_ROUND = 250
_ROUNDS = 4
_PER_SECOND = 100
_CLAIM_EVERY_S = 0.05
_BEGIN_S = 60.0
_MOST_CALLS = 10_000
_SLOWER = 1.2
_FILL = """
    INSERT INTO batch_contacts (organization_id, batch_call_id, position, contact_id, phone_number, custom_fields,
        status, attempts, scheduled_at, updated_at, earlier_attempts)
    WITH RECURSIVE people(position) AS (SELECT 1 UNION ALL SELECT position + 1 FROM people WHERE position < {last})
    SELECT organization_id, batch_call_id, people.position, 'cnt_' || people.position,
        '{prefix}' || (1000000 + people.position), custom_fields, 'scheduled', 0, scheduled_at, updated_at, 0
    FROM people, batch_contacts WHERE batch_call_id = '{batch}' AND batch_contacts.position = 0
"""


@dataclass(frozen=True, slots=True)
class _Prepared:
    database: Database
    settings: Settings
    organization_id: str
    agent_id: str


@asynccontextmanager
async def _prepare(store: Store) -> AsyncIterator[_Prepared]:
    preflight.make_data_folder(store.settings.data_dir)
    prepared = await first_run.prepare(store.settings)
    assert prepared.agent_id is not None
    database = open_database(store.settings.sqlalchemy_url)
    try:
        yield _Prepared(database, store.settings, prepared.organization_id, prepared.agent_id)
    finally:
        await database.close()


async def _make_batch(prepared: _Prepared, contacts: int, **fields: Any) -> str:
    """An active batch call with so many contacts that are due; all but the first are copied inside the database."""
    prefix = f"+4930{len(str(contacts))}"  # two batch calls do not dial the same number at once
    body = CreateBatchCall(
        name=f"{contacts} contacts",
        agent_id=prepared.agent_id,
        contacts=[ContactBody(phone_number=f"{prefix}999999")],
        max_concurrent_calls=_MOST_CALLS,
        **fields,
    )
    batch, _ = await batch_calls.create_batch_call(
        prepared.database, organization_id=prepared.organization_id, body=body
    )
    async with prepared.database.write() as connection:
        await connection.execute(sa.text(_FILL.format(last=contacts - 1, batch=batch.id, prefix=prefix)))
        counts = "UPDATE batch_calls SET total_contacts = :total, spread_position = :total WHERE id = :batch"
        await connection.execute(sa.text(counts), {"total": contacts, "batch": batch.id})
    async with prepared.database.write() as connection:
        await connection.execute(sa.text("ANALYZE"))
    return batch.id


def compare_sizes(store: Store, *, large: int) -> list[report.Figure]:
    """What a call costs to queue and to claim in a batch call of 1,000 contacts, and in a large one."""
    small_us, large_us = asyncio.run(_compare_sizes(store, large=large))
    name = f"{store.kind}: queue and claim a call"
    return [
        report.Figure(f"{name} in a batch of {_SMALL} contacts", small_us, "us"),
        report.Figure(f"{name} in a batch of {large} contacts", large_us, "us"),
        report.at_most(f"{name}, large to small", large_us / small_us, "times", _SLOWER),
    ]


async def _compare_sizes(store: Store, *, large: int) -> tuple[float, float]:
    async with _prepare(store) as prepared:
        batches = [await _make_batch(prepared, size) for size in (_SMALL, large)]
        admission = Admission(prepared.settings)
        took_us: dict[str, list[float]] = {batch: [] for batch in batches}
        for _ in range(_ROUNDS):
            for batch in batches:
                took_us[batch].append(await _claim_round(prepared, batch, admission))
    small, large_ = (statistics.median(took_us[batch][1:]) for batch in batches)
    return small, large_


async def _claim_round(prepared: _Prepared, batch: str, admission: Admission) -> float:
    """Microseconds per call, from the schedule to the claim."""
    # SQLite works in this process; what others have of the machine does not count then.
    clock = time.process_time if prepared.database.dialect == "sqlite" else time.perf_counter
    began_s, done = clock(), 0
    while done < _ROUND:
        await queueing.queue_batch(
            prepared.database,
            settings=prepared.settings,
            organization_id=prepared.organization_id,
            batch_call_id=batch,
        )
        before = done
        while claimed := await calls.claim_calls(prepared.database, gateway_id="pacing", limit=50, admit=admission):
            done += len(claimed)
        if await admission.refuse(prepared.database) or done == before:
            raise RuntimeError("a contact could not be called")
    return (clock() - began_s) * 1e6 / done


def measure_worker(store: Store, *, seconds: float) -> list[report.Figure]:
    """The worker program with a batch call of a hundred calls a second, claimed at that pace and left alone."""
    return asyncio.run(_measure_worker(store, seconds=seconds))


async def _measure_worker(store: Store, *, seconds: float) -> list[report.Figure]:
    async with _prepare(store) as prepared:
        await _make_batch(prepared, round(_PER_SECOND * (seconds + 20)), calls_per_second=_PER_SECOND)
        async with chaos_product.run_worker(store) as worker:
            await _claim(prepared, amount=_PER_SECOND, seconds=_BEGIN_S)
            cpu_s, began_s = worker.read_cpu_s(), time.monotonic()
            claimed = await _claim(prepared, amount=round(_PER_SECOND * seconds), seconds=seconds + _BEGIN_S)
            cpu_s, took_s = worker.read_cpu_s() - cpu_s, time.monotonic() - began_s
    rate = claimed / took_s
    name = f"{store.kind}: one worker, {_PER_SECOND} attempts per second set"
    return [
        report.at_least(f"{name}: attempts", rate, "per second", 0.95 * _PER_SECOND),
        report.below(f"{name}: CPU of the worker at {_PER_SECOND}", 100 * cpu_s / took_s * _PER_SECOND / rate, "%", 50),
    ]


async def _claim(prepared: _Prepared, *, amount: int, seconds: float) -> int:
    """Claim so many calls at the set pace, or those that there were in so many seconds; how many."""
    admission, done, began_s = Admission(prepared.settings), 0, time.monotonic()
    while done < amount and time.monotonic() - began_s < seconds:
        due = min(amount, round((time.monotonic() - began_s) * _PER_SECOND) + 1) - done
        if due > 0:
            claimed = await calls.claim_calls(prepared.database, gateway_id="pacing", limit=due, admit=admission)
            done += len(claimed)
            await admission.refuse(prepared.database)
        await asyncio.sleep(_CLAIM_EVERY_S)
    return done
