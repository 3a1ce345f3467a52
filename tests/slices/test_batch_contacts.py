"""The contacts of batch calls: copied from requests, ids and folders, each number once, listed at any size."""

import asyncio
import dataclasses
from typing import Any

import pytest

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.batch_calls import contact_store, spreading
from ringdown.contacts import dnc_store, folder_store
from ringdown.contacts import store as contacts_store
from ringdown.contacts.models import Contact, DncEntry, Folder
from ringdown.jobs.store import Job
from tests.slices.conftest import Tenant
from tests.slices.test_batch_calls import ANA, BATCHES, FUTURE, create, get, refused

BEN = {"phone_number": "+442071234567", "last_name": "Ben"}


@pytest.fixture
async def agent(tenant: Tenant) -> Agent:
    """An agent that can call."""
    return await tenant.add_agent(outbound_number="+18005559876")


async def make_folder(tenant: Tenant, contacts: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """A folder with these contacts: its id, and theirs."""
    now = values.now_ms()
    common: dict[str, Any] = {"organization_id": tenant.organization_id, "created_at": now, "updated_at": now}
    folder = Folder(
        id=values.new_id("folder"), name="Leads", description=None, is_default=False, contact_count=0, **common
    )
    made = [Contact(id=values.new_id("cnt"), folder_id=folder.id, **common, **fields) for fields in contacts]
    async with tenant.database.write() as connection:
        await folder_store.insert_folder(connection, folder)
        await contacts_store.insert_contacts(connection, made)
    return folder.id, [contact.id for contact in made]


async def add(tenant: Tenant, batch: dict[str, Any], **body: Any) -> dict[str, Any]:
    response = await tenant.client.post(f"{BATCHES}/{batch['id']}/contacts", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def list_contacts(tenant: Tenant, batch: dict[str, Any], **query: Any) -> dict[str, Any]:
    response = await tenant.client.get(f"{BATCHES}/{batch['id']}/contacts", params=query)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def test_a_contact_is_listed_with_the_documented_fields(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent)
    sent = ANA | {"last_name": "Lopez", "email": "ana@example.com", "custom_fields": {"plan": "gold", "seats": 3}}
    assert await add(tenant, made, contacts=[sent]) == {"added_count": 1, "failed_count": 0, "errors": []}
    page = await list_contacts(tenant, made)
    [contact] = page["data"]
    assert page["pagination"] == {"total": 1, "limit": 50, "offset": 0, "has_more": False}
    assert contact.pop("contact_id").startswith("cnt_")
    assert contact == {
        "phone_number": "+12125551234",
        "first_name": "Ana",
        "last_name": "Lopez",
        "call_status": "pending",
        "status": "pending",
        "call_id": None,
        "called_at": None,
        "scheduled_at": None,
        "attempts": 0,
        "reason": None,
        "outcome": None,
        "email": "ana@example.com",
        "timezone": "America/New_York",
        "custom_fields": {"plan": "gold", "seats": "3"},
        "variables": {
            "first_name": "Ana",
            "last_name": "Lopez",
            "email": "ana@example.com",
            "phone_number": "+12125551234",
            "plan": "gold",
            "seats": "3",
        },
    }


async def test_duplicates_and_bad_numbers_are_left_out_and_named(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA], schedule_type="scheduled", scheduled_at=FUTURE)
    wrong_zone = {"phone_number": "+12125550003", "timezone": "Mars/Base"}
    added = await add(
        tenant, made, contacts=[BEN, ANA, {"phone_number": "12345"}, wrong_zone, {"phone_number": "+44 20 7123 4567"}]
    )
    assert (added["added_count"], added["failed_count"]) == (1, 4)
    assert [(skipped["index"], skipped["phone_number"]) for skipped in added["errors"]] == [
        (1, "+12125551234"),
        (2, "12345"),
        (3, "+12125550003"),
        (4, "+442071234567"),
    ]
    for skipped, word in zip(added["errors"], ("duplicate", "E.164", "IANA", "duplicate"), strict=True):
        assert word in skipped["reason"]
    shown = await get(tenant, made)
    assert (shown["total_contacts"], shown["pending"]) == (2, 2)


async def test_numbers_that_are_there_leave_no_gap(tenant: Tenant, agent: Agent) -> None:
    people = [{"phone_number": f"+1212555{number:04}"} for number in range(6)]
    made = await create(tenant, agent, contacts=[people[1], people[4]], scheduled_at=FUTURE)
    added = await add(tenant, made, contacts=[people[0], *people, people[2]])
    assert (added["added_count"], [skipped["index"] for skipped in added["errors"]]) == (4, [1, 2, 5, 7])
    order = [people[number]["phone_number"] for number in (1, 4, 0, 2, 3, 5)]
    for offset in range(6):
        [contact] = (await list_contacts(tenant, made, limit=1, offset=offset))["data"]
        assert contact["phone_number"] == order[offset]


async def test_contacts_are_copied_by_id_and_by_folder(tenant: Tenant, agent: Agent) -> None:
    full = {"company_name": "Acme", "custom_fields": {"plan": "gold"}, "timezone": "Europe/Lisbon"}
    folder_id, ids = await make_folder(tenant, [ANA | full, BEN])
    made = await create(
        tenant, agent, contact_source="folder", contact_folder_id=folder_id, contact_ids=[ids[1]], scheduled_at=FUTURE
    )
    assert (made["total_contacts"], made["contact_source"], made["contact_folder_id"]) == (2, "folder", folder_id)
    [duplicate] = made["errors"]
    assert (duplicate["index"], duplicate["contact_id"]) == (2, ids[1])
    ben, ana = (await list_contacts(tenant, made))["data"]
    assert [ben["contact_id"], ana["contact_id"]] == [ids[1], ids[0]]
    assert ana["custom_fields"] == {"company_name": "Acme", "plan": "gold"}
    assert (ana["timezone"], ben["timezone"]) == ("Europe/Lisbon", "Europe/London")
    assert (await add(tenant, made, contact_folder_id=folder_id, contact_ids=ids))["failed_count"] == 4


async def test_a_deleted_folder_takes_nobody_out_of_a_batch_call(tenant: Tenant, agent: Agent) -> None:
    folder_id, _ = await make_folder(tenant, [ANA, BEN])
    made = await create(tenant, agent, contact_folder_id=folder_id)
    async with tenant.database.write() as connection:
        await contacts_store.empty_folder(connection, tenant.organization_id, folder_id, limit=10)
        await folder_store.delete_folder(connection, tenant.organization_id, folder_id)
    shown = await get(tenant, made)
    assert (shown["total_contacts"], shown["contact_folder_id"], shown["contact_source"]) == (2, folder_id, "folder")
    assert (await list_contacts(tenant, made))["pagination"]["total"] == 2
    gone = await tenant.client.post(f"{BATCHES}/{made['id']}/contacts", json={"contact_folder_id": folder_id})
    assert gone.status_code == 404


async def test_nothing_is_added_when_a_part_of_the_request_is_wrong(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent)
    url = f"{BATCHES}/{made['id']}/contacts"
    for body, field in (
        ({"contacts": [ANA], "contact_ids": ["cnt_absent"]}, "contact_ids.0"),
        ({"contacts": [ANA, {"phone_number": 7}]}, "contacts.1.phone_number"),
        ({"contacts": [ANA], "colour": "red"}, "colour"),
        ({"contacts": []}, "contacts"),
        ({}, "contacts"),
    ):
        assert field in refused(await tenant.client.post(url, json=body))
    assert (await get(tenant, made))["total_contacts"] == 0
    assert "status" in refused(await tenant.client.get(url, params={"status": "asleep"}))


async def test_contacts_added_to_a_running_batch_call_join_its_schedule(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA])
    await add(tenant, made, contacts=[BEN])
    contacts = (await list_contacts(tenant, made))["data"]
    assert [contact["status"] for contact in contacts] == ["scheduled", "scheduled"]
    await tenant.client.post(f"{BATCHES}/{made['id']}/cancel")
    late = await tenant.client.post(f"{BATCHES}/{made['id']}/contacts", json={"contacts": [ANA]})
    assert (
        "cancelled cannot be extended; only one that is draft, scheduled, active or paused" in refused(late)["status"]
    )


async def test_equal_requests_at_once_add_each_number_once(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent)
    people = [{"phone_number": f"+1212555{number:04}"} for number in range(20)]
    added = await asyncio.gather(*(add(tenant, made, contacts=people[start:] + people[:start]) for start in range(8)))
    assert sum(each["added_count"] for each in added) == 20
    assert sum(each["failed_count"] for each in added) == 7 * 20
    assert (await get(tenant, made))["total_contacts"] == 20
    listed = (await list_contacts(tenant, made))["data"]
    assert len({contact["phone_number"] for contact in listed}) == 20


async def test_pages_and_counts_are_exact_with_and_without_a_state(tenant: Tenant, agent: Agent) -> None:
    people = [{"phone_number": f"+1212555{number:04}"} for number in range(10)]
    made = await create(tenant, agent, contacts=people)
    async with tenant.database.write() as connection:
        known = await contact_store.list_contacts(connection, tenant.organization_id, made["id"], limit=10, offset=0)
        failed = [dataclasses.replace(known[position], status="failed", reason="busy") for position in (1, 4, 7)]
        await contact_store.update_contacts(connection, failed)
    whole = (await list_contacts(tenant, made))["data"]
    assert [contact["phone_number"] for contact in whole] == [person["phone_number"] for person in people]
    page = await list_contacts(tenant, made, limit=3, offset=8)
    assert (page["data"], page["pagination"]["has_more"]) == (whole[8:], False)
    busy = await list_contacts(tenant, made, status="failed", limit=2, offset=1)
    assert busy["data"] == [whole[4], whole[7]]
    assert busy["pagination"] == {"total": 3, "limit": 2, "offset": 1, "has_more": False}
    assert [contact["reason"] for contact in busy["data"]] == ["busy", "busy"]
    assert (await list_contacts(tenant, made, status="completed"))["data"] == []
    assert (await list_contacts(tenant, made, offset=100))["data"] == []


async def test_a_large_folder_is_copied_and_scheduled_page_by_page(
    tenant: Tenant, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringdown.batch_calls.membership.PAGE", 7)
    monkeypatch.setattr("ringdown.batch_calls.spreading.PAGE", 5)
    folder_id, ids = await make_folder(tenant, [{"phone_number": f"+1212555{number:04}"} for number in range(50)])
    await block(tenant, "+12125550030")
    made = await create(tenant, agent, contact_folder_id=folder_id, max_calls_per_day=20)
    assert (made["total_contacts"], made["status"]) == (50, "active")
    assert (await list_contacts(tenant, made, status="scheduled"))["pagination"]["total"] == 15
    job = Job(
        organization_id=tenant.organization_id,
        id="job_1",
        kind=spreading.JOB_KIND,
        payload={"batch_call_id": made["id"]},
        attempts=1,
        lease_id="lease_1",
        interval_ms=None,
    )
    await spreading.run_job(tenant.database, job)
    await spreading.run_job(tenant.database, job)
    listed = (await list_contacts(tenant, made, limit=100))["data"]
    assert [contact["contact_id"] for contact in listed] == ids
    assert [contact["reason"] for contact in listed if contact["status"] != "scheduled"] == ["dnc_blocked"]
    days = [contact["scheduled_at"][:10] for contact in listed if contact["scheduled_at"] is not None]
    assert sorted(days.count(day) for day in set(days)) == [9, 20, 20]
    shown = await get(tenant, made)
    assert (shown["failed"], shown["called"], shown["pending"]) == (1, 1, 49)


async def block(tenant: Tenant, number: str) -> None:
    entry = DncEntry(tenant.organization_id, number, None, values.now_ms())
    async with tenant.database.write() as connection:
        await dnc_store.insert_entries(connection, [entry])
