"""Phone numbers over HTTP: imported, assigned, listed, changed, deleted."""

import asyncio
import re
from typing import Any

import httpx
import pytest

from ringdown.config import Settings
from ringdown.secret import SecretBox
from ringdown.telephony import store, trunk_store
from tests.slices.conftest import BASE, Tenant, on_sqlite

URL = f"{BASE}/telephony/numbers"
TRUNKS = f"{BASE}/telephony/trunks"
UNKNOWN = "num_00000000000000000000000000"
SIP = {
    "phone_number": "+12025550101",
    "provider_type": "custom_sip",
    "sip_server": "sip.example.net:5080",
    "sip_username": "alice",
    "sip_password": "s3cret",
}


async def _import(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    response = await tenant.client.post(f"{URL}/import", json=SIP | fields)
    assert response.status_code == 201, response.text
    number: dict[str, Any] = response.json()["data"]
    return number


async def _add_trunk(tenant: Tenant, name: str = "carrier") -> str:
    response = await tenant.client.post(TRUNKS, json={"name": name, "hosts": ["sip.example.org"]})
    trunk_id: str = response.json()["data"]["id"]
    return trunk_id


def _refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {item["field"]: item["reason"] for item in response.json()["error"]["details"]["errors"]}


async def test_a_custom_sip_number_brings_its_trunk(tenant: Tenant, settings: Settings) -> None:
    number = await _import(tenant, friendly_name="Front desk")
    assert re.fullmatch(r"num_[0-9a-z]{26}", number["id"])
    assert number | {"id": "", "created_at": "", "updated_at": "", "trunk_id": ""} == {
        "id": "", "number": "+12025550101", "phone_number": "+12025550101", "friendly_name": "Front desk",
        "status": "active", "organization_id": tenant.organization_id, "is_trudy_managed": False, "agent_id": None,
        "inbound_agent_id": None, "outbound_agent_id": None, "trunk_id": "", "telephony_credential_id": None,
        "created_at": "", "updated_at": "", "provider_type": None,
    }  # fmt: skip
    trunk = (await tenant.client.get(f"{TRUNKS}/{number['trunk_id']}")).json()["data"]
    assert (trunk["name"], trunk["username"], trunk["registers"]) == ("sip.example.net", "alice", True)
    assert trunk["hosts"] == [{"host": "sip.example.net", "port": 5080, "priority": 0, "weight": 1}]
    async with tenant.database.read() as connection:
        [opened] = await trunk_store.list_enabled_trunks(connection, SecretBox.open(settings))
    assert opened.password == "s3cret"


async def test_numbers_with_the_same_credentials_share_a_trunk(tenant: Tenant) -> None:
    first = await _import(tenant)
    second = await _import(tenant, phone_number="+12025550102")
    third = await _import(tenant, phone_number="+12025550103", sip_username="bob")
    assert first["trunk_id"] == second["trunk_id"] != third["trunk_id"]
    names = [trunk["name"] for trunk in (await tenant.client.get(TRUNKS)).json()["data"]]
    assert names == ["sip.example.net 2", "sip.example.net"]


@on_sqlite
async def test_another_password_of_a_known_account_is_refused(tenant: Tenant) -> None:
    await _import(tenant)
    other = SIP | {"phone_number": "+12025550102", "sip_password": "other"}
    assert list(_refused(await tenant.client.post(f"{URL}/import", json=other))) == ["sip_password"]
    assert len((await tenant.client.get(URL)).json()["data"]) == 1


async def test_imports_at_once_share_a_trunk(tenant: Tenant) -> None:
    bodies = [SIP | {"phone_number": f"+1202555010{digit}"} for digit in range(4)]
    answers = await asyncio.gather(*(tenant.client.post(f"{URL}/import", json=body) for body in bodies))
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["data"]["trunk_id"] for answer in answers}) == 1


async def test_a_number_may_come_over_a_trunk_that_exists(tenant: Tenant) -> None:
    trunk_id = await _add_trunk(tenant)
    for body in (
        {"phone_number": "+12025550101", "trunk_id": trunk_id},
        {"number": "+12025550102", "trunk_id": trunk_id, "provider_type": "custom_sip"},
    ):
        response = await tenant.client.post(f"{URL}/import", json=body)
        assert response.status_code == 201, response.text
        assert response.json()["data"]["trunk_id"] == trunk_id


@on_sqlite
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["phone_number"]),
        ({"phone_number": "+12025550101"}, ["provider_type"]),
        ({"phone_number": "2025550101", "trunk_id": "x"}, ["phone_number"]),
        (SIP | {"sip_password": None}, ["sip_password"]),
        (
            {"phone_number": "+12025550101", "provider_type": "custom_sip"},
            ["sip_server", "sip_username", "sip_password"],
        ),
        (SIP | {"sip_server": "a b"}, ["sip_server"]),
        (SIP | {"sip_server": "sip:host"}, ["sip_server"]),
        (SIP | {"sip_username": "a\nb"}, ["sip_username"]),
        (SIP | {"auth_token": "x"}, ["auth_token"]),
        (SIP | {"trunk_id": "trunk_x"}, ["sip_server", "sip_username", "sip_password"]),
        ({"phone_number": "+12025550101", "trunk_id": "trunk_x"}, ["trunk_id"]),
        (SIP | {"provider_type": "plivo"}, ["provider_type"]),
        (SIP | {"agent": "x"}, ["agent"]),
        (SIP | {"number": "+12025550199"}, ["body"]),
    ],
)
async def test_a_bad_import_is_refused_by_name(tenant: Tenant, body: dict[str, Any], fields: list[str]) -> None:
    assert list(_refused(await tenant.client.post(f"{URL}/import", json=body))) == fields
    assert (await tenant.client.get(TRUNKS)).json()["data"] == []


async def test_a_number_is_somebodys_once(tenant: Tenant, stranger: Tenant) -> None:
    await _import(tenant)
    for client in (tenant.client, stranger.client):
        response = await client.post(f"{URL}/import", json=SIP | {"sip_server": "other.example.net"})
        assert response.status_code == 409
        assert response.json()["error"]["message"] == "This installation has the number +12025550101 already."
        # What the refused import would have needed is not left behind.
        names = [trunk["name"] for trunk in (await client.get(TRUNKS)).json()["data"]]
        assert "other.example.net" not in names


async def test_an_import_that_is_repeated_adds_one_number(tenant: Tenant) -> None:
    headers = {"X-Idempotency-Key": "once"}
    first, second = [await tenant.client.post(f"{URL}/import", json=SIP, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert "s3cret" not in first.text
    assert (await tenant.client.get(URL)).json()["pagination"]["total"] == 1


async def test_numbers_are_listed_newest_first_in_pages(tenant: Tenant) -> None:
    ids = [(await _import(tenant, phone_number=f"+1202555010{digit}"))["id"] for digit in range(3)]
    page = (await tenant.client.get(f"{URL}?limit=2&offset=1")).json()
    assert [number["id"] for number in page["data"]] == [ids[1], ids[0]]
    assert page["pagination"] == {"total": 3, "limit": 2, "offset": 1, "has_more": False}


async def test_a_number_rings_and_shows_the_agents_it_is_assigned_to(tenant: Tenant) -> None:
    number_id = (await _import(tenant))["id"]
    front, sales = await tenant.add_agent(), await tenant.add_agent()
    for agent, direction in ((front, "inbound"), (sales, "outbound"), (front, "inbound")):
        body = {"number_id": number_id, "agent_id": agent.id, "assignment_type": direction}
        response = await tenant.client.post(f"{URL}/assign", json=body)
        assert response.status_code == 201
        assert response.json()["data"][f"{direction}_agent_id"] == agent.id
    number = (await tenant.client.get(f"{URL}/{number_id}")).json()["data"]
    assert (number["inbound_agent_id"], number["outbound_agent_id"], number["agent_id"]) == (
        front.id,
        sales.id,
        front.id,
    )
    agent_view = (await tenant.client.get(f"{BASE}/agents/{front.id}")).json()["data"]
    assert agent_view["inbound_phone_numbers"] == [{"id": number_id, "phone_number": "+12025550101"}]
    of_front = (await tenant.client.get(f"{BASE}/telephony/agents/{front.id}/numbers")).json()["data"]
    assert of_front == {"agent_id": front.id, "inbound": [number], "outbound": []}
    of_sales = (await tenant.client.get(f"{BASE}/telephony/agents/{sales.id}/numbers")).json()["data"]
    assert (of_sales["inbound"], of_sales["outbound"]) == ([], [number])


async def test_a_number_moves_to_another_agent_and_is_taken_off(tenant: Tenant) -> None:
    number_id = (await _import(tenant))["id"]
    front, sales = await tenant.add_agent(), await tenant.add_agent()
    for agent in (front, sales):
        body = {"number_id": number_id, "agent_id": agent.id, "assignment_type": "inbound"}
        await tenant.client.post(f"{URL}/assign", json=body)
    await tenant.client.post(f"{URL}/assign", json=body | {"assignment_type": "outbound"})
    of_front = (await tenant.client.get(f"{BASE}/telephony/agents/{front.id}/numbers")).json()["data"]
    assert of_front["inbound"] == []
    for _ in range(2):
        body = {"number_id": number_id, "assignment_type": "inbound"}
        response = await tenant.client.post(f"{URL}/unassign", json=body)
        assert response.status_code == 201
        number = response.json()["data"]
        assert (number["number"], number["agent_id"], number["inbound_agent_id"]) == ("+12025550101", None, None)
        assert number["unassigned_at"] == number["updated_at"]
        assert number["outbound_agent_id"] == sales.id


async def test_a_number_moves_to_another_trunk(tenant: Tenant) -> None:
    number = await _import(tenant)
    trunk_id, url = await _add_trunk(tenant), f"{URL}/{number['id']}"
    changed = (await tenant.client.patch(url, json={"trunk_id": trunk_id, "friendly_name": "Sales"})).json()["data"]
    assert changed == number | {
        "trunk_id": trunk_id, "friendly_name": "Sales", "updated_at": changed["updated_at"]
    }  # fmt: skip
    assert (await tenant.client.put(url, json={"trunk_id": None})).json()["data"]["trunk_id"] is None
    assert _refused(await tenant.client.patch(url, json={"trunk_id": "trunk_x"})) == {
        "trunk_id": "there is no trunk with this id"
    }
    assert list(_refused(await tenant.client.patch(url, json={"phone_number": "+12025550199"}))) == ["phone_number"]


async def test_a_deleted_number_is_free_again(tenant: Tenant, stranger: Tenant) -> None:
    number_id = (await _import(tenant))["id"]
    deleted = await tenant.client.delete(f"{URL}/{number_id}")
    assert deleted.json()["data"] == {"id": number_id, "deleted": True}
    assert (await tenant.client.delete(f"{URL}/{number_id}")).status_code == 404
    await _import(stranger)


async def test_another_organizations_number_agent_and_trunk_do_not_exist(tenant: Tenant, stranger: Tenant) -> None:
    number_id = (await _import(tenant))["id"]
    agent, foreign = await tenant.add_agent(), await stranger.add_agent()
    for identifier in (number_id, UNKNOWN):
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            response = await stranger.client.request(method, f"{URL}/{identifier}", json={})
            assert response.status_code == 404, method
        assignment = {"number_id": identifier, "agent_id": foreign.id, "assignment_type": "inbound"}
        assert (await stranger.client.post(f"{URL}/assign", json=assignment)).status_code == 404
        del assignment["agent_id"]
        assert (await stranger.client.post(f"{URL}/unassign", json=assignment)).status_code == 404
    assert (await stranger.client.get(f"{BASE}/telephony/agents/{agent.id}/numbers")).status_code == 404
    ours = {"number_id": number_id, "agent_id": foreign.id, "assignment_type": "inbound"}
    response = await tenant.client.post(f"{URL}/assign", json=ours)
    assert (response.status_code, response.json()["error"]["details"]["resource"]) == (404, "Agent")
    body = {"phone_number": "+12025550103", "trunk_id": await _add_trunk(tenant)}
    assert list(_refused(await stranger.client.post(f"{URL}/import", json=body))) == ["trunk_id"]


@on_sqlite
async def test_without_a_key_nothing_is_answered(anonymous: httpx.AsyncClient) -> None:
    for method, path in [("GET", ""), ("POST", "/import"), ("POST", "/assign"), ("POST", "/unassign"), ("GET", "/x"),
                         ("PATCH", "/x"), ("PUT", "/x"), ("DELETE", "/x")]:  # fmt: skip
        assert (await anonymous.request(method, URL + path, json=SIP)).status_code == 401
    assert (await anonymous.get(f"{BASE}/telephony/agents/x/numbers")).status_code == 401


async def test_an_assignment_names_what_it_lacks(tenant: Tenant) -> None:
    refused = _refused(await tenant.client.post(f"{URL}/assign", json={"assignment_type": "both"}))
    assert refused == {
        "number_id": "is required",
        "agent_id": "is required",
        "assignment_type": "must be one of: inbound, outbound",
    }


async def test_the_likeliest_reading_that_somebody_has_is_found(tenant: Tenant) -> None:
    await _import(tenant, phone_number="+12025550102")
    async with tenant.database.read() as connection:
        found = await store.find_first_number(connection, ("+12025550101", "+12025550102"))
        assert found is not None
        assert found.phone_number == "+12025550102"
        await tenant.add_number("+12025550101")
        found = await store.find_first_number(connection, ("+442079460000",))
        assert found is None
    async with tenant.database.read() as connection:
        found = await store.find_first_number(connection, ("+12025550101", "+12025550102"))
        assert found is not None
        assert found.phone_number == "+12025550101"


async def test_a_number_never_stands_on_a_trunk_that_is_gone(tenant: Tenant) -> None:
    for attempt in range(8):
        trunk_id = await _add_trunk(tenant, f"carrier {attempt}")
        body = {"phone_number": f"+1202555011{attempt}", "trunk_id": trunk_id}
        imported, deleted = await asyncio.gather(
            tenant.client.post(f"{URL}/import", json=body), tenant.client.delete(f"{TRUNKS}/{trunk_id}")
        )
        assert (imported.status_code, deleted.status_code) in ((201, 422), (422, 200))


async def test_an_agent_that_is_deleted_is_on_no_number_afterwards(tenant: Tenant) -> None:
    number_id = (await _import(tenant))["id"]
    for _ in range(8):
        agent = await tenant.add_agent()
        body = {"number_id": number_id, "agent_id": agent.id, "assignment_type": "inbound"}
        assigned, deleted = await asyncio.gather(
            tenant.client.post(f"{URL}/assign", json=body), tenant.client.delete(f"{BASE}/agents/{agent.id}")
        )
        assert assigned.status_code in (201, 404)
        assert deleted.status_code == 200
        assert (await tenant.client.get(f"{URL}/{number_id}")).json()["data"]["inbound_agent_id"] != agent.id
