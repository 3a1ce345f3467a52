"""Organizations and their keys on both databases."""

import asyncio

import httpx
import pytest

from ringdown import values
from ringdown.accounts import keys, service, store
from ringdown.accounts.store import Organization
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.errors import Conflict, Forbidden, NotFound, Unauthorized, ValidationFailed
from tests import web_app
from tests.slices.conftest import on_sqlite
from tests.web_app import Things


@pytest.fixture
async def organization(database: Database) -> Organization:
    return await service.create_organization(database, name="Acme")


async def test_a_new_key_stands_for_its_organization(database: Database, organization: Organization) -> None:
    key, text = await service.create_key(database, organization_id=organization.id, name="first")
    caller = await service.authenticate(database, text, "127.0.0.1")
    assert (caller.organization_id, caller.key_id) == (organization.id, key.id)


async def test_the_key_itself_is_not_stored(database: Database, organization: Organization) -> None:
    _, text = await service.create_key(database, organization_id=organization.id, name="first")
    [stored] = await service.list_keys(database, organization_id=organization.id)
    assert text not in repr(stored)
    assert stored.key_hash == keys.hash_key(text)
    assert text.startswith(stored.key_hint)


async def test_a_key_name_is_unique_in_its_organization_until_it_is_revoked(
    database: Database, organization: Organization
) -> None:
    other = await service.create_organization(database, name="Other")
    await service.create_key(database, organization_id=organization.id, name="same")
    await service.create_key(database, organization_id=other.id, name="same")
    with pytest.raises(Conflict):
        await service.create_key(database, organization_id=organization.id, name=" same ")
    await service.revoke_key(database, organization_id=organization.id, name_or_id="same")
    await service.create_key(database, organization_id=organization.id, name="same")


async def test_a_revoked_key_is_refused_and_cannot_be_revoked_twice(
    database: Database, organization: Organization
) -> None:
    key, text = await service.create_key(database, organization_id=organization.id, name="first")
    assert await service.revoke_key(database, organization_id=organization.id, name_or_id=key.id) == key.id
    with pytest.raises(Unauthorized):
        await service.authenticate(database, text, None)
    with pytest.raises(NotFound):
        await service.revoke_key(database, organization_id=organization.id, name_or_id=key.id)


async def test_another_organization_cannot_revoke_a_key(database: Database, organization: Organization) -> None:
    other = await service.create_organization(database, name="Other")
    _, text = await service.create_key(database, organization_id=organization.id, name="first")
    with pytest.raises(NotFound):
        await service.revoke_key(database, organization_id=other.id, name_or_id="first")
    await service.authenticate(database, text, None)


@on_sqlite
async def test_an_allow_list_binds_a_key_to_addresses(database: Database, organization: Organization) -> None:
    _, text = await service.create_key(
        database, organization_id=organization.id, name="office", allow_list=("10.1.0.0/16", "2001:db8::7")
    )
    for address in ("10.1.2.3", "2001:db8::7", "::ffff:10.1.2.3"):
        await service.authenticate(database, text, address)
    for address in ("10.2.0.1", "2001:db8::8", None, "unix"):
        with pytest.raises(Forbidden):
            await service.authenticate(database, text, address)


@on_sqlite
async def test_bad_names_addresses_and_limits_are_refused(database: Database, organization: Organization) -> None:
    for field, arguments in (
        ("name", {"name": "  "}),
        ("name", {"name": "x" * 256}),
        ("allow_list", {"name": "a", "allow_list": ("10.0.0.0/33",)}),
        ("requests_per_minute", {"name": "a", "requests_per_minute": 0}),
    ):
        with pytest.raises(ValidationFailed) as caught:
            await service.create_key(database, organization_id=organization.id, **arguments)  # type: ignore[arg-type]
        assert caught.value.errors[0].field == field
    with pytest.raises(NotFound):
        await service.create_key(database, organization_id="org_absent", name="a")


async def test_the_last_use_is_written_at_most_once_a_minute(
    database: Database, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_at = values.now_ms()
    _, text = await service.create_key(database, organization_id=organization.id, name="first")
    seen = []
    for later_ms in (0, 59_000, 61_000):
        monkeypatch.setattr(values, "now_ms", lambda later_ms=later_ms: start_at + later_ms)
        await service.authenticate(database, text, None)
        [key] = await service.list_keys(database, organization_id=organization.id)
        seen.append(None if key.last_used_at is None else key.last_used_at - start_at)
    assert seen == [0, 0, 61_000]


async def test_a_last_use_that_cannot_be_written_does_not_refuse_the_request(
    sqlite_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:

    database = engine.open_database(sqlite_url)
    organization = await service.create_organization(database, name="Acme")
    key, text = await service.create_key(database, organization_id=organization.id, name="first")

    async def refuse(*_arguments: object, **_named: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(store, "touch_api_key", refuse)
    assert (await service.authenticate(database, text, None)).key_id == key.id
    await database.close()


async def test_call_numbers_are_handed_out_once_each(database: Database, organization: Organization) -> None:
    async def take() -> int:
        async with database.write() as connection:
            seq, _ = await store.take_call_seq(connection, organization.id, values.now_ms())
            return seq

    taken = await asyncio.gather(*(take() for _ in range(20)))
    assert sorted(taken) == list(range(1, 21))


async def test_calls_are_created_in_the_order_of_their_numbers_though_the_clock_is_set_back(
    database: Database, organization: Organization
) -> None:
    taken = []
    for now_ms in (1_000, 3_000, 2_000, 3_001):
        async with database.write() as connection:
            taken.append(await store.take_call_seq(connection, organization.id, now_ms))
    assert taken == [(1, 1_000), (2, 3_000), (3, 3_000), (4, 3_001)]


async def test_over_http_the_address_list_answers_403(database: Database, settings: Settings) -> None:
    app = web_app.build_app(settings=settings, database=database, things=Things())
    inside = await web_app.create_key(database, allow_list=("203.0.113.0/24",))
    outside = await web_app.create_key(database, allow_list=("198.51.100.7",))
    statuses: list[httpx.Response] = []
    for key in (inside, outside):
        async with web_app.open_client(app, key=key) as client:
            statuses.append(await client.get("/things"))
    assert [response.status_code for response in statuses] == [200, 403]
    assert statuses[1].json()["error"]["code"] == "forbidden"
