"""The course of batch calls: scheduled, started, paused, resumed, changed on the way, cancelled, and told about."""

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.batch_calls import course, spreading
from ringdown.batch_calls.tables import batch_calls, batch_contacts
from ringdown.jobs.store import Job, jobs
from tests.slices import dialling
from tests.slices.conftest import BASE, Tenant, on_sqlite
from tests.slices.test_batch_calls import ANA, BATCHES, FUTURE, create, get, refused
from tests.slices.test_batch_contacts import BEN, add, block, list_contacts

PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
async def agent(tenant: Tenant) -> Agent:
    """An agent that can call."""
    return await tenant.add_agent(outbound_number="+18005559876")


async def act(tenant: Tenant, batch: dict[str, Any], action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    response = await tenant.client.post(f"{BATCHES}/{batch['id']}/{action}", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def change(tenant: Tenant, batch: dict[str, Any], **body: Any) -> httpx.Response:
    return await tenant.client.patch(f"{BATCHES}/{batch['id']}", json=body)


async def list_slots(tenant: Tenant, batch: dict[str, Any]) -> list[str | None]:
    return [contact["scheduled_at"] for contact in (await list_contacts(tenant, batch))["data"]]


async def list_events(tenant: Tenant, batch: dict[str, Any]) -> list[tuple[str, str]]:
    page = (await tenant.client.get(f"{BASE}/events", params={"limit": 100})).json()["data"]
    told = [event for event in page if event["data"].get("batch_id") == batch["id"]]
    return [(event["event"], event["data"]["status"]) for event in sorted(told, key=lambda event: str(event["id"]))]


async def set_contact(tenant: Tenant, batch: dict[str, Any], position: int, **fields: Any) -> None:
    """Put a contact into a state that only calls lead to."""
    ours = (batch_contacts.c.batch_call_id == batch["id"]) & (batch_contacts.c.position == position)
    async with tenant.database.write() as connection:
        await connection.execute(batch_contacts.update().where(ours).values(fields))


def make_job(tenant: Tenant, kind: str, batch: dict[str, Any]) -> Job:
    return Job(
        organization_id=tenant.organization_id,
        id="job_1",
        kind=kind,
        payload={"batch_call_id": batch["id"]},
        attempts=1,
        lease_id="lease_1",
        interval_ms=None,
    )


async def test_a_draft_is_scheduled_for_the_time_that_is_sent(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA, BEN], schedule_type="scheduled", scheduled_at=FUTURE)
    assert (made["status"], await list_slots(tenant, made)) == ("draft", [None, None])
    sent = {"scheduled_at": "2051-01-01T12:00:00Z", "timezone": "Europe/Berlin"}
    scheduled = await act(tenant, made, "schedule", sent)
    assert (scheduled["id"], scheduled["status"]) == (made["id"], "scheduled")
    assert {name: scheduled[name] for name in sent} == sent
    assert (await list_contacts(tenant, made, status="scheduled"))["pagination"]["total"] == 2
    assert await list_slots(tenant, made) == [sent["scheduled_at"]] * 2


@on_sqlite
@pytest.mark.parametrize("body", [None, {}, {"scheduled_at": None, "timezone": None}])
async def test_without_a_time_a_batch_calls_own_counts(
    tenant: Tenant, agent: Agent, body: dict[str, Any] | None
) -> None:
    made = await create(tenant, agent, contacts=[ANA], scheduled_at=FUTURE)
    scheduled = await act(tenant, made, "schedule", body)
    assert (scheduled["status"], scheduled["scheduled_at"]) == ("scheduled", FUTURE)


async def test_without_any_time_it_starts_now(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent)
    await add(tenant, made, contacts=[ANA])
    started = await act(tenant, made, "schedule", {})
    assert started["status"] == "active"
    assert started["scheduled_at"] == started["started_at"] is not None
    assert await list_slots(tenant, made) == [started["scheduled_at"]]


async def test_a_time_that_has_passed_starts_it_at_once(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA], scheduled_at=FUTURE)
    started = await act(tenant, made, "schedule", {"scheduled_at": PAST})
    assert (started["status"], started["scheduled_at"]) == ("active", PAST)
    assert await list_slots(tenant, made) == [started["started_at"]]


@on_sqlite
async def test_everything_that_is_lacking_at_the_start_is_named(tenant: Tenant) -> None:
    silent = await tenant.add_agent(status="draft")
    made = await create(tenant, silent)
    reasons = refused(await tenant.client.post(f"{BATCHES}/{made['id']}/schedule", json={}))
    assert list(reasons) == ["agent_id", "phone_number_ids", "contacts"]
    assert "draft" in reasons["agent_id"]
    body = {"name": "x", "agent_id": silent.id, "contacts": [ANA]}
    assert set(refused(await tenant.client.post(BATCHES, json=body))) == {"agent_id", "phone_number_ids"}
    assert (await tenant.client.get(BATCHES)).json()["pagination"]["total"] == 1


async def test_a_number_of_its_own_is_enough_until_it_is_gone(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    number = await tenant.add_number("+12025550111")
    made = await create(tenant, agent, phone_number_ids=[number.id], contacts=[ANA], scheduled_at=FUTURE)
    assert (await tenant.client.delete(f"{BASE}/telephony/numbers/{number.id}")).status_code == 200
    assert (await get(tenant, made))["from_number"] is None
    reasons = refused(await tenant.client.post(f"{BATCHES}/{made['id']}/schedule", json={}))
    assert "none of these numbers" in reasons["phone_number_ids"]


async def test_pausing_and_resuming_keep_to_the_time(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA], scheduled_at=FUTURE)
    await act(tenant, made, "schedule")
    paused = await act(tenant, made, "pause")
    assert (paused["status"], paused["paused_at"] is not None) == ("paused", True)
    resumed = await act(tenant, made, "resume")
    assert (resumed["status"], resumed["resumed_at"] is not None) == ("scheduled", True)
    await act(tenant, made, "pause")
    assert (await change(tenant, made, scheduled_at=PAST)).json()["data"]["status"] == "paused"
    resumed = await act(tenant, made, "resume")
    assert resumed["status"] == "active"
    assert await list_slots(tenant, made) == [resumed["resumed_at"]]


@on_sqlite
@pytest.mark.parametrize(
    ("steps", "action", "allowed"),
    [
        ([], "pause", "scheduled or active"),
        ([], "resume", "paused"),
        (["schedule"], "schedule", "draft"),
        (["schedule"], "resume", "paused"),
        (["schedule", "pause"], "pause", "scheduled or active"),
        (["schedule", "pause"], "schedule", "draft"),
        (["cancel"], "schedule", "draft"),
        (["schedule", "cancel"], "resume", "paused"),
        (["schedule", "cancel"], "cancel", "draft, scheduled, active or paused"),
    ],
)
async def test_an_action_in_the_wrong_state_names_the_right_ones(
    tenant: Tenant, agent: Agent, steps: list[str], action: str, allowed: str
) -> None:
    made = await create(tenant, agent, contacts=[ANA], scheduled_at=FUTURE)
    for step in steps:
        await act(tenant, made, step)
    before = await get(tenant, made)
    reason = refused(await tenant.client.post(f"{BATCHES}/{made['id']}/{action}"))["status"]
    assert f"that is {before['status']} cannot be" in reason
    assert reason.endswith(f"only one that is {allowed}")
    assert await get(tenant, made) == before


async def test_a_schedule_is_changed_while_it_waits_and_done_contacts_stay(tenant: Tenant, agent: Agent) -> None:
    people = [{"phone_number": f"+1212555{number:04}"} for number in range(4)]
    made = await create(tenant, agent, contacts=people, scheduled_at=FUTURE, timezone="America/New_York")
    await act(tenant, made, "schedule")
    later = values.parse_wire_time("2050-04-08T13:00:00Z")
    await set_contact(tenant, made, 0, status="completed", scheduled_at=None)
    await set_contact(tenant, made, 2, status="scheduled", attempts=1, scheduled_at=later, retry_at=later)
    changed = await change(tenant, made, max_calls_per_day=1, start_time="09:00", working_days=[1, 2, 3, 4, 5])
    assert changed.status_code == 200, changed.text
    assert await list_slots(tenant, made) == [
        None,
        "2050-04-06T13:00:00Z",  # 09:00 in New York
        "2050-04-08T13:00:00Z",  # its retry was not due before
        "2050-04-07T13:00:00Z",
    ]
    await act(tenant, made, "pause")
    moved = (await change(tenant, made, scheduled_at="2050-05-01T00:00:00Z", max_calls_per_day=None)).json()["data"]
    assert moved["status"] == "paused"
    assert await list_slots(tenant, made) == [None] + ["2050-05-02T13:00:00Z"] * 3  # the first was a Sunday


async def test_a_schedule_moved_to_now_starts(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA], scheduled_at=FUTURE)
    await act(tenant, made, "schedule")
    started = (await change(tenant, made, schedule_type="immediate")).json()["data"]
    assert (started["status"], started["schedule_type"], started["scheduled_at"]) == ("active", "immediate", None)
    assert await list_slots(tenant, made) == [started["started_at"]]


async def test_fields_that_a_state_does_not_allow_are_named(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA])
    reasons = refused(await change(tenant, made, start_time="09:00", agent_id=agent.id, concurrency=2))
    assert reasons == {"agent_id": "cannot be changed while the batch call is active; only while it is draft"}
    assert (await change(tenant, made, concurrency=2)).json()["data"]["concurrency"] == 2
    await act(tenant, made, "cancel")
    refusals = refused(await change(tenant, made, concurrency=3, start_time="09:00"))
    assert set(refusals) == {"max_concurrent_calls", "start_time"}
    assert "paused" in refusals["start_time"]
    assert (await change(tenant, made, name="Over")).json()["data"]["name"] == "Over"


@on_sqlite
async def test_a_daily_maximum_that_would_take_decades_is_refused(tenant: Tenant, agent: Agent) -> None:
    people = [{"phone_number": f"+1212555{number:04}"} for number in range(530)]
    made = await create(tenant, agent, contacts=people, scheduled_at=FUTURE, max_calls_per_day=1, working_days=[1])
    url = f"{BATCHES}/{made['id']}/schedule"
    assert "ten years" in refused(await tenant.client.post(url))["max_calls_per_day"]
    assert (await get(tenant, made))["status"] == "draft"


async def test_calls_of_this_day_count_towards_its_maximum(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=dialling.people(3), max_calls_per_day=2)
    await dialling.queue(tenant)
    [dialled] = await dialling.claim(tenant, limit=1)
    await act(tenant, made, "pause")
    resumed = await act(tenant, made, "resume")
    # One was dialled and one waits for a gateway. The test may run over midnight; then the first was yesterday's.
    *_, last = await list_slots(tenant, made)
    if str(values.to_wire_time(dialled.call.updated_at))[:10] == resumed["resumed_at"][:10]:
        assert str(last)[:10] > resumed["resumed_at"][:10]


async def test_numbers_on_the_do_not_call_list_have_failed_at_the_start(tenant: Tenant, agent: Agent) -> None:
    await block(tenant, BEN["phone_number"])
    made = await create(tenant, agent, contacts=[ANA, BEN])
    assert (made["status"], made["failed"], made["called"], made["pending"]) == ("active", 1, 1, 1)
    [barred] = (await list_contacts(tenant, made, status="failed"))["data"]
    assert (barred["phone_number"], barred["reason"]) == (BEN["phone_number"], "dnc_blocked")
    assert barred["scheduled_at"] is None


async def test_a_batch_call_in_which_nobody_may_be_called_is_completed(tenant: Tenant, agent: Agent) -> None:
    await block(tenant, BEN["phone_number"])
    made = await create(tenant, agent, contacts=[BEN])
    assert (made["status"], made["failed"], made["completed_at"] is not None) == ("completed", 1, True)
    assert await list_events(tenant, made) == [
        ("batch.status.changed", "active"),
        ("batch.status.changed", "completed"),
        ("batch.completed", "completed"),
    ]


async def test_every_change_of_state_is_told_with_its_counts(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA], scheduled_at=FUTURE)
    for action in ("schedule", "pause", "resume", "cancel"):
        await act(tenant, made, action)
    states = ["scheduled", "paused", "scheduled", "cancelled"]
    assert await list_events(tenant, made) == [("batch.status.changed", state) for state in states]
    [last, *_] = (await tenant.client.get(f"{BASE}/events", params={"limit": 100})).json()["data"][::-1]
    assert last["data"]["agent_id"] == agent.id


async def test_a_scheduled_batch_call_starts_at_its_time_and_only_then(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA], scheduled_at=FUTURE)
    await act(tenant, made, "schedule")
    due = sa.select(jobs.c.due_at).where(jobs.c.kind == course.ACTIVATE)
    async with tenant.database.read() as connection:
        due_at = (await connection.execute(due)).scalar_one()
    assert due_at >= values.parse_wire_time(FUTURE)
    job = make_job(tenant, course.ACTIVATE, made)
    await course.run_activation(tenant.database, job)
    assert (await get(tenant, made))["status"] == "scheduled"
    await bring_forward(tenant, made)
    for _ in range(2):
        await course.run_activation(tenant.database, job)
        started = await get(tenant, made)
        assert (started["status"], started["started_at"] is not None) == ("active", True)
    assert [state for _, state in await list_events(tenant, made)] == ["scheduled", "active"]


async def test_a_scheduled_batch_call_that_cannot_start_has_failed_and_says_why(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA], scheduled_at=FUTURE)
    await act(tenant, made, "schedule")
    await bring_forward(tenant, made)
    numbers = (await tenant.client.get(f"{BASE}/telephony/numbers")).json()["data"]
    await tenant.client.delete(f"{BASE}/telephony/numbers/{numbers[0]['id']}")
    await course.run_activation(tenant.database, make_job(tenant, course.ACTIVATE, made))
    failed = await get(tenant, made)
    assert failed["status"] == "failed"
    assert "no outbound number" in failed["status_reason"]


async def bring_forward(tenant: Tenant, batch: dict[str, Any]) -> None:
    """Let the time of a scheduled batch call have come."""
    async with tenant.database.write() as connection:
        ours = batch_calls.c.id == batch["id"]
        await connection.execute(batch_calls.update().where(ours).values(scheduled_at=1000))


async def test_jobs_of_a_batch_call_that_is_gone_or_over_do_nothing(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA])
    cancelled = await act(tenant, made, "cancel")
    for batch in (made, {"id": "batch_absent"}):
        await course.run_activation(tenant.database, make_job(tenant, course.ACTIVATE, batch))
        await spreading.run_job(tenant.database, make_job(tenant, spreading.JOB_KIND, batch))
    assert await get(tenant, made) == cancelled


async def test_actions_at_once_leave_one_state_that_was_allowed(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA])
    url = f"{BATCHES}/{made['id']}"
    responses = await asyncio.gather(*(tenant.client.post(f"{url}/pause") for _ in range(10)))
    assert sorted(response.status_code for response in responses) == [201] + [422] * 9
    assert [state for _, state in await list_events(tenant, made)] == ["active", "paused"]


async def test_a_crash_before_the_commit_leaves_neither_state_nor_event(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await create(tenant, agent, contacts=[ANA])

    async def crash(*_: object, **__: object) -> None:
        raise ConnectionError("the process died here")

    monkeypatch.setattr("ringdown.webhooks.events.record_events", crash)
    with pytest.raises(ConnectionError):
        await course.pause_batch_call(tenant.database, organization_id=tenant.organization_id, batch_call_id=made["id"])
    assert (await get(tenant, made))["status"] == "active"
    assert len(await list_events(tenant, made)) == 1


async def test_an_action_that_has_no_fields_refuses_what_it_does_not_read(tenant: Tenant, agent: Agent) -> None:
    one = f"{BATCHES}/{(await create(tenant, agent, contacts=[ANA], schedule_type='immediate'))['id']}"
    later = await tenant.client.post(f"{one}/pause", json={"scheduled_at": FUTURE})
    assert later.status_code == 422
    assert refused(later) == {"scheduled_at": "is unknown: this request has no fields"}
    assert (await tenant.client.post(f"{one}/pause", content=b'{"a":')).status_code == 400
    assert (await tenant.client.get(one)).json()["data"]["status"] == "active"
    assert (await tenant.client.post(f"{one}/pause", json={})).status_code == 201
