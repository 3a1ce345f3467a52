"""Batch calls over HTTP: created in every documented spelling, listed, changed, deleted."""

import asyncio
from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.agents.models import Agent
from tests.slices.conftest import BASE, Tenant, on_sqlite

BATCHES = f"{BASE}/batch-calls"
ANA = {"phone_number": "+12125551234", "first_name": "Ana"}
FUTURE = "2050-04-06T09:00:00Z"
B_NAMES = (
    "id name status agent_id from_number schedule_type scheduled_at timezone concurrency retry_attempts total_contacts "
    "called completed failed pending created_at updated_at"
)


@pytest.fixture
async def agent(tenant: Tenant) -> Agent:
    """An agent that can call."""
    return await tenant.add_agent(outbound_number="+18005559876")


async def create(tenant: Tenant, agent: Agent, **fields: Any) -> dict[str, Any]:
    body = {"name": "Recall April", "agent_id": agent.id} | fields
    response = await tenant.client.post(BATCHES, json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def get(tenant: Tenant, batch: dict[str, Any]) -> dict[str, Any]:
    response = await tenant.client.get(f"{BATCHES}/{batch['id']}")
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {error["field"]: error["reason"] for error in response.json()["error"]["details"]["errors"]}


async def test_a_batch_call_without_contacts_is_a_draft_with_the_documented_fields(
    tenant: Tenant, agent: Agent
) -> None:
    made = await create(tenant, agent)
    assert list(made)[:17] == B_NAMES.split()
    assert made["id"].startswith("batch_")
    assert values.parse_wire_time(made["created_at"]) == values.parse_wire_time(made["updated_at"])
    assert made == made | {
        "name": "Recall April",
        "status": "draft",
        "agent_id": agent.id,
        "from_number": "+18005559876",
        "schedule_type": "immediate",
        "scheduled_at": None,
        "timezone": "UTC",
        "concurrency": 10,
        "max_concurrent_calls": 10,
        "retry_attempts": 0,
        "retry_failed": False,
        "retry_delay_minutes": [30, 120],
        "contact_source": "csv",
        "phone_rotation_strategy": "random",
        "phone_number_ids": [],
        "working_days": None,
        "metadata": {},
        "added_count": 0,
        "failed_count": 0,
        "errors": [],
    }
    assert [made[name] for name in ("total_contacts", "called", "completed", "failed", "pending")] == [0] * 5
    shown = await get(tenant, made)
    assert shown == {name: made[name] for name in shown}


async def test_immediate_with_contacts_starts_at_once(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA], schedule_type="immediate")
    assert (made["status"], made["total_contacts"], made["pending"], made["added_count"]) == ("active", 1, 1, 1)
    assert made["started_at"] is not None
    listed = await tenant.client.get(f"{BATCHES}/{made['id']}/contacts")
    [contact] = listed.json()["data"]
    assert (contact["call_status"], contact["status"], contact["attempts"]) == ("scheduled", "scheduled", 0)
    assert contact["scheduled_at"] == made["started_at"]


async def test_every_documented_field_is_taken(tenant: Tenant, agent: Agent) -> None:
    number = await tenant.add_number("+12025550111")
    made = await create(
        tenant,
        agent,
        phone_number_ids=[number.id],
        phone_rotation_strategy="round_robin",
        contact_source="manual",
        contact_folder_id=None,
        contact_ids=None,
        contacts=[{"phone_number": "+12125551234"}, {"phone": "+1 (212) 555-1235", "metadata": {"vip": True}}],
        schedule_type="scheduled",
        scheduled_at=FUTURE,
        timezone="America/New_York",
        start_time="22:00",
        end_time="06:00",
        working_days=[5, 1, 1],
        max_calls_per_day=100,
        concurrency=7,
        calls_per_second=0.5,
        retry_attempts=3,
        retry_delay_minutes=15,
        metadata={"crm": 1},
    )
    assert made == made | {
        "status": "draft",
        "from_number": "+12025550111",
        "phone_number_ids": [number.id],
        "phone_rotation_strategy": "round_robin",
        "contact_source": "manual",
        "schedule_type": "scheduled",
        "scheduled_at": FUTURE,
        "timezone": "America/New_York",
        "start_time": "22:00",
        "end_time": "06:00",
        "working_days": [1, 5],
        "max_calls_per_day": 100,
        "max_concurrent_calls": 7,
        "concurrency": 7,
        "calls_per_second": 0.5,
        "retry_failed": True,
        "retry_attempts": 3,
        "retry_delay_minutes": [15],
        "metadata": {"crm": 1},
        "total_contacts": 2,
    }
    listed = await tenant.client.get(f"{BATCHES}/{made['id']}/contacts")
    _, second = listed.json()["data"]
    assert (second["phone_number"], second["variables"]) == (
        "+12125551235",
        {"phone_number": "+12125551235", "vip": "true"},
    )
    assert second["call_status"] == "pending"


async def test_a_time_without_zone_is_one_of_the_batch_calls_zone(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, scheduled_at="2050-07-01T09:00:00", timezone="America/New_York")
    assert (made["schedule_type"], made["scheduled_at"]) == ("scheduled", "2050-07-01T13:00:00Z")


async def test_retrying_alone_means_two_more_attempts(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, retry_failed=True)
    assert (made["retry_attempts"], made["retry_delay_minutes"]) == (2, [30, 120])


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"name": ""}, "name", "at least 1"),
        ({"name": "x" * 256}, "name", "255"),
        ({"name": " "}, "name", "blank"),
        ({"colour": "red"}, "colour", "not a known field"),
        ({"contact_source": "folder"}, "contact_folder_id", "required"),
        ({"contact_ids": ["cnt_absent"]}, "contact_ids.0", "no contact"),
        ({"contacts": [{"first_name": "Ana"}]}, "contacts.0.phone_number", "required"),
        ({"schedule_type": "scheduled"}, "scheduled_at", "required"),
        ({"schedule_type": "immediate", "scheduled_at": FUTURE}, "scheduled_at", "leave one of them out"),
        ({"scheduled_at": "tomorrow"}, "scheduled_at", "ISO 8601"),
        ({"scheduled_at": "0001-01-01T00:00:00Z"}, "scheduled_at", "between"),
        ({"timezone": "Mars/Base"}, "timezone", "IANA"),
        ({"start_time": "25:00"}, "start_time", ""),
        ({"start_time": "09:00", "end_time": "09:00"}, "end_time", "differ"),
        ({"working_days": [0]}, "working_days.0", "1"),
        ({"working_days": []}, "working_days", ""),
        ({"max_calls_per_day": 0}, "max_calls_per_day", "1"),
        ({"max_concurrent_calls": 0}, "max_concurrent_calls", "1"),
        ({"max_concurrent_calls": 2, "concurrency": 3}, "concurrency", "another name"),
        ({"calls_per_second": 0}, "calls_per_second", "0"),
        ({"phone_rotation_strategy": "sideways"}, "phone_rotation_strategy", "round_robin"),
        ({"phone_number_ids": ["num_absent"]}, "phone_number_ids.0", "no active phone number"),
        ({"retry_failed": False, "retry_attempts": 1}, "retry_attempts", "contradict"),
        ({"retry_delay_minutes": [30, 0]}, "retry_delay_minutes.1", "1"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    tenant: Tenant, agent: Agent, fields: dict[str, Any], field: str, reason: str
) -> None:
    body = {"name": "Recall", "agent_id": agent.id} | fields
    reasons = refused(await tenant.client.post(BATCHES, json=body))
    assert reason in reasons[field]
    assert (await tenant.client.get(BATCHES)).json()["pagination"]["total"] == 0


@on_sqlite
async def test_what_is_named_must_be_there_and_ours(tenant: Tenant, stranger: Tenant, agent: Agent) -> None:
    theirs = await stranger.add_agent(outbound_number="+12025550199")
    for body in (
        {"name": "x", "agent_id": theirs.id},
        {"name": "x", "agent_id": agent.id, "contact_folder_id": "folder_absent"},
    ):
        response = await tenant.client.post(BATCHES, json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@on_sqlite
async def test_nobody_without_the_right_key_gets_in(
    tenant: Tenant, stranger: Tenant, agent: Agent, anonymous: httpx.AsyncClient
) -> None:
    made = await create(tenant, agent, contacts=[ANA], schedule_type="scheduled", scheduled_at=FUTURE)
    one = f"{BATCHES}/{made['id']}"
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", one, None),
        ("PUT", one, {"name": "Mine"}),
        ("PATCH", one, {"name": "Mine"}),
        ("DELETE", one, None),
        ("GET", f"{one}/contacts", None),
        ("POST", f"{one}/contacts", {"contacts": [ANA]}),
        ("POST", f"{one}/schedule", {}),
        ("POST", f"{one}/pause", None),
        ("POST", f"{one}/resume", None),
        ("POST", f"{one}/cancel", None),
    ]
    for method, url, body in requests:
        assert (await stranger.client.request(method, url, json=body)).status_code == 404, (method, url)
    for method, url, body in [*requests, ("GET", BATCHES, None), ("POST", BATCHES, {"name": "x"})]:
        assert (await anonymous.request(method, url, json=body)).status_code == 401, (method, url)
    assert (await anonymous.post(f"{BATCHES}/bulk-delete", json={"ids": [made["id"]]})).status_code == 401
    deletion = await stranger.client.post(f"{BATCHES}/bulk-delete", json={"ids": [made["id"]]})
    assert deletion.json()["data"]["failed_ids"] == [made["id"]]
    assert (await stranger.client.get(BATCHES)).json()["data"] == []
    assert (await get(tenant, made))["name"] == "Recall April"


@on_sqlite
async def test_a_body_over_a_megabyte_is_refused(tenant: Tenant, agent: Agent) -> None:
    body = {"name": "x", "agent_id": agent.id, "metadata": {"note": "x" * (1024 * 1024)}}
    made = await create(tenant, agent)
    for url in (BATCHES, f"{BATCHES}/{made['id']}/contacts"):
        assert (await tenant.client.post(url, json=body)).status_code == 413


async def test_a_list_is_newest_first_with_a_filter_and_pages(tenant: Tenant, agent: Agent) -> None:
    names = ["one", "two", "three"]
    for name in names:
        await create(tenant, agent, name=name)
    active = await create(tenant, agent, name="four", contacts=[ANA])
    page = (await tenant.client.get(BATCHES, params={"status": "draft", "limit": 2, "offset": 1})).json()
    assert [batch["name"] for batch in page["data"]] == ["two", "one"]
    assert page["pagination"] == {"total": 3, "limit": 2, "offset": 1, "has_more": False}
    for spelling in ("active", "running"):
        found = (await tenant.client.get(BATCHES, params={"status": spelling})).json()["data"]
        assert found == [await get(tenant, active)]
    assert (await tenant.client.get(BATCHES)).json()["pagination"]["total"] == 4
    assert "status" in refused(await tenant.client.get(BATCHES, params={"status": "asleep"}))
    assert "agent" in refused(await tenant.client.get(BATCHES, params={"agent": agent.id}))


async def test_put_and_patch_change_what_is_sent_and_null_resets_it(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, max_calls_per_day=5, retry_failed=True, working_days=[1])
    one = f"{BATCHES}/{made['id']}"
    for method, name in (("PATCH", "Second"), ("PUT", "Third")):
        response = await tenant.client.request(method, one, json={"name": name, "start_time": "09:00"})
        assert response.status_code == 200, response.text
        changed = response.json()["data"]
        assert (changed["name"], changed["start_time"], changed["max_calls_per_day"]) == (name, "09:00", 5)
    body = {"max_calls_per_day": None, "start_time": None, "working_days": None, "metadata": None, "timezone": None}
    reset = (await tenant.client.patch(one, json=body)).json()["data"]
    assert [reset[name] for name in body] == [None, None, None, {}, "UTC"]
    assert reset["retry_attempts"] == 2
    assert (await tenant.client.patch(one, json={"retry_failed": False})).json()["data"]["retry_attempts"] == 0
    assert "name" in refused(await tenant.client.patch(one, json={"name": None}))
    assert (await tenant.client.patch(one, json={"agent_id": "agt_absent"})).status_code == 404
    assert "total_contacts" in refused(await tenant.client.patch(one, json={"total_contacts": 5}))
    assert "phone_number_ids.0" in refused(await tenant.client.patch(one, json={"phone_number_ids": ["num_x"]}))
    assert (await tenant.client.patch(f"{BATCHES}/batch_absent", json={"name": "x"})).status_code == 404


async def test_only_what_calls_nobody_can_be_deleted(tenant: Tenant, agent: Agent) -> None:
    draft = await create(tenant, agent)
    running = await create(tenant, agent, contacts=[ANA])
    assert (await tenant.client.delete(f"{BATCHES}/{draft['id']}")).json()["data"] == {
        "id": draft["id"],
        "deleted": True,
    }
    for url in (f"{BATCHES}/{draft['id']}", f"{BATCHES}/{draft['id']}/contacts"):
        assert (await tenant.client.get(url)).status_code == 404
    assert (await tenant.client.delete(f"{BATCHES}/{draft['id']}")).status_code == 404
    reason = refused(await tenant.client.delete(f"{BATCHES}/{running['id']}"))["status"]
    assert "active cannot be deleted; only one that is draft, completed, failed or cancelled" in reason
    await tenant.client.post(f"{BATCHES}/{running['id']}/cancel")
    assert (await tenant.client.delete(f"{BATCHES}/{running['id']}")).status_code == 200


async def test_many_are_deleted_at_once_and_the_others_are_named(tenant: Tenant, agent: Agent) -> None:
    first, second = await create(tenant, agent), await create(tenant, agent)
    running = await create(tenant, agent, contacts=[ANA])
    ids = [first["id"], "batch_absent", running["id"], second["id"], first["id"]]
    response = await tenant.client.post(f"{BATCHES}/bulk-delete", json={"ids": ids})
    assert response.status_code == 201
    assert response.json()["data"] == {
        "deleted_count": 2,
        "failed_count": 2,
        "deleted_ids": [first["id"], second["id"]],
        "failed_ids": ["batch_absent", running["id"]],
    }
    assert [batch["id"] for batch in (await tenant.client.get(BATCHES)).json()["data"]] == [running["id"]]
    assert "ids" in refused(await tenant.client.post(f"{BATCHES}/bulk-delete", json={"ids": []}))


async def test_equal_requests_at_once_create_one_batch_call(tenant: Tenant, agent: Agent) -> None:
    body = {"name": "Once", "agent_id": agent.id, "contacts": [ANA]}
    headers = {"X-Idempotency-Key": "april"}
    responses = await asyncio.gather(*(tenant.client.post(BATCHES, json=body, headers=headers) for _ in range(12)))
    assert {response.status_code for response in responses} <= {201, 409}
    ids = {response.json()["data"]["id"] for response in responses if response.status_code == 201}
    assert len(ids) == 1
    [only] = (await tenant.client.get(BATCHES)).json()["data"]
    assert ids == {only["id"]}
    again = await tenant.client.post(BATCHES, json=body, headers=headers)
    assert (again.status_code, again.json()["data"]["id"]) == (201, only["id"])
    other = await tenant.client.post(BATCHES, json=body | {"name": "Twice"}, headers=headers)
    assert other.status_code == 409


async def test_an_agent_is_kept_while_a_batch_call_needs_it(tenant: Tenant, agent: Agent) -> None:
    draft = await create(tenant, agent)
    running = await create(tenant, agent, contacts=[ANA])
    response = await tenant.client.delete(f"{BASE}/agents/{agent.id}")
    assert running["id"] in refused(response)["agent_id"]
    await tenant.client.post(f"{BATCHES}/{running['id']}/cancel")
    assert (await tenant.client.delete(f"{BASE}/agents/{agent.id}")).status_code == 200
    await tenant.client.post(f"{BATCHES}/{draft['id']}/contacts", json={"contacts": [ANA]})
    reasons = refused(await tenant.client.post(f"{BATCHES}/{draft['id']}/schedule", json={}))
    assert "does not exist any more" in reasons["agent_id"]


async def test_calls_are_listed_by_their_batch_call(tenant: Tenant, agent: Agent) -> None:
    made = await create(tenant, agent, contacts=[ANA])
    ours = await tenant.add_call(seq=1, agent_id=agent.id, batch_call_id=made["id"])
    await tenant.add_call(seq=2, agent_id=agent.id)
    for name in ("batch_call_id", "campaign_id"):
        found = (await tenant.client.get(f"{BASE}/calls", params={name: made["id"]})).json()
        assert [call["id"] for call in found["data"]] == [ours.id]
