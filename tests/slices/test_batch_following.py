"""What the end of a call makes of the contact, of the counts and of the batch call, in one transaction."""

from typing import Any

import pytest

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.batch_calls import contact_store, following, store
from ringdown.calls.models import ENDED_REASONS
from tests.slices.batch_dialling import call_contact, dial, end, get_batch, list_batch_contacts, queue_call
from tests.slices.conftest import Tenant, on_sqlite
from tests.slices.dialling import closed_window
from tests.slices.test_batch_calls import BATCHES, create, get, refused
from tests.slices.test_batch_contacts import list_contacts
from tests.slices.test_batch_course import act, change, list_events

MINUTE_MS = 60_000
PEOPLE = [{"phone_number": f"+1212555{number:04}"} for number in range(1000, 1060)]


@pytest.fixture
async def agent(tenant: Tenant) -> Agent:
    """An agent that can call."""
    return await tenant.add_agent(outbound_number="+18005559876")


async def recount(tenant: Tenant, batch: dict[str, Any]) -> tuple[int, int]:
    contacts = await list_batch_contacts(tenant, batch["id"])
    completed = sum(contact.status == "completed" for contact in contacts)
    return completed, sum(contact.status == "failed" for contact in contacts)


async def get_contact(tenant: Tenant, batch: dict[str, Any], position: int = 0) -> dict[str, Any]:
    contact: dict[str, Any] = (await list_contacts(tenant, batch))["data"][position]
    return contact


async def test_a_contact_that_was_reached_is_completed_with_its_last_call(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2])
    call = await call_contact(tenant, made, 0, "user_hangup")
    contact = await get_contact(tenant, made)
    assert (contact["status"], contact["attempts"], contact["reason"]) == ("completed", 1, None)
    assert (contact["outcome"], contact["call_id"], contact["scheduled_at"]) == ("contacted", call.id, None)
    assert contact["called_at"] is not None
    shown = await get(tenant, made)
    assert shown == shown | {
        "status": "active", "called": 1, "completed": 1, "failed": 0, "pending": 1, "attempts": 1, "answered": 1,
        "progress": 50.0, "calling": 0, "retrying": 0,
    }  # fmt: skip


@pytest.mark.parametrize("reason", ["no_answer", "declined", "voicemail", "recovered_after_crash"])
async def test_without_retries_a_contact_that_was_missed_has_failed(tenant: Tenant, agent: Agent, reason: str) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2])
    await call_contact(tenant, made, 0, reason)
    contact = await get_contact(tenant, made)
    assert (contact["status"], contact["attempts"], contact["reason"]) == ("failed", 1, reason)
    shown = await get(tenant, made)
    assert (shown["failed"], shown["attempts"], shown["answered"]) == (1, 1, int(reason == "voicemail"))


async def test_a_retry_waits_for_its_delay_and_comes_to_an_end(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2], retry_failed=True, retry_delay_minutes=[10, 60])
    for attempts, minutes in ((1, 10), (2, 60)):
        before = values.now_ms()
        await call_contact(tenant, made, 0, "busy")
        contact = (await list_batch_contacts(tenant, made["id"]))[0]
        assert (contact.status, contact.attempts, contact.reason) == ("scheduled", attempts, "busy")
        assert contact.scheduled_at is not None
        assert before + minutes * MINUTE_MS <= contact.scheduled_at <= values.now_ms() + minutes * MINUTE_MS
        shown = await get(tenant, made)
        assert (shown["retrying"], shown["failed"], shown["pending"], shown["attempts"]) == (1, 0, 2, attempts)
    await call_contact(tenant, made, 0, "busy")
    assert (await get_contact(tenant, made))["status"] == "failed"
    shown = await get(tenant, made)
    assert (shown["retrying"], shown["failed"], shown["attempts"]) == (0, 1, 3)


async def test_a_retry_that_the_schedule_has_moved_comes_back_to_its_own_time(tenant: Tenant, agent: Agent) -> None:
    people = [person | {"timezone": "UTC"} for person in PEOPLE[:2]]
    made = await create(tenant, agent, contacts=people, retry_attempts=1, retry_delay_minutes=[10])
    await call_contact(tenant, made, 0, "busy")
    due_at = (await list_batch_contacts(tenant, made["id"]))[0].scheduled_at or 0

    async def get_slot() -> int:
        return (await list_batch_contacts(tenant, made["id"]))[0].scheduled_at or 0

    await change(tenant, made, **closed_window())
    assert await get_slot() > due_at + 60 * MINUTE_MS
    await act(tenant, made, "pause")
    # Delays that are changed are those of retries to come.
    await change(tenant, made, start_time=None, end_time=None, retry_delay_minutes=[60])
    assert await get_slot() == due_at
    await act(tenant, made, "resume")
    assert await get_slot() == due_at


async def test_a_retry_falls_inside_the_window_of_the_contact(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await create(
        tenant, agent, contacts=[PEOPLE[0], {"phone_number": "+442071234567"}], start_time="09:00", end_time="17:00",
        working_days=[1, 2, 3, 4, 5], retry_failed=True, timezone="America/New_York",
    )  # fmt: skip
    friday = values.parse_wire_time("2027-06-04T20:45:00Z")  # 16:45 in New York, 21:45 in London
    monkeypatch.setattr(values, "now_ms", lambda: friday)
    for position in (0, 1):
        await call_contact(tenant, made, position, "no_answer")
    slots = [contact["scheduled_at"] for contact in (await list_contacts(tenant, made))["data"]]
    assert slots == ["2027-06-07T13:00:00Z", "2027-06-07T08:00:00Z"]


async def test_rules_by_ending_are_kept_shown_and_followed(tenant: Tenant, agent: Agent) -> None:
    rules = {"busy": {"attempts": 2, "delay_minutes": 5}, "declined": {"attempts": 1}, "no_answer": {"attempts": 0}}
    made = await create(tenant, agent, contacts=PEOPLE[:4], retry_failed=True, retry_rules=rules)
    assert made["retry_rules"] == {
        "busy": {"attempts": 2, "delay_minutes": [5]},
        "declined": {"attempts": 1, "delay_minutes": None},
        "no_answer": {"attempts": 0, "delay_minutes": None},
    }
    for position, reason in enumerate(("busy", "declined", "no_answer", "inactivity")):
        await call_contact(tenant, made, position, reason)
    contacts = await list_batch_contacts(tenant, made["id"])
    assert [contact.status for contact in contacts] == ["scheduled", "scheduled", "failed", "failed"]
    busy, declined = (contact.scheduled_at or 0 for contact in contacts[:2])
    assert 20 * MINUTE_MS < declined - busy < 30 * MINUTE_MS
    changed = (await change(tenant, made, retry_rules=None, max_failure_rate=0.2, max_credits=500)).json()["data"]
    assert (changed["retry_rules"], changed["max_failure_rate"], changed["max_credits"]) == ({}, 0.2, 500)
    assert (changed["min_answer_rate"], made["max_failure_rate"]) == (None, 0.5)


async def test_rules_that_make_no_sense_are_named(tenant: Tenant, agent: Agent) -> None:
    async def try_rules(rules: Any, **fields: Any) -> dict[str, str]:
        body = {"name": "B", "agent_id": agent.id, "retry_rules": rules, **fields}
        return refused(await tenant.client.post(BATCHES, json=body))

    assert set(await try_rules({"dnc_blocked": {"attempts": 1}})) == {"retry_rules.dnc_blocked"}
    assert set(await try_rules({"busy": {"attempts": 11}})) == {"retry_rules.busy.attempts"}
    assert set(await try_rules({"busy": {}})) == {"retry_rules.busy.attempts"}
    assert set(await try_rules({"busy": {"attempts": 1, "delay_minutes": []}})) == {"retry_rules.busy.delay_minutes"}
    refusals = await try_rules({}, max_failure_rate=0, min_answer_rate=1.5, max_credits=0)
    assert set(refusals) == {"max_failure_rate", "min_answer_rate", "max_credits"}


@on_sqlite
@pytest.mark.parametrize("reason", ENDED_REASONS)
@pytest.mark.parametrize("is_answered", [False, True])
async def test_every_ending_leaves_the_counts_right(
    tenant: Tenant, agent: Agent, reason: str, is_answered: bool
) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2], retry_failed=True)
    await call_contact(tenant, made, 0, reason, is_answered=is_answered)
    shown = await get(tenant, made)
    assert (shown["completed"], shown["failed"]) == await recount(tenant, made)
    assert (shown["attempts"], shown["answered"], shown["calling"]) == (1, int(is_answered), 0)
    contact = (await list_batch_contacts(tenant, made["id"]))[0]
    assert contact.status != "calling"
    assert (contact.status == "scheduled") is (contact.scheduled_at is not None)


async def test_the_last_end_completes_it_and_is_told_with_all_counts(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2])
    await call_contact(tenant, made, 0, "user_hangup")
    await call_contact(tenant, made, 1, "declined")
    shown = await get(tenant, made)
    assert (shown["status"], shown["progress"], shown["next_call_at"]) == ("completed", 100.0, None)
    assert shown["completed_at"] is not None
    told = [event for event in await list_events(tenant, made) if event[0].startswith("batch.")]
    assert told[-2:] == [("batch.status.changed", "completed"), ("batch.completed", "completed")]


async def test_a_call_that_is_ended_or_followed_twice_changes_nothing_more(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:3], retry_failed=True)
    call = await call_contact(tenant, made, 0, "busy")
    before = (await get_batch(tenant, made["id"]), await list_batch_contacts(tenant, made["id"]))
    assert not await end(tenant, call, "user_hangup")
    ended = await tenant.get_call(call.id)
    async with tenant.database.write() as connection:
        await following.follow_end(connection, ended)
    # Nor when the contact is being called by another call by now.
    other = await queue_call(tenant, before[1][1])
    async with tenant.database.write() as connection:
        await following.follow_end(connection, ended)
    assert await end(tenant, other, "outside_window")
    assert (await get_batch(tenant, made["id"])).dialled_calls == before[0].dialled_calls
    assert (await list_batch_contacts(tenant, made["id"]))[0] == before[1][0]


async def test_an_end_after_the_batch_call_was_deleted_changes_nothing(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2])
    call = await queue_call(tenant, (await list_batch_contacts(tenant, made["id"]))[0])
    await dial(tenant, call)
    await act(tenant, made, "cancel")
    assert (await tenant.client.delete(f"{BATCHES}/{made['id']}")).status_code == 200
    assert await end(tenant, call, "user_hangup")
    assert (await tenant.get_call(call.id)).status == "completed"


async def test_calls_under_way_end_as_usual_while_it_is_paused(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:3], retry_failed=True)
    calls = [await queue_call(tenant, contact) for contact in await list_batch_contacts(tenant, made["id"])]
    for call in calls:
        await dial(tenant, call)
    assert (await act(tenant, made, "pause"))["calling"] == 3
    await end(tenant, calls[0], "no_answer")
    await end(tenant, calls[1], "user_hangup")
    shown = await get(tenant, made)
    assert (shown["status"], shown["calling"], shown["retrying"], shown["completed"]) == ("paused", 1, 1, 1)
    assert (await act(tenant, made, "resume"))["calling"] == 1
    retry = (await list_batch_contacts(tenant, made["id"]))[0]
    assert (retry.scheduled_at or 0) > values.now_ms() + 25 * MINUTE_MS  # resuming does not call sooner


async def test_the_last_end_completes_a_paused_one(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:1])
    call = await queue_call(tenant, (await list_batch_contacts(tenant, made["id"]))[0])
    await act(tenant, made, "pause")
    await dial(tenant, call)
    await end(tenant, call, "user_hangup")
    assert (await get(tenant, made))["status"] == "completed"


async def test_nobody_is_called_again_once_it_is_cancelled(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2], retry_failed=True)
    call = await queue_call(tenant, (await list_batch_contacts(tenant, made["id"]))[0])
    await dial(tenant, call)
    await act(tenant, made, "cancel")
    await end(tenant, call, "busy")
    shown = await get(tenant, made)
    assert (shown["status"], shown["failed"], shown["pending"], shown["next_call_at"]) == ("cancelled", 1, 1, None)
    assert (await get_contact(tenant, made))["reason"] == "busy"


async def test_a_schedule_changed_while_it_calls_leaves_those_being_called_alone(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:4], retry_failed=True)
    contacts = await list_batch_contacts(tenant, made["id"])
    call = await queue_call(tenant, contacts[1])
    await dial(tenant, call)
    await call_contact(tenant, made, 0, "user_hangup")
    done, calling, *_ = await list_batch_contacts(tenant, made["id"])
    changed = await change(tenant, made, scheduled_at="2050-01-03T00:00:00Z", start_time="09:00", end_time="17:00")
    assert (changed.status_code, changed.json()["data"]["status"]) == (200, "active")
    now = await list_batch_contacts(tenant, made["id"])
    assert now[:2] == [done, calling]
    assert {contact.scheduled_at for contact in now[2:]} == {values.parse_wire_time("2050-01-03T14:00:00Z")}
    await end(tenant, call, "busy")  # its retry does not come before the new start either
    retry = (await list_batch_contacts(tenant, made["id"]))[1]
    assert retry.scheduled_at == values.parse_wire_time("2050-01-03T14:00:00Z")


async def test_a_released_contact_counts_nothing_and_a_failed_one_is_counted(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2])
    first, second = await list_batch_contacts(tenant, made["id"])
    calls = [await queue_call(tenant, contact) for contact in (first, second)]
    now = values.now_ms()
    async with tenant.database.write() as connection:
        batch = await store.lock_batch_call(connection, tenant.organization_id, made["id"])
        assert batch is not None
        released, failed = await contact_store.list_contacts(
            connection, tenant.organization_id, made["id"], limit=10, offset=0
        )
        batch = await following.release_contact(
            connection, batch, released, now_ms=now, reason="minimum_gap", not_before=now + MINUTE_MS
        )
        batch = await following.fail_contact(connection, batch, failed, now_ms=now, reason="dnc_blocked")
    assert (batch.failed_contacts, batch.status) == (1, "active")
    for call in calls:
        await end(tenant, call, "dnc_blocked")
    first, second = await list_batch_contacts(tenant, made["id"])
    assert (first.status, first.reason, first.attempts) == ("scheduled", "minimum_gap", 0)
    assert first.scheduled_at == now + MINUTE_MS
    assert (second.status, second.reason) == ("failed", "dnc_blocked")
    shown = await get(tenant, made)
    assert (shown["failed"], shown["attempts"], shown["pending"]) == (1, 0, 1)


async def test_a_queued_call_that_somebody_hangs_up_has_failed_without_an_attempt(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:2], retry_failed=True)
    call = await queue_call(tenant, (await list_batch_contacts(tenant, made["id"]))[0])
    await end(tenant, call, "cancelled")
    contact = await get_contact(tenant, made)
    assert (contact["status"], contact["reason"], contact["attempts"]) == ("failed", "cancelled", 0)
    assert (await get(tenant, made))["attempts"] == 0


async def test_a_crash_before_the_commit_leaves_call_and_contact_as_they_were(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:1])
    call = await queue_call(tenant, (await list_batch_contacts(tenant, made["id"]))[0])
    await dial(tenant, call)

    async def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ringdown.calls.announcement.announce", crash)
        await end(tenant, call, "user_hangup")
    assert (await tenant.get_call(call.id)).is_live
    assert (await get_contact(tenant, made))["status"] == "calling"
    assert await end(tenant, call, "user_hangup")
    assert (await get(tenant, made))["status"] == "completed"


async def fail_many(tenant: Tenant, made: dict[str, Any], reason: str, count: int) -> None:
    for position in range(count):
        await call_contact(tenant, made, position, reason)


async def test_a_batch_call_whose_calls_fail_pauses_and_says_why_and_resuming_starts_anew(
    tenant: Tenant, agent: Agent
) -> None:
    made = await create(tenant, agent, contacts=PEOPLE)
    await fail_many(tenant, made, "carrier_error", 19)
    assert (await get(tenant, made))["status"] == "active"
    await call_contact(tenant, made, 19, "carrier_error")
    shown = await get(tenant, made)
    assert (shown["status"], shown["failed"]) == ("paused", 20)
    assert shown["paused_at"] is not None
    assert "20 of the last 20 calls failed" in shown["status_reason"]
    assert ("batch.status.changed", "paused") in await list_events(tenant, made)
    resumed = await act(tenant, made, "resume")
    assert (resumed["status"], resumed["status_reason"]) == ("active", None)
    await call_contact(tenant, made, 20, "carrier_error")
    assert (await get(tenant, made))["status"] == "active"


@on_sqlite
async def test_too_few_answers_pause_it_only_on_demand(tenant: Tenant, agent: Agent) -> None:
    patient = await create(tenant, agent, contacts=PEOPLE)
    await fail_many(tenant, patient, "no_answer", 30)
    assert (await get(tenant, patient))["status"] == "active"
    asked = await create(tenant, agent, contacts=PEOPLE, min_answer_rate=0.1)
    await fail_many(tenant, asked, "no_answer", 20)
    shown = await get(tenant, asked)
    assert shown["status"] == "paused"
    assert "0 of the last 20 calls were answered" in shown["status_reason"]


async def test_figures_of_a_list_are_those_of_each_batch_call(tenant: Tenant, agent: Agent) -> None:
    busy = await create(tenant, agent, contacts=PEOPLE[:3], retry_failed=True)
    await call_contact(tenant, busy, 0, "busy")
    await queue_call(tenant, (await list_batch_contacts(tenant, busy["id"]))[1])
    idle = await create(tenant, agent, contacts=PEOPLE[:3], scheduled_at="2050-01-03T09:00:00Z")
    await act(tenant, idle, "schedule")
    listed = {batch["id"]: batch for batch in (await tenant.client.get(BATCHES)).json()["data"]}
    assert (listed[busy["id"]]["calling"], listed[busy["id"]]["retrying"]) == (1, 1)
    assert (listed[idle["id"]]["calling"], listed[idle["id"]]["retrying"]) == (0, 0)
    assert listed[idle["id"]]["next_call_at"] == "2050-01-03T09:00:00Z"
    assert listed[idle["id"]] == await get(tenant, idle)
