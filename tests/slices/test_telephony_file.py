"""Trunks of `ringdown.toml`: taken over at start, kept in step, read-only over the API."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ringdown.cli import tree
from ringdown.config import Settings
from ringdown.secret import SecretBox
from ringdown.telephony import service, trunk_store
from ringdown.telephony.models import Trunk
from tests.slices.conftest import BASE, Tenant

URL = f"{BASE}/telephony/trunks"
CARRIER: dict[str, Any] = {
    "name": "carrier", "hosts": ["sip.example.net"], "username": "alice", "password": "s3cret", "registers": True
}  # fmt: skip
_FILE = """
[[trunks]]
name = "carrier"
hosts = ["a.example.net:5080", {host = "b.example.net", priority = 1}]
username = "alice"
password = "s3cret"
allowed_prefixes = ["+1"]

[[trunks]]
name = "pbx"
hosts = ["192.0.2.7"]
max_calls_per_second = 5
"""
_PROVIDER = """
[[providers]]
name = "gpt"
kind = "language_model"
type = "openai"
model = "gpt"
key = "s3cret"
"""


def _with(settings: Settings, *tables: dict[str, Any]) -> Settings:
    return Settings(data_dir=settings.data_dir, trunks=tables)


def _load(settings: Settings, file: str) -> Settings:
    Path("ringdown.toml").write_text(file)
    return Settings(data_dir=settings.data_dir)


async def _list(tenant: Tenant, settings: Settings) -> list[Trunk]:
    async with tenant.database.read() as connection:
        return await trunk_store.list_enabled_trunks(connection, SecretBox.open(settings))


async def test_the_trunks_of_the_file_belong_to_the_first_organization(
    tenant: Tenant, stranger: Tenant, settings: Settings
) -> None:
    loaded = _load(settings, _FILE)
    assert "s3cret" not in repr(loaded)
    await service.sync_trunks(tenant.database, loaded)
    carrier, pbx = await _list(tenant, settings)
    assert {trunk.organization_id for trunk in (carrier, pbx)} == {tenant.organization_id}
    assert [host.priority for host in carrier.hosts] == [0, 1]
    assert (carrier.password, carrier.origin, pbx.max_calls_per_second) == ("s3cret", "toml", 5)


async def test_starting_again_changes_nothing(tenant: Tenant, settings: Settings) -> None:
    await service.sync_trunks(tenant.database, _with(settings, CARRIER))
    before = await _list(tenant, settings)
    await asyncio.gather(*(service.sync_trunks(tenant.database, _with(settings, CARRIER)) for _ in range(3)))
    assert await _list(tenant, settings) == before


async def test_a_changed_table_changes_its_trunk_and_keeps_its_id(tenant: Tenant, settings: Settings) -> None:
    await service.sync_trunks(tenant.database, _with(settings, CARRIER))
    [before] = await _list(tenant, settings)
    await service.sync_trunks(tenant.database, _with(settings, CARRIER | {"password": "new", "srtp": "optional"}))
    [after] = await _list(tenant, settings)
    assert (after.id, after.created_at, after.password, after.srtp) == (before.id, before.created_at, "new", "optional")


async def test_a_new_key_is_taken_over_from_the_file(tenant: Tenant, settings: Settings) -> None:
    await service.sync_trunks(tenant.database, _with(settings, CARRIER))
    other = _with(settings, CARRIER).model_copy(update={"secret_key": SecretStr("another key")})
    await service.sync_trunks(tenant.database, other)
    assert [trunk.password for trunk in await _list(tenant, other)] == ["s3cret"]


async def test_trunks_of_the_file_are_read_only_over_the_api(tenant: Tenant, settings: Settings) -> None:
    await service.sync_trunks(tenant.database, _with(settings, CARRIER))
    [shown] = (await tenant.client.get(URL)).json()["data"]
    assert (shown["origin"], shown["has_password"]) == ("toml", True)
    for method in ("PATCH", "PUT", "DELETE"):
        response = await tenant.client.request(method, f"{URL}/{shown['id']}", json={"name": "x"})
        assert response.status_code == 422
        assert response.json()["error"]["details"]["reason"] == (
            "this trunk comes from ringdown.toml; change it there and start again"
        )
    assert [trunk.name for trunk in await _list(tenant, settings)] == ["carrier"]


async def test_a_table_that_is_gone_takes_its_trunk_with_it_unless_it_has_numbers(
    tenant: Tenant, settings: Settings
) -> None:
    tables = [CARRIER | {"name": name} for name in ("gone", "used", "kept")]
    await service.sync_trunks(tenant.database, _with(settings, *tables))
    await tenant.client.post(URL, json={"name": "own", "hosts": ["x"]})
    async with tenant.database.read() as connection:
        used = await trunk_store.find_trunk(connection, tenant.organization_id, "used")
    assert used is not None
    await tenant.add_number("+12025550101", trunk_id=used.id)
    await service.sync_trunks(tenant.database, _with(settings, tables[2]))
    shown = {trunk["name"]: trunk for trunk in (await tenant.client.get(URL)).json()["data"]}
    assert sorted(shown) == ["kept", "own", "used"]
    assert (shown["used"]["is_enabled"], shown["used"]["origin"]) == (False, "api")
    assert (shown["kept"]["is_enabled"], shown["kept"]["origin"]) == (True, "toml")


async def test_settings_without_trunks_leave_those_of_another_gateway_alone(tenant: Tenant, settings: Settings) -> None:
    await service.sync_trunks(tenant.database, _with(settings, CARRIER))
    await service.sync_trunks(tenant.database, Settings(data_dir=settings.data_dir))
    assert len(await _list(tenant, settings)) == 1
    await service.sync_trunks(tenant.database, _with(settings))
    assert await _list(tenant, settings) == []


async def test_a_name_that_the_api_has_given_is_not_taken_over(tenant: Tenant, settings: Settings) -> None:
    await tenant.client.post(URL, json={"name": "carrier", "hosts": ["x"]})
    with pytest.raises(ValueError, match=r"The trunk carrier in ringdown\.toml has the name of a trunk"):
        await service.sync_trunks(tenant.database, _with(settings, CARRIER))
    assert [trunk.origin for trunk in await _list(tenant, settings)] == ["api"]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (CARRIER | {"transprot": "tcp"}, "The trunk carrier in ringdown.toml: transprot is not a known field"),
        (CARRIER | {"srtp": True}, "The trunk carrier in ringdown.toml: srtp must be one of: off, optional, required"),
        (CARRIER | {"hosts": ["a b"]}, "The trunk carrier in ringdown.toml: hosts.0 must be a host name or an address"),
        (CARRIER | {"username": None}, "The trunk carrier in ringdown.toml: username is required with registers"),
        ({"hosts": ["x"]}, "The trunk number 2 in ringdown.toml: name is required"),
    ],
)
def test_a_bad_table_is_named_in_one_sentence(settings: Settings, table: dict[str, Any], sentence: str) -> None:
    good = CARRIER | {"name": "good"}
    with pytest.raises(ValueError, match="The trunk") as refused:
        service.read_trunks(_with(settings, good, table))
    assert str(refused.value).startswith(sentence)
    assert "s3cret" not in str(refused.value)


def test_two_tables_of_one_name_are_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"The trunk carrier stands twice in ringdown\.toml"):
        service.read_trunks(_with(settings, CARRIER, CARRIER))


async def test_trunks_need_an_organization(database: Any, settings: Settings) -> None:
    with pytest.raises(ValueError, match="need an organization"):
        await service.sync_trunks(database, _with(settings, CARRIER))


def test_the_programs_of_serve_read_the_same_tables(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = _load(settings, _FILE + _PROVIDER)
    environment = tree.build_environment(loaded)
    assert "s3cret" not in str(environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings().trunks == loaded.trunks
    assert Settings().providers == loaded.providers
    assert len(loaded.trunks) == 2
    assert len(loaded.providers) == 1


def test_the_programs_of_a_demonstration_leave_the_tables_of_the_file_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(settings, _FILE + _PROVIDER)
    for name, value in tree.build_environment(Settings(trunks=(), providers=())).items():
        monkeypatch.setenv(name, value)
    assert Settings().trunks == ()
    assert Settings().providers == ()
