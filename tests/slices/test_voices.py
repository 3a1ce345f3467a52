"""Voices over HTTP."""

import httpx
import pytest

from tests.slices.conftest import BASE, Tenant, on_sqlite


async def test_all_voices_are_listed_at_once(tenant: Tenant) -> None:
    document = (await tenant.client.get(f"{BASE}/voices")).json()
    assert list(document) == ["data", "meta", "pagination"]
    count = len(document["data"])
    assert document["pagination"] == {"total": count, "limit": count, "offset": 0, "has_more": False}
    english = document["data"][0]
    assert list(english) == [
        "id", "name", "provider", "type", "language", "status", "created_at", "updated_at", "description",
        "provider_voice_id", "error",
    ]  # fmt: skip
    assert (english["name"], english["provider"], english["language"]) == ("English (America)", "espeak", "en-US")
    assert len({voice["id"] for voice in document["data"]}) == len(document["data"]) > 50


@pytest.mark.parametrize("path", ["/voices", "/agent-templates", "/telephony/credentials"])
async def test_a_list_that_comes_whole_comes_in_pages_for_whoever_asks(tenant: Tenant, path: str) -> None:
    for number in range(4):
        login = {"provider_type": "telnyx", "api_key": f"KEY{number}"}
        assert (await tenant.client.post(f"{BASE}/telephony/credentials", json=login)).status_code == 201
    url = f"{BASE}{path}"
    whole = (await tenant.client.get(url)).json()["data"]
    page = (await tenant.client.get(url, params={"limit": 2, "offset": 1})).json()
    assert page["data"] == whole[1:3]
    assert page["pagination"] == {"total": len(whole), "limit": 2, "offset": 1, "has_more": True}
    last = (await tenant.client.get(url, params={"offset": len(whole) - 1})).json()
    assert (last["data"], last["pagination"]["has_more"]) == (whole[-1:], False)
    assert (await tenant.client.get(url, params={"offset": len(whole)})).json()["data"] == []
    for wrong in ({"limit": 0}, {"limit": 101}, {"offset": -1}):
        assert (await tenant.client.get(url, params=wrong)).status_code == 422


async def test_a_voice_is_found_by_id_and_by_name(tenant: Tenant) -> None:
    voices = (await tenant.client.get(f"{BASE}/voices")).json()["data"]
    for name in (voices[0]["id"], "espeak:en-us"):
        assert (await tenant.client.get(f"{BASE}/voices/{name}")).json()["data"] == voices[0]
    missing = await tenant.client.get(f"{BASE}/voices/voice_nobody")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


async def test_the_voices_of_a_speech_server_come_first(tenant: Tenant) -> None:
    object.__setattr__(tenant.settings, "speech_url", "http://speech.test/v1")
    object.__setattr__(tenant.settings, "speech_voices", ("alloy", "nova"))
    voices = (await tenant.client.get(f"{BASE}/voices")).json()["data"]
    assert [(voice["name"], voice["provider"]) for voice in voices[:2]] == [("alloy", "speech"), ("nova", "speech")]


@on_sqlite
@pytest.mark.parametrize("path", ["/voices", "/voices/espeak:en-us"])
async def test_voices_need_a_key_and_no_unknown_parameters(
    tenant: Tenant, anonymous: httpx.AsyncClient, path: str
) -> None:
    assert (await anonymous.get(f"{BASE}{path}")).status_code == 401
    assert (await tenant.client.get(f"{BASE}{path}?pages=3")).status_code == 422
