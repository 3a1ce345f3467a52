"""Due contacts become queued calls, as many as there is room for, and go back when their batch call stops calling."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.batch_calls import pace_store, queueing, sweep
from ringdown.db import engine
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
    set_batch,
    set_contact,
    start,
    withdraw,
)
from tests.slices.test_batch_calls import BATCHES, FUTURE, create, get
from tests.slices.test_batch_contacts import block


@pytest.fixture
async def agent(tenant: Tenant) -> Agent:
    """An agent that can call."""
    return await tenant.add_agent(outbound_number=OWN)


async def act(tenant: Tenant, batch: dict[str, Any], action: str) -> None:
    response = await tenant.client.post(f"{BATCHES}/{batch['id']}/{action}")
    assert response.status_code == 201, response.text


# --- the whole way ---------------------------------------------------------------------------------------------------


async def test_due_contacts_are_queued_dialled_and_the_batch_call_completes(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(3))
    await queue(tenant)
    assert await list_states(tenant, batch) == [("calling", 0, None)] * 3
    placed = await list_calls(tenant, batch)
    assert [(row.status, row.to_number, row.from_number) for row in placed] == [
        ("queued", person["phone_number"], OWN) for person in people(3)
    ]
    contacts = await list_contacts(tenant, batch)
    assert [row.call_id for row in contacts] == [row.id for row in placed]
    told = (await tenant.client.get(f"{BASE}/events", params={"event": "call.started"})).json()["data"]
    assert {(each["data"]["metadata"]["campaign_id"], each["data"]["metadata"]["contact_id"]) for each in told} == {
        (batch["id"], row.contact_id) for row in contacts
    }

    claimed = await claim(tenant)
    assert [each.call.id for each in claimed] == [row.id for row in placed]
    assert {(each.call.status, each.paced_by) for each in claimed} == {("ringing", ())}
    assert await list_states(tenant, batch) == [("calling", 1, None)] * 3
    for each in claimed:
        await end(tenant, each.call)
    assert [row.status for row in await list_contacts(tenant, batch)] == ["completed"] * 3
    assert (await get(tenant, batch))["status"] == "completed"


async def test_a_queued_call_is_shown_found_and_told_of_as_any_other(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, [{**people(1)[0], "first_name": "Ana", "custom_fields": {"plan": "gold"}}])
    await queue(tenant)
    [contact] = await list_contacts(tenant, batch)
    shown = (await tenant.client.get(f"{BASE}/calls/{contact.call_id}")).json()["data"]
    assert (shown["status"], shown["direction"], shown["to"]) == ("queued", "outbound", "+12125550000")
    assert shown["metadata"] == {"campaign_id": batch["id"], "contact_id": contact.contact_id}
    by_metadata = await tenant.client.get(f"{BASE}/calls", params={"metadata.campaign_id": batch["id"]})
    assert [call["id"] for call in by_metadata.json()["data"]] == [contact.call_id]
    events = (await tenant.client.get(f"{BASE}/events", params={"limit": 100})).json()["data"]
    assert [event["event"] for event in events if event["data"].get("call_id") == contact.call_id] == ["call.started"]
    [claimed] = await claim(tenant)
    assert claimed.call.variables == {"first_name": "Ana", "phone_number": "+12125550000", "plan": "gold"}


async def test_queueing_and_claiming_again_does_nothing_twice(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(3))
    await queue(tenant)
    await queue(tenant)
    assert len(await list_calls(tenant, batch)) == 3
    assert len(await claim(tenant)) == 3
    assert await claim(tenant) == []
    await queue(tenant)
    assert len(await list_calls(tenant, batch)) == len(await list_dialled(tenant)) == 3


# --- room and order --------------------------------------------------------------------------------------------------


async def test_only_as_many_calls_wait_as_there_is_room_for(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(9), max_concurrent_calls=2)
    await queue(tenant)
    placed = await list_calls(tenant, batch)
    assert [row.to_number for row in placed] == [person["phone_number"] for person in people(4)]
    [first, _] = await claim(tenant)
    await queue(tenant)
    assert len(await list_calls(tenant, batch)) == 4
    await end(tenant, first.call)
    await queue(tenant)
    assert len(await list_calls(tenant, batch)) == 5


async def test_contacts_are_queued_in_the_order_of_their_times(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(4), max_concurrent_calls=1)
    now = values.now_ms()
    for position, due_at in enumerate((now - 10, now - 20, now + 600_000, now - 30)):
        await set_contact(tenant, batch, position, scheduled_at=due_at)
    await queue(tenant)
    assert [row.to_number[-4:] for row in await list_calls(tenant, batch)] == ["0003", "0001"]


async def test_whoever_has_no_place_in_the_present_schedule_is_not_queued(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(4))
    await set_batch(tenant, batch, spread_position=1)
    await queue(tenant)
    assert [row.to_number[-4:] for row in await list_calls(tenant, batch)] == ["0000"]


async def test_a_batch_call_that_is_paused_or_waits_for_its_time_queues_nobody(tenant: Tenant, agent: Agent) -> None:
    waiting = await create(tenant, agent, contacts=people(2), scheduled_at=FUTURE)
    paused = await start(tenant, agent, people(2))
    await act(tenant, waiting, "schedule")
    await act(tenant, paused, "pause")
    await queue(tenant)
    assert await list_calls(tenant, waiting) == await list_calls(tenant, paused) == []


async def test_two_workers_queue_nobody_twice(tenant: Tenant, agent: Agent, database_url: str) -> None:
    batch = await start(tenant, agent, people(60), max_concurrent_calls=60)
    other = engine.open_database(database_url)
    try:
        workers = (tenant.database, other, tenant.database, other)
        await asyncio.gather(*(queueing.queue_due(each, settings=tenant.settings) for each in workers))
    finally:
        await other.close()
    placed = await list_calls(tenant, batch)
    assert Counter(row.to_number for row in placed) == Counter(person["phone_number"] for person in people(60))


# --- numbers ---------------------------------------------------------------------------------------------------------


async def test_the_numbers_of_a_batch_call_take_turns_over_many_transactions(tenant: Tenant, agent: Agent) -> None:
    more = [await tenant.add_number(f"+1800555000{number}") for number in range(3)]
    ids = [number.id for number in more]
    batch = await start(
        tenant, agent, people(8), phone_number_ids=ids, phone_rotation_strategy="round_robin", max_concurrent_calls=2
    )
    for _ in range(4):
        await queue(tenant)
        for each in await claim(tenant):
            await end(tenant, each.call)
    shown = [row.from_number for row in await list_calls(tenant, batch)]
    assert shown == [more[place % 3].phone_number for place in range(8)]


async def test_a_call_takes_the_trunk_of_its_number(tenant: Tenant) -> None:
    made = await tenant.client.post(f"{BASE}/telephony/trunks", json={"name": "A", "hosts": ["carrier.example"]})
    trunk_id = made.json()["data"]["id"]
    await tenant.client.post(f"{BASE}/telephony/trunks", json={"name": "B", "hosts": ["other.example"]})
    agent = await tenant.add_agent()
    await tenant.add_number(OWN, outbound_agent_id=agent.id, trunk_id=trunk_id)
    batch = await start(tenant, agent, [*people(1), {"phone_number": tenant.settings.test_phone_number}])
    await queue(tenant)
    assert [row.trunk_id for row in await list_calls(tenant, batch)] == [trunk_id, None]


async def test_without_a_number_the_batch_call_pauses_and_says_so(tenant: Tenant, agent: Agent) -> None:
    number = await tenant.add_number("+18005550001")
    batch = await start(tenant, agent, people(2), phone_number_ids=[number.id])
    await set_batch(tenant, batch, phone_number_ids=["num_gone"])
    await queue(tenant)
    paused = await get(tenant, batch)
    assert (paused["status"], paused["status_reason"]) == ("paused", "It has no phone number to call from any more.")
    assert await list_calls(tenant, batch) == []


async def test_with_an_agent_that_is_a_draft_by_now_the_batch_call_pauses_and_says_so(
    tenant: Tenant, agent: Agent
) -> None:
    batch = await start(tenant, agent, people(2))
    assert (await tenant.client.patch(f"{BASE}/agents/{agent.id}", json={"status": "draft"})).status_code == 200
    await queue(tenant)
    paused = await get(tenant, batch)
    assert (paused["status"], paused["status_reason"]) == ("paused", "Its agent is draft; publish it first.")
    assert await list_calls(tenant, batch) == []
    assert (await tenant.client.post(f"{BASE}/agents/{agent.id}/publish", json={})).is_success
    await act(tenant, batch, "resume")
    await queue(tenant)
    assert len(await list_calls(tenant, batch)) == 2


# --- who may not be called -------------------------------------------------------------------------------------------


async def test_whoever_may_not_be_called_now_is_moved_and_hides_nobody(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(30), max_concurrent_calls=1)
    for position in range(30):
        await set_contact(tenant, batch, position, timezone="UTC" if position == 29 else "Asia/Tokyo")
    await set_batch(tenant, batch, start_time="09:00", end_time="17:00")
    noon = values.parse_wire_time("2030-06-03T12:00:00Z")
    await queueing.queue_batch(
        tenant.database,
        settings=tenant.settings,
        organization_id=tenant.organization_id,
        batch_call_id=batch["id"],
        now_ms=noon,
    )
    contacts = await list_contacts(tenant, batch)
    opening = values.parse_wire_time("2030-06-04T00:00:00Z")
    assert {(row.status, row.reason, row.scheduled_at) for row in contacts[:29]} == {
        ("scheduled", "outside_window", opening)
    }
    assert contacts[29].status == "calling"


async def test_people_who_must_not_be_called_fail_without_a_call(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(3))
    await block(tenant, people(1)[0]["phone_number"])
    await set_contact(tenant, batch, 1, attempts=1)
    await queue(tenant)
    assert await list_states(tenant, batch) == [
        ("failed", 0, "dnc_blocked"),
        ("failed", 1, "attempts_limit"),
        ("calling", 0, None),
    ]
    assert (await get(tenant, batch))["failed"] == 2


async def test_a_number_that_may_not_be_dialled_from_here_fails(tenant: Tenant, agent: Agent) -> None:
    tenant.settings = tenant.settings.model_copy(update={"allowed_destination_prefixes": ("+44",)})
    batch = await start(tenant, agent, people(1))
    await queue(tenant)
    assert await list_states(tenant, batch) == [("failed", 0, "invalid_destination")]
    assert (await get(tenant, batch))["status"] == "completed"


async def test_somebody_whom_another_batch_call_has_just_dialled_waits(tenant: Tenant, agent: Agent) -> None:
    await start(tenant, agent, people(1))
    await queue(tenant)
    [other] = await claim(tenant)
    batch = await start(tenant, agent, people(2))
    await queue(tenant)
    [first, second] = await list_contacts(tenant, batch)
    assert (first.status, first.reason, second.status) == ("scheduled", "contact_gap", "calling")
    assert first.scheduled_at >= other.call.updated_at + 60_000


async def test_retries_that_are_due_on_a_full_day_wait_for_the_next_or_for_room(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = values.parse_wire_time("2030-06-03T12:00:00Z") or 0
    monkeypatch.setattr(values, "now_ms", lambda: noon)
    batch = await start(tenant, agent, people(2), max_calls_per_day=2, retry_attempts=1, retry_delay_minutes=[30])
    await queue(tenant)
    for each in await claim(tenant):
        await end(tenant, each.call, "busy")
    assert (await get(tenant, batch))["next_call_at"] == "2030-06-03T12:30:00Z"
    monkeypatch.setattr(values, "now_ms", lambda: noon + 31 * 60_000)
    await queue(tenant)
    assert await list_states(tenant, batch) == [("scheduled", 1, "daily_maximum")] * 2
    assert (await get(tenant, batch))["next_call_at"] == "2030-06-04T00:00:00Z"
    assert len(await list_calls(tenant, batch)) == 2

    raised = await tenant.client.patch(f"{BATCHES}/{batch['id']}", json={"max_calls_per_day": 3})
    assert raised.json()["data"]["next_call_at"] == "2030-06-03T12:31:00Z"
    await queue(tenant)
    assert [each.call.to_number for each in await claim(tenant)] == [people(1)[0]["phone_number"]]
    assert (await list_contacts(tenant, batch))[1].scheduled_at == values.parse_wire_time("2030-06-04T00:00:00Z")


# --- withdrawn -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "reason"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_queued_calls_of_a_batch_call_that_stops_are_withdrawn(
    tenant: Tenant, agent: Agent, action: str, reason: str
) -> None:
    batch = await start(tenant, agent, people(3))
    await queue(tenant)
    [live] = await claim(tenant, limit=1)
    await act(tenant, batch, action)
    assert await withdraw(tenant) == 2
    assert await withdraw(tenant) == 0
    assert await list_ends(tenant, batch) == [("ringing", None), ("failed", "cancelled"), ("failed", "cancelled")]
    withdrawn = ("scheduled", 0, reason)
    assert await list_states(tenant, batch) == [("calling", 1, None), withdrawn, withdrawn]
    await end(tenant, live.call)
    batch_now = await get(tenant, batch)
    assert (batch_now["status"], batch_now["completed"], batch_now["pending"]) == (reason, 1, 2)


async def test_a_gateway_does_not_dial_for_a_batch_call_that_has_stopped(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(2))
    await queue(tenant)
    await act(tenant, batch, "pause")
    assert await claim(tenant) == []
    assert await list_states(tenant, batch) == [("scheduled", 0, "paused")] * 2
    assert await list_dialled(tenant) == []


async def test_whoever_was_withdrawn_is_called_after_the_pause(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(2))
    await queue(tenant)
    await act(tenant, batch, "pause")
    await withdraw(tenant)
    await act(tenant, batch, "resume")
    await queue(tenant)
    for each in await claim(tenant):
        await end(tenant, each.call)
    assert await list_states(tenant, batch) == [("completed", 1, None)] * 2
    assert await list_dialled(tenant) == [person["phone_number"] for person in people(2)]


async def test_a_batch_call_that_rests_calls_at_once_when_it_is_resumed(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(1))
    key = (tenant.organization_id, batch["id"])
    async with tenant.database.write() as connection:
        pace = (await pace_store.lock_paces(connection, [key]))[batch["id"]]
        pace.not_before = values.now_ms() + 600_000
        await pace_store.set_pace(connection, *key, pace)
    await queue(tenant)
    assert await claim(tenant) == []
    await act(tenant, batch, "pause")
    await act(tenant, batch, "resume")
    await queue(tenant)
    assert len(await claim(tenant)) == 1


async def test_whoever_was_withdrawn_has_taken_no_place_of_the_day(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(4), max_calls_per_day=4, max_concurrent_calls=1)
    await queue(tenant)
    [first] = await claim(tenant)
    await act(tenant, batch, "pause")
    assert await withdraw(tenant) == 1
    await end(tenant, first.call, "no_answer")
    await act(tenant, batch, "resume")
    assert all(row.scheduled_at <= values.now_ms() for row in (await list_contacts(tenant, batch))[1:])
    for _ in range(3):
        await queue(tenant)
        for each in await claim(tenant):
            await end(tenant, each.call, "no_answer")
    assert await list_states(tenant, batch) == [("failed", 1, "no_answer")] * 4


async def test_calls_of_a_deleted_batch_call_are_withdrawn(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(2))
    await queue(tenant)
    await act(tenant, batch, "cancel")
    assert (await tenant.client.delete(f"{BATCHES}/{batch['id']}")).status_code == 200
    assert await withdraw(tenant) == 2
    assert await list_ends(tenant, batch) == [("failed", "cancelled")] * 2


# --- left hanging ----------------------------------------------------------------------------------------------------


async def test_a_contact_whose_call_has_ended_unseen_is_followed_up(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(2), retry_failed=True)
    await queue(tenant)
    [first, _] = await claim(tenant)
    await end(tenant, first.call, "busy")
    # As though the end had been stored without what follows from it.
    await set_contact(tenant, batch, 0, status="calling", reason=None, scheduled_at=None)
    assert await sweep.sweep(tenant.database) == 1
    assert await sweep.sweep(tenant.database) == 0
    assert await list_states(tenant, batch) == [("scheduled", 1, "busy"), ("calling", 1, None)]


async def test_a_contact_whose_call_is_gone_is_never_called_again(tenant: Tenant, agent: Agent) -> None:
    batch = await start(tenant, agent, people(1), retry_failed=True)
    await queue(tenant)
    await set_contact(tenant, batch, 0, call_id="call_gone")
    assert await sweep.sweep(tenant.database) == 1
    assert await list_states(tenant, batch) == [("failed", 0, "recovered_after_crash")]
