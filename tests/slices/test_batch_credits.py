"""What credits, budgets and limits of the day let a batch call dial."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.batch_calls import pace_store
from ringdown.billing import service as billing
from ringdown.db import engine
from ringdown.db.engine import Database
from tests.slices.conftest import BASE, Tenant
from tests.slices.dialling import (
    OWN,
    claim,
    end,
    list_calls,
    list_contacts,
    list_dialled,
    list_ends,
    list_states,
    people,
    queue,
    race,
    set_batch,
    start,
    withdraw,
)
from tests.slices.test_batch_calls import get


@pytest.fixture
async def agent(tenant: Tenant) -> Agent:
    """An agent that can call."""
    return await tenant.add_agent(outbound_number=OWN)


@pytest.fixture
async def other_database(database_url: str) -> AsyncIterator[Database]:
    """The database as another gateway sees it."""
    opened = engine.open_database(database_url)
    yield opened
    await opened.close()


async def grant(tenant: Tenant, credits_: int) -> None:
    async with tenant.database.write() as connection:
        await billing.grant(connection, organization_id=tenant.organization_id, amount=credits_)


async def get_balance(tenant: Tenant) -> int:
    async with tenant.database.read() as connection:
        return await billing.get_balance(connection, tenant.organization_id)


@pytest.fixture
def poor(tenant: Tenant) -> Tenant:
    """An organization whose calls need credits: 10 for each."""
    tenant.settings = tenant.settings.model_copy(update={"credits_enforced": True})
    return tenant


async def test_without_credits_nobody_is_dialled_and_the_batch_call_pauses(poor: Tenant, agent: Agent) -> None:
    batch = await start(poor, agent, people(3))
    await queue(poor)
    assert await claim(poor) == []
    paused = await get(poor, batch)
    assert (paused["status"], paused["status_reason"]) == ("paused", "A call needs 10 credits; the balance is 0.")
    assert {row.status for row in await list_contacts(poor, batch)} == {"scheduled"}
    assert ("failed", "insufficient_credits") in await list_ends(poor, batch)
    assert await list_dialled(poor) == []


async def test_calls_wait_for_what_live_calls_hold(poor: Tenant, agent: Agent) -> None:
    batch = await start(poor, agent, people(3))
    await grant(poor, 25)
    await queue(poor)
    claimed = await claim(poor)
    assert len(claimed) == 2
    assert [row.status for row in await list_calls(poor, batch)] == ["ringing", "ringing", "queued"]
    await end(poor, claimed[0].call, "busy")
    assert len(await claim(poor)) == 1
    assert (await get(poor, batch))["status"] == "active"


async def test_a_batch_call_does_not_pause_for_credits_that_anothers_call_holds(poor: Tenant, agent: Agent) -> None:
    batches = [await start(poor, agent, people(1, first=first)) for first in (0, 5)]
    await grant(poor, 10)
    await queue(poor)
    [claimed] = await claim(poor)
    assert [(await get(poor, each))["status"] for each in batches] == ["active", "active"]
    await end(poor, claimed.call, "busy")
    assert len(await claim(poor)) == 1


async def test_a_budget_of_its_own_stops_a_batch_call(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(3), max_concurrent_calls=1)
    await set_batch(tenant, batch, max_credits=15)
    await queue(tenant)
    [claimed] = await claim(tenant)
    await end(tenant, claimed.call)  # 10 s: 2 credits
    [claimed] = await claim(tenant)
    await tenant.finish_call(claimed.call, started_at=values.now_ms(), media_ms=60_000)
    await queue(tenant)
    assert await claim(tenant) == []
    paused = await get(tenant, batch)
    assert paused["status"] == "paused"
    assert "credits" in paused["status_reason"]


async def test_a_hundred_racing_dials_spend_no_more_than_there_is(
    poor: Tenant, agent: Agent, other_database: Database
) -> None:
    for number in range(4):
        await start(poor, agent, people(25, first=100 * number), max_concurrent_calls=25)
    await grant(poor, 375)
    await queue(poor)
    claimed = await race(poor, *[poor.database, other_database] * 3)
    assert len(claimed) == len({call.id for call in claimed}) == 37
    assert len(await list_dialled(poor)) == 37
    assert await get_balance(poor) == 5


# --- the credits of a day --------------------------------------------------------------------------------------------


async def limit_day(tenant: Tenant, credits_: int | None) -> None:
    response = await tenant.client.patch(f"{BASE}/organization", json={"daily_credit_limit": credits_})
    assert response.status_code == 200, response.text


async def end_rest(tenant: Tenant, batch: dict[str, Any]) -> None:
    """The minute until a batch call looks again has passed."""
    async with tenant.database.write() as connection:
        await pace_store.set_rest(connection, tenant.organization_id, batch["id"], until_ms=1)


async def test_everybody_whom_the_credits_of_the_day_do_not_reach_is_told_so(tenant: Tenant, agent: Agent) -> None:
    await limit_day(tenant, 25)
    batch = await start(tenant, agent, people(6), max_concurrent_calls=3)
    await queue(tenant)
    for claimed in await claim(tenant):  # two: 10 are held for each
        await tenant.finish_call(claimed.call, ended_reason="user_hangup", started_at=values.now_ms(), media_ms=60_000)
    await queue(tenant)
    assert await claim(tenant) == []
    await withdraw(tenant)
    waiting = [state for state in await list_states(tenant, batch) if state[0] != "completed"]
    assert waiting == [("scheduled", 0, "daily_limit")] * 4
    assert (
        await list_ends(tenant, batch) == [("completed", "user_hangup")] * 2 + [("failed", "insufficient_credits")] * 4
    )
    assert (await get(tenant, batch))["status"] == "active"


async def test_nothing_is_queued_while_the_credits_of_the_day_are_used_up(tenant: Tenant, agent: Agent) -> None:
    await limit_day(tenant, 5)
    batch = await start(tenant, agent, people(3))
    await queue(tenant)
    assert await claim(tenant) == []
    for _ in range(3):
        await end_rest(tenant, batch)
        await queue(tenant)
    assert len(await list_calls(tenant, batch)) == 3  # those that were refused
    await limit_day(tenant, 100)
    await queue(tenant)
    assert await claim(tenant) == []  # it has just looked, and rests for a minute
    await end_rest(tenant, batch)
    await queue(tenant)
    assert len(await claim(tenant)) == 3


async def test_a_limit_that_is_taken_away_lets_everybody_be_called(tenant: Tenant, agent: Agent) -> None:
    await limit_day(tenant, 5)
    batch = await start(tenant, agent, people(2))
    await queue(tenant)
    assert await claim(tenant) == []
    await limit_day(tenant, None)
    await end_rest(tenant, batch)
    await queue(tenant)
    assert len(await claim(tenant)) == 2
