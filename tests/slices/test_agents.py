"""Agents over HTTP: created in every spelling, listed, changed, published, deleted."""

import dataclasses
from typing import Any

import httpx
import pytest

from ringdown.agents import flow_check, store
from tests.slices.conftest import BASE, Tenant, on_sqlite

MINIMAL = {"name": "Front desk", "voice_id": "espeak:en-us", "system_prompt": "Be kind to {{first_name}}."}
UNKNOWN = "agt_00000000000000000000000000"
FLOW = {
    "start": "ask",
    "nodes": {
        "ask": {
            "say": "Sales or support?",
            "listen": {"kind": "choice", "options": {"sales": ["sales", "buying"], "support": ["support"]}},
            "slot": "topic",
            "keypad": {"1": "sales", "2": "support"},
            "next": {"*": "bye"},
            "on_failure": "bye",
        },
        "bye": {"say": "Thank you.", "end": "hang_up"},
    },
}


async def _create(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    response = await tenant.client.post(f"{BASE}/agents", json=MINIMAL | fields)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()["data"]
    return created


def _refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {item["field"]: item["reason"] for item in response.json()["error"]["details"]["errors"]}


@on_sqlite
async def test_a_minimal_agent_is_active_and_has_the_documented_defaults(tenant: Tenant) -> None:
    agent = await _create(tenant)
    assert list(agent)[:20] == [
        "id", "name", "description", "status", "model", "voice_id", "voice_name", "system_prompt", "greeting",
        "inactivity_message", "inactivity_timeout", "max_duration", "temperature", "tools", "knowledge_base_ids",
        "knowledge_bases", "inbound_phone_numbers", "outbound_phone_numbers", "created_at", "updated_at",
    ]  # fmt: skip
    assert agent["id"].startswith("agt_")
    assert (agent["status"], agent["model"], agent["voice_name"]) == ("active", "builtin", "English (America)")
    assert agent["voice_id"].startswith("voice_")
    assert (agent["temperature"], agent["max_duration"], agent["join_timeout"]) == (0.3, 3600, "30s")
    assert (agent["language_hint"], agent["recording_enabled"]) == ("en-US", True)
    assert agent["vad_settings"] == {
        "turn_endpoint_delay": "384ms",
        "minimum_turn_duration": "0s",
        "minimum_interruption_duration": "90ms",
        "frame_activation_threshold": 0.1,
    }
    assert (agent["tools"], agent["knowledge_bases"], agent["greeting"], agent["flow"]) == ([], [], None, None)
    async with tenant.database.read() as connection:
        stored = await store.get_agent(connection, tenant.organization_id, agent["id"])
    assert stored.recording_enabled is None


async def test_every_field_comes_back_as_it_was_sent(tenant: Tenant) -> None:
    sent = {
        "description": "internal",
        "model": "ultravox-v0.7",
        "temperature": 1,
        "recording_enabled": False,
        "language_hint": "de-DE",
        "join_timeout": "45s",
        "time_exceeded_message": "Time is up.",
        "greeting_settings": {
            "first_speaker": "user",
            "text": "Hello",
            "prompt": "Greet",
            "delay": "500ms",
            "uninterruptible": True,
            "fallback_delay": "2s",
            "fallback_text": "Anyone?",
            "fallback_prompt": None,
        },
        "inactivity_messages": [
            {"duration": "30s", "message": "There?", "endBehavior": "END_BEHAVIOR_UNSPECIFIED"},
            {"duration": "10s", "message": "Bye.", "endBehavior": "END_BEHAVIOR_HANG_UP_STRICT"},
        ],
        "initial_output_medium": "MESSAGE_MEDIUM_TEXT",
        "vad_settings": {
            "turn_endpoint_delay": "400ms",
            "minimum_turn_duration": "100ms",
            "minimum_interruption_duration": "0s",
            "frame_activation_threshold": 0.5,
        },
        "template_id": "tpl_1",
        "call_template_name": "t",
        "success_criteria": "came",
        "extraction_schema": {"type": "object", "b": 1, "a": 2},
        "flow": FLOW,
    }
    agent = await _create(tenant, **sent)
    assert {name: agent[name] for name in sent} == sent
    shown = (await tenant.client.get(f"{BASE}/agents/{agent['id']}")).json()["data"]
    assert shown == agent
    assert (shown["greeting"], shown["inactivity_message"], shown["inactivity_timeout"]) == ("Hello", "There?", 30)


@on_sqlite
@pytest.mark.parametrize("value", ["1800s", 1800, "1800000ms", 1800.0])
async def test_a_duration_may_be_written_in_each_way(tenant: Tenant, value: object) -> None:
    assert (await _create(tenant, max_duration=value))["max_duration"] == 1800


@on_sqlite
async def test_the_other_documented_spellings_of_an_agent_are_accepted(tenant: Tenant) -> None:
    body = {
        "name": "A",
        "voice_id": "espeak:en-us",
        "instructions": "Be brief.",
        "knowledge_base_ids": [],
        "greeting": "Hi {{first_name}}",
        "inactivity_message": "Still there?",
        "inactivity_timeout": 20,
    }
    agent = (await tenant.client.post(f"{BASE}/agents", json=body)).json()["data"]
    assert (agent["system_prompt"], agent["greeting"]) == ("Be brief.", "Hi {{first_name}}")
    assert agent["greeting_settings"]["text"] == "Hi {{first_name}}"
    assert agent["inactivity_messages"] == [
        {"duration": "20s", "message": "Still there?", "endBehavior": "END_BEHAVIOR_UNSPECIFIED"}
    ]


@on_sqlite
async def test_an_answer_may_be_sent_back_though_it_shows_whole_seconds(tenant: Tenant) -> None:
    agent = await _create(tenant, inactivity_messages=[{"duration": "1.5s", "message": "There?"}])
    assert agent["inactivity_timeout"] == 1
    short = {name: agent[name] for name in ("inactivity_message", "inactivity_timeout", "inactivity_messages")}
    one = f"{BASE}/agents/{agent['id']}"
    changed = (await tenant.client.put(one, json=short)).json()["data"]
    assert changed["inactivity_messages"] == agent["inactivity_messages"]
    refused = _refused(await tenant.client.put(one, json=short | {"inactivity_timeout": 2}))
    assert list(refused) == ["inactivity_timeout"]


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"instructions": "x"}, "instructions"),
        ({"greeting": "a", "greeting_settings": {"text": "b"}}, "greeting"),
        ({"inactivity_timeout": 5}, "inactivity_timeout"),
        (
            {"inactivity_message": "a", "inactivity_messages": [{"duration": "1s", "message": "b"}]},
            "inactivity_message",
        ),
        ({"knowledge_bases": [], "knowledge_base_ids": ["kb_1"]}, "knowledge_base_ids"),
    ],
)
async def test_spellings_that_contradict_each_other_are_refused(
    tenant: Tenant, body: dict[str, Any], field: str
) -> None:
    assert list(_refused(await tenant.client.post(f"{BASE}/agents", json=MINIMAL | body))) == [field]


@on_sqlite
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": None}, "name"),
        ({"description": "x" * 1001}, "description"),
        ({"system_prompt": ""}, "system_prompt"),
        ({"voice_id": "voice_nobody"}, "voice_id"),
        ({"model": "gpt-9"}, "model"),
        ({"temperature": 1.1}, "temperature"),
        ({"temperature": "0.3"}, "temperature"),
        ({"tools": ["tool_1"]}, "tools.0"),
        ({"knowledge_bases": ["kb_1"]}, "knowledge_bases.0"),
        ({"language_hint": "english please"}, "language_hint"),
        ({"join_timeout": "0s"}, "join_timeout"),
        ({"max_duration": "1h"}, "max_duration"),
        ({"max_duration": -5}, "max_duration"),
        ({"greeting_settings": {"first_speaker": "both"}}, "greeting_settings.first_speaker"),
        ({"greeting_settings": {"speed": 1}}, "greeting_settings.speed"),
        ({"inactivity_messages": [{"message": "a"}]}, "inactivity_messages.0.duration"),
        ({"vad_settings": {"frame_activation_threshold": 0.05}}, "vad_settings.frame_activation_threshold"),
        ({"status": "failed"}, "status"),
        ({"flow": []}, "flow"),
        ({"id": "agt_1"}, "id"),
    ],
)
async def test_a_bad_field_of_an_agent_is_named(tenant: Tenant, changes: dict[str, Any], field: str) -> None:
    response = await tenant.client.post(f"{BASE}/agents", json=MINIMAL | changes)
    assert list(_refused(response)) == [field]
    assert (await tenant.client.get(f"{BASE}/agents")).json()["pagination"]["total"] == 0


@on_sqlite
async def test_missing_fields_are_all_named(tenant: Tenant) -> None:
    refused = _refused(await tenant.client.post(f"{BASE}/agents", json={}))
    assert refused == dict.fromkeys(["name", "voice_id", "system_prompt"], "is required")


@on_sqlite
async def test_an_unknown_voice_or_model_is_refused_with_those_that_are_known(tenant: Tenant) -> None:
    body = MINIMAL | {"voice_id": "espeak:klingon", "model": "hal-9000"}
    refused = _refused(await tenant.client.post(f"{BASE}/agents", json=body))
    assert "espeak:en-us" in refused["voice_id"]
    assert "builtin" in refused["model"]
    for model in ("builtin", "ultravox-v0.6", "ultravox-v0.7", "gpt-4", "gpt-4o", "gpt-4o-mini"):
        assert (await _create(tenant, model=model))["model"] == model


async def test_a_configured_model_is_the_default_also_of_older_agents(tenant: Tenant) -> None:
    older, builtin = await _create(tenant), await _create(tenant, model="builtin")
    for name, value in (("model_url", "http://models.test/v1"), ("model_name", "llama")):
        object.__setattr__(tenant.settings, name, value)
    assert (await _create(tenant))["model"] == "llama"
    assert (await _create(tenant, model="llama"))["model"] == "llama"
    for agent, model in ((older, "llama"), (builtin, "builtin")):
        assert (await tenant.client.get(f"{BASE}/agents/{agent['id']}")).json()["data"]["model"] == model


@on_sqlite
@pytest.mark.parametrize(
    ("outcome", "field"), [("won", "flow.outcome"), ({"answer": {"*": "won"}}, "flow.outcome.answer.*")]
)
async def test_an_outcome_that_is_not_a_word_of_the_api_is_refused(tenant: Tenant, outcome: object, field: str) -> None:
    nodes = {
        "ask": {"say": "Who?", "listen": {"kind": "date"}, "slot": "answer", "next": "bye"},
        "bye": FLOW["nodes"]["bye"],
    }
    flow = {"start": "ask", "nodes": nodes, "outcome": outcome}
    refused = _refused(await tenant.client.post(f"{BASE}/agents", json=MINIMAL | {"flow": flow}))
    assert list(refused) == [field]
    assert "not_interested" in refused[field]


@on_sqlite
@pytest.mark.parametrize(
    ("node", "change", "field"),
    [
        ("ask", {"next": {"*": "nowhere"}}, "flow.nodes.ask.next"),
        ("ask", {"listen": {"kind": []}}, "flow.nodes.ask.listen.kind"),
        ("ask", {"listen": {"kind": "digits", "min": {}}}, "flow.nodes.ask.listen.min"),
        ("ask", {"say": 5}, "flow.nodes.ask.say"),
        ("ask", {"colour": "red"}, "flow.nodes.ask.colour"),
        ("bye", {"end": "explode"}, "flow.nodes.bye.end"),
    ],
)
async def test_a_flow_that_cannot_run_is_refused_naming_node_and_field(
    tenant: Tenant, node: str, change: dict[str, Any], field: str
) -> None:
    nodes: dict[str, Any] = FLOW["nodes"]  # type: ignore[assignment]
    flow = FLOW | {"nodes": nodes | {node: nodes[node] | change}}
    [(found, _)] = _refused(await tenant.client.post(f"{BASE}/agents", json=MINIMAL | {"flow": flow})).items()
    assert found.startswith(field)


@on_sqlite
async def test_a_word_without_pronunciation_is_refused_naming_node_and_word(tenant: Tenant) -> None:
    nodes: dict[str, Any] = FLOW["nodes"]  # type: ignore[assignment]
    listen = {"kind": "choice", "options": {"sales": ["sales"], "support": ["поддержка please"]}}
    flow = FLOW | {"nodes": nodes | {"ask": nodes["ask"] | {"listen": listen}}}
    refused = _refused(await tenant.client.post(f"{BASE}/agents", json=MINIMAL | {"flow": flow}))
    [(field, reason)] = refused.items()
    assert field.startswith("flow.nodes.ask.")
    assert "поддержка" in reason
    russian = await tenant.client.post(f"{BASE}/agents", json=MINIMAL | {"flow": flow, "language_hint": "ru-RU"})
    assert russian.status_code == 201
    changed = await tenant.client.patch(
        f"{BASE}/agents/{russian.json()['data']['id']}", json={"language_hint": "en-GB"}
    )
    assert list(_refused(changed)) == [field]


async def test_agents_are_listed_newest_first_by_state_and_part_of_the_name(tenant: Tenant, stranger: Tenant) -> None:
    names = ["Sales", "Support 100%", "sales desk", "Draft sales"]
    made = [await _create(tenant, name=name, status="draft" if "Draft" in name else "active") for name in names]
    await _create(stranger, name="Sales of others")

    async def listed(query: str) -> list[str]:
        response = await tenant.client.get(f"{BASE}/agents{query}")
        assert response.status_code == 200, response.text
        return [agent["name"] for agent in response.json()["data"]]

    assert await listed("") == [agent["name"] for agent in reversed(made)]
    assert await listed("?name=SALES") == ["Draft sales", "sales desk", "Sales"]
    assert await listed("?name=%25") == ["Support 100%"]
    assert await listed("?status=draft") == ["Draft sales"]
    assert await listed("?status=active&name=sales") == ["sales desk", "Sales"]
    assert await listed("?limit=2&offset=1") == ["sales desk", "Support 100%"]
    paging = (await tenant.client.get(f"{BASE}/agents?limit=2&offset=1")).json()["pagination"]
    assert paging == {"total": 4, "limit": 2, "offset": 1, "has_more": True}
    for query in ("status=gone", "limit=0", "offset=-1", "sort=name"):
        assert _refused(await tenant.client.get(f"{BASE}/agents?{query}"))


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_an_update_changes_only_what_is_sent(tenant: Tenant, method: str) -> None:
    agent = await _create(tenant, description="old", greeting="Hi", temperature=0.9, max_duration="60s")
    path = f"{BASE}/agents/{agent['id']}"
    body = {"name": "New", "description": None, "temperature": None, "voice_id": None, "status": None}
    response = await tenant.client.request(method, path, json=body)
    assert response.status_code == 200, response.text
    changed = response.json()["data"]
    assert (changed["name"], changed["description"], changed["temperature"]) == ("New", None, 0.3)
    same = ("voice_id", "system_prompt", "greeting", "max_duration", "status", "created_at")
    assert {name: changed[name] for name in same} == {name: agent[name] for name in same}
    assert _refused(await tenant.client.request(method, path, json={"temperature": 2}))


async def test_a_greeting_text_keeps_the_other_greeting_settings(tenant: Tenant) -> None:
    agent = await _create(tenant, greeting_settings={"first_speaker": "user", "text": "Hi", "delay": "2s"})
    path = f"{BASE}/agents/{agent['id']}"
    changed = (await tenant.client.patch(path, json={"greeting": "Hello"})).json()["data"]["greeting_settings"]
    assert (changed["text"], changed["first_speaker"], changed["delay"]) == ("Hello", "user", "2s")


async def test_an_agent_shows_its_phone_numbers(tenant: Tenant) -> None:
    agent = await _create(tenant)
    both = await tenant.add_number("+12025550100", inbound_agent_id=agent["id"], outbound_agent_id=agent["id"])
    inbound = await tenant.add_number("+12025550101", inbound_agent_id=agent["id"])
    for shown in (
        (await tenant.client.get(f"{BASE}/agents/{agent['id']}")).json()["data"],
        (await tenant.client.get(f"{BASE}/agents")).json()["data"][0],
    ):
        assert shown["inbound_phone_numbers"] == [
            {"id": both.id, "phone_number": "+12025550100"},
            {"id": inbound.id, "phone_number": "+12025550101"},
        ]
        assert shown["outbound_phone_numbers"] == [{"id": both.id, "phone_number": "+12025550100"}]


async def test_a_draft_calls_after_it_was_published(tenant: Tenant) -> None:
    agent = await _create(tenant, status="draft")
    await tenant.add_number("+12025550100", outbound_agent_id=agent["id"])
    call = {"agent_id": agent["id"], "phone_number": "+12025550142"}
    assert _refused(await tenant.client.post(f"{BASE}/calls", json=call))
    for _ in range(2):
        published = await tenant.client.post(f"{BASE}/agents/{agent['id']}/publish")
        assert (published.status_code, published.json()["data"]["status"]) == (201, "active")
    assert (await tenant.client.post(f"{BASE}/calls", json=call)).status_code == 201


async def test_a_deleted_agent_leaves_its_calls_and_frees_its_numbers(tenant: Tenant) -> None:
    agent = await _create(tenant)
    await tenant.add_number("+12025550100", inbound_agent_id=agent["id"], outbound_agent_id=agent["id"])
    placed = await tenant.client.post(f"{BASE}/calls", json={"agent_id": agent["id"], "phone_number": "+12025550142"})
    path = f"{BASE}/agents/{agent['id']}"
    assert _refused(await tenant.client.delete(path))
    await tenant.client.post(f"{BASE}/calls/{placed.json()['data']['id']}/hangup")
    deleted = await tenant.client.delete(path)
    assert (deleted.status_code, deleted.json()["data"]) == (200, {"id": agent["id"], "deleted": True})
    assert (await tenant.client.get(path)).status_code == 404
    assert (await tenant.client.delete(path)).status_code == 404
    [call] = (await tenant.client.get(f"{BASE}/calls?agent_id={agent['id']}")).json()["data"]
    assert call["agent_id"] == agent["id"]
    other = await _create(tenant)
    assert other["inbound_phone_numbers"] == []


async def test_an_idempotency_key_makes_one_agent(tenant: Tenant) -> None:
    headers = {"X-Idempotency-Key": "agent-1"}
    first, second = [await tenant.client.post(f"{BASE}/agents", json=MINIMAL, headers=headers) for _ in range(2)]
    assert first.json()["data"]["id"] == second.json()["data"]["id"]
    other = await tenant.client.post(f"{BASE}/agents", json=MINIMAL | {"name": "Other"}, headers=headers)
    assert other.status_code == 409


@on_sqlite
@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/publish")]
)
async def test_an_agent_is_hidden_from_strangers_and_the_anonymous(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient, method: str, suffix: str
) -> None:
    agent = await _create(tenant)
    body = {"json": {"name": "Mine now"}} if method in ("PUT", "PATCH") else {}
    for agent_id in (agent["id"], UNKNOWN):
        response = await stranger.client.request(method, f"{BASE}/agents/{agent_id}{suffix}", **body)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    nobody = await anonymous.request(method, f"{BASE}/agents/{agent['id']}{suffix}", **body)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthorized")
    assert (await tenant.client.get(f"{BASE}/agents/{agent['id']}")).json()["data"]["name"] == "Front desk"


async def test_a_flow_checked_with_what_has_changed_meanwhile_is_a_conflict(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await tenant.add_agent(language_hint="de-DE")

    async def change_language(*_arguments: object, **_options: object) -> None:
        async with tenant.database.write() as connection:
            await store.update_agent(connection, dataclasses.replace(agent, language_hint="en-US"))

    monkeypatch.setattr(flow_check, "check_flow", change_language)
    response = await tenant.client.patch(f"{BASE}/agents/{agent.id}", json={"flow": FLOW})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "conflict")
    async with tenant.database.read() as connection:
        assert (await store.get_agent(connection, tenant.organization_id, agent.id)).flow is None
