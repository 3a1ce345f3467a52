"""The versions of agents, restoring them, and calls to try an agent."""

from typing import Any

import httpx
import pytest

from ringdown.agents import versions
from tests.slices.conftest import BASE, Tenant, on_sqlite

MINIMAL = {"name": "Front desk", "voice_id": "espeak:en-us", "system_prompt": "Be kind."}
AGENTS = f"{BASE}/agents"


async def _create(client: httpx.AsyncClient, **fields: Any) -> str:
    response = await client.post(AGENTS, json=MINIMAL | fields)
    assert response.status_code == 201, response.text
    agent_id: str = response.json()["data"]["id"]
    return agent_id


async def _list(client: httpx.AsyncClient, agent_id: str, **params: Any) -> list[dict[str, Any]]:
    response = await client.get(f"{AGENTS}/{agent_id}/versions", params=params)
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json()["data"]
    return data


async def test_every_change_of_an_agent_is_kept_with_who_made_it(tenant: Tenant) -> None:
    client = tenant.client
    agent_id = await _create(client, status="draft")
    await client.patch(f"{AGENTS}/{agent_id}", json={"name": "Reception", "greeting": "Hello"})
    await client.patch(f"{AGENTS}/{agent_id}", json={"name": "Reception"})  # no change, no version
    await client.post(f"{AGENTS}/{agent_id}/publish")
    found = await _list(client, agent_id)
    assert [(one["version"], one["is_current"], one["name"]) for one in found] == [
        (3, True, "Reception"),
        (2, False, "Reception"),
        (1, False, "Front desk"),
    ]
    [key] = (await client.get(f"{BASE}/api-keys")).json()["data"]
    assert {one["changed_by"] for one in found} == {key["id"]}
    page = (await client.get(f"{AGENTS}/{agent_id}/versions", params={"limit": 1, "offset": 1})).json()
    assert page["data"] == [found[1]]
    assert page["pagination"] == {"total": 3, "limit": 1, "offset": 1, "has_more": True}
    first = (await client.get(f"{AGENTS}/{agent_id}/versions/1")).json()["data"]
    assert (first["agent"]["name"], first["agent"]["status"], first["agent"]["greeting"]) == (
        "Front desk",
        "draft",
        None,
    )
    await client.delete(f"{AGENTS}/{agent_id}")
    assert (await client.get(f"{AGENTS}/{agent_id}/versions")).status_code == 404
    assert (await client.get(f"{AGENTS}/{agent_id}/versions/1")).status_code == 404


async def test_a_restored_version_is_a_new_one_and_the_agent_stays_active(client: httpx.AsyncClient) -> None:
    agent_id = await _create(client, status="draft", temperature=0.9)
    await client.post(f"{AGENTS}/{agent_id}/publish")
    await client.patch(f"{AGENTS}/{agent_id}", json={"name": "Other", "temperature": 0.1})
    restored = await client.post(f"{AGENTS}/{agent_id}/versions/1/restore")
    assert restored.status_code == 201, restored.text
    agent = restored.json()["data"]
    assert (agent["name"], agent["temperature"], agent["status"]) == ("Front desk", 0.9, "active")
    assert (await client.get(f"{AGENTS}/{agent_id}")).json()["data"] == agent
    newest = (await _list(client, agent_id))[0]
    assert (newest["version"], newest["restored_from"], newest["is_current"]) == (4, 1, True)
    for number, status in ((9, 404), (0, 422), ("x", 422), (2**31, 422)):
        assert (await client.post(f"{AGENTS}/{agent_id}/versions/{number}/restore")).status_code == status


async def test_what_is_gone_since_keeps_a_version_from_being_restored(client: httpx.AsyncClient) -> None:
    tool = (await client.post(f"{BASE}/tools", json={"name": "Find order"})).json()["data"]
    base = (await client.post(f"{BASE}/knowledge-bases", json={"name": "Prices"})).json()["data"]
    agent_id = await _create(client, tools=[tool["id"]], knowledge_bases=[base["id"]])
    await client.patch(f"{AGENTS}/{agent_id}", json={"tools": [], "knowledge_bases": []})
    assert (await client.post(f"{AGENTS}/{agent_id}/versions/1/restore")).status_code == 201
    await client.patch(f"{AGENTS}/{agent_id}", json={"tools": [], "knowledge_bases": []})
    await client.delete(f"{BASE}/tools/{tool['id']}")
    await client.delete(f"{BASE}/knowledge-bases/{base['id']}")
    refused = await client.post(f"{AGENTS}/{agent_id}/versions/1/restore")
    assert refused.status_code == 422
    errors = {error["field"]: error["reason"] for error in refused.json()["error"]["details"]["errors"]}
    assert errors == {
        "tools.0": f"there is no tool with the id {tool['id']}",
        "knowledge_bases.0": f"there is no knowledge base with the id {base['id']}",
    }
    assert (await client.get(f"{AGENTS}/{agent_id}")).json()["data"]["tools"] == []


async def test_an_agent_from_before_versions_keeps_the_state_it_had(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    assert await _list(tenant.client, agent.id) == []
    await tenant.client.patch(f"{AGENTS}/{agent.id}", json={"name": "New"})
    found = await _list(tenant.client, agent.id)
    assert [(one["version"], one["name"], one["changed_by"] is None) for one in found] == [
        (2, "New", False),
        (1, "Front desk", True),
    ]


async def test_only_the_last_versions_are_kept(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "MAX_VERSIONS", 3)
    agent_id = await _create(client)
    for index in range(4):
        await client.patch(f"{AGENTS}/{agent_id}", json={"name": f"Name {index}"})
    assert [one["version"] for one in await _list(client, agent_id)] == [5, 4, 3]


@on_sqlite
async def test_versions_and_test_calls_need_a_key_of_the_agents_organization(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient
) -> None:
    one = f"{AGENTS}/{await _create(tenant.client)}"
    for method, path in (
        ("GET", f"{one}/versions"),
        ("GET", f"{one}/versions/1"),
        ("POST", f"{one}/versions/1/restore"),
        ("POST", f"{one}/test-call"),
    ):
        assert (await anonymous.request(method, path)).status_code == 401, path
        assert (await stranger.client.request(method, path)).status_code == 404, path


async def test_a_test_call_to_a_phone_is_a_call_like_any_other(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number="+12025550100")
    body = {"phone_number": "+12025550142", "context": {"first_name": "Ana"}, "metadata": {"trial": 1}}
    response = await tenant.client.post(f"{AGENTS}/{agent.id}/test-call", json=body)
    assert response.status_code == 201, response.text
    shown = response.json()["data"]
    assert (shown["call_id"], shown["join_url"]) == (shown["id"], None)
    assert (shown["status"], shown["to"], shown["variables"]) == ("queued", "+12025550142", {"first_name": "Ana"})
    assert (await tenant.get_call(shown["id"])).agent_id == agent.id


async def test_a_test_call_without_a_phone_number_is_joined_by_a_browser(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    for body in (None, {}):
        response = await tenant.client.post(f"{AGENTS}/{agent.id}/test-call", json=body)
        assert response.status_code == 201, response.text
        shown = response.json()["data"]
        assert shown["join_url"].startswith("wss://calls.example/")
        assert (shown["direction"], shown["call_id"], shown["agent_id"]) == ("webrtc", shown["id"], agent.id)


@on_sqlite
async def test_a_test_call_that_cannot_be_made_is_refused(tenant: Tenant) -> None:
    draft, agent = await tenant.add_agent(status="draft"), await tenant.add_agent()
    for agent_id, body in (
        (draft.id, {}),
        (draft.id, {"phone_number": "+12025550142"}),
        (agent.id, {"from_number": "+12025550100"}),
        (agent.id, {"phone_number": "12"}),
        (agent.id, {"colour": "red"}),
    ):
        assert (await tenant.client.post(f"{AGENTS}/{agent_id}/test-call", json=body)).status_code == 422, body
    absent = await tenant.client.post(f"{AGENTS}/agt_absent/test-call", json={"phone_number": "+12025550142"})
    assert absent.status_code == 404
