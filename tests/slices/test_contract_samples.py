"""The documented samples, sent as they stand: what each endpoint answers, field by field, in each spelling."""

import base64
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.slices.conftest import BASE, Tenant

NUMBER = "+15550100"
PERSON = "+12125551234"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _split(names: str) -> list[str]:
    return names.split()


CALL = _split(
    "id status direction agent_id to from duration_seconds recording_url transcript_url summary cost_credits "
    "metadata started_at ended_at created_at updated_at"
)
AGENT = _split(
    "id name description status model voice_id voice_name system_prompt greeting inactivity_message "
    "inactivity_timeout max_duration temperature tools knowledge_base_ids knowledge_bases inbound_phone_numbers "
    "outbound_phone_numbers created_at updated_at"
)
BATCH = _split(
    "id name status agent_id from_number schedule_type scheduled_at timezone concurrency retry_attempts "
    "total_contacts called completed failed pending created_at updated_at"
)
CONTACT = _split("id name phone email folder_id custom_fields call_count last_called_at created_at updated_at")
FOLDER = ["id", "name", "description", "contact_count", "created_at", "updated_at"]
TOOL = _split("id name type description url method headers body_template timeout_seconds created_at updated_at")
KNOWLEDGE_BASE = _split("id name description status source_count chunk_count embedding_model created_at updated_at")
VOICE = ["id", "name", "provider", "type", "language", "status", "created_at", "updated_at"]
PHONE_NUMBER = _split(
    "id organization_id phone_number status is_trudy_managed agent_id inbound_agent_id outbound_agent_id "
    "telephony_credential_id created_at updated_at"
)


class Api:
    """The API as a client sees it, with what the samples need: an agent and its outbound number."""

    def __init__(self, tenant: Tenant, *, agent_id: str, number_id: str) -> None:
        self.tenant = tenant
        self.agent_id = agent_id
        self.number_id = number_id

    async def send(self, method: str, path: str, body: Any = None, *, status: int) -> Any:
        """The answer, its status and envelope checked."""
        response = await self.tenant.client.request(method, f"{BASE}{path}", json=body)
        assert response.status_code == status, f"{method} {path}: {response.text}"
        answer = response.json()
        assert answer["meta"]["request_id"] == response.headers["X-Request-Id"]
        assert INSTANT.fullmatch(answer["meta"]["ts"])
        return answer

    async def get(self, path: str) -> Any:
        return (await self.send("GET", path, status=200))["data"]

    async def post(self, path: str, body: Any = None) -> Any:
        return (await self.send("POST", path, body, status=201))["data"]

    async def delete(self, path: str) -> None:
        answer = await self.send("DELETE", path, status=200)
        assert answer["data"] == {"id": path.rpartition("/")[2], "deleted": True}
        assert answer.keys() == {"data", "meta"}
        missing = await self.send("GET", path, status=404)
        assert missing["error"]["code"] == "not_found"

    async def check_list(self, path: str, fields: list[str], *, total: int) -> None:
        """Limit and offset page the list, and the answer says so."""
        answer = await self.send("GET", path, status=200)
        assert list(answer) == ["data", "meta", "pagination"]
        pagination = {"total": total, "limit": 50, "offset": 0, "has_more": False}
        assert pagination.items() <= answer["pagination"].items()
        for row in answer["data"]:
            check_fields(row, fields)
        part = await self.send("GET", f"{path}{'&' if '?' in path else '?'}limit=1&offset={total}", status=200)
        assert part["data"] == []
        assert part["pagination"]["has_more"] is False
        refused = await self.send("GET", f"{path}{'&' if '?' in path else '?'}limit=101", status=422)
        assert refused["error"]["details"]["field"] == "limit"

    async def check_update(self, path: str, body: Mapping[str, Any]) -> None:
        """PUT and PATCH both change what they are sent and nothing else."""
        before = await self.get(path)
        for method in ("PUT", "PATCH"):
            after = (await self.send(method, path, body, status=200))["data"]
            assert {name: after[name] for name in body} == body
            kept = before.keys() - body.keys() - {"updated_at"}
            assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def check_fields(found: Mapping[str, Any], documented: list[str]) -> None:
    assert found.keys() >= set(documented)
    for name in ("created_at", "updated_at"):
        if name in documented and found[name] is not None:
            assert INSTANT.fullmatch(found[name]), found[name]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite: how JSON is read and written is the same on both; each slice has its own tests on both."""
    return sqlite_url


@pytest.fixture
async def api(tenant: Tenant) -> Api:
    agent = await tenant.add_agent()
    number = await tenant.add_number("+15550111", outbound_agent_id=agent.id, inbound_agent_id=agent.id)
    return Api(tenant, agent_id=agent.id, number_id=number.id)


# What a client may send to make an agent: the hand-written pages (A), the OpenAPI pages (B), an older example.
AGENTS: dict[str, dict[str, Any]] = {
    "A": {
        "name": "Front desk",
        "voice_id": "espeak:en-us",
        "system_prompt": "You are kind to {{first_name}}.",
        "model": "ultravox-v0.7",
        "tools": [],
        "knowledge_bases": [],
        "temperature": 0.3,
        "recording_enabled": False,
        "language_hint": "en-US",
        "join_timeout": "30s",
        "max_duration": "3600s",
        "time_exceeded_message": "We have to stop here.",
        "greeting_settings": {
            "first_speaker": "agent",
            "text": "Hello…",
            "delay": "2s",
            "uninterruptible": False,
        },
        "inactivity_messages": [
            {"duration": "30s", "message": "Are you there?", "endBehavior": "END_BEHAVIOR_UNSPECIFIED"},
            {"duration": "10s", "message": "Good-bye.", "endBehavior": "END_BEHAVIOR_HANG_UP_SOFT"},
        ],
        "initial_output_medium": "MESSAGE_MEDIUM_VOICE",
        "vad_settings": {
            "turn_endpoint_delay": "0.384s",
            "minimum_turn_duration": "0s",
            "minimum_interruption_duration": "0.09s",
            "frame_activation_threshold": 0.1,
        },
    },
    "B": {
        "name": "Front desk",
        "description": None,
        "model": "ultravox-v0.7",
        "voice_id": "espeak:en-us",
        "system_prompt": "You are kind.",
        "greeting": "Hello…",
        "inactivity_message": "Are you there?",
        "inactivity_timeout": 30,
        "max_duration": 1800,
        "temperature": 0.7,
        "tools": [],
        "knowledge_base_ids": [],
    },
    "old": {"name": "Front desk", "voice_id": "espeak:en-us", "instructions": "You are kind.", "model": "gpt-4"},
}


@pytest.mark.parametrize("spelling", AGENTS)
async def test_agents(api: Api, spelling: str) -> None:
    sent = AGENTS[spelling]
    agent = await api.post("/agents", sent)
    check_fields(agent, AGENT)
    assert (agent["status"], agent["max_duration"]) == ("active", {"B": 1800}.get(spelling, 3600))
    assert agent["system_prompt"] == sent.get("system_prompt", sent.get("instructions"))
    path = f"/agents/{agent['id']}"
    check_fields(await api.get(path), AGENT)
    await api.check_update(path, {"name": "Back desk", "temperature": 0.5})
    for status in ("active", "draft", "creating", "failed"):
        await api.check_list(f"/agents?status={status}", AGENT, total=2 if status == "active" else 0)
    await api.check_list("/agents?name=BACK", AGENT, total=1)
    await api.delete(path)
    with_number = await api.get(f"/agents/{api.agent_id}")
    shown = [{"id": api.number_id, "phone_number": "+15550111"}]
    assert (with_number["inbound_phone_numbers"], with_number["outbound_phone_numbers"]) == (shown, shown)


async def test_a_test_call_is_a_phone_call_or_a_link(api: Api) -> None:
    path = f"/agents/{api.agent_id}/test-call"
    check_fields(await api.post(path, {"phone_number": NUMBER}), [*CALL, "phone_number"])
    link = await api.post(path)
    assert {"call_id", "join_url", "agent_id", "created_at"} <= link.keys()
    draft = await api.tenant.add_agent(status="draft")
    await api.send("POST", f"/agents/{draft.id}/test-call", status=422)


CALLS: dict[str, dict[str, Any]] = {
    "documented": {
        "phone_number": NUMBER,
        "from_number": "+15550111",
        "variables": {"first_name": "Ana"},
        "call_settings": {
            "recording_enabled": True,
            "transcription_enabled": True,
            "greeting": "Hi {{first_name}}",
            "max_duration": "900s",
            "join_timeout": "30s",
        },
    },
    "nulls": {"phone_number": NUMBER, "from_number": None, "call_settings": None, "variables": {"first_name": "Ana"}},
    "old": {"to_number": NUMBER, "direction": "outbound", "context": {"first_name": "Ana"}},
}


@pytest.mark.parametrize("spelling", CALLS)
async def test_calls(api: Api, spelling: str) -> None:
    call = await api.post("/calls", {"agent_id": api.agent_id, **CALLS[spelling]})
    assert list(call)[:16] == CALL
    known = {"agent_id": api.agent_id, "phone_number": NUMBER, "direction": "outbound", "status": "queued"}
    assert (known | {"to": NUMBER, "from": "+15550111", "metadata": {}, "cost_credits": 0}).items() <= call.items()
    assert call["variables"] == {"first_name": "Ana"}
    path = f"/calls/{call['id']}"
    assert list(await api.get(path))[:16] == CALL
    changes = {
        "call_settings": {"greeting": "Hello"},
        "variables": {"first_name": "Bo"},
        "metadata": {"priority": "high"},
    }
    changed = (await api.send("PATCH", path, changes, status=200))["data"]
    assert (changed["variables"], changed["metadata"]) == ({"first_name": "Bo"}, {"priority": "high"})
    for status in ("queued", "created"):
        await api.check_list(f"/calls?status={status}&direction=outbound&agent_id={api.agent_id}", CALL, total=1)
    for status in ("ringing", "in_progress", "in-progress", "completed", "ended", "failed", "cancelled"):
        await api.check_list(f"/calls?status={status}&created_after=2020-01-01T00:00:00Z", CALL, total=0)
    live = await api.send("DELETE", path, status=422)
    assert live["error"]["code"] == "validation_error"
    ended = await api.post(f"{path}/hangup")
    assert (ended["status"], ended["ended_reason"]) == ("failed", "cancelled")
    await api.check_list("/calls?status=cancelled", CALL, total=1)
    gone = await api.post("/calls/bulk-delete", {"ids": [call["id"], "call_of_nobody"]})
    assert gone == {
        "deleted_count": 1, "failed_count": 1, "deleted_ids": [call["id"]], "failed_ids": ["call_of_nobody"]
    }  # fmt: skip


async def test_an_agent_without_a_number_fails_its_call(api: Api) -> None:
    agent = await api.tenant.add_agent()
    call = await api.post("/calls", {"agent_id": agent.id, "phone_number": NUMBER})
    assert (call["status"], call["ended_reason"]) == ("failed", "no_phone_number_configured")


async def test_webrtc_answers_bare(api: Api) -> None:
    for name in ("variables", "context"):
        body = {"agent_id": api.agent_id, name: {"first_name": "Ana"}}
        response = await api.tenant.client.post(f"{BASE}/webrtc/call", json=body)
        assert response.status_code == 200
        assert list(response.json()) == ["joinUrl", "callId", "agentName"]
        assert response.json()["joinUrl"].startswith(("ws://", "wss://"))
        assert (await api.get(f"/calls/{response.json()['callId']}"))["direction"] == "webrtc"


async def test_batch_calls(api: Api) -> None:
    sent = {
        "name": "Recall",
        "agent_id": api.agent_id,
        "phone_number_ids": [api.number_id],
        "phone_rotation_strategy": "round_robin",
        "contact_source": "manual",
        "contact_folder_id": None,
        "contact_ids": None,
        "contacts": None,
        "schedule_type": "immediate",
        "scheduled_at": None,
        "timezone": "UTC",
        "start_time": "09:00",
        "end_time": "17:00",
        "working_days": [1, 2, 3, 4, 5],
        "max_calls_per_day": 100,
        "max_concurrent_calls": 5,
        "retry_failed": True,
    }
    batch = await api.post("/batch-calls", sent)
    check_fields(batch, BATCH)
    assert (batch["status"], batch["concurrency"], batch["retry_attempts"]) == ("draft", 5, 2)
    path = f"/batch-calls/{batch['id']}"
    contacts = [{"phone_number": NUMBER, "first_name": "Ana", "custom_fields": {"plan": "gold"}}]
    twice = [*contacts, {"phone_number": NUMBER, "last_name": "Lopez", "email": "ana@example.com"}]
    added = await api.post(f"{path}/contacts", {"contacts": twice})
    assert (added["added_count"], added["failed_count"]) == (1, 1)
    rows = ["contact_id", "phone_number", "first_name", "call_status", "call_id", "called_at"]
    await api.check_list(f"{path}/contacts", rows, total=1)
    await api.check_list(f"{path}/contacts?status=completed", rows, total=0)
    await api.check_update(path, {"name": "Recall April", "max_calls_per_day": 50, "working_days": [6, 7]})

    at = "2030-04-06T09:00:00Z"
    scheduled = await api.post(f"{path}/schedule", {"scheduled_at": at, "timezone": "America/New_York"})
    assert {name: scheduled[name] for name in ("id", "status", "scheduled_at", "timezone")} == {
        "id": batch["id"], "status": "scheduled", "scheduled_at": at, "timezone": "America/New_York"
    }  # fmt: skip
    paused = await api.post(f"{path}/pause")
    assert (paused["id"], paused["status"]) == (batch["id"], "paused")
    assert INSTANT.fullmatch(paused["paused_at"])
    resumed = await api.post(f"{path}/resume")
    assert (resumed["id"], resumed["status"]) == (batch["id"], "scheduled")
    assert INSTANT.fullmatch(resumed["resumed_at"])
    assert (await api.post(f"{path}/cancel"))["status"] == "cancelled"
    for status in ("draft", "scheduled", "active", "paused", "completed", "failed", "cancelled"):
        await api.check_list(f"/batch-calls?status={status}", BATCH, total=int(status == "cancelled"))
    draft = await api.post("/batch-calls", {"name": "Draft", "agent_id": api.agent_id})
    await api.delete(f"/batch-calls/{draft['id']}")
    gone = await api.post("/batch-calls/bulk-delete", {"ids": [batch["id"]]})
    assert gone == {"deleted_count": 1, "failed_count": 0, "deleted_ids": [batch["id"]], "failed_ids": []}


async def test_an_immediate_batch_call_with_contacts_is_active(api: Api) -> None:
    body = {"name": "Now", "agent_id": api.agent_id, "contacts": [{"phone_number": NUMBER}]}
    assert (await api.post("/batch-calls", body))["status"] == "active"


CONTACTS: dict[str, dict[str, Any]] = {
    "A": {"phone_number": PERSON, "metadata": {"plan": "gold"}, "keywords": "vip,north"},
    "B": {"phone_number": PERSON, "custom_fields": {"plan": "gold"}},
}


@pytest.mark.parametrize("spelling", CONTACTS)
async def test_contacts_and_folders(api: Api, spelling: str) -> None:
    folder = await api.post("/contacts/folders", {"name": "Customers", "description": "Of the shop"})
    check_fields(folder, FOLDER)
    sent = {"folder_id": folder["id"], "first_name": "Ana", "last_name": "Lopez", "email": "ana@example.com"}
    sent |= {"company_name": "Shop", "industry": "Retail", "location": "Lisbon", "pin_code": "1000"}
    contact = await api.post("/contacts", sent | CONTACTS[spelling])
    check_fields(contact, CONTACT)
    known = {"name": "Ana Lopez", "phone": PERSON, "phone_number": PERSON, "call_count": 0, "last_called_at": None}
    assert (known | {"custom_fields": {"plan": "gold"}, "metadata": {"plan": "gold"}}).items() <= contact.items()
    path = f"/contacts/{contact['id']}"
    await api.check_update(path, {"email": "a@example.com", "company_name": None})
    await api.check_list(f"/contacts?folder_id={folder['id']}", CONTACT, total=1)
    pages = await api.send("GET", "/contacts?search=lopez&page=1&limit=1", status=200)
    assert {"page": 1, "limit": 1, "total": 1, "pages": 1}.items() <= pages["pagination"].items()
    for outcome in ("contacted", "voicemail", "no_answer", "escalated", "interested", "not_interested"):
        await api.check_list(f"/contacts?last_call_outcome={outcome}", CONTACT, total=0)
    for order in ("sort_by=name&order=asc", "sort_by=contact_count&order=desc", "sort_by=created_at"):
        assert (await api.get(f"/contacts/folders?{order}"))[0].keys() >= set(FOLDER)
    await api.check_update(f"/contacts/folders/{folder['id']}", {"name": "Clients"})
    await api.delete(path)
    await api.post("/contacts", {"folder_id": folder["id"], "phone_number": PERSON})
    await api.delete(f"/contacts/folders/{folder['id']}")
    assert (await api.send("GET", "/contacts", status=200))["pagination"]["total"] == 0


async def test_contacts_are_imported_from_a_form_and_from_json(api: Api) -> None:
    folder = (await api.post("/contacts/folders", {"name": "Customers"}))["id"]
    content = f"phone,name,email,plan\n{PERSON},Ana Lopez,ana@example.com,gold\nx,Bo,,\n".encode()
    response = await api.tenant.client.post(
        f"{BASE}/contacts/import",
        files={"file": ("people.csv", content, "text/csv")},
        data={"folder_id": folder, "overwrite_existing": "true"},
    )
    assert response.status_code == 201
    told = response.json()["data"]
    counts = {"imported": 1, "updated": 0, "skipped": 0, "errors": 1, "folder_id": folder}
    assert counts.items() <= told.items()
    assert [error.keys() for error in told["error_details"]] == [{"row", "phone", "reason"}]
    old = {
        "folder_id": folder,
        "filename": "people.csv",
        "mapping_config": {"Tel": "phone_number", "Who": "first_name"},
    }
    old["base64_file"] = base64.b64encode(b"Tel,Who,plan\n+12125551235,Bo,silver\n").decode()
    again = await api.post("/contacts/import", old)
    assert (again["successful"], again["failed"]) == (1, 0)
    bo = (await api.get("/contacts?search=Bo"))[0]
    assert (bo["phone"], bo["first_name"], bo["metadata"]) == ("+12125551235", "Bo", {"plan": "silver"})


_URL = "https://shop.example/orders"
_PARAMETER = {"name": "number", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "string"}, "required": True}
_STATIC = {"name": "shop", "location": "PARAMETER_LOCATION_HEADER", "value": "north"}
_KEY = {"headerApiKey": {"name": "X-API-Key"}}
TOOLS: dict[str, dict[str, Any]] = {
    "A": {
        "name": "Find order",
        "definition": {
            "modelToolName": "find_order",
            "description": "Finds an order.",
            "type": "http",
            "http": {"url": _URL, "method": "POST"},
            "dynamicParameters": [_PARAMETER],
            "requirements": {"httpSecurityOptions": {"options": [{"requirements": {"key": _KEY}}]}},
        },
    },
    "B": {
        "name": "Find order",
        "description": "Finds an order.",
        "definition": {
            "type": "http",
            "method": "POST",
            "base_url": _URL,
            "parameters": [
                {
                    "name": "number",
                    "type": "string",
                    "required": True,
                    "description": "Its number.",
                    "default": "1",
                    "enum": ["1", "2"],
                }
            ],
        },
    },
    "C": {
        "name": "Find order",
        "definition": {
            "description": "Finds an order.",
            "http": {"baseUrlPattern": _URL, "httpMethod": "POST"},
            "dynamicParameters": [_PARAMETER],
            "staticParameters": [_STATIC],
        },
    },
    "placeholder": {"name": "Find order"},
}


@pytest.mark.parametrize("spelling", TOOLS)
async def test_tools(api: Api, spelling: str) -> None:
    tool = await api.post("/tools", TOOLS[spelling])
    check_fields(tool, TOOL)
    is_placeholder = spelling == "placeholder"
    assert (tool["type"], tool["url"]) == ("http", None if is_placeholder else _URL)
    assert tool["timeout_seconds"] == 10
    await api.check_update(f"/tools/{tool['id']}", {"name": "Find an order"})
    await api.check_list("/tools?name=ORDER", TOOL, total=1)
    assert {"status", "duration_ms", "is_error"} <= (await api.post(f"/tools/{tool['id']}/test", {})).keys()
    await api.delete(f"/tools/{tool['id']}")


async def test_knowledge_bases(api: Api) -> None:
    base = await api.post("/knowledge-bases", {"name": "Help", "description": "What callers ask"})
    check_fields(base, KNOWLEDGE_BASE)
    assert base["status"] == "ready"
    with_file = {"name": "FAQ", "file_content": "We open at nine.", "file_name": "faq.txt"}
    assert (await api.post("/knowledge-bases", with_file))["status"] == "processing"
    path = f"/knowledge-bases/{base['id']}"
    data = base64.b64encode(b"We open at nine.").decode()
    document = {
        "name": "Hours",
        "description": "Of the shop",
        "file": {"filename": "hours.txt", "content_type": "text/plain", "data": data},
    }
    sources = [
        await api.post(f"{path}/sources/document", document),
        await api.post(f"{path}/sources/web", {"name": "Site", "urls": ["https://example.com/help"]}),
        await api.post(f"{path}/sources/text", {"name": "Prices", "text": "A haircut is 20."}),
    ]
    for source in sources:
        assert {"id", "name", "status"} <= source.keys()
        assert await api.get(f"{path}/sources/{source['id']}") == source
    await api.check_list(f"{path}/sources", ["id", "name"], total=3)
    assert (await api.post(f"{path}/query", {"query": "haircut"}))["passages"] == []
    await api.check_list("/knowledge-bases?name=hel", KNOWLEDGE_BASE, total=1)
    await api.delete(f"{path}/sources/{sources[0]['id']}")
    await api.check_update(path, {"description": "Questions"})
    await api.delete(path)


async def test_voices(api: Api) -> None:
    answer = await api.send("GET", "/voices", status=200)
    assert list(answer)[:2] == ["data", "meta"]
    check_fields(answer["data"][0], VOICE)
    voice = answer["data"][0]
    assert await api.get(f"/voices/{voice['id']}") == voice
    imported = {"name": "Rachel", "provider": "elevenlabs", "provider_voice_id": "21m00Tcm4TlvDq8ikWAM"}
    refused = await api.send("POST", "/voices", imported, status=422)
    assert refused["error"]["details"]["field"] == "provider"
    sample = {"filename": "me.wav", "data": base64.b64encode(b"RIFF").decode(), "content_type": "audio/wav"}
    await api.send("POST", "/voices/clone", {"name": "Me", "files": [sample]}, status=422)


async def test_telephony(api: Api) -> None:
    sent = {
        "phone_number": "+15550122",
        "provider_type": "custom_sip",
        "friendly_name": "Desk",
        "sip_username": "alice",
        "sip_password": "secret",
        "sip_server": "sip.example.net",
    }
    number = await api.post("/telephony/numbers/import", sent)
    check_fields(number, PHONE_NUMBER)
    assert (number["status"], number["is_trudy_managed"]) == ("active", False)
    for direction in ("inbound", "outbound"):
        body = {"number_id": number["id"], "assignment_type": direction}
        assigned = await api.post("/telephony/numbers/assign", {**body, "agent_id": api.agent_id})
        assert (assigned["agent_id"], assigned[f"{direction}_agent_id"]) == (api.agent_id, api.agent_id)
    of_agent = await api.get(f"/telephony/agents/{api.agent_id}/numbers")
    assert {row["id"] for row in of_agent["inbound"]} == {number["id"], api.number_id}
    freed = await api.post("/telephony/numbers/unassign", body)
    assert (freed["number"], freed["agent_id"]) == ("+15550122", None)
    assert INSTANT.fullmatch(freed["unassigned_at"])
    await api.check_list("/telephony/numbers", PHONE_NUMBER, total=2)
    assert (await api.get(f"/telephony/agents/{api.agent_id}/webhook-url"))["webhook_url"].startswith("https://")
    await api.delete(f"/telephony/numbers/{number['id']}")
    for path, body in (
        ("search", {"country_code": "US", "area_code": "212", "phone_number_type": "toll-free", "page_size": 20}),
        ("purchase", {"phone_number": "+12125550123"}),
    ):
        refused = await api.send("POST", f"/telephony/numbers/{path}", body, status=422)
        assert refused["error"]["code"] == "validation_error"
    secret = {"provider_type": "telnyx", "friendly_name": "Main", "api_key": "KEY-secret"}
    credential = await api.post("/telephony/credentials", secret)
    check_fields(credential, ["id", "provider_type", "friendly_name", "created_at", "updated_at"])
    assert "KEY-secret" not in str(await api.get("/telephony/credentials"))
    await api.check_update(f"/telephony/credentials/{credential['id']}", {"friendly_name": "Second"})
    await api.delete(f"/telephony/credentials/{credential['id']}")


async def test_errors_are_in_the_documented_envelope(api: Api, anonymous: httpx.AsyncClient) -> None:
    body = {"agent_id": api.agent_id, "phone_number": "12"}
    answer = await api.send("POST", "/calls", body, status=422)
    assert answer.keys() == {"error", "meta"}
    error = answer["error"]
    assert list(error) == ["code", "message", "details"]
    assert (error["code"], error["details"]["field"]) == ("validation_error", "phone_number")
    assert error["details"]["errors"][0] == {name: error["details"][name] for name in ("field", "reason")}
    for path in ("/agents", "/calls", "/batch-calls", "/contacts", "/tools", "/knowledge-bases", "/voices", "/usage"):
        refused = await anonymous.get(f"{BASE}{path}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("path", ["/agents", "/calls", "/batch-calls", "/tools"])
async def test_the_same_idempotency_key_answers_the_same(api: Api, path: str) -> None:
    samples: dict[str, dict[str, Any]] = {
        "/agents": AGENTS["B"],
        "/calls": {"agent_id": api.agent_id, "phone_number": NUMBER},
        "/batch-calls": {"name": "Recall", "agent_id": api.agent_id},
        "/tools": TOOLS["B"],
    }
    headers = {"X-Idempotency-Key": "0b6d2f0e-7f53-4e9b-8f7e-2a53b9b1c001"}
    url = f"{BASE}{path}"
    answers = [await api.tenant.client.post(url, json=samples[path], headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["data"] == answers[1].json()["data"]
    other = await api.tenant.client.post(url, json={**samples[path], "name": "Another"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
