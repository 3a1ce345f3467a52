"""A hundred dials race for credits that are enough for some of them: by `POST /calls`, then by gateways' claims."""

import asyncio
import contextlib

import sqlalchemy as sa

from benchmarks import report
from benchmarks.chaos_product import Store
from ringdown.batch_calls import queueing
from ringdown.batch_calls import service as batch_calls
from ringdown.batch_calls.admission import Admission
from ringdown.batch_calls.schemas import ContactBody, CreateBatchCall
from ringdown.billing import ledger
from ringdown.billing import service as billing
from ringdown.calls import service as calls
from ringdown.calls.models import CallSettings, PlaceCall
from ringdown.cli import first_run, preflight
from ringdown.config import Settings
from ringdown.db.engine import Database, open_database
from ringdown.errors import PaymentRequired

_RACERS = 100
_PROCESSES = 4
_ENOUGH_FOR, _BUDGET_FOR, _LEFT_OVER = 37, 18, 5
_IDLE_CLAIMS = 3


def race(store: Store) -> list[report.Figure]:
    """Both races on an empty database."""
    return asyncio.run(_race(store))


async def _race(store: Store) -> list[report.Figure]:
    preflight.make_data_folder(store.settings.data_dir)
    prepared = await first_run.prepare(store.settings)
    assert prepared.agent_id is not None
    settings = Settings(data_dir=store.settings.data_dir, database_url=store.url, credits_enforced=True)
    async with contextlib.AsyncExitStack() as stack:
        databases = [open_database(settings.sqlalchemy_url) for _ in range(_PROCESSES)]
        for database in databases:
            stack.push_async_callback(database.close)
        hold = ledger.compute_hold(settings)
        granted = hold * _ENOUGH_FOR + _LEFT_OVER
        await _grant(databases[0], prepared.organization_id, granted)
        placed = await _place(databases, settings, prepared.organization_id, prepared.agent_id)
        balance = await _read_balance(databases[0], prepared.organization_id)
        await _grant(databases[0], prepared.organization_id, granted)
        dialled = await _dial(databases, settings, prepared.organization_id, prepared.agent_id, hold * _BUDGET_FOR)
        left = await _read_balance(databases[0], prepared.organization_id)
    name = f"{store.kind}, {_RACERS} dials race"
    return [
        report.at_most(f"{name}: credits overspent by calls", max(0, placed * hold - granted, -balance), "", 0),
        report.at_least(f"{name}: calls placed", placed, "", _ENOUGH_FOR),
        report.at_most(
            f"{name}: credits of the budget overspent", max(0, (dialled - _BUDGET_FOR) * hold, -left), "", 0
        ),
        report.at_least(f"{name}: contacts dialled within the budget", dialled, "", _BUDGET_FOR),
    ]


async def _grant(database: Database, organization_id: str, amount: int) -> None:
    async with database.write() as connection:
        await billing.grant(connection, organization_id=organization_id, amount=amount)


async def _read_balance(database: Database, organization_id: str) -> int:
    """The sum of the ledger, whatever the balance says."""
    async with database.read() as connection:
        query = sa.text("SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE organization_id = :owner")
        return int((await connection.execute(query, {"owner": organization_id})).scalar_one())


async def _place(databases: list[Database], settings: Settings, organization_id: str, agent_id: str) -> int:
    """Everybody at once; how many calls were placed."""

    async def place(racer: int) -> bool:
        request = PlaceCall(
            agent_id=agent_id,
            phone_number=f"+49309010{racer:04}",
            settings=CallSettings(),
            variables={},
            metadata={},
        )
        try:
            await calls.place_call(
                databases[racer % len(databases)], settings=settings, organization_id=organization_id, request=request
            )
        except PaymentRequired:
            return False
        return True

    return sum(await asyncio.gather(*(place(racer) for racer in range(_RACERS))))


async def _dial(databases: list[Database], settings: Settings, organization_id: str, agent_id: str, budget: int) -> int:
    """A batch call with a budget, claimed by several gateways at once; how many contacts were dialled."""
    body = CreateBatchCall(
        name="Race",
        agent_id=agent_id,
        contacts=[ContactBody(phone_number=f"+49309020{racer:04}") for racer in range(_RACERS)],
        max_concurrent_calls=_RACERS,
        max_credits=budget,
    )
    batch, _ = await batch_calls.create_batch_call(databases[0], organization_id=organization_id, body=body)
    await queueing.queue_batch(databases[0], settings=settings, organization_id=organization_id, batch_call_id=batch.id)

    async def claim(gateway: int) -> None:
        admission, idle = Admission(settings), 0
        while idle < _IDLE_CLAIMS:
            claimed = await calls.claim_calls(
                databases[gateway], gateway_id=f"gateway/{gateway}", limit=7, admit=admission
            )
            refused = await admission.refuse(databases[gateway])
            idle = 0 if claimed or refused else idle + 1

    await asyncio.gather(*(claim(gateway) for gateway in range(_PROCESSES)))
    async with databases[0].read() as connection:
        query = sa.text("SELECT count(*) FROM attempts WHERE batch_call_id = :batch")
        return int((await connection.execute(query, {"batch": batch.id})).scalar_one())
