"""What a gateway asks before it dials for a batch call, in the transaction that stores the dial; and races for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from ringdown import values
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.batch_calls import pace_store
from ringdown.batch_calls.admission import Admission
from ringdown.billing import service as billing
from ringdown.calls import service
from ringdown.calls.pacing import Pacer
from ringdown.db import engine
from ringdown.db.engine import Database
from tests.slices.conftest import BASE, Tenant
from tests.slices.dialling import (
    OWN,
    claim,
    closed_window,
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
    set_contact,
    start,
)
from tests.slices.test_batch_calls import BATCHES, create, get
from tests.slices.test_batch_contacts import block, make_folder

DAY_MS = 24 * 3_600_000


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


async def get_balance(tenant: Tenant) -> int:
    async with tenant.database.read() as connection:
        return await billing.get_balance(connection, tenant.organization_id)


# --- each refusal ----------------------------------------------------------------------------------------------------


async def test_a_number_that_was_blocked_meanwhile_is_not_dialled(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(2))
    await queue(tenant)
    await block(tenant, people(1)[0]["phone_number"])
    assert [each.call.to_number for each in await claim(tenant)] == [people(2)[1]["phone_number"]]
    assert await list_states(tenant, batch) == [("failed", 0, "dnc_blocked"), ("calling", 1, None)]
    assert await list_ends(tenant, batch) == [("failed", "dnc_blocked"), ("ringing", None)]
    [refused, _] = await list_calls(tenant, batch)
    told = (await tenant.client.get(f"{BASE}/events", params={"limit": 100})).json()["data"]
    kinds = [event["event"] for event in told if event["data"].get("call_id") == refused.id]
    assert Counter(kinds) >= Counter(["call.billed", "call.failed", "call.started"])


async def test_a_plain_call_to_a_number_that_was_blocked_meanwhile_is_not_dialled(tenant: Tenant, agent: Agent) -> None:
    call = await tenant.place_call(agent, phone_number="+12125550000")
    await block(tenant, "+12125550000")
    balance = await get_balance(tenant)
    assert await claim(tenant) == []
    ended = await tenant.get_call(call.id)
    assert (ended.status, ended.ended_reason) == ("failed", "dnc_blocked")
    assert await get_balance(tenant) == balance + 10  # what was held for it


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_an_agent_that_is_a_draft_by_now_calls_nobody(tenant: Tenant, agent: Agent, *, is_deleted: bool) -> None:
    batch = await start(tenant, agent, people(2))
    await queue(tenant)
    if is_deleted:
        async with tenant.database.write() as connection:
            await agent_store.delete_agent(connection, tenant.organization_id, agent.id)
    else:
        changed = await tenant.client.patch(f"{BASE}/agents/{agent.id}", json={"status": "draft"})
        assert changed.status_code == 200, changed.text
    assert await claim(tenant) == []
    assert await list_dialled(tenant) == []
    paused = await get(tenant, batch)
    why = "Its agent does not exist any more." if is_deleted else "Its agent is draft; publish it first."
    assert (paused["status"], paused["status_reason"]) == ("paused", why)
    assert ("scheduled", 0, "agent_not_active") in await list_states(tenant, batch)


async def test_nobody_is_called_from_a_number_that_the_batch_call_has_no_more(tenant: Tenant, agent: Agent) -> None:
    old, new = [await tenant.add_number(f"+1800555000{last}") for last in (1, 2)]
    batch = await start(tenant, agent, people(1), phone_number_ids=[old.id])
    await queue(tenant)
    changed = await tenant.client.patch(f"{BATCHES}/{batch['id']}", json={"phone_number_ids": [new.id]})
    assert changed.status_code == 200, changed.text
    assert await claim(tenant) == []
    assert await list_states(tenant, batch) == [("scheduled", 0, "number_removed")]
    await queue(tenant)
    assert [each.call.from_number for each in await claim(tenant)] == [new.phone_number]


async def test_a_call_that_was_refused_is_none_to_the_contact(tenant: Tenant, agent: Agent) -> None:
    blocked, other = (each["phone_number"] for each in people(2))
    folder_id, _ = await make_folder(tenant, people(2))
    batch = await create(tenant, agent, contact_source="folder", contact_folder_id=folder_id, schedule_type="immediate")
    await queue(tenant)
    await block(tenant, blocked)
    [dialled] = await claim(tenant)
    await end(tenant, dialled.call, "no_answer")
    listed = (await tenant.client.get(f"{BASE}/contacts", params={"folder_id": folder_id})).json()["data"]
    told = {each["phone_number"]: (each["call_count"], each["last_call_outcome"]) for each in listed}
    assert told == {blocked: (0, None), other: (1, "no_answer")}
    assert len(await list_calls(tenant, batch)) == 2


async def test_outside_the_contacts_window_nobody_is_dialled(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, [{**people(1)[0], "timezone": "UTC"}])
    await queue(tenant)
    await set_batch(tenant, batch, **closed_window())
    now = values.now_ms()
    assert await claim(tenant) == []
    [contact] = await list_contacts(tenant, batch)
    assert (contact.status, contact.attempts, contact.reason) == ("scheduled", 0, "outside_window")
    assert now + DAY_MS // 3 < contact.scheduled_at < now + DAY_MS
    assert await list_ends(tenant, batch) == [("failed", "outside_window")]
    assert (await get(tenant, batch))["status"] == "active"


async def test_a_contact_without_an_attempt_left_is_not_dialled(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(2), retry_attempts=1)
    await queue(tenant)
    await set_contact(tenant, batch, 0, attempts=2)
    await set_contact(tenant, batch, 1, attempts=1)
    assert [each.call.to_number for each in await claim(tenant)] == [people(2)[1]["phone_number"]]
    assert await list_states(tenant, batch) == [("failed", 2, "attempts_limit"), ("calling", 2, None)]


async def test_a_contact_that_waits_for_another_call_is_not_dialled_by_this_one(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(1))
    await queue(tenant)
    await set_contact(tenant, batch, 0, status="scheduled", call_id=None)
    assert await claim(tenant) == []
    assert await list_ends(tenant, batch) == [("failed", "cancelled")]
    assert await list_states(tenant, batch) == [("scheduled", 0, None)]


async def test_the_calls_of_a_day_are_counted_in_the_batch_calls_zone(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(4), timezone="Asia/Tokyo")
    await queue(tenant)
    await set_batch(tenant, batch, max_calls_per_day=3)
    claimed = await claim(tenant)
    assert len(claimed) == 3
    contact = (await list_contacts(tenant, batch))[3]
    assert (contact.status, contact.attempts, contact.reason) == ("scheduled", 0, "daily_maximum")
    # The next midnight in Tokyo is one at 15:00 UTC.
    assert contact.scheduled_at % DAY_MS == 15 * 3_600_000
    assert values.now_ms() < contact.scheduled_at <= values.now_ms() + DAY_MS
    await set_contact(tenant, batch, 3, scheduled_at=0)
    await queue(tenant)
    assert await claim(tenant) == []
    assert len(await list_calls(tenant, batch)) == 4  # not even queued


async def test_the_day_after_the_calls_are_counted_anew(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(1), max_calls_per_day=1)
    async with tenant.database.write() as connection:
        key = (tenant.organization_id, batch["id"])
        await pace_store.lock_paces(connection, [key])
        await pace_store.set_pace(connection, *key, pace_store.Pace(day="2020-01-01", dials=1))
    await queue(tenant)
    assert len(await claim(tenant)) == 1


async def test_somebody_whom_another_batch_call_has_just_dialled_is_not_dialled(tenant: Tenant, agent: Agent) -> None:
    first = await start(tenant, agent, people(1))
    second = await start(tenant, agent, people(1))
    await queue(tenant)
    [claimed] = await claim(tenant)
    dialled, waiting = (first, second) if claimed.call.batch_call_id == first["id"] else (second, first)
    assert await list_states(tenant, dialled) == [("calling", 1, None)]
    [contact] = await list_contacts(tenant, waiting)
    assert (contact.status, contact.attempts, contact.reason) == ("scheduled", 0, "contact_gap")
    assert contact.scheduled_at >= claimed.call.updated_at + 60_000
    assert await list_ends(tenant, waiting) == [("failed", "cancelled")]


async def test_without_a_gap_two_batch_calls_may_dial_one_person(tenant: Tenant, agent: Agent) -> None:
    tenant.settings = tenant.settings.model_copy(update={"contact_gap_seconds": 0})
    for _ in range(2):
        await start(tenant, agent, people(1))
    await queue(tenant)
    assert len(await claim(tenant)) == 2


async def test_a_retry_is_not_held_up_by_the_gap(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(1), retry_failed=True)
    await queue(tenant)
    [claimed] = await claim(tenant)
    await end(tenant, claimed.call, "busy")
    await set_contact(tenant, batch, 0, scheduled_at=0)
    await queue(tenant)
    assert len(await claim(tenant)) == 1
    assert await list_states(tenant, batch) == [("calling", 2, None)]


# --- concurrency and pace --------------------------------------------------------------------------------------------


async def test_the_concurrency_holds_and_a_place_that_is_free_is_taken(tenant: Tenant, agent: Agent) -> None:
    await start(tenant, agent, people(8), max_concurrent_calls=3)
    await queue(tenant)
    claimed = await claim(tenant)
    assert len(claimed) == 3
    assert await claim(tenant) == []
    await end(tenant, claimed[0].call)
    await end(tenant, claimed[1].call, "busy")
    assert len(await claim(tenant)) == 2


async def test_a_full_batch_call_holds_up_no_other(tenant: Tenant, agent: Agent) -> None:
    full = await start(tenant, agent, people(9), max_concurrent_calls=1)
    free = await start(tenant, agent, people(9, first=100), max_concurrent_calls=5)
    await queue(tenant)
    claimed = await claim(tenant, limit=6)
    assert Counter(each.call.batch_call_id for each in claimed) == {full["id"]: 1, free["id"]: 5}


async def test_only_calls_whose_turn_comes_soon_are_claimed(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(30), max_concurrent_calls=30, calls_per_second=10)
    await queue(tenant)
    pacer = Pacer("gateway-1")
    claimed = await claim(tenant, pacer=pacer)
    assert len(claimed) == 10
    assert {each.paced_by for each in claimed} == {(batch["id"],)}
    pacer.drop(claimed[0].call.id, claimed[0].paced_by)
    assert len(await claim(tenant, pacer=pacer)) == 1


async def test_the_calls_of_a_line_with_a_rate_leave_from_one_gateway(
    tenant: Tenant, agent: Agent, other_database: Database
) -> None:
    batch = await start(tenant, agent, people(30), max_concurrent_calls=30, calls_per_second=5)
    await queue(tenant)
    first, second = Pacer("gateway-1"), Pacer("gateway-2")
    taken = await asyncio.gather(
        claim(tenant, pacer=first), claim(tenant, gateway_id="gateway-2", database=other_database, pacer=second)
    )
    assert sorted(len(claimed) for claimed in taken) == [0, 5]
    keeper, other = (first, second) if taken[0] else (second, first)
    # As though the keeper had claimed nothing for long: it may have dialled until its time was over.
    async with tenant.database.write() as connection:
        key = (tenant.organization_id, batch["id"])
        pace = (await pace_store.lock_paces(connection, [key]))[batch["id"]]
        pace.kept_until = values.now_ms() - 1
        await pace_store.set_pace(connection, *key, pace)
    assert len(await claim(tenant, gateway_id="gateway-3", pacer=other)) == 5
    assert other.find_time([batch["id"]]) >= pace.kept_until + 1000
    assert await claim(tenant, pacer=keeper) == []
    [call, *_] = [each.call for claimed in taken for each in claimed]
    await service.keep_lines(tenant.database, call=call, admit=Admission(tenant.settings), pacer=other)
    assert other.is_keeper([batch["id"]], values.now_ms())


async def test_a_call_waits_on_its_trunk_and_on_its_batch_call(tenant: Tenant) -> None:
    body = {"name": "A", "hosts": ["carrier.example"], "max_calls_per_second": 5}
    trunk_id = (await tenant.client.post(f"{BASE}/telephony/trunks", json=body)).json()["data"]["id"]
    agent = await tenant.add_agent()
    await tenant.add_number(OWN, outbound_agent_id=agent.id, trunk_id=trunk_id)
    batch = await start(tenant, agent, people(9), calls_per_second=100)
    await queue(tenant)
    plain = await tenant.place_call(agent, phone_number="+12125559999")
    claimed = await claim(tenant)
    assert len(claimed) == 5
    assert {each.call.id: each.paced_by for each in claimed} == {
        each.call.id: (trunk_id,) if each.call.id == plain.id else (trunk_id, batch["id"]) for each in claimed
    }


# --- races and crashes -----------------------------------------------------------------------------------------------


async def test_two_gateways_keep_one_concurrency_and_dial_nobody_twice(
    tenant: Tenant, agent: Agent, other_database: Database
) -> None:
    batch = await start(tenant, agent, people(40), max_concurrent_calls=15)
    await queue(tenant)
    claimed = await race(tenant, *[tenant.database, other_database] * 3)
    assert len(claimed) == 15
    assert len(set(await list_dialled(tenant))) == 15
    assert Counter(row.attempts for row in await list_contacts(tenant, batch)) == {1: 15, 0: 25}


async def test_two_batch_calls_that_race_for_one_person_dial_once(
    tenant: Tenant, agent: Agent, other_database: Database
) -> None:
    batches = [await start(tenant, agent, people(10)) for _ in range(4)]
    await queue(tenant)
    claimed = await race(tenant, *[tenant.database, other_database] * 3)
    assert len(claimed) == len(set(await list_dialled(tenant))) == 10
    states = [state for batch in batches for state in await list_states(tenant, batch)]
    assert Counter(states) == {("calling", 1, None): 10, ("scheduled", 0, "contact_gap"): 30}


async def test_a_refusal_that_a_crash_has_kept_from_being_stored_is_made_again(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(2))
    await queue(tenant)
    await block(tenant, people(1)[0]["phone_number"])
    # The gateway dies after its claim has committed, before it ends what it refused.
    first = await service.claim_calls(
        tenant.database, gateway_id="gateway-1", limit=10, admit=Admission(tenant.settings)
    )
    assert len(first) == 1
    assert await list_states(tenant, batch) == [("calling", 0, None), ("calling", 1, None)]
    assert await claim(tenant, gateway_id="gateway-2") == []
    assert await list_states(tenant, batch) == [("failed", 0, "dnc_blocked"), ("calling", 1, None)]


async def test_refusing_again_changes_nothing(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(1))
    await queue(tenant)
    await block(tenant, people(1)[0]["phone_number"])
    admissions = [Admission(tenant.settings) for _ in range(2)]
    for admission in admissions:
        assert await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=10, admit=admission) == []
    assert [await admission.refuse(tenant.database) for admission in admissions] == [1, 0]
    assert (await get(tenant, batch))["failed"] == 1


async def test_whoever_was_claimed_by_a_gateway_that_died_is_never_dialled_again(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(1), retry_failed=True)
    await queue(tenant)
    [claimed] = await claim(tenant)
    await tenant.finish_call(claimed.call, ended_reason="recovered_after_crash")
    await queue(tenant)
    assert await claim(tenant) == []
    assert await list_states(tenant, batch) == [("failed", 1, "recovered_after_crash")]


async def test_a_batch_call_of_another_organization_is_admitted_by_itself(
    tenant: Tenant, stranger: Tenant, agent: Agent
) -> None:
    theirs = await stranger.add_agent(outbound_number="+18005550000")
    await start(tenant, agent, people(3))
    await start(stranger, theirs, people(3))
    await block(tenant, people(1)[0]["phone_number"])
    await queue(tenant)
    claimed = await claim(tenant)
    assert Counter(each.call.organization_id for each in claimed) == {
        tenant.organization_id: 2,
        stranger.organization_id: 3,
    }
    assert (await tenant.client.get(BATCHES)).status_code == 200
