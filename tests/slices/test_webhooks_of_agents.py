"""Webhook endpoints of one agent, and the one that its `crm_webhook_url` keeps, over HTTP on both databases."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from ringdown import values
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.calls.models import Call
from ringdown.secret import SecretBox
from ringdown.webhooks import endpoint_store, event_store, events, service, tables
from ringdown.webhooks.models import Event, WebhookEndpoint
from tests.slices.conftest import BASE, Tenant, on_sqlite
from tests.slices.webhook_sending import VirtualSender, add_endpoint

AGENTS, ENDPOINTS, DELIVERIES = f"{BASE}/agents", f"{BASE}/webhook-endpoints", f"{BASE}/webhook-deliveries"
MINIMAL = {"name": "Front desk", "voice_id": "espeak:en-us", "system_prompt": "Be kind."}
URL, SECRET = "https://crm.example/analyses", "the-secret-of-the-crm"
CRM = {"crm_webhook_url": URL, "crm_webhook_secret": SECRET}


async def _send(client: httpx.AsyncClient, method: str, path: str, **body: Any) -> dict[str, Any]:
    response = await client.request(method, path, json=body)
    assert response.status_code in (200, 201), response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def _refuse(client: httpx.AsyncClient, method: str, path: str, **body: Any) -> dict[str, str]:
    response = await client.request(method, path, json=body)
    assert response.status_code == 422, response.text
    return {error["field"]: error["reason"] for error in response.json()["error"]["details"]["errors"]}


async def _list(tenant: Tenant, path: str, **params: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await tenant.client.get(path, params=params)).json()["data"]
    return data


async def _list_stored(tenant: Tenant) -> list[WebhookEndpoint]:
    async with tenant.database.read() as connection:
        found, _ = await endpoint_store.list_endpoints(connection, tenant.organization_id, limit=100, offset=0)
    return found


async def _call(tenant: Tenant, agent: Agent) -> Call:
    """A call that was answered and is over."""
    call = await tenant.place_call(agent)
    await tenant.answer_call(call)
    await tenant.finish_call(call)
    return call


async def _list_owed(tenant: Tenant, endpoint_id: str) -> list[tuple[str, str]]:
    """What an endpoint is or was owed: event and subject, oldest first."""
    owed = await _list(tenant, DELIVERIES, endpoint_id=endpoint_id, limit=100)
    return [(one["event"], one["subject_id"]) for one in reversed(owed)]


async def test_an_endpoint_of_an_agent_is_owed_the_events_of_its_calls_alone(tenant: Tenant) -> None:
    ours = await tenant.add_agent(outbound_number="+12025550100")
    other = await tenant.add_agent(outbound_number="+12025550101")
    of_one = await _send(tenant.client, "POST", ENDPOINTS, url=URL, agent_id=ours.id)
    of_all = await _send(tenant.client, "POST", ENDPOINTS, url=URL)
    assert (of_one["agent_id"], of_all["agent_id"]) == (ours.id, None)
    calls = [await _call(tenant, agent) for agent in (ours, other)]
    async with tenant.database.write() as connection:
        await events.record_event(
            connection,
            organization_id=tenant.organization_id,
            event="batch.completed",
            data={"batch_id": "batch_1", "agent_id": ours.id},
            now_ms=values.now_ms(),
            subject_id="batch_1",
        )
        await events.record_for_many(
            connection,
            organization_id=tenant.organization_id,
            event="call.started",
            data_by_subject={events.Subject("call_a", ours.id): {}, events.Subject("call_b", other.id): {}},
            now_ms=values.now_ms(),
        )
    told = await _list_owed(tenant, of_one["id"])
    assert {subject for _, subject in told} == {calls[0].id, "call_a"}
    assert {"call.started", "call.joined", "call.ended", "call.billed"} <= {event for event, _ in told}
    everything = await _list_owed(tenant, of_all["id"])
    assert {subject for _, subject in everything} == {calls[0].id, calls[1].id, "call_a", "call_b", "batch_1"}


async def test_a_replay_since_a_time_takes_what_the_agent_had_then(tenant: Tenant) -> None:
    ours = await tenant.add_agent(outbound_number="+12025550100")
    other = await tenant.add_agent(outbound_number="+12025550101")
    call, _ = [await _call(tenant, agent) for agent in (ours, other)]
    endpoint = await _send(tenant.client, "POST", ENDPOINTS, url=URL, agent_id=ours.id, event_types=["call.ended"])
    replay = f"{ENDPOINTS}/{endpoint['id']}/replay"
    since = {"since": "2026-01-01T00:00:00Z"}
    assert (await _send(tenant.client, "POST", replay, **since))["replayed_count"] == 1
    assert await _list_owed(tenant, endpoint["id"]) == [("call.ended", call.id)]
    await _send(tenant.client, "PATCH", f"{ENDPOINTS}/{endpoint['id']}", agent_id=None)
    assert (await _send(tenant.client, "POST", replay, **since))["replayed_count"] == 2


async def test_only_an_agent_of_the_organization_can_have_an_endpoint(tenant: Tenant, stranger: Tenant) -> None:
    agent, theirs = await tenant.add_agent(), await stranger.add_agent()
    endpoint = await _send(tenant.client, "POST", ENDPOINTS, url=URL)
    one = f"{ENDPOINTS}/{endpoint['id']}"
    for agent_id in (theirs.id, "agt_absent"):
        for method, path in (("POST", ENDPOINTS), ("PATCH", one), ("PUT", one)):
            refused = await _refuse(tenant.client, method, path, url=URL, agent_id=agent_id)
            assert refused == {"agent_id": "there is no agent with this id"}
    for malformed in ("", 7, "x" * 101):
        assert "agent_id" in await _refuse(tenant.client, "PATCH", one, agent_id=malformed)
    assert (await _send(tenant.client, "PUT", one, agent_id=agent.id))["agent_id"] == agent.id
    assert (await _send(tenant.client, "PATCH", one, description="x"))["agent_id"] == agent.id
    absent = await tenant.client.patch(f"{ENDPOINTS}/whe_absent", json={"agent_id": "agt_absent"})
    assert absent.status_code == 404


async def test_a_test_of_an_agents_endpoint_names_the_agent_and_no_call(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    endpoint = await _send(tenant.client, "POST", ENDPOINTS, url=URL, agent_id=agent.id)
    owed = await _send(tenant.client, "POST", f"{ENDPOINTS}/{endpoint['id']}/test")
    assert (owed["call_id"], owed["subject_id"]) == (None, owed["event_id"])
    data = (await tenant.client.get(f"{DELIVERIES}/{owed['id']}")).json()["data"]["body"]["data"]
    assert (data["agent_id"], data["call"]["agent"]["agentId"]) == (agent.id, agent.id)


async def test_a_crm_webhook_is_one_endpoint_told_of_the_analysis_of_its_agents_calls(tenant: Tenant) -> None:
    agent = await _send(tenant.client, "POST", AGENTS, **MINIMAL, **CRM)
    assert agent["crm_webhook_url"] == URL
    assert "crm_webhook_secret" not in agent
    assert (await tenant.client.get(f"{AGENTS}/{agent['id']}")).json()["data"] == agent
    [shown] = await _list(tenant, ENDPOINTS)
    assert (shown["url"], shown["agent_id"], shown["event_types"]) == (URL, agent["id"], ["call.analyzed"])
    assert shown["description"] == f"crm_webhook_url of the agent {agent['id']}"
    [stored] = await _list_stored(tenant)
    assert SECRET not in repr(stored)
    assert SecretBox.open(tenant.settings).unseal(stored.secret) == SECRET
    await tenant.add_number("+12025550100", outbound_agent_id=agent["id"])
    other = await tenant.add_agent(outbound_number="+12025550101")
    async with tenant.database.read() as connection:
        ours = await agent_store.get_agent(connection, tenant.organization_id, agent["id"])
    call = await _call(tenant, ours)
    await _call(tenant, other)
    assert await _list_owed(tenant, shown["id"]) == [("call.analyzed", call.id)]
    sender = VirtualSender(tenant.database, now=values.now_ms())
    assert len(await sender.deliver_all()) == 1


async def test_a_changed_crm_webhook_keeps_its_endpoint_and_null_removes_it(tenant: Tenant) -> None:
    agent = await _send(tenant.client, "POST", AGENTS, **MINIMAL)
    one = f"{AGENTS}/{agent['id']}"
    assert agent["crm_webhook_url"] is None
    await _send(tenant.client, "PATCH", one, crm_webhook_url=URL)
    [first] = await _list_stored(tenant)
    box = SecretBox.open(tenant.settings)
    assert box.unseal(first.secret).startswith("whsec_")
    await _send(tenant.client, "PATCH", f"{ENDPOINTS}/{first.id}", event_types=["call.analyzed", "call.ended"])
    await tenant.client.post(f"{ENDPOINTS}/{first.id}/rotate-secret")
    async with tenant.database.write() as connection:
        await connection.execute(tables.endpoints.update().values(failing_since=1, failure_count=12, probe_at=9))
    for method, body, url, is_failing in (
        ("PUT", {"name": "Other"}, URL, True),
        ("PUT", {"crm_webhook_url": URL, "crm_webhook_secret": None}, URL, True),
        ("PATCH", {"crm_webhook_url": f"{URL}/2"}, f"{URL}/2", False),
    ):
        assert (await _send(tenant.client, method, one, **body))["crm_webhook_url"] == url
        [stored] = await _list_stored(tenant)
        assert (stored.id, stored.url, stored.probe_at is not None) == (first.id, url, is_failing)
        assert (stored.event_types, stored.old_secret) == (("call.analyzed", "call.ended"), first.secret)
    await _send(tenant.client, "PATCH", one, crm_webhook_secret=SECRET)
    [stored] = await _list_stored(tenant)
    assert (box.unseal(stored.secret), stored.old_secret, stored.id) == (SECRET, None, first.id)
    assert (await _send(tenant.client, "PUT", one, crm_webhook_url=None))["crm_webhook_url"] is None
    assert await _list_stored(tenant) == []
    assert (await _send(tenant.client, "PUT", one, crm_webhook_url=None))["crm_webhook_url"] is None


async def test_what_is_changed_at_the_endpoint_is_what_the_agent_shows(tenant: Tenant) -> None:
    agent = await _send(tenant.client, "POST", AGENTS, **MINIMAL, **CRM)
    [endpoint], other = await _list_stored(tenant), await tenant.add_agent()
    path = f"{ENDPOINTS}/{endpoint.id}"
    await _send(tenant.client, "PATCH", path, url=f"{URL}/moved", agent_id=agent["id"])
    [shown] = [one for one in await _list(tenant, AGENTS) if one["id"] == agent["id"]]
    assert shown["crm_webhook_url"] == f"{URL}/moved"
    for agent_id in (None, other.id):
        refused = await _refuse(tenant.client, "PATCH", path, agent_id=agent_id)
        assert refused == {"agent_id": "cannot change: this is the crm_webhook_url of its agent"}
    await _send(tenant.client, "DELETE", path)
    assert (await tenant.client.get(f"{AGENTS}/{agent['id']}")).json()["data"]["crm_webhook_url"] is None


@on_sqlite
async def test_a_crm_webhook_that_cannot_be_is_refused_and_nothing_is_made(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    for body, field in (
        ({"crm_webhook_secret": SECRET}, "crm_webhook_secret"),
        ({"crm_webhook_url": None, "crm_webhook_secret": SECRET}, "crm_webhook_secret"),
        ({"crm_webhook_url": URL, "crm_webhook_secret": "short"}, "crm_webhook_secret"),
        ({"crm_webhook_url": "http://crm.example/"}, "crm_webhook_url"),
        ({"crm_webhook_url": "https://127.0.0.1/"}, "crm_webhook_url"),
        ({"crm_webhook_url": "ftp://crm.example/"}, "crm_webhook_url"),
        ({"crm_webhook_url": f"https://crm.example/{'x' * 2048}"}, "crm_webhook_url"),
        ({"crm_webhook_url": ""}, "crm_webhook_url"),
    ):
        for method, path, more in (("POST", AGENTS, MINIMAL), ("PATCH", f"{AGENTS}/{agent.id}", {"name": "New"})):
            assert list(await _refuse(tenant.client, method, path, **body, **more)) == [field]
    assert [(one["id"], one["name"]) for one in await _list(tenant, AGENTS)] == [(agent.id, "Front desk")]
    assert await _list_stored(tenant) == []


async def test_crm_webhooks_count_as_endpoints_of_the_organization(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ENDPOINTS", 1)
    agent = await _send(tenant.client, "POST", AGENTS, **MINIMAL, **CRM)
    refused = await _refuse(tenant.client, "POST", AGENTS, **MINIMAL, **CRM)
    assert refused["crm_webhook_url"].startswith("an organization has at most 1 webhook endpoints, those of agents")
    assert len(await _list(tenant, AGENTS)) == 1
    assert list(await _refuse(tenant.client, "POST", ENDPOINTS, url=URL)) == ["url"]
    await _send(tenant.client, "PATCH", f"{AGENTS}/{agent['id']}", crm_webhook_url=f"{URL}/2")


async def test_a_crm_webhook_is_no_part_of_the_versions_of_its_agent(tenant: Tenant) -> None:
    agent = await _send(tenant.client, "POST", AGENTS, **MINIMAL, **CRM)
    one = f"{AGENTS}/{agent['id']}"
    await _send(tenant.client, "PATCH", one, crm_webhook_url=f"{URL}/2")
    assert len(await _list(tenant, f"{one}/versions")) == 1
    await _send(tenant.client, "PATCH", one, name="Other")
    past = (await tenant.client.get(f"{one}/versions/1")).json()["data"]["agent"]
    assert (past["name"], past["crm_webhook_url"]) == ("Front desk", f"{URL}/2")
    restored = await _send(tenant.client, "POST", f"{one}/versions/1/restore")
    assert (restored["name"], restored["crm_webhook_url"]) == ("Front desk", f"{URL}/2")
    async with tenant.database.read() as connection:
        for table in ("agents", "agent_versions"):
            rows = (await connection.execute(sa.text(f"SELECT * FROM {table}"))).all()
            assert "crm" not in repr(rows)


async def test_the_endpoints_of_a_deleted_agent_go_with_it(tenant: Tenant) -> None:
    agent = await _send(tenant.client, "POST", AGENTS, **MINIMAL, **CRM)
    await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, agent_id=agent["id"])
    stays = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    other = await _send(tenant.client, "POST", AGENTS, **MINIMAL, **CRM)
    await _send(tenant.client, "DELETE", f"{AGENTS}/{agent['id']}")
    assert {one.agent_id for one in await _list_stored(tenant)} == {None, other["id"]}
    assert stays.id in [one.id for one in await _list_stored(tenant)]


async def test_whether_an_endpoint_may_be_told_is_known_when_the_event_is_stored(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, agent_id=agent.id)

    def make(agent_id: str | None) -> Event:
        return Event(
            organization_id=tenant.organization_id,
            id=values.new_id("evt"),
            event="call.ended",
            subject_id="call_1",
            data="{}",
            created_at=1,
            agent_id=agent_id,
        )

    for agent_ids, is_wanted in (([agent.id], True), (["agt_other"], False), ([None], False), ([None, agent.id], True)):
        async with tenant.database.write() as connection:
            assert await event_store.insert_events(connection, [make(one) for one in agent_ids]) is is_wanted
