"""Agents over HTTP: what they name elsewhere, what they do on the phone, and the templates to begin with."""

from typing import Any

import httpx
import pytest

from ringdown.agents import store
from ringdown.agents.models import TransferNumber
from ringdown.agents.templates import TEMPLATES
from tests.slices.conftest import BASE, Tenant, on_sqlite

MINIMAL = {"name": "Front desk", "voice_id": "espeak:en-us", "system_prompt": "Be kind."}
BYE = {"say": "Goodbye.", "end": "hang_up"}
PROVIDERS = [
    {"name": "whisper", "kind": "speech_to_text", "type": "openai", "url": "http://models.test", "model": "w"},
    {"name": "llama", "kind": "language_model", "type": "openai", "url": "http://models.test", "model": "l"},
    {"name": "spare", "kind": "language_model", "type": "openai", "url": "http://models.test", "model": "s"},
    {"name": "realtime", "kind": "speech_to_speech", "type": "openai", "url": "http://models.test", "model": "r"},
]


async def _create(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    response = await tenant.client.post(f"{BASE}/agents", json=MINIMAL | fields)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()["data"]
    return created


async def _refuse(tenant: Tenant, **fields: Any) -> dict[str, str]:
    response = await tenant.client.post(f"{BASE}/agents", json=MINIMAL | fields)
    assert response.status_code == 422, response.text
    return {item["field"]: item["reason"] for item in response.json()["error"]["details"]["errors"]}


async def _add(tenant: Tenant, path: str, **body: Any) -> str:
    response = await tenant.client.post(f"{BASE}/{path}", json=body)
    assert response.status_code == 201, response.text
    identifier: str = response.json()["data"]["id"]
    return identifier


async def _add_tool(tenant: Tenant, name: str) -> str:
    http = {"baseUrlPattern": "https://shop.test/orders", "httpMethod": "GET"}
    return await _add(tenant, "tools", name=name, definition={"modelToolName": name, "http": http})


def _flow(**node: Any) -> dict[str, Any]:
    return {"start": "go", "nodes": {"go": node, "bye": BYE}}


async def test_an_agent_without_these_settings_has_their_defaults(tenant: Tenant) -> None:
    agent = await _create(tenant)
    assert {name: agent[name] for name in list(agent)[-7:]} == {
        "recognizer": None,
        "fallbacks": {"recognizers": [], "models": [], "voices": []},
        "languages": [],
        "voicemail_settings": {"detection": False, "action": "hang_up", "message": None},
        "screening_settings": {"name": None, "reason": None},
        "transfer_number": None,
        "transfer_numbers": [],
    }


@on_sqlite
@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "strin"}, "must be a JSON schema"),
        ({"type": "array"}, "must describe an object"),
        ({"$ref": "https://schemas.test/x"}, "must be complete in itself"),
        ({"properties": {"a": {"patternProperties": {"^(a+)+$": {}}}}}, "must not have patternProperties"),
        ({"description": "x" * 20_000}, "must not have more than"),
    ],
)
async def test_a_schema_into_which_nothing_can_be_extracted_is_refused(
    tenant: Tenant, schema: dict[str, Any], reason: str
) -> None:
    refused = await _refuse(tenant, extraction_schema=schema)
    assert refused["extraction_schema"].startswith(reason)


async def test_each_setting_comes_back_as_it_was_sent_and_null_takes_it_away(tenant: Tenant) -> None:
    object.__setattr__(tenant.settings, "providers", PROVIDERS)
    sent: dict[str, Any] = {
        "recognizer": "whisper",
        "languages": ["de-DE", "fr"],
        "voicemail_settings": {"detection": True, "action": "leave_message", "message": "Hello {{first_name}}."},
        "screening_settings": {"name": "Ringdown", "reason": "an appointment"},
        "transfer_numbers": [
            {"name": "sales", "phone_number": "+14155550100", "mode": "attended"},
            {"name": "front desk", "phone_number": "+14155550101", "mode": "blind"},
        ],
    }
    agent = await _create(tenant, **sent)
    assert {name: agent[name] for name in sent} == sent
    assert agent["transfer_number"] == "+14155550100"
    async with tenant.database.read() as connection:
        stored = await store.get_agent(connection, tenant.organization_id, agent["id"])
    assert stored.transfer_numbers[0] == TransferNumber(name="sales", phone_number="+14155550100", mode="attended")
    url = f"{BASE}/agents/{agent['id']}"
    cleared = (await tenant.client.patch(url, json=dict.fromkeys(sent))).json()["data"]
    assert {name: cleared[name] for name in sent} == {name: (await _create(tenant))[name] for name in sent}


async def test_one_transfer_number_may_be_given_by_itself(tenant: Tenant) -> None:
    agent = await _create(tenant, transfer_number="+14155550100")
    assert agent["transfer_numbers"] == [{"name": "a person", "phone_number": "+14155550100", "mode": "blind"}]


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"transfer_number": "555"}, "transfer_number"),
        ({"transfer_number": "+1", "transfer_numbers": [{"name": "a", "phone_number": "+4912345"}]}, "transfer_number"),
        ({"transfer_numbers": [{"name": "a", "phone_number": "sip:x"}]}, "transfer_numbers.0.phone_number"),
        ({"transfer_numbers": [{"name": "", "phone_number": "+4912345"}]}, "transfer_numbers.0.name"),
        ({"transfer_numbers": [{"name": n, "phone_number": "+4912345"} for n in ("A", "a")]}, "transfer_numbers"),
        ({"voicemail_settings": {"action": "leave_message"}}, "voicemail_settings"),
        ({"voicemail_settings": {"action": "sing"}}, "voicemail_settings.action"),
        ({"languages": ["german!"]}, "languages.0"),
        ({"screening_settings": {"who": "me"}}, "screening_settings.who"),
        ({"recognizer": "ears"}, "recognizer"),
        ({"fallbacks": {"recognizers": ["ears"]}}, "fallbacks.recognizers.0"),
        ({"fallbacks": {"models": ["brain"]}}, "fallbacks.models.0"),
        ({"fallbacks": {"voices": ["espeak:en-us", "throat"]}}, "fallbacks.voices.1"),
    ],
)
async def test_a_setting_that_cannot_be_is_named(tenant: Tenant, fields: dict[str, Any], field: str) -> None:
    assert list(await _refuse(tenant, **fields)) == [field]


async def test_providers_are_known_by_name_and_a_refusal_lists_them(tenant: Tenant) -> None:
    object.__setattr__(tenant.settings, "providers", PROVIDERS)
    names = {"recognizers": ["pocketsphinx"], "models": ["gpt-4"], "voices": []}
    refused = await _refuse(tenant, recognizer="ears", model="hal", fallbacks=names)
    assert "whisper" in refused["recognizer"]
    assert "llama, spare, realtime" in refused["model"]
    assert refused["fallbacks.models.0"].endswith("known are: llama, spare")
    agent = await _create(tenant, recognizer="whisper", model="spare", fallbacks={"models": ["llama"],
                          "voices": ["espeak:de"]})  # fmt: skip
    assert (agent["recognizer"], agent["model"], agent["fallbacks"]["models"]) == ("whisper", "spare", ["llama"])
    assert agent["fallbacks"]["voices"][0].startswith("voice_")
    assert (await _create(tenant, model="realtime"))["model"] == "realtime"
    assert (await _create(tenant))["model"] == "llama"  # the first one is the default


async def test_tools_and_knowledge_bases_must_be_the_organizations(tenant: Tenant, stranger: Tenant) -> None:
    tool, other = await _add_tool(tenant, "find_order"), await _add_tool(stranger, "find_order")
    base = await _add(tenant, "knowledge-bases", name="Help")
    agent = await _create(tenant, tools=[tool, tool], knowledge_base_ids=[base])
    assert (agent["tools"], agent["knowledge_bases"], agent["knowledge_base_ids"]) == ([tool], [base], [base])
    refused = await _refuse(tenant, tools=[tool, other], knowledge_bases=["kb_none"])
    assert list(refused) == ["tools.1", "knowledge_bases.0"]
    url = f"{BASE}/agents/{agent['id']}"
    assert (await tenant.client.patch(url, json={"tools": [other]})).status_code == 422
    emptied = (await tenant.client.patch(url, json={"tools": [], "knowledge_bases": None})).json()["data"]
    assert (emptied["tools"], emptied["knowledge_bases"]) == ([], [])


async def test_an_agent_outlives_its_tool(tenant: Tenant) -> None:
    tool = await _add_tool(tenant, "find_order")
    agent = await _create(tenant, tools=[tool])
    assert (await tenant.client.delete(f"{BASE}/tools/{tool}")).status_code == 200
    renamed = await tenant.client.patch(f"{BASE}/agents/{agent['id']}", json={"name": "New name"})
    assert renamed.json()["data"]["tools"] == [tool]


async def test_a_flow_uses_the_tools_and_the_people_of_its_agent(tenant: Tenant) -> None:
    using = _flow(tool={"name": "find_order"}, next="bye", on_failure="bye")
    refused = await _refuse(tenant, flow=using)
    assert list(refused) == ["flow.nodes.go.tool.name"]
    assert "search_knowledge" in refused["flow.nodes.go.tool.name"]
    tool = await _add_tool(tenant, "find_order")
    agent = await _create(tenant, flow=using, tools=[tool])
    gone = await tenant.client.patch(f"{BASE}/agents/{agent['id']}", json={"tools": []})
    assert gone.status_code == 422
    transferring = _flow(end="transfer", transfer_to="sales")
    assert list(await _refuse(tenant, flow=transferring)) == ["flow.nodes.go.transfer_to"]
    await _create(tenant, flow=transferring, transfer_numbers=[{"name": "sales", "phone_number": "+14155550100"}])
    await _create(tenant, flow=_flow(end="transfer", transfer_to="+14155550100"))


@on_sqlite
async def test_a_keyword_without_pronunciation_is_refused(tenant: Tenant) -> None:
    flow = _flow(**BYE) | {"keywords": {"help": {"phrases": ["помощь"]}}}
    assert list(await _refuse(tenant, flow=flow)) == ["flow.keywords"]


async def test_templates_are_listed(tenant: Tenant, anonymous: httpx.AsyncClient) -> None:
    listed = (await tenant.client.get(f"{BASE}/agent-templates")).json()["data"]
    assert [entry["id"] for entry in listed] == [
        "tpl_appointment_reminder", "tpl_survey", "tpl_lead_qualification", "tpl_receptionist", "tpl_payment_reminder",
    ]  # fmt: skip
    assert all(entry["is_active"] and entry["flow"]["start"] in entry["flow"]["nodes"] for entry in listed)
    assert (await anonymous.get(f"{BASE}/agent-templates")).status_code == 401


@on_sqlite
@pytest.mark.parametrize("template_id", list(TEMPLATES))
async def test_an_agent_is_made_from_a_template(tenant: Tenant, template_id: str) -> None:
    body = {"name": "From a template", "voice_id": "espeak:en-us", "template_id": template_id}
    response = await tenant.client.post(f"{BASE}/agents", json=body)
    assert response.status_code == 201, response.text
    agent, template = response.json()["data"], TEMPLATES[template_id]
    assert (agent["system_prompt"], agent["flow"]) == (template.system_prompt, template.flow)
    assert agent["template_id"] == template_id


async def test_what_is_given_wins_over_the_template(tenant: Tenant) -> None:
    own = _flow(**BYE)
    agent = await _create(tenant, template_id="tpl_survey", flow=own, system_prompt="Mine.")
    assert (agent["flow"], agent["system_prompt"]) == (own, "Mine.")
    without_flow = await _create(tenant, template_id="tpl_survey", flow=None)
    assert without_flow["flow"] is None
    changed = await tenant.client.patch(f"{BASE}/agents/{without_flow['id']}", json={"template_id": "tpl_receptionist"})
    assert changed.json()["data"]["flow"] is None  # only a new agent is filled
