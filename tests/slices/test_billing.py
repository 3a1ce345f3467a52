"""Holds, charges and balances on both databases."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa

from ringdown.accounts import service as accounts
from ringdown.billing import service, store
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.errors import PaymentRequired, ValidationFailed


@pytest.fixture
async def organization_id(database: Database) -> str:
    return (await accounts.create_organization(database, name="Acme")).id


@pytest.fixture
def enforced(settings: Settings) -> Settings:
    return settings.model_copy(update={"credits_enforced": True, "credits_hold_seconds": 60})


async def _grant(database: Database, organization_id: str, amount: int) -> None:
    async with database.write() as connection:
        await service.grant(connection, organization_id=organization_id, amount=amount)


async def _hold(database: Database, settings: Settings, organization_id: str, call_id: str) -> None:
    async with database.write() as connection:
        await service.hold_for_call(connection, settings=settings, organization_id=organization_id, call_id=call_id)


async def _settle(database: Database, organization_id: str, call_id: str, cost: int) -> None:
    async with database.write() as connection:
        await service.settle_call(connection, organization_id=organization_id, call_id=call_id, cost_credits=cost)


async def _balance(database: Database, organization_id: str) -> int:
    async with database.read() as connection:
        return await service.get_balance(connection, organization_id)


async def _entries(database: Database, organization_id: str, call_id: str) -> list[tuple[str, int]]:
    async with database.read() as connection:
        found = await store.list_call_entries(connection, organization_id, call_id)
    return [(entry.kind, entry.amount) for entry in found]


async def test_a_call_is_held_for_then_charged_and_the_hold_released(
    database: Database, enforced: Settings, organization_id: str
) -> None:
    await _grant(database, organization_id, 100)
    await _hold(database, enforced, organization_id, "call_1")
    assert await _balance(database, organization_id) == 90
    await _settle(database, organization_id, "call_1", 24)
    assert await _entries(database, organization_id, "call_1") == [("hold", -10), ("release", 10), ("charge", -24)]
    assert await _balance(database, organization_id) == 76


async def test_holding_and_settling_twice_changes_nothing(
    database: Database, enforced: Settings, organization_id: str
) -> None:
    await _grant(database, organization_id, 100)
    for _ in range(2):
        await _hold(database, enforced, organization_id, "call_1")
    for cost in (24, 30):
        await _settle(database, organization_id, "call_1", cost)
    assert await _balance(database, organization_id) == 76


async def test_two_concurrent_settlements_charge_once(
    database: Database, settings: Settings, organization_id: str
) -> None:
    await _hold(database, settings, organization_id, "call_1")
    await asyncio.gather(*(_settle(database, organization_id, "call_1", 5) for _ in range(8)))
    assert await _balance(database, organization_id) == -5


async def test_a_call_that_never_connected_costs_nothing(
    database: Database, enforced: Settings, organization_id: str
) -> None:
    await _grant(database, organization_id, 10)
    await _hold(database, enforced, organization_id, "call_1")
    await _settle(database, organization_id, "call_1", 0)
    assert await _entries(database, organization_id, "call_1") == [("hold", -10), ("release", 10)]
    assert await _balance(database, organization_id) == 10


async def test_without_enough_credits_a_call_is_refused_and_nothing_is_held(
    database: Database, enforced: Settings, organization_id: str
) -> None:
    await _grant(database, organization_id, 9)
    with pytest.raises(PaymentRequired) as caught:
        await _hold(database, enforced, organization_id, "call_1")
    assert caught.value.details == {"reason": "insufficient_credits", "required": 10, "balance": 9}
    assert await _entries(database, organization_id, "call_1") == []


async def test_racing_calls_do_not_overspend(database: Database, enforced: Settings, organization_id: str) -> None:
    await _grant(database, organization_id, 35)

    async def place(number: int) -> bool:
        try:
            await _hold(database, enforced, organization_id, f"call_{number}")
        except PaymentRequired:
            return False
        return True

    placed = await asyncio.gather(*(place(number) for number in range(15)))
    assert sum(placed) == 3
    assert await _balance(database, organization_id) == 5


async def test_credits_that_are_not_enforced_refuse_nobody(
    database: Database, settings: Settings, organization_id: str
) -> None:
    await _hold(database, settings, organization_id, "call_1")
    await _settle(database, organization_id, "call_1", 3)
    assert await _balance(database, organization_id) == -3


async def test_balances_of_organizations_are_apart(database: Database, organization_id: str) -> None:
    other = (await accounts.create_organization(database, name="Other")).id
    await _grant(database, organization_id, 5)
    assert (await _balance(database, organization_id), await _balance(database, other)) == (5, 0)


async def test_a_grant_is_positive(database: Database, organization_id: str) -> None:
    for amount in (0, -1):
        with pytest.raises(ValidationFailed):
            await _grant(database, organization_id, amount)


async def test_calls_and_pages_are_looked_up_by_their_indexes(sqlite_url: str) -> None:
    database, statements = engine.open_database(sqlite_url), list[str]()

    @sa.event.listens_for(database.reader.sync_engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            statements.append(f"EXPLAIN QUERY PLAN {statement.replace('?', str(1))}")

    async with database.read() as connection:
        await store.list_call_entries(connection, "org_1", "call_1")
        await store.list_entries(connection, "org_1", limit=50, offset=0)
        await store.list_entries(connection, "org_1", kind="hold", limit=50, offset=0)
        plans = [str((await connection.execute(sa.text(statement))).all()) for statement in statements[:]]
    await database.close()
    by_call, ids, _, ids_of_kind, _ = plans
    assert "ux_ledger_entries_part (organization_id=? AND call_id=?)" in by_call
    assert "COVERING INDEX sqlite_autoindex_ledger_entries_1 (organization_id=?)" in ids
    assert "COVERING INDEX ix_ledger_entries_kind (organization_id=? AND kind=?)" in ids_of_kind
    assert not any("TEMP B-TREE" in plan for plan in plans)


async def test_the_last_steps_of_transactions_lock_in_one_order(database: Database) -> None:
    done: list[str] = []

    def make_step(name: str) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            done.append(name)

        return step

    async with database.write() as connection:
        for name in ("calls.counts", "billing.balances"):
            engine.get_last_steps(connection)[name] = make_step(name)
    assert done == ["billing.balances", "calls.counts"]
