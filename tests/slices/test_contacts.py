"""The endpoints of contacts, folders and the do-not-call list."""

import asyncio
from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.contacts import dnc_store, store
from tests.slices.conftest import BASE, Tenant, on_sqlite

CONTACTS = f"{BASE}/contacts"
FOLDERS = f"{CONTACTS}/folders"
DNC = f"{CONTACTS}/dnc"

# The documented request in its two spellings.
SPELLING_A = {
    "phone_number": "+12025550142",
    "first_name": "Ana",
    "last_name": "Silva",
    "email": "ana@example.com",
    "company_name": "Acme",
    "industry": "Trade",
    "location": "Lima",
    "pin_code": "15001",
    "keywords": "vip, north",
    "metadata": {"plan": "gold"},
}
SPELLING_B = {
    "phone_number": "+12025550142",
    "first_name": "Ana",
    "last_name": "Silva",
    "email": "ana@example.com",
    "custom_fields": {"plan": "gold"},
}
FIELDS_B = {
    "id",
    "name",
    "phone",
    "email",
    "folder_id",
    "custom_fields",
    "call_count",
    "last_called_at",
    "created_at",
    "updated_at",
}


async def create(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post(CONTACTS, json={"phone_number": "+12025550142", **body})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()["data"]
    return made


async def make_folder(client: httpx.AsyncClient, name: str = "Leads") -> str:
    response = await client.post(FOLDERS, json={"name": name})
    assert response.status_code == 201, response.text
    folder_id: str = response.json()["data"]["id"]
    return folder_id


async def count(client: httpx.AsyncClient, folder_id: str) -> int:
    contact_count: int = (await client.get(f"{FOLDERS}/{folder_id}")).json()["data"]["contact_count"]
    return contact_count


def refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {error["field"]: error["reason"] for error in response.json()["error"]["details"]["errors"]}


@pytest.mark.parametrize("body", [SPELLING_A, SPELLING_B], ids=["A", "B"])
async def test_either_spelling_makes_a_contact_in_the_default_folder(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    made = await create(client, **body)
    assert made.keys() >= FIELDS_B | {"phone_number", "first_name", "last_name", "metadata"}
    assert made["id"].startswith("cnt_")
    assert (made["name"], made["phone"], made["phone_number"]) == ("Ana Silva", "+12025550142", "+12025550142")
    assert made["custom_fields"] == made["metadata"] == {"plan": "gold"}
    assert (made["call_count"], made["last_called_at"], made["last_call_outcome"]) == (0, None, None)
    [folder] = (await client.get(FOLDERS)).json()["data"]
    assert (folder["id"], folder["is_default"], folder["contact_count"]) == (made["folder_id"], True, 1)
    assert (await client.get(f"{CONTACTS}/{made['id']}")).json()["data"] == made


@on_sqlite
async def test_a_name_in_one_a_national_number_and_a_list_of_keywords_are_read(client: httpx.AsyncClient) -> None:
    made = await create(
        client, phone_number="030 123456", country="de", name="Ana Maria Silva", keywords=["vip", " north "]
    )
    assert made["phone"] == "+4930123456"
    assert (made["first_name"], made["last_name"], made["name"]) == ("Ana", "Maria Silva", "Ana Maria Silva")
    assert made["keywords"] == "vip, north"
    assert (await create(client, phone_number="(202) 555-0143"))["phone"] == "+12025550143"


async def test_put_and_patch_change_only_what_is_sent(client: httpx.AsyncClient) -> None:
    made = await create(client, **SPELLING_A, timezone="America/Lima")
    one = f"{CONTACTS}/{made['id']}"
    for method, body in (("PATCH", {"name": "Bo"}), ("PUT", {"email": None, "phone_number": "2025550150"})):
        assert (await client.request(method, one, json=body)).status_code == 200
    changed = (await client.get(one)).json()["data"]
    assert (changed["first_name"], changed["last_name"], changed["email"]) == ("Bo", None, None)
    assert changed["phone"] == "+12025550150"
    for kept in ("company_name", "industry", "location", "pin_code", "keywords", "timezone", "custom_fields"):
        assert changed[kept] == made[kept]
    assert refused(await client.patch(one, json={"phone_number": None})).keys() == {"phone_number"}
    assert refused(await client.patch(one, json={"folder_id": None})).keys() == {"folder_id"}


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"phone_number": "12"}, "phone_number"),
        ({"phone": "+12025550142", "phone_number": "+12025550143"}, "body"),
        ({"email": "ana"}, "email"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"country": "XX"}, "country"),
        ({"first_name": "x" * 101}, "first_name"),
        ({"custom_fields": {"x": "y" * 20_000}}, "custom_fields"),
        ({"custom_fields": {f"c{number}": "" for number in range(101)}}, "custom_fields"),
        ({"custom_fields": {"": "x"}}, "custom_fields"),
        ({"name": "Bo", "first_name": "Ana"}, "body"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_bad_value_is_refused_by_name(client: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    assert refused(await client.post(CONTACTS, json={"phone_number": "+12025550142", **body})).keys() == {field}


async def test_a_contact_needs_a_number_and_a_folder_that_exists(client: httpx.AsyncClient) -> None:
    assert refused(await client.post(CONTACTS, json={})).keys() == {"phone_number"}
    response = await client.post(CONTACTS, json={"phone_number": "+12025550142", "folder_id": "folder_x"})
    assert response.status_code == 404
    assert (await client.post(CONTACTS, json={"first_name": "x" * 1_100_000})).status_code == 413


async def test_a_number_stands_in_a_folder_once(client: httpx.AsyncClient) -> None:
    first = await create(client)
    conflict = await client.post(CONTACTS, json={"phone_number": "+12025550142"})
    assert conflict.status_code == 409
    assert conflict.json()["error"]["details"]["contact_id"] == first["id"]
    folder_id = await make_folder(client)
    other = await create(client, folder_id=folder_id)
    back = await client.patch(f"{CONTACTS}/{other['id']}", json={"folder_id": first["folder_id"]})
    assert back.status_code == 409
    assert (await count(client, folder_id), await count(client, first["folder_id"])) == (1, 1)


async def test_moving_and_deleting_keep_the_counts(client: httpx.AsyncClient) -> None:
    first = await create(client)
    folder_id = await make_folder(client)
    moved = await client.patch(f"{CONTACTS}/{first['id']}", json={"folder_id": folder_id})
    assert moved.json()["data"]["folder_id"] == folder_id
    assert (await count(client, folder_id), await count(client, first["folder_id"])) == (1, 0)
    response = await client.delete(f"{CONTACTS}/{first['id']}")
    assert response.json()["data"] == {"id": first["id"], "deleted": True}
    assert (await client.delete(f"{CONTACTS}/{first['id']}")).status_code == 404
    assert await count(client, folder_id) == 0


@pytest.mark.parametrize("spelling", ["ids", "contact_ids"])
async def test_bulk_delete_tells_what_was_absent(client: httpx.AsyncClient, spelling: str) -> None:
    first, second = await create(client), await create(client, phone_number="+12025550143")
    ids = [second["id"], "cnt_x", first["id"], first["id"]]
    response = await client.post(f"{CONTACTS}/bulk-delete", json={spelling: ids})
    assert response.status_code == 201
    assert response.json()["data"] == {
        "deleted_count": 2,
        "failed_count": 1,
        "deleted_ids": [second["id"], first["id"]],
        "failed_ids": ["cnt_x"],
    }
    assert await count(client, first["folder_id"]) == 0
    assert refused(await client.post(f"{CONTACTS}/bulk-delete", json={})).keys() == {"ids"}


async def test_a_list_has_filters_and_both_styles_of_pages(tenant: Tenant) -> None:
    client = tenant.client
    folder_id = await make_folder(client)
    ana = await create(client, first_name="Ána", last_name="SILVA", folder_id=folder_id)
    bo = await create(client, phone_number="+12025550143", email="bo@shop.example")
    cy = await create(client, phone_number="+4930123456", folder_id=folder_id)
    async with tenant.database.write() as connection:
        await store.record_call(
            connection, tenant.organization_id, cy["id"], called_at=values.now_ms(), outcome="interested"
        )

    async def ids(**params: Any) -> list[str]:
        found = (await client.get(CONTACTS, params=params)).json()
        assert found["pagination"]["total"] == len(found["data"])
        return [contact["id"] for contact in found["data"]]

    assert await ids() == [cy["id"], bo["id"], ana["id"]]
    assert await ids(folder_id=folder_id) == [cy["id"], ana["id"]]
    assert await ids(search="silva áNA") == [ana["id"]]
    assert await ids(search="SHOP.ex") == [bo["id"]]
    assert await ids(search="2025550") == [bo["id"], ana["id"]]
    assert await ids(search="%") == []
    assert await ids(last_call_outcome="interested", folder_id=folder_id) == [cy["id"]]
    called = (await client.get(f"{CONTACTS}/{cy['id']}")).json()["data"]
    assert (called["call_count"], called["last_call_outcome"]) == (1, "interested")
    second = (await client.get(CONTACTS, params={"page": 2, "limit": 2})).json()
    assert [contact["id"] for contact in second["data"]] == [ana["id"]]
    expected = {"total": 3, "limit": 2, "offset": 2, "has_more": False, "page": 2, "pages": 2}
    assert second["pagination"] == expected
    by_offset = (await client.get(CONTACTS, params={"offset": 2, "limit": 2})).json()
    assert (by_offset["data"], by_offset["pagination"]) == (second["data"], expected)
    for params in ({"page": 0}, {"page": 1, "offset": 1}, {"limit": 101}, {"last_call_outcome": "x"}, {"search": " "}):
        refused(await client.get(CONTACTS, params=params))


async def test_folders_are_sorted_changed_and_deleted_with_their_contacts(client: httpx.AsyncClient) -> None:
    north, south = await make_folder(client, "north"), await make_folder(client, "South")
    made = await create(client, folder_id=south)
    by_name = (await client.get(FOLDERS, params={"sort_by": "name", "order": "asc"})).json()
    assert [folder["id"] for folder in by_name["data"]] == [north, south]
    fullest = (await client.get(FOLDERS, params={"sort_by": "contact_count", "limit": 1})).json()
    assert [folder["id"] for folder in fullest["data"]] == [south]
    assert fullest["pagination"] == {"total": 2, "limit": 1, "offset": 0, "has_more": True}
    for method, body in (("PUT", {"description": "Warm"}), ("PATCH", {"name": "East"})):
        assert (await client.request(method, f"{FOLDERS}/{south}", json=body)).status_code == 200
    changed = (await client.get(f"{FOLDERS}/{south}")).json()["data"]
    assert (changed["name"], changed["description"], changed["contact_count"]) == ("East", "Warm", 1)
    assert refused(await client.post(FOLDERS, json={"name": " "})).keys() == {"name"}
    assert refused(await client.patch(f"{FOLDERS}/{south}", json={"name": None})).keys() == {"name"}
    gone = await client.delete(f"{FOLDERS}/{south}")
    assert gone.json()["data"] == {"id": south, "deleted": True}
    assert (await client.get(f"{CONTACTS}/{made['id']}")).status_code == 404
    assert (await client.get(CONTACTS)).json()["pagination"]["total"] == 0
    assert (await client.delete(f"{FOLDERS}/{south}")).status_code == 404


async def test_creating_at_once_makes_one_default_folder_and_each_number_once(client: httpx.AsyncClient) -> None:
    bodies = [{"phone_number": f"+1202555014{number % 5}"} for number in range(20)]
    answers = await asyncio.gather(*(client.post(CONTACTS, json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 15
    [folder] = (await client.get(FOLDERS)).json()["data"]
    assert folder["contact_count"] == 5


async def test_a_repeated_request_creates_one_contact(client: httpx.AsyncClient) -> None:
    headers = {"X-Idempotency-Key": "once"}
    first = await client.post(CONTACTS, json=SPELLING_A, headers=headers)
    again = await client.post(CONTACTS, json=SPELLING_A, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (await client.post(CONTACTS, json=SPELLING_B, headers=headers)).status_code == 409


@on_sqlite
async def test_without_a_key_or_from_elsewhere_nothing_is_there(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient
) -> None:
    made = await create(tenant.client)
    await tenant.client.post(DNC, json={"phone_number": "+12025550142"})
    one, folder = f"{CONTACTS}/{made['id']}", f"{FOLDERS}/{made['folder_id']}"
    entry = f"{DNC}/+12025550142"
    for method, path, body in [
        ("GET", one, None),
        ("PUT", one, {}),
        ("PATCH", one, {}),
        ("DELETE", one, None),
        ("GET", folder, None),
        ("PUT", folder, {}),
        ("PATCH", folder, {}),
        ("DELETE", folder, None),
        ("GET", f"{CONTACTS}/export?folder_id={made['folder_id']}", None),
        ("GET", entry, None),
        ("DELETE", entry, None),
    ]:
        assert (await stranger.client.request(method, path, json=body)).status_code == 404, (method, path)
        assert (await anonymous.request(method, path, json=body)).status_code == 401, (method, path)
    for path in (CONTACTS, FOLDERS, DNC):
        assert (await stranger.client.get(path)).json()["pagination"]["total"] == 0
        assert (await anonymous.get(path)).status_code == 401
    for path in (CONTACTS, FOLDERS, DNC, f"{CONTACTS}/import", f"{DNC}/import", f"{DNC}/check"):
        assert (await anonymous.post(path, json={})).status_code == 401
    bulk = await stranger.client.post(f"{CONTACTS}/bulk-delete", json={"ids": [made["id"]]})
    assert bulk.json()["data"]["failed_ids"] == [made["id"]]
    assert (await tenant.client.get(one)).status_code == 200


async def test_the_do_not_call_list_holds_each_number_once(tenant: Tenant) -> None:
    client = tenant.client
    first = await client.post(DNC, json={"phone_number": "(202) 555-0142", "reason": "asked us"})
    assert first.status_code == 201
    assert first.json()["data"] == {"added_count": 1, "existing_count": 0, "phone_numbers": ["+12025550142"]}
    many = await client.post(
        DNC, json={"phone_numbers": ["+12025550142", "030 123456", "+4930123456"], "country": "DE"}
    )
    assert many.json()["data"] == {
        "added_count": 1,
        "existing_count": 1,
        "phone_numbers": ["+12025550142", "+4930123456"],
    }
    entry = (await client.get(f"{DNC}/+12025550142")).json()["data"]
    assert (entry["id"], entry["reason"], entry["source"]) == ("+12025550142", "asked us", "api")
    listed = (await client.get(DNC, params={"search": "493"})).json()
    assert [each["phone_number"] for each in listed["data"]] == ["+4930123456"]
    checked = await client.post(f"{DNC}/check", json={"phone_numbers": ["2025550142", "+12025550143"]})
    assert checked.json()["data"] == {"blocked": ["+12025550142"], "allowed": ["+12025550143"]}
    async with tenant.database.read() as connection:
        assert await dnc_store.is_blocked(connection, tenant.organization_id, "+4930123456")
        assert not await dnc_store.is_blocked(connection, "org_other", "+4930123456")
    assert (await client.delete(f"{DNC}/+4930123456")).json()["data"] == {"id": "+4930123456", "deleted": True}
    for path in (f"{DNC}/+4930123456", f"{DNC}/nobody"):
        assert (await client.get(path)).status_code == (await client.delete(path)).status_code == 404
    bad = await client.post(DNC, json={"phone_numbers": ["+12025550150", "12"]})
    assert refused(bad).keys() == {"phone_numbers.1"}
    assert (await client.get(DNC)).json()["pagination"]["total"] == 1
    assert refused(await client.post(DNC, json={})).keys() == {"phone_number"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_why_a_number_must_not_be_dialled_can_be_changed(tenant: Tenant, stranger: Tenant, method: str) -> None:
    one = f"{DNC}/+12025550142"
    await tenant.client.post(DNC, json={"phone_number": "+12025550142", "reason": "asked us"})
    before = (await tenant.client.get(one)).json()["data"]
    assert (await tenant.client.request(method, one, json={})).json()["data"] == before
    changed = await tenant.client.request(method, one, json={"reason": "asked twice"})
    assert (changed.status_code, changed.json()["data"]) == (200, {**before, "reason": "asked twice"})
    assert (await tenant.client.request(method, one, json={"reason": None})).json()["data"]["reason"] is None
    assert refused(await tenant.client.request(method, one, json={"reason": "x" * 501})).keys() == {"reason"}
    assert refused(await tenant.client.request(method, one, json={"source": "call"})).keys() == {"source"}
    assert (await stranger.client.request(method, one, json={"reason": "mine"})).status_code == 404
    assert (await tenant.client.request(method, f"{DNC}/nobody", json={"reason": "x"})).status_code == 404
    assert (await tenant.client.get(one)).json()["data"] == {**before, "reason": None}


async def test_a_national_number_is_read_in_the_organizations_own_country(tenant: Tenant, stranger: Tenant) -> None:
    client, national = tenant.client, {"phone_number": "030 901820"}
    assert (await client.patch(f"{BASE}/organization", json={"default_region": "DE"})).status_code == 200
    made = await create(client, **national)
    assert made["phone"] == "+4930901820"
    one = f"{CONTACTS}/{made['id']}"
    assert (await client.patch(one, json={"phone": "030 901821"})).json()["data"]["phone"] == "+4930901821"
    assert (await create(client, phone_number="(202) 555-0143", country="US"))["phone"] == "+12025550143"
    assert refused(await stranger.client.post(CONTACTS, json=national)).keys() == {"phone_number"}
    assert (await client.patch(f"{BASE}/organization", json={"default_region": None})).status_code == 200
    assert refused(await client.post(CONTACTS, json=national)).keys() == {"phone_number"}


@on_sqlite
async def test_the_do_not_call_list_reads_national_numbers_in_the_organizations_country(
    client: httpx.AsyncClient,
) -> None:
    await client.patch(f"{BASE}/organization", json={"default_region": "DE"})
    added = await client.post(DNC, json={"phone_number": "030 901820"})
    assert added.json()["data"]["phone_numbers"] == ["+4930901820"]
    checked = await client.post(f"{DNC}/check", json={"phone_numbers": ["030 901820", "030 901821"]})
    assert checked.json()["data"] == {"blocked": ["+4930901820"], "allowed": ["+4930901821"]}
    assert (await client.get(f"{DNC}/030901820")).json()["data"]["id"] == "+4930901820"
    assert (await client.delete(f"{DNC}/030901820")).json()["data"] == {"id": "+4930901820", "deleted": True}
