"""Contacts that have failed are called once more because somebody asks for it: who, how often, and however many."""

import asyncio
import json
from typing import Any

import pytest

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.batch_calls import retry, retrying, spreading
from ringdown.db.engine import Database
from ringdown.jobs.store import Job, jobs
from tests.slices.batch_dialling import call_contact, dial, end, get_batch, list_batch_contacts, queue_call
from tests.slices.conftest import Tenant, on_sqlite
from tests.slices.test_batch_calls import BATCHES, create, get, refused
from tests.slices.test_batch_contacts import block
from tests.slices.test_batch_course import act, list_events, set_contact
from tests.slices.test_batch_following import PEOPLE, recount

REASONS = ("busy", "declined", "recovered_after_crash", "dnc_blocked", "insufficient_credits", "user_hangup")


@pytest.fixture
async def agent(tenant: Tenant) -> Agent:
    """An agent that can call."""
    return await tenant.add_agent(outbound_number="+18005559876")


async def make_completed(tenant: Tenant, agent: Agent, **fields: Any) -> dict[str, Any]:
    """A batch call in which each call has ended in another way."""
    made = await create(tenant, agent, contacts=PEOPLE[: len(REASONS)], **fields)
    for position, reason in enumerate(REASONS):
        await call_contact(tenant, made, position, reason)
    assert (await get(tenant, made))["status"] == "completed"
    return made


async def list_statuses(tenant: Tenant, batch: dict[str, Any]) -> list[str]:
    return [contact.status for contact in await list_batch_contacts(tenant, batch["id"])]


async def find_job(database: Database, kind: str) -> Job:
    """The job of this kind that was deferred last."""
    async with database.read() as connection:
        query = jobs.select().where(jobs.c.kind == kind).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(1)
        row = (await connection.execute(query)).one()
    return Job(
        organization_id=row.organization_id,
        id=row.id,
        kind=kind,
        payload=json.loads(row.payload),
        attempts=1,
        lease_id="lease_1",
        interval_ms=None,
    )


async def test_a_completed_batch_call_is_active_again_and_calls_those_who_were_missed(
    tenant: Tenant, agent: Agent
) -> None:
    made = await make_completed(tenant, agent)
    retried = await act(tenant, made, "retry")
    assert retried == retried | {
        "status": "active", "completed_at": None, "completed": 1, "failed": 3, "pending": 2, "retrying": 2,
    }  # fmt: skip
    assert await list_statuses(tenant, made) == ["scheduled", "failed", "failed", "failed", "scheduled", "completed"]
    assert ("batch.status.changed", "active") in (await list_events(tenant, made))[-3:]
    await call_contact(tenant, made, 0, "user_hangup")
    await call_contact(tenant, made, 4, "busy")
    shown = await get(tenant, made)
    assert (shown["status"], shown["completed"], shown["failed"]) == ("completed", 2, 4)
    assert (shown["completed"], shown["failed"]) == await recount(tenant, made)


async def test_only_the_endings_that_are_named_are_retried(tenant: Tenant, agent: Agent) -> None:
    made = await make_completed(tenant, agent)
    await act(tenant, made, "retry", {"reasons": ["declined", "recovered_after_crash"]})
    assert await list_statuses(tenant, made) == ["failed", "scheduled", "scheduled", "failed", "failed", "completed"]


async def test_whoever_must_not_be_called_has_failed_again_at_once(tenant: Tenant, agent: Agent) -> None:
    made = await make_completed(tenant, agent)
    await block(tenant, PEOPLE[3]["phone_number"])
    retried = await act(tenant, made, "retry", {"reasons": ["dnc_blocked"]})
    assert (retried["status"], retried["failed"]) == ("completed", 5)


async def test_a_retry_gives_all_attempts_once_more_and_not_one_beyond(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:1], retry_attempts=1, retry_delay_minutes=1)
    for _ in range(2):
        await call_contact(tenant, made, 0, "busy")
    await act(tenant, made, "retry")
    for status in ("scheduled", "failed"):
        contact = (await list_batch_contacts(tenant, made["id"]))[0]
        assert retrying.may_dial(await get_batch(tenant, made["id"]), contact)
        await call_contact(tenant, made, 0, "busy")
        contact = (await list_batch_contacts(tenant, made["id"]))[0]
        assert contact.status == status
    assert (contact.attempts, contact.earlier_attempts) == (4, 2)
    assert not retrying.may_dial(await get_batch(tenant, made["id"]), contact)


@pytest.mark.parametrize("status", ["active", "paused"])
async def test_a_batch_call_that_is_not_over_stays_as_it_is(tenant: Tenant, agent: Agent, status: str) -> None:
    made = await create(tenant, agent, contacts=PEOPLE[:3])
    await call_contact(tenant, made, 0, "no_answer")
    calling = await queue_call(tenant, (await list_batch_contacts(tenant, made["id"]))[1])
    await dial(tenant, calling)
    if status == "paused":
        await act(tenant, made, "pause")
    retried = await act(tenant, made, "retry")
    assert (retried["status"], retried["failed"], retried["calling"]) == (status, 0, 1)
    assert await list_statuses(tenant, made) == ["scheduled", "calling", "scheduled"]
    assert await end(tenant, calling, "user_hangup")


async def test_a_retry_that_finds_nobody_changes_nothing(tenant: Tenant, agent: Agent) -> None:
    made = await make_completed(tenant, agent)
    before = await get(tenant, made)
    assert await act(tenant, made, "retry", {"reasons": ["voicemail"]}) == before


async def test_a_retry_in_the_wrong_state_or_of_nobodys_batch_call_is_refused(
    tenant: Tenant, stranger: Tenant, anonymous: Any, agent: Agent
) -> None:
    made = await create(tenant, agent)
    url = f"{BATCHES}/{made['id']}/retry"
    assert "that is draft cannot be retried" in refused(await tenant.client.post(url))["status"]
    await act(tenant, made, "cancel")
    assert "only one that is active, paused or completed" in refused(await tenant.client.post(url))["status"]
    assert set(refused(await tenant.client.post(url, json={"reasons": ["sleepy"]}))) == {"reasons.0"}
    assert set(refused(await tenant.client.post(url, json={"reason": "busy"}))) == {"reason"}
    assert (await stranger.client.post(url)).status_code == 404
    assert (await anonymous.post(url)).status_code == 401


async def test_a_retry_needs_what_a_start_needs(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    number = await tenant.add_number("+12025550111")
    made = await create(tenant, agent, contacts=PEOPLE[:1], phone_number_ids=[number.id])
    await call_contact(tenant, made, 0, "busy")
    await tenant.client.delete(f"/api/public/v1/phone-numbers/{number.id}")
    async with tenant.database.write() as connection:
        await connection.exec_driver_sql("UPDATE phone_numbers SET status = 'released'")
    refusals = refused(await tenant.client.post(f"{BATCHES}/{made['id']}/retry"))
    assert set(refusals) == {"phone_number_ids"}
    assert (await get(tenant, made))["status"] == "completed"


async def make_failed(tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A completed batch call of 50 failed contacts, and pages so small that a request does not retry them all."""
    monkeypatch.setattr(retry, "PAGE", 10)
    made = await create(tenant, agent, contacts=PEOPLE[:50])
    for position in range(50):
        await set_contact(tenant, made, position, status="failed", reason="no_answer", scheduled_at=None, attempts=1)
    async with tenant.database.write() as connection:
        await connection.exec_driver_sql("UPDATE batch_calls SET status = 'completed', failed_contacts = 50")
    return made


async def test_many_are_retried_page_by_page_and_none_of_them_twice(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make_failed(tenant, agent, monkeypatch)
    begun = await act(tenant, made, "retry")
    assert (begun["status"], begun["failed"], begun["pending"]) == ("active", 20, 30)
    assert await list_statuses(tenant, made) == ["pending"] * 30 + ["failed"] * 20
    job = await find_job(tenant.database, retry.JOB_KIND)
    await retry.run_job(tenant.database, job)
    assert await list_statuses(tenant, made) == ["scheduled"] * 50
    # Whoever fails after the request is not part of it, so that the job may come again.
    await asyncio.sleep(0.002)
    await call_contact(tenant, made, 40, "no_answer")
    await retry.run_job(tenant.database, job)
    assert (await list_statuses(tenant, made))[40] == "failed"
    shown = await get(tenant, made)
    assert (shown["failed"], shown["pending"]) == (1, 49)


@on_sqlite
async def test_a_crash_after_any_page_loses_nobody(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make_failed(tenant, agent, monkeypatch)
    monkeypatch.setattr(retry, "_PAGES_PER_JOB", 1)
    await act(tenant, made, "retry")
    for _ in range(3):
        job = await find_job(tenant.database, retry.JOB_KIND)
        for _ in range(2):  # nobody was told that it had been done
            await retry.run_job(tenant.database, job)
            shown = await get(tenant, made)
            assert (shown["completed"], shown["failed"]) == await recount(tenant, made)
    assert await list_statuses(tenant, made) == ["scheduled"] * 50


@on_sqlite
@pytest.mark.parametrize("action", ["cancel", "delete"])
async def test_the_job_stops_when_the_batch_call_is_over_or_gone(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    made = await make_failed(tenant, agent, monkeypatch)
    await act(tenant, made, "retry")
    await act(tenant, made, "cancel")
    if action == "delete":
        assert (await tenant.client.delete(f"{BATCHES}/{made['id']}")).status_code == 200
    before = await list_statuses(tenant, made)
    await retry.run_job(tenant.database, await find_job(tenant.database, retry.JOB_KIND))
    assert await list_statuses(tenant, made) == before


@on_sqlite
async def test_a_retry_waits_until_those_before_it_have_their_places(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "PAGE", 10)
    made = await make_failed(tenant, agent, monkeypatch)
    await act(tenant, made, "retry")
    await retry.run_job(tenant.database, await find_job(tenant.database, retry.JOB_KIND))
    assert (await list_statuses(tenant, made)).count("pending") == 20
    await spreading.run_job(tenant.database, await find_job(tenant.database, spreading.JOB_KIND))
    assert await list_statuses(tenant, made) == ["scheduled"] * 50
    slots = {contact.scheduled_at for contact in await list_batch_contacts(tenant, made["id"])}
    assert max(slot or 0 for slot in slots) <= values.now_ms()
