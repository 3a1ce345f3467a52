"""What the API asks of a call that talks: hold, digits, transfers; refused where nobody is on the line."""

import httpx
import pytest

from ringdown.calls import service
from ringdown.calls.models import Transfer
from tests.slices.conftest import BASE, Tenant, on_sqlite

NUMBER = "+12025550100"
WISHES = [
    ("hold", None, "hold", {}),
    ("resume", None, "resume", {}),
    ("digits", {"digits": "12a#w9"}, "send_digits", {"digits": "12A#W9"}),
    (
        "transfer",
        {"phone_number": "+12125550123", "mode": "attended", "introduction": "Ana calls.", "timeout": "20s"},
        "transfer",
        {"to": "+12125550123", "mode": "attended", "introduction": "Ana calls.", "timeout_ms": 20_000},
    ),
]


async def _talk(tenant: Tenant) -> str:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await tenant.answer_call(call)
    return call.id


@pytest.mark.parametrize(("path", "body", "kind", "arguments"), WISHES)
async def test_a_wish_reaches_the_gateway_of_the_call_once(
    tenant: Tenant, path: str, body: object, kind: str, arguments: dict[str, object]
) -> None:
    call_id = await _talk(tenant)
    response = await tenant.client.post(f"{BASE}/calls/{call_id}/{path}", json=body)
    assert (response.status_code, response.json()["data"]["id"]) == (201, call_id), response.text
    [command] = await service.take_commands(tenant.database, gateway_id="gateway-1")
    assert (command.kind, command.arguments) == (kind, arguments)
    assert await service.take_commands(tenant.database, gateway_id="gateway-1") == []


@on_sqlite
@pytest.mark.parametrize(("path", "body"), [(path, body) for path, body, *_ in WISHES])
async def test_a_call_without_somebody_on_the_line_takes_no_wish(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient, path: str, body: object
) -> None:
    call = await tenant.add_call(seq=1, status="ringing")
    url = f"{BASE}/calls/{call.id}/{path}"
    response = await tenant.client.post(url, json=body)
    assert (response.status_code, response.json()["error"]["details"]["field"]) == (422, "status")
    assert (await stranger.client.post(url, json=body)).status_code == 404
    assert (await anonymous.post(url, json=body)).status_code == 401


@on_sqlite
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("digits", {"digits": ""}, "digits"),
        ("digits", {"digits": "12x"}, "digits"),
        ("digits", {}, "digits"),
        ("transfer", {"phone_number": "12125550123"}, "phone_number"),
        ("transfer", {"phone_number": "+1911"}, "phone_number"),
        ("transfer", {"phone_number": "+19005550123"}, "phone_number"),
        ("transfer", {"phone_number": "+12125550123", "mode": "warm"}, "mode"),
        ("transfer", {"phone_number": "+12125550123", "timeout": "2h"}, "timeout"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_with_its_field(
    tenant: Tenant, path: str, body: object, field: str
) -> None:
    call_id = await _talk(tenant)
    response = await tenant.client.post(f"{BASE}/calls/{call_id}/{path}", json=body)
    assert (response.status_code, response.json()["error"]["details"]["field"]) == (422, field), response.text
    assert await service.take_commands(tenant.database, gateway_id="gateway-1") == []


async def test_a_transfer_shows_how_far_it_is_and_only_one_is_under_way(tenant: Tenant) -> None:
    call_id = await _talk(tenant)
    url = f"{BASE}/calls/{call_id}"
    asked = await tenant.client.post(f"{url}/transfer", json={"to": "+12125550123"})
    shown = {"to": "+12125550123", "mode": "blind", "status": "requested", "reason": None}
    assert asked.json()["data"]["transfer"] == shown
    again = await tenant.client.post(f"{url}/transfer", json={"to": "+12125550124"})
    assert (again.status_code, again.json()["error"]["details"]["field"]) == (422, "transfer")
    failed = Transfer(to="+12125550123", mode="blind", status="failed", reason="nobody answered")
    await service.set_transfer(
        tenant.database, organization_id=tenant.organization_id, call_id=call_id, transfer=failed
    )
    data = (await tenant.client.get(url)).json()["data"]
    assert data["transfer"] == {**shown, "status": "failed", "reason": "nobody answered"}
    assert (await tenant.client.post(f"{url}/transfer", json={"to": "+12125550124"})).status_code == 201


@on_sqlite
@pytest.mark.parametrize("number", ["+1911", "+19005550123", "+881612345678"])
async def test_numbers_that_must_not_be_called_are_refused_when_a_call_is_placed(tenant: Tenant, number: str) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    response = await tenant.client.post(f"{BASE}/calls", json={"agent_id": agent.id, "phone_number": number})
    assert (response.status_code, response.json()["error"]["details"]["field"]) == (422, "phone_number")
    assert (await tenant.client.get(f"{BASE}/calls")).json()["pagination"]["total"] == 0
