"""The OpenAPI document: valid, complete, and true of real answers."""

import asyncio
from typing import Any

import httpx
import jsonschema
import openapi_spec_validator
import pytest

from ringdown.api import app
from ringdown.calls.models import TranscriptTurn
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.telephony import trunk_store
from ringdown.telephony.models import TrunkStatus
from tests.slices.conftest import BASE, Tenant

_METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite: the document is the same on both databases."""
    return sqlite_url


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document, made once: that takes a second."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("document"))
    made: dict[str, Any] = app.create_app(settings, engine.open_database(settings.sqlalchemy_url)).openapi()
    return made


def _operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operations[method]
        for path, operations in document["paths"].items()
        for method in _METHODS
        if method in operations
    }


def _check(document: dict[str, Any], path: str, response: httpx.Response) -> None:
    operation = document["paths"][path][response.request.method.lower()]
    described = operation["responses"].get(str(response.status_code))
    assert described is not None, f"{response.request.method} {path} does not document {response.status_code}"
    schema = described["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(response.json())


async def test_the_document_is_served_without_a_key(anonymous: httpx.AsyncClient, document: dict[str, Any]) -> None:
    response = await anonymous.get(f"{BASE}/openapi.json")
    assert response.status_code == 200
    assert response.json()["paths"].keys() == document["paths"].keys()


async def test_a_refused_method_is_told_those_of_this_path_alone(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.options(f"{BASE}/voices/clone")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert (await anonymous.options(f"{BASE}/voices/a")).headers["Allow"] == "DELETE, GET, PATCH, PUT"


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    openapi_spec_validator.validate(document)


def test_links_lead_from_what_was_made_to_what_takes_its_id(document: dict[str, Any]) -> None:
    links = {
        path.removeprefix(BASE): operation["responses"]["201"].get("links", {})
        for (method, path), operation in _operations(document).items()
        if method == "post" and "201" in operation["responses"]
    }
    batch = links["/batch-calls"]["pause_batch_call"]
    assert batch == {"operationId": "pause_batch_call", "parameters": {"batch_call_id": "$response.body#/data/id"}}
    assert links["/voices/clone"].keys() == links["/voices"].keys() >= {"get_voice", "preview_voice"}
    assert links["/knowledge-bases/{knowledge_base_id}/sources/text"]["delete_source"]["parameters"] == {
        "knowledge_base_id": "$request.path.knowledge_base_id",
        "source_id": "$response.body#/data/id",
    }
    assert links["/calls/bulk-delete"] == {}


def test_every_default_is_a_value_that_its_schema_allows(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        for member in schema.get("properties", {}).values():
            if "default" in member:
                jsonschema.Draft202012Validator({**member, "components": document["components"]}).validate(
                    member["default"]
                )


def test_every_operation_says_how_it_is_authorized_and_refused(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["BearerAuth"]["scheme"] == "bearer"
    for (method, path), operation in _operations(document).items():
        if path in ("/healthz", "/recordings/{call_id}.mp3"):
            assert operation["security"] == []
            continue
        assert operation["security"] == [{"BearerAuth": []}], (method, path)
        assert {"401", "404", "422", "429", "500"} <= operation["responses"].keys(), (method, path)


def test_the_list_of_calls_documents_its_parameters_with_values_and_ranges(document: dict[str, Any]) -> None:
    operation = document["paths"][f"{BASE}/calls"]["get"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    assert schemas["status"]["enum"][:5] == ["queued", "ringing", "in_progress", "completed", "failed"]
    assert (schemas["limit"]["minimum"], schemas["limit"]["maximum"], schemas["limit"]["default"]) == (1, 100, 50)
    assert (schemas["offset"]["minimum"], schemas["offset"]["default"]) == (0, 0)
    assert schemas["direction"]["enum"] == ["inbound", "outbound", "webrtc"]


def test_every_creating_post_documents_the_idempotency_key(document: dict[str, Any]) -> None:
    posts = [operation for (method, _), operation in _operations(document).items() if method == "post"]
    assert len(posts) >= 5
    for operation in posts:
        assert "X-Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}


def test_operation_ids_are_short_and_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in _operations(document).values()]
    assert len(set(ids)) == len(ids)
    assert {"list_calls", "create_call", "get_call", "list_agents", "list_voices"} <= set(ids)


async def test_real_answers_of_calls_are_as_documented(tenant: Tenant, document: dict[str, Any]) -> None:
    client = tenant.client
    agent = await tenant.add_agent(outbound_number="+12025550100")
    body = {"agent_id": agent.id, "phone_number": "+12025550142", "variables": {"first_name": "Ana"}}
    created = await client.post(f"{BASE}/calls", json=body)
    _check(document, f"{BASE}/calls", created)
    call = await tenant.get_call(created.json()["data"]["id"])
    await tenant.answer_call(call)
    turn = TranscriptTurn(position=0, speaker="agent", text="Hello.", start_ms=0, end_ms=900)
    await tenant.finish_call(call, turns=(turn,), slots={"coming": "yes"}, has_recording=True)

    one, base = f"{BASE}/calls/{call.id}", f"{BASE}/calls/{{call_id}}"
    for path, response in [
        (f"{BASE}/calls", await client.get(f"{BASE}/calls?include=transcript&limit=1")),
        (base, await client.get(one)),
        (base, await client.patch(one, json={"metadata": {"a": 1}})),
        (f"{base}/transcript", await client.get(f"{one}/transcript")),
        ("/calls/{call_id}/transcript", await client.get(f"/calls/{call.id}/transcript")),
        (f"{base}/recording", await client.get(f"{one}/recording")),
        (f"{base}/hangup", await client.post(f"{one}/hangup")),
        (base, await client.delete(one)),
        (base, await client.get(one)),
        (f"{BASE}/calls/bulk-delete", await client.post(f"{BASE}/calls/bulk-delete", json={"ids": [call.id]})),
        (f"{BASE}/calls", await client.get(f"{BASE}/calls?limit=0")),
        (f"{BASE}/calls", await client.post(f"{BASE}/calls", content=b"no JSON")),
        (f"{BASE}/calls", await client.get(f"{BASE}/calls", headers={"Authorization": "Bearer no"})),
    ]:
        _check(document, path, response)


async def test_real_answers_of_agents_and_voices_are_as_documented(tenant: Tenant, document: dict[str, Any]) -> None:
    client = tenant.client
    body = {"name": "A", "voice_id": "espeak:en-gb", "system_prompt": "Be kind.", "inactivity_message": "There?"}
    created = await client.post(f"{BASE}/agents", json=body)
    _check(document, f"{BASE}/agents", created)
    agent_id = created.json()["data"]["id"]
    await tenant.add_number("+12025550111", inbound_agent_id=agent_id, outbound_agent_id=agent_id)
    one, base = f"{BASE}/agents/{agent_id}", f"{BASE}/agents/{{agent_id}}"
    voices = await client.get(f"{BASE}/voices")
    for path, response in [
        (f"{BASE}/agents", await client.get(f"{BASE}/agents")),
        (base, await client.get(one)),
        (base, await client.put(one, json={"temperature": 0.5})),
        (base, await client.patch(one, json={"temperature": 5})),
        (f"{base}/publish", await client.post(f"{one}/publish")),
        (base, await client.delete(one)),
        (base, await client.delete(one)),
        (f"{BASE}/voices", voices),
        (f"{BASE}/voices/{{voice_id}}", await client.get(f"{BASE}/voices/{voices.json()['data'][0]['id']}")),
    ]:
        _check(document, path, response)


async def test_real_answers_of_trunks_and_numbers_are_as_documented(tenant: Tenant, document: dict[str, Any]) -> None:
    client, agent = tenant.client, await tenant.add_agent()
    trunks, numbers = f"{BASE}/telephony/trunks", f"{BASE}/telephony/numbers"
    created = await client.post(trunks, json={"name": "carrier", "hosts": ["x", {"host": "y", "port": 5080}]})
    _check(document, trunks, created)
    trunk_id = created.json()["data"]["id"]
    status = TrunkStatus(organization_id=tenant.organization_id, trunk_id=trunk_id, gateway_id="a", checked_at=1)
    async with tenant.database.write() as connection:
        assert await trunk_store.put_status(connection, status)
    imported = await client.post(f"{numbers}/import", json={"number": "+12025550101", "trunk_id": trunk_id})
    _check(document, f"{numbers}/import", imported)
    assignment = {"number_id": imported.json()["data"]["id"], "agent_id": agent.id, "assignment_type": "inbound"}
    one, number = f"{trunks}/{trunk_id}", f"{numbers}/{imported.json()['data']['id']}"
    base, number_base = f"{trunks}/{{trunk_id}}", f"{numbers}/{{number_id}}"
    of_agent = f"{BASE}/telephony/agents/{{agent_id}}/numbers"
    for path, response in [
        (f"{numbers}/assign", await client.post(f"{numbers}/assign", json=assignment)),
        (of_agent, await client.get(of_agent.format(agent_id=agent.id))),
        (trunks, await client.get(trunks)),
        (base, await client.get(one)),
        (base, await client.patch(one, json={"codecs": ["PCMA"]})),
        (base, await client.put(one, json={"codecs": ["GSM"]})),
        (base, await client.delete(one)),
        (numbers, await client.get(numbers)),
        (number_base, await client.patch(number, json={"friendly_name": "Desk"})),
        (f"{numbers}/unassign", await client.post(f"{numbers}/unassign", json=_without_agent(assignment))),
        (number_base, await client.get(number)),
        (number_base, await client.delete(number)),
        (base, await client.delete(one)),
    ]:
        _check(document, path, response)


def _without_agent(assignment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in assignment.items() if name != "agent_id"}


async def test_health_is_ok_while_the_database_answers(
    anonymous: httpx.AsyncClient, document: dict[str, Any], database: Database
) -> None:
    response = await anonymous.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    _check(document, "/healthz", response)


async def test_health_tells_that_the_server_refuses_the_connection(settings: Settings, postgresql_url: str) -> None:
    database = engine.open_database(postgresql_url.replace("/test_", "/absent_"))
    transport = httpx.ASGITransport(app.create_app(settings, database))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})
    await database.close()


async def test_health_tells_that_the_database_is_gone(settings: Settings, tmp_path: Any) -> None:
    database = engine.open_database(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder.db")
    transport = httpx.ASGITransport(app.create_app(settings, database))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})
    await database.close()
    await asyncio.sleep(0.05)  # the driver's thread tells the loop once more after a connection that failed
