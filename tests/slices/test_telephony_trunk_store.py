"""Trunks as the gateways read them, and what the gateways tell of them."""

from typing import Any

import pytest

from ringdown import values
from ringdown.config import Settings
from ringdown.secret import SecretBox
from ringdown.telephony import trunk_store
from ringdown.telephony.models import Trunk, TrunkHost, TrunkStatus
from tests.slices.conftest import BASE, Tenant

URL = f"{BASE}/telephony/trunks"
SECRETS = {"username": "alice", "password": "s3cret-out", "inbound_username": "bob", "inbound_password": "s3cret-in"}


async def _create(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    response = await tenant.client.post(URL, json={"name": "carrier", "hosts": ["sip.example.net"]} | fields)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()["data"]
    return created


async def test_the_state_of_each_gateway_is_shown_and_the_newest_counts(tenant: Tenant) -> None:
    trunk_id = (await _create(tenant))["id"]
    now = values.now_ms()
    ours = {"organization_id": tenant.organization_id, "trunk_id": trunk_id}
    async with tenant.database.write() as connection:
        for status in (
            TrunkStatus(**ours, gateway_id="a", checked_at=now, registration="registered", round_trip_ms=20.5,
                        is_reachable=True, live_calls=2),
            TrunkStatus(**ours, gateway_id="b", checked_at=now - 5000, registration="refused",
                        registration_error="403 Forbidden", last_error="timed out", live_calls=1),
        ):  # fmt: skip
            assert await trunk_store.put_status(connection, status)
        again = TrunkStatus(**ours, gateway_id="b", checked_at=now - 4000, registration="failed", live_calls=3)
        assert await trunk_store.put_status(connection, again)
    status = (await tenant.client.get(f"{URL}/{trunk_id}")).json()["data"]["status"]
    assert (status["registration"], status["round_trip_ms"], status["is_reachable"]) == ("registered", 20.5, True)
    assert status["live_calls"] == 5
    assert status["checked_at"] == values.to_wire_time(now)
    assert [(found["gateway_id"], found["registration"], found["last_error"]) for found in status["gateways"]] == [
        ("a", "registered", None),
        ("b", "failed", None),
    ]
    async with tenant.database.write() as connection:
        await trunk_store.delete_statuses(connection, gateway_id="a")
    listed = (await tenant.client.get(URL)).json()["data"][0]
    assert listed["status"]["registration"] == "failed"


async def test_gateways_get_the_enabled_trunks_of_all_organizations(
    tenant: Tenant, stranger: Tenant, settings: Settings
) -> None:
    ours = await _create(tenant, **SECRETS)
    await _create(tenant, name="off", is_enabled=False)
    theirs = await _create(stranger, hosts=["sip.example.org:5080"])
    async with tenant.database.read() as connection:
        listed = await trunk_store.list_enabled_trunks(connection, SecretBox.open(settings))
        found = await trunk_store.find_trunk(connection, tenant.organization_id, "carrier")
    assert [(trunk.id, trunk.organization_id) for trunk in listed] == [
        (ours["id"], tenant.organization_id),
        (theirs["id"], stranger.organization_id),
    ]
    assert listed[1].hosts == (TrunkHost("sip.example.org", 5080),)
    assert found is not None
    assert found.password != "s3cret-out"
    assert trunk_store.open_secrets(found, SecretBox.open(settings)) == listed[0]


async def test_a_stored_trunk_comes_back_as_it_was(tenant: Tenant) -> None:
    trunk = Trunk(
        organization_id=tenant.organization_id, id="trunk_x", name="x", hosts=(TrunkHost("a", None, 1, 2),),
        created_at=1, updated_at=2, password="sealed", allowed_prefixes=("+1",), codecs=("G722",), origin="toml",
        max_calls_per_second=0.5,
    )  # fmt: skip
    async with tenant.database.write() as connection:
        assert await trunk_store.insert_trunk(connection, trunk)
        assert not await trunk_store.insert_trunk(connection, trunk)
        assert await trunk_store.get_trunk(connection, tenant.organization_id, "trunk_x", lock=True) == trunk


async def test_a_lost_key_can_be_mended_over_the_api(tenant: Tenant, settings: Settings) -> None:
    trunk = await _create(tenant, username="alice", password="s3cret")
    (settings.data_dir / "secret.key").unlink()
    async with tenant.database.read() as connection:
        with pytest.raises(ValueError, match=r"trunk carrier cannot be used.*secret\.key"):
            await trunk_store.list_enabled_trunks(connection, SecretBox.open(settings))
    left_out: list[str] = []
    async with tenant.database.read() as connection:
        readable = await trunk_store.list_enabled_trunks(
            connection, SecretBox.open(settings), on_unreadable=lambda trunk, _error: left_out.append(trunk.name)
        )
    assert (readable, left_out) == ([], ["carrier"])
    assert (await tenant.client.get(URL)).json()["data"][0]["has_password"]
    # The API under test still knows the old key; it writes what it was told.
    assert (await tenant.client.patch(f"{URL}/{trunk['id']}", json={"password": None})).status_code == 200
    async with tenant.database.read() as connection:
        [opened] = await trunk_store.list_enabled_trunks(connection, SecretBox.open(settings))
    assert opened.password is None
