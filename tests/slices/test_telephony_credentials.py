"""Stored logins at carriers over HTTP: their secrets go in, and never come out."""

from typing import Any

import httpx

from ringdown.secret import SecretBox
from ringdown.telephony import carrier_store
from tests.slices.conftest import BASE, Tenant

URL = f"{BASE}/telephony/credentials"
TELNYX = {"provider_type": "telnyx", "friendly_name": "Main", "api_key": "KEY_s3cret"}
TWILIO = {"provider_type": "twilio", "account_sid": "AC1", "auth_token": "t0ken-s3cret"}


async def _make(tenant: Tenant, body: dict[str, Any]) -> dict[str, Any]:
    response = await tenant.client.post(URL, json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()["data"]
    return made


async def _read_secret(tenant: Tenant, credential_id: str) -> str:
    async with tenant.database.read() as connection:
        stored = await carrier_store.get_credential(connection, tenant.organization_id, credential_id)
    return SecretBox.open(tenant.settings).unseal(stored.secret)


async def test_a_login_is_stored_sealed_and_shown_without_its_secret(tenant: Tenant) -> None:
    made = [await _make(tenant, TELNYX), await _make(tenant, TWILIO)]
    assert list(made[0]) == ["id", "provider_type", "friendly_name", "account_sid", "created_at", "updated_at"]
    assert (made[0]["provider_type"], made[0]["friendly_name"], made[1]["account_sid"]) == ("telnyx", "Main", "AC1")
    listed = await tenant.client.get(URL)
    assert listed.json()["data"] == made[::-1]
    assert "s3cret" not in listed.text
    assert (await tenant.client.get(f"{URL}/{made[0]['id']}")).json()["data"] == made[0]
    assert await _read_secret(tenant, made[1]["id"]) == "t0ken-s3cret"
    async with tenant.database.read() as connection:
        stored = await carrier_store.list_credentials(connection, tenant.organization_id)
    assert not any("s3cret" in entry.secret for entry in stored)


async def test_name_and_secret_can_be_changed(tenant: Tenant) -> None:
    for body, field in ((TELNYX, "api_key"), (TWILIO, "auth_token"), (TWILIO, "api_key")):
        made = await _make(tenant, body)
        for method in ("PUT", "PATCH"):
            changes = {"friendly_name": method, field: f"new-{method}"}
            response = await tenant.client.request(method, f"{URL}/{made['id']}", json=changes)
            assert response.json()["data"]["friendly_name"] == method
            assert await _read_secret(tenant, made["id"]) == f"new-{method}"
        assert (await tenant.client.patch(f"{URL}/{made['id']}", json={})).json()["data"]["friendly_name"] == "PATCH"
        nameless = await tenant.client.patch(f"{URL}/{made['id']}", json={"friendly_name": None})
        assert nameless.json()["data"]["friendly_name"] is None


async def test_a_bad_login_is_refused_by_name(tenant: Tenant) -> None:
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["provider_type"]),
        ({"provider_type": "custom_sip"}, ["provider_type"]),
        ({"provider_type": "telnyx"}, ["api_key"]),
        ({**TELNYX, "account_sid": "AC1"}, ["account_sid"]),
        ({"provider_type": "twilio"}, ["account_sid", "auth_token"]),
        ({**TWILIO, "api_key": "another"}, ["api_key"]),
        ({**TELNYX, "api_key": "a\nb"}, ["api_key"]),
        ({**TELNYX, "color": "red"}, ["color"]),
    ]
    for body, fields in cases:
        response = await tenant.client.post(URL, json=body)
        assert response.status_code == 422
        assert [item["field"] for item in response.json()["error"]["details"]["errors"]] == fields
    made = await _make(tenant, TELNYX)
    for changes in ({"auth_token": "x"}, {"account_sid": "AC2"}):
        assert (await tenant.client.patch(f"{URL}/{made['id']}", json=changes)).status_code == 422


async def test_a_login_is_its_organizations_own(tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient) -> None:
    url = f"{URL}/{(await _make(tenant, TELNYX))['id']}"
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert (await stranger.client.request(method, url, json={})).status_code == 404
        assert (await anonymous.request(method, url, json={})).status_code == 401
    assert (await stranger.client.get(URL)).json()["data"] == []
    assert (await anonymous.post(URL, json=TELNYX)).status_code == 401
    assert (await tenant.client.delete(url)).status_code == 200
    assert (await tenant.client.delete(url)).status_code == 404


async def test_a_repeated_login_is_stored_once(tenant: Tenant) -> None:
    headers = {"X-Idempotency-Key": "once"}
    first, second = [await tenant.client.post(URL, json=TELNYX, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert len((await tenant.client.get(URL)).json()["data"]) == 1
