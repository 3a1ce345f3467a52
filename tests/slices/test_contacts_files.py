"""Imports and exports of contacts."""

import asyncio
import base64
import csv
import io
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ringdown.contacts import importing, models, rows
from tests.slices.conftest import BASE, Tenant, on_sqlite
from tests.slices.test_contacts import CONTACTS, DNC, FOLDERS, count, create, make_folder, refused

IMPORT = f"{CONTACTS}/import"


async def send(client: httpx.AsyncClient, content: str | bytes, **fields: str) -> dict[str, Any]:
    encoded = content.encode() if isinstance(content, str) else content
    response = await client.post(IMPORT, files={"file": ("people.csv", encoded, "text/csv")}, data=fields)
    assert response.status_code == 201, response.text
    result: dict[str, Any] = response.json()["data"]
    return result


async def list_people(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    people: list[dict[str, Any]] = (await client.get(CONTACTS)).json()["data"]
    return people


async def test_rows_become_contacts_and_bad_ones_are_told_by_row(client: httpx.AsyncClient) -> None:
    folder_id = await make_folder(client)
    content = (
        "phone,name,email,plan\n+12025550142,Ana Silva,ana@example.com,gold\n12,Bo,,\n,Cy,,\n"
        '"(202) 555-0143","Di\n2",,=1\n+12025550142,Twice,,\n+12025550144,Ed,ed,\n'
    )
    result = await send(client, content, folder_id=folder_id)
    details = result.pop("error_details")
    assert result == {
        "imported": 2,
        "updated": 0,
        "skipped": 1,
        "errors": 3,
        "successful": 2,
        "failed": 3,
        "folder_id": folder_id,
        "error_details_limit": 1000,
    }
    assert [(error["row"], error["phone"]) for error in details] == [(3, "12"), (4, None), (7, "+12025550144")]
    assert [error["reason"].partition(":")[0] for error in details] == ["phone_number", "phone", "email"]
    di, ana = await list_people(client)
    assert (ana["name"], ana["email"], ana["custom_fields"]) == ("Ana Silva", "ana@example.com", {"plan": "gold"})
    assert (di["phone"], di["custom_fields"]) == ("+12025550143", {"plan": "=1"})
    assert await count(client, folder_id) == 2


@on_sqlite
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252", "latin-1"])
async def test_a_file_of_any_encoding_is_read(client: httpx.AsyncClient, encoding: str) -> None:
    result = await send(
        client, "Telefon;Vorname\r\n030 123456;Zoë\r\n".replace("Telefon", "tel").encode(encoding), country="DE"
    )
    assert (result["imported"], result["errors"]) == (1, 0)
    [person] = await list_people(client)
    assert (person["phone"], person["custom_fields"]) == ("+4930123456", {"Vorname": "Zoë"})


@on_sqlite
async def test_a_file_without_country_is_read_in_the_organizations_own(client: httpx.AsyncClient) -> None:
    await client.patch(f"{BASE}/organization", json={"default_region": "DE"})
    content = b"phone\n030 901820\n"
    assert (await send(client, content))["imported"] == 1
    assert [person["phone"] for person in await list_people(client)] == ["+4930901820"]
    listed = await client.post(f"{DNC}/import", files={"file": ("dnc.csv", content)})
    assert listed.json()["data"]["imported"] == 1
    assert (await client.get(f"{DNC}/+4930901820")).status_code == 200


@on_sqlite
async def test_numbers_that_a_spreadsheet_wrote_as_decimals_keep_their_digits(client: httpx.AsyncClient) -> None:
    result = await send(client, "phone,name\n301234567.0,x\n49301234568.0,y\n", country="DE")
    assert (result["imported"], result["errors"]) == (2, 0)
    assert {person["phone"] for person in await list_people(client)} == {"+49301234567", "+49301234568"}


async def test_overwriting_changes_what_the_file_tells(client: httpx.AsyncClient) -> None:
    made = await create(client, first_name="Ana", email="ana@example.com", custom_fields={"plan": "gold", "age": 40})
    content = "phone,first_name,email,plan\n+12025550142,Anna,,silver\n+12025550143,Bo,,\n+12025550143,,bo@b.example,\n"
    assert (await send(client, content))["skipped"] == 2
    result = await send(client, content, overwrite_existing="true")
    assert (result["imported"], result["updated"], result["skipped"]) == (0, 3, 0)
    bo, ana = await list_people(client)
    assert ana["id"] == made["id"]
    assert (ana["first_name"], ana["email"]) == ("Anna", "ana@example.com")
    assert ana["custom_fields"] == {"plan": "silver", "age": 40}
    assert (bo["first_name"], bo["email"]) == ("Bo", "bo@b.example")


async def test_the_older_form_takes_a_file_in_base64_or_the_contacts(client: httpx.AsyncClient) -> None:
    file = base64.b64encode(b"Nummer,phone\n+12025550142,12\n").decode()
    mapping = {"Nummer": "phone_number", "phone": "desk"}
    response = await client.post(IMPORT, json={"base64_file": file, "filename": "a.csv", "mapping_config": mapping})
    assert (response.status_code, response.json()["data"]["imported"]) == (201, 1)
    people = [{"phone_number": "+12025550143", "metadata": {"plan": "gold"}}, {"phone_number": "+1"}, {"x": 1}]
    result = (await client.post(IMPORT, json={"contacts": people})).json()["data"]
    assert (result["imported"], [error["row"] for error in result["error_details"]]) == (1, [2, 3])
    assert [person["custom_fields"] for person in await list_people(client)] == [{"plan": "gold"}, {"desk": "12"}]
    assert refused(await client.post(IMPORT, json={})).keys() == {"base64_file"}
    assert (await client.post(IMPORT, json={"base64_file": file, "file_key": None})).status_code == 201
    assert "was sent before" in refused(await client.post(IMPORT, json={"file_key": "uploads/a.csv"}))["file_key"]
    assert refused(await client.post(IMPORT, json={"base64_file": "%"})).keys() == {"base64_file"}
    assert refused(await client.post(IMPORT, json={"file_key": "x"})).keys() == {"file_key"}


@on_sqlite
async def test_what_is_no_import_is_refused(client: httpx.AsyncClient) -> None:
    file = {"file": ("a.csv", b"phone\n+12025550142\n")}
    assert refused(await client.post(IMPORT, files={"other": ("a.csv", b"x")})).keys() == {"file"}
    assert refused(await client.post(IMPORT, files=file, data={"colour": "red"})).keys() == {"colour"}
    assert refused(await client.post(IMPORT, files=file, data={"country": "XX"})).keys() == {"country"}
    assert refused(await client.post(IMPORT, files=file, data={"country": "D\0"})).keys() == {"country"}
    for content in (b"", b"name\nAna\n", b'phone\n+12025550142\n"', b"PK\x03\x04"):
        assert refused(await client.post(IMPORT, files={"file": ("a.csv", content)})).keys() == {"file"}
    assert (await client.post(IMPORT, files=file, data={"folder_id": "folder_x"})).status_code == 404
    broken = await client.post(IMPORT, content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "bad_request")
    assert (await client.post(IMPORT)).status_code == 400
    assert await list_people(client) == []


@on_sqlite
async def test_a_file_over_fifty_megabytes_is_refused_while_it_comes(client: httpx.AsyncClient) -> None:
    sent = 0

    async def pour() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for _ in range(80):
            sent += 1
            yield b"x" * 1024 * 1024

    response = await client.post(IMPORT, content=pour(), headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "payload_too_large")
    assert sent < 60


async def test_a_repeated_import_is_done_once_whatever_its_boundary(client: httpx.AsyncClient) -> None:
    headers = {"X-Idempotency-Key": "once"}
    first = await client.post(IMPORT, files={"file": ("a.csv", b"phone\n+12025550142\n")}, headers=headers)
    again = await client.post(IMPORT, files={"file": ("a.csv", b"phone\n+12025550142\n")}, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert first.json()["data"]["imported"] == 1
    other = await client.post(IMPORT, files={"file": ("a.csv", b"phone\n+12025550143\n")}, headers=headers)
    assert other.status_code == 409


async def test_imports_at_once_store_each_number_once(client: httpx.AsyncClient) -> None:
    content = "phone\n" + "".join(f"+1202555{number:04}\n" for number in range(1500))
    results = await asyncio.gather(*(send(client, content) for _ in range(3)))
    assert sum(result["imported"] for result in results) == 1500
    assert sum(result["skipped"] for result in results) == 3000
    [folder] = (await client.get(FOLDERS)).json()["data"]
    assert folder["contact_count"] == (await client.get(CONTACTS)).json()["pagination"]["total"] == 1500


async def test_an_import_that_is_cut_off_is_finished_by_sending_it_again(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "phone\n" + "".join(f"+1202555{number:04}\n" for number in range(2500))
    real = importing.store.insert_rows
    stored = 0

    async def fail_second(*arguments: Any) -> None:
        nonlocal stored
        stored += 1
        if stored == 2:
            raise ConnectionError("the database is gone")
        await real(*arguments)

    monkeypatch.setattr(importing.store, "insert_rows", fail_second)
    headers = {"X-Idempotency-Key": "once"}
    sent = {"file": ("people.csv", content.encode())}
    assert (await client.post(IMPORT, files=sent, headers=headers)).status_code == 503
    [folder] = (await client.get(FOLDERS)).json()["data"]
    assert folder["contact_count"] == 1000
    again = (await client.post(IMPORT, files=sent, headers=headers)).json()["data"]
    assert (again["imported"], again["skipped"], again["errors"]) == (1500, 1000, 0)
    assert (await client.get(CONTACTS)).json()["pagination"]["total"] == 2500


async def test_errors_are_listed_up_to_a_limit_and_rows_taken_up_to_one(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MAX_LISTED_ERRORS", 3)
    monkeypatch.setattr(models, "MAX_IMPORTED_ROWS", 5)
    result = await send(client, "phone\n" + "12\n" * 5)
    assert (result["errors"], len(result["error_details"]), result["error_details_limit"]) == (5, 3, 3)
    response = await client.post(IMPORT, files={"file": ("a.csv", b"phone\n" + b"12\n" * 6)})
    assert "at most 5 rows" in refused(response)["file"]


async def test_a_large_import_takes_little_memory(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_BATCH_ROWS", 100)  # few rows, as watching memory takes long
    line = "+1202{:07},Ana,Silva,ana@example.com,{}\n"
    content = "phone,first_name,last_name,email,note\n" + "".join(line.format(n, "x" * 3000) for n in range(4000))
    target = await importing.find_target(
        tenant.database, organization_id=tenant.organization_id, folder_id=None, region="US"
    )
    file = io.BytesIO(content.encode())
    tracemalloc.start()
    try:
        result = await importing.import_contacts(
            tenant.database, rows.read_csv(file, field="file"), target=target, overwrite_existing=False
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.imported == 4000
    assert peak < 6_000_000  # the rows alone are twice as much


async def test_an_export_is_imported_again_as_it_was(client: httpx.AsyncClient) -> None:
    await create(
        client,
        name="=HYPERLINK(1)",
        company_name='O\'Hara, "Sons"\nLtd',
        timezone="America/Lima",
        custom_fields={"plan": "@gold", "city": "Lima", "n": 1, "=x": "y", "deep": {"a": [1]}, "blank": " "},
    )
    await create(client, phone_number="+12025550143", custom_fields={"other": "'=1"})
    response = await client.get(f"{CONTACTS}/export")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    header, *written = csv.reader(io.StringIO(response.text))
    assert header[0] == "phone_number"
    assert [cells[0] for cells in written] == ["+12025550142", "+12025550143"]
    assert not any(cell.startswith(("=", "@", "-")) for cells in (header, *written) for cell in cells)
    before = await list_people(client)
    assert (await client.delete(f"{FOLDERS}/{before[0]['folder_id']}")).status_code == 200
    assert (await send(client, response.text))["imported"] == 2
    unlike = {"id", "folder_id", "created_at", "updated_at"}
    after = await list_people(client)
    assert [{key: person[key] for key in person.keys() - unlike} for person in after] == [
        {key: person[key] for key in person.keys() - unlike} for person in before
    ]


async def test_an_export_may_hold_one_folder(client: httpx.AsyncClient) -> None:
    folder_id = await make_folder(client)
    await create(client, folder_id=folder_id, custom_fields={"plan": "gold"})
    await create(client, phone_number="+12025550143", custom_fields={"other": "x"})
    written = list(csv.DictReader(io.StringIO((await client.get(f"{CONTACTS}/export?folder_id={folder_id}")).text)))
    assert [(row["phone_number"], row["plan"]) for row in written] == [("+12025550142", "gold")]
    assert "other" not in written[0]


async def test_numbers_that_must_not_be_called_are_imported_with_their_reason(client: httpx.AsyncClient) -> None:
    await client.post(DNC, json={"phone_number": "+12025550142"})
    content = b"Phone,Name,reason\n2025550142,Ana,late\n2025550143,Bo,asked\n2025550143,Bo,again\n12,Cy,\n"
    response = await client.post(f"{DNC}/import", files={"file": ("dnc.csv", content)})
    result = response.json()["data"]
    assert (response.status_code, result["imported"], result["skipped"], result["errors"]) == (201, 1, 2, 1)
    assert [error["row"] for error in result["error_details"]] == [5]
    assert (await client.get(f"{DNC}/+12025550143")).json()["data"]["reason"] == "asked"
    assert (await client.post(f"{DNC}/import", json={})).status_code == 400


async def test_json_that_is_none_in_a_cell_is_told_by_row(client: httpx.AsyncClient) -> None:
    cells = ("NaN", "1e999", "-Infinity")
    content = "phone;custom_fields\n" + "".join(f'+1202555014{at};{{"a":{text}}}\n' for at, text in enumerate(cells))
    result = await send(client, content)
    assert (result["imported"], result["errors"]) == (0, len(cells))


@pytest.mark.parametrize(
    ("charset", "text"), [("utf-7", b"+2AA-"), ("unicode_escape", b"\\ud800"), ("punycode", b"\xff")]
)
async def test_a_form_in_an_odd_charset_is_refused(client: httpx.AsyncClient, charset: str, text: bytes) -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="folder_id"\r\n\r\n' + text + b"\r\n--X--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary=X; charset={charset}"}
    assert (await client.post(IMPORT, content=body, headers=headers)).status_code in (400, 422)
