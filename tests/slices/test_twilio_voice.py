"""What Twilio is told when it asks what to do with a call, and who is not Twilio."""

from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from ringdown.secret import SecretBox
from ringdown.telephony import trunk_store
from tests.fakes.twilio_server import SID, TOKEN, FakeTwilioServer
from tests.slices.carriers import name_carriers, run_telnyx, run_twilio  # noqa: F401 - fixtures
from tests.slices.conftest import BASE, Tenant

NUMBER = "+14155550100"
PATH = "/telephony/twilio/voice"
URL = f"https://calls.example{PATH}"
CALL = {"AccountSid": SID, "CallSid": "CA1", "From": "+12025550177", "To": NUMBER, "Direction": "inbound"}


async def _ask(client: httpx.AsyncClient, fields: dict[str, str], *, token: str = TOKEN) -> httpx.Response:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": RequestValidator(token).compute_signature(URL, fields),
    }
    return await client.post(PATH, content=urlencode(fields).encode(), headers=headers)


async def _import(tenant: Tenant, twilio: FakeTwilioServer) -> dict[str, Any]:
    twilio.add(NUMBER)
    body = {"phone_number": NUMBER, "provider_type": "twilio", "account_sid": SID, "auth_token": TOKEN}
    response = await tenant.client.post(f"{BASE}/telephony/numbers/import", json=body)
    assert response.status_code == 201, response.text
    number: dict[str, Any] = response.json()["data"]
    return number


async def test_twilio_is_told_to_call_our_sip_with_the_trunks_login(
    tenant: Tenant, anonymous: httpx.AsyncClient, twilio: FakeTwilioServer
) -> None:
    number = await _import(tenant, twilio)
    assert twilio.owned[NUMBER]["VoiceUrl"] == URL
    response = await _ask(anonymous, CALL)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    sip = ElementTree.fromstring(response.content).find("Dial/Sip")
    assert sip is not None
    assert sip.text == f"sip:{NUMBER}@192.0.2.7;transport=tcp"
    async with tenant.database.read() as connection:
        [trunk] = await trunk_store.list_enabled_trunks(connection, SecretBox.open(tenant.settings))
    assert trunk.id == number["trunk_id"]
    assert sip.attrib == {"username": trunk.inbound_username, "password": trunk.inbound_password}


async def test_without_the_trunk_the_call_is_refused(
    tenant: Tenant, anonymous: httpx.AsyncClient, twilio: FakeTwilioServer
) -> None:
    number = await _import(tenant, twilio)
    await tenant.client.patch(f"{BASE}/telephony/trunks/{number['trunk_id']}", json={"is_enabled": False})
    document = ElementTree.fromstring((await _ask(anonymous, CALL)).content)
    assert [child.tag for child in document] == ["Reject"]


async def test_only_twilio_is_answered(tenant: Tenant, anonymous: httpx.AsyncClient, twilio: FakeTwilioServer) -> None:
    await tenant.add_number("+12025550101")  # no number of Twilio
    await _import(tenant, twilio)
    attempts = [
        await _ask(anonymous, CALL, token="another"),
        await _ask(anonymous, CALL | {"AccountSid": "AC" + "9" * 32}),
        await _ask(anonymous, CALL | {"To": "+14155550199"}),
        await _ask(anonymous, CALL | {"To": "+12025550101"}),
        await _ask(anonymous, {}),
        await anonymous.post(PATH, content=b"\xff\xfe=%"),
    ]
    assert {response.status_code for response in attempts} == {403}
    assert "password" not in "".join(response.text for response in attempts)


async def test_the_webhook_url_of_an_agent_is_told(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient
) -> None:
    agent = await tenant.add_agent()
    path = f"{BASE}/telephony/agents/{agent.id}/webhook-url"
    assert (await tenant.client.get(path)).json()["data"] == {
        "agent_id": agent.id, "webhook_url": URL, "sip_uri": "sip:192.0.2.7"
    }  # fmt: skip
    assert (await stranger.client.get(path)).status_code == 404
    assert (await anonymous.get(path)).status_code == 401
