"""Budgets of batches, limits per day, refunds and the low-balance event, on both databases and under races."""

import asyncio
import json
from collections import Counter

import pytest
import sqlalchemy as sa

from ringdown import values
from ringdown.accounts import service as accounts
from ringdown.billing import balance_store, ledger, posting, service, store, verification_store
from ringdown.billing.ledger import LedgerEntry
from ringdown.calls import announcement
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.errors import Conflict, NotFound, PaymentRequired, ValidationFailed
from ringdown.webhooks import tables as webhook_tables

BATCH = "batch_1"


@pytest.fixture
async def owner(database: Database) -> str:
    """An organization without credits."""
    return (await accounts.create_organization(database, name="Acme")).id


@pytest.fixture
def enforced(settings: Settings) -> Settings:
    """Credits are needed; a call is held for with 10."""
    return settings.model_copy(update={"credits_enforced": True, "credits_hold_seconds": 60})


async def _grant(database: Database, owner: str, amount: int, **fields: str) -> LedgerEntry:
    async with database.write() as connection:
        return await service.grant(connection, organization_id=owner, amount=amount, **fields)


async def _hold(
    database: Database, settings: Settings, owner: str, call_id: str, *, batch_limit: int | None = None
) -> str | None:
    """Hold for a call of the batch; returns the reason of a refusal."""
    try:
        async with database.write() as connection:
            await service.hold_for_call(
                connection,
                settings=settings,
                organization_id=owner,
                call_id=call_id,
                batch_call_id=BATCH,
                batch_limit=batch_limit,
            )
    except PaymentRequired as error:
        return str(error.details["reason"])
    return None


async def _settle(database: Database, owner: str, call_id: str, cost: int) -> None:
    async with database.write() as connection:
        await service.settle_call(connection, organization_id=owner, call_id=call_id, cost_credits=cost)


async def _refund(
    database: Database, owner: str, call_id: str, amount: int | None = None, **fields: str
) -> LedgerEntry:
    async with database.write() as connection:
        return await service.refund(connection, organization_id=owner, call_id=call_id, amount=amount, **fields)


async def _spent(database: Database, owner: str, scope: balance_store.Scope, key: str) -> int:
    async with database.read() as connection:
        return await balance_store.get_spent(connection, owner, scope, key)


async def _balance(database: Database, owner: str) -> balance_store.Balance:
    async with database.read() as connection:
        return await balance_store.get_balance(connection, owner)


async def _count_differences(database: Database, owner: str) -> int:
    async with database.read() as connection:
        return (await verification_store.verify_balance(connection, owner)).differences


async def _limit_day(database: Database, owner: str, limit: int, timezone: str | None = None) -> None:
    changes = {"daily_credit_limit": limit, "timezone": timezone}
    await accounts.update_organization(database, organization_id=owner, changes=changes)


def _today(timezone: str | None = None) -> str:
    return ledger.find_day(values.now_ms(), timezone)


async def _race(database_url: str, settings: Settings, owner: str, *, batch_limit: int | None = None) -> Counter[str]:
    """100 calls that are held for at once, by two programs; how many came to what."""
    databases = [engine.open_database(database_url) for _ in range(2)]
    try:
        outcomes = await asyncio.gather(
            *(
                _hold(databases[number % 2], settings, owner, f"call_{number:03}", batch_limit=batch_limit)
                for number in range(100)
            )
        )
    finally:
        for each in databases:
            await each.close()
    return Counter(outcome or "held" for outcome in outcomes)


async def test_a_hundred_racing_dials_never_spend_more_than_the_balance(
    database: Database, database_url: str, enforced: Settings, owner: str
) -> None:
    await _grant(database, owner, 375)
    assert await _race(database_url, enforced, owner) == {"held": 37, "insufficient_credits": 63}
    balance = await _balance(database, owner)
    assert (balance.balance, balance.held, balance.hold_entries) == (5, 370, 37)
    assert await _count_differences(database, owner) == 0


async def test_a_hundred_racing_dials_never_spend_more_than_their_batch_may(
    database: Database, database_url: str, settings: Settings, owner: str
) -> None:
    assert await _race(database_url, settings, owner, batch_limit=255) == {"held": 25, "batch_limit": 75}
    assert await _spent(database, owner, "batch", BATCH) == 250


async def test_a_hundred_racing_dials_never_spend_more_than_a_day_may(
    database: Database, database_url: str, settings: Settings, owner: str
) -> None:
    await _limit_day(database, owner, 199)
    assert await _race(database_url, settings, owner) == {"held": 19, "daily_limit": 81}
    assert await _spent(database, owner, "day", _today()) == 190


async def test_holds_and_settlements_that_race_keep_every_sum(
    database: Database, enforced: Settings, owner: str
) -> None:
    await _grant(database, owner, 200)

    async def call(number: int) -> None:
        while await _hold(database, enforced, owner, f"call_{number}") is not None:
            await asyncio.sleep(0)
        await asyncio.gather(*(_settle(database, owner, f"call_{number}", number % 4) for _ in range(2)))

    async with asyncio.timeout(60):
        await asyncio.gather(*(call(number) for number in range(40)))
    balance = await _balance(database, owner)
    assert (balance.balance, balance.held) == (200 - sum(number % 4 for number in range(40)), 0)
    assert await _count_differences(database, owner) == 0


async def test_what_a_call_of_a_batch_gives_back_is_there_for_the_next(
    database: Database, settings: Settings, owner: str
) -> None:
    assert await _hold(database, settings, owner, "call_1", batch_limit=12) is None
    assert await _hold(database, settings, owner, "call_2", batch_limit=12) == "batch_limit"
    await _settle(database, owner, "call_1", 2)
    assert await _hold(database, settings, owner, "call_2", batch_limit=12) is None
    assert await _spent(database, owner, "batch", BATCH) == 12


async def test_several_calls_are_held_for_at_once_as_far_as_the_credits_reach(
    database: Database, enforced: Settings, owner: str
) -> None:
    await _grant(database, owner, 35)
    await _hold(database, enforced, owner, "call_2")
    wanted = [f"call_{number}" for number in range(1, 6)]
    for _ in range(2):  # the second time the first three have theirs
        async with database.write() as connection:
            held = await service.hold_for_calls(
                connection, settings=enforced, organization_id=owner, call_ids=wanted, batch_call_id=BATCH
            )
        assert held.count == 3
        assert held.refusal is not None
        assert held.refusal.details == {"reason": "insufficient_credits", "required": 10, "balance": 5}
    assert (await _balance(database, owner)).balance == 5


async def test_a_call_counts_on_the_day_of_its_hold_on_the_organizations_clock(
    database: Database, settings: Settings, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_midnight = 1_795_258_740_000  # 2026-11-21 23:59 in Auckland
    await _limit_day(database, owner, 10, "Pacific/Auckland")
    monkeypatch.setattr(values, "now_ms", lambda: before_midnight)
    assert await _hold(database, settings, owner, "call_1") is None
    assert await _hold(database, settings, owner, "call_2") == "daily_limit"
    monkeypatch.setattr(values, "now_ms", lambda: before_midnight + 120_000)
    assert await _hold(database, settings, owner, "call_2") is None
    await _settle(database, owner, "call_1", 7)
    spent = [await _spent(database, owner, "day", day) for day in ("2026-11-21", "2026-11-22")]
    assert spent == [7, 10]


async def test_without_a_hold_the_charge_counts_for_batch_and_day(
    database: Database, settings: Settings, owner: str
) -> None:
    unheld = settings.model_copy(update={"credits_hold_seconds": 0})
    assert await _hold(database, unheld, owner, "call_1") is None
    async with database.write() as connection:
        await service.settle_call(
            connection, organization_id=owner, call_id="call_1", cost_credits=4, batch_call_id=BATCH
        )
    assert await _spent(database, owner, "batch", BATCH) == 4
    assert await _spent(database, owner, "day", _today()) == 4


async def test_refunds_add_up_to_the_charge_at_most(database: Database, settings: Settings, owner: str) -> None:
    await _hold(database, settings, owner, "call_1")
    with pytest.raises(NotFound):
        await _refund(database, owner, "call_1", 1)
    await _settle(database, owner, "call_1", 24)
    await _refund(database, owner, "call_1", 4, note="bad line")
    for amount in (0, -1, 21):
        with pytest.raises(ValidationFailed):
            await _refund(database, owner, "call_1", amount)
    assert (await _refund(database, owner, "call_1")).amount == 20
    with pytest.raises(ValidationFailed):
        await _refund(database, owner, "call_1")
    assert (await _balance(database, owner)).balance == 0
    assert await _spent(database, owner, "batch", BATCH) == 0
    assert await _count_differences(database, owner) == 0


async def test_racing_refunds_give_back_once(database: Database, settings: Settings, owner: str) -> None:
    await _hold(database, settings, owner, "call_1")
    await _settle(database, owner, "call_1", 10)
    refunds = [_refund(database, owner, "call_1", 3) for _ in range(8)]
    results = await asyncio.gather(*refunds, return_exceptions=True)
    assert Counter(type(result).__name__ for result in results) == {"LedgerEntry": 3, "ValidationFailed": 5}
    assert (await _balance(database, owner)).balance == -1


async def test_a_reference_makes_grants_and_refunds_happen_once(
    database: Database, settings: Settings, owner: str
) -> None:
    grants = await asyncio.gather(*(_grant(database, owner, 50, reference="invoice 7") for _ in range(5)))
    assert len({entry.id for entry in grants}) == 1
    await _hold(database, settings, owner, "call_1")
    await _settle(database, owner, "call_1", 10)
    refunds = [await _refund(database, owner, "call_1", 10, reference="ticket 1") for _ in range(2)]
    assert refunds[0] == refunds[1]
    assert (await _refund(database, owner, "call_1", reference="ticket 1")).id == refunds[0].id
    for amount, reference in ((51, "invoice 7"), (50, "ticket 1")):
        with pytest.raises(Conflict):
            await _grant(database, owner, amount, reference=reference)
    assert (await _balance(database, owner)).balance == 50


async def _list_low(database: Database, owner: str) -> list[dict[str, object]]:
    events = webhook_tables.events
    query = sa.select(events.c.data).where(events.c.organization_id == owner, events.c.event == "credits.low")
    async with database.read() as connection:
        found = (await connection.execute(query.order_by(events.c.created_at))).scalars()
        return [json.loads(data) for data in found]


async def test_low_credits_are_told_once_and_again_after_they_rose(
    database: Database, settings: Settings, owner: str
) -> None:
    posting.register(announcement.announce_low_credits)  # as it is by being imported
    await accounts.update_organization(database, organization_id=owner, changes={"credits_low_mark": 95})
    await _grant(database, owner, 100)
    for number in range(6):  # a hold alone tells nothing
        await _hold(database, settings, owner, f"call_{number}")
    assert await _list_low(database, owner) == []
    for number in range(4):
        await _settle(database, owner, f"call_{number}", 3)
        assert len(await _list_low(database, owner)) == (number > 0)
    [told] = await _list_low(database, owner)
    assert {name: told[name] for name in ("balance", "held", "low_mark")} == {"balance": 54, "held": 40, "low_mark": 95}
    await _grant(database, owner, 7)  # 95 is not below
    await _settle(database, owner, "call_4", 1)
    assert len(await _list_low(database, owner)) == 2
    await accounts.update_organization(database, organization_id=owner, changes={"credits_low_mark": 90})
    await _settle(database, owner, "call_5", 5)
    assert [low["low_mark"] for low in await _list_low(database, owner)] == [95, 95, 90]


async def test_what_is_undone_moves_no_money_and_tells_nothing(
    database: Database, settings: Settings, owner: str
) -> None:
    await accounts.update_organization(database, organization_id=owner, changes={"credits_low_mark": 95})
    await _hold(database, settings, owner, "call_1")
    with pytest.raises(RuntimeError):
        async with database.write() as connection:
            await service.settle_call(connection, organization_id=owner, call_id="call_1", cost_credits=9)
            raise RuntimeError("killed before the commit")
    assert await _list_low(database, owner) == []
    await _settle(database, owner, "call_1", 9)
    await _settle(database, owner, "call_1", 9)  # killed after it: the next one does it again
    balance = await _balance(database, owner)
    assert (balance.balance, balance.held) == (-9, 0)
    assert len(await _list_low(database, owner)) == 1


async def test_large_ledgers_are_counted_by_the_kept_row(database: Database, owner: str) -> None:
    entries = [
        LedgerEntry(
            id=values.new_id("led"), organization_id=owner, kind="grant", amount=1, created_at=1, reference=str(number)
        )
        for number in range(1203)
    ]
    async with database.write() as connection:
        assert len(await posting.post(connection, entries)) == 1203
        assert await posting.post(connection, entries[:3]) == []
    async with database.read() as connection:
        page = await store.list_entries(connection, owner, limit=2, offset=1200)
    assert [entry.id for entry in page] == [entries[2].id, entries[1].id]
    assert (await _balance(database, owner)).count_entries(None) == 1203
