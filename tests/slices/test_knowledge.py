"""Knowledge bases over HTTP: created in every spelling, listed, changed, deleted, their sources added and removed."""

import base64
from typing import Any

import httpx
import pytest

from ringdown.knowledge.documents import DocumentStore
from ringdown.knowledge.models import MAX_DOCUMENT_BYTES
from tests.fakes import documents as samples
from tests.slices.conftest import BASE, Tenant, on_sqlite

BASES = f"{BASE}/knowledge-bases"
NOBODY = "kb_00000000000000000000000000"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def create(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    response = await tenant.client.post(BASES, json={"name": "Help"} | fields)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()["data"]
    return created


async def add(tenant: Tenant, base_id: str, kind: str, **fields: Any) -> dict[str, Any]:
    response = await tenant.client.post(f"{BASES}/{base_id}/sources/{kind}", json={"name": "Source"} | fields)
    assert response.status_code == 201, response.text
    source: dict[str, Any] = response.json()["data"]
    return source


def refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {item["field"]: item["reason"] for item in response.json()["error"]["details"]["errors"]}


async def test_an_empty_knowledge_base_is_ready_and_has_the_documented_fields(tenant: Tenant) -> None:
    base = await create(tenant, description="What callers ask for.")
    assert list(base) == [
        "id", "name", "description", "status", "source_count", "chunk_count", "embedding_model", "created_at",
        "updated_at",
    ]  # fmt: skip
    assert base["id"].startswith("kb_")
    assert (base["name"], base["description"], base["status"]) == ("Help", "What callers ask for.", "ready")
    assert (base["source_count"], base["chunk_count"], base["embedding_model"]) == (0, 0, None)
    assert (await tenant.client.get(f"{BASES}/{base['id']}")).json()["data"] == base


@pytest.mark.parametrize(
    ("content", "filename", "stored"),
    [
        ("We open at nine.", "hours.txt", b"We open at nine."),
        (encode(b"We open at nine."), "hours.txt", b"We open at nine."),
        ("data:text/plain;base64," + encode(b"We open at nine."), None, b"We open at nine."),
        ("test", "four-letters.txt", b"test"),
        ("# Title", None, b"# Title"),
        (encode(b"%PDF-1.4 x"), None, b"%PDF-1.4 x"),
        (encode(b"PK\x03\x04 x"), "a.docx", b"PK\x03\x04 x"),
    ],
)
async def test_a_knowledge_base_made_with_a_file_is_processing(
    tenant: Tenant, content: str, filename: str | None, stored: bytes
) -> None:
    fields = {"file_content": content} | ({"file_name": filename} if filename else {})
    base = await create(tenant, **fields)
    assert (base["status"], base["source_count"]) == ("processing", 1)
    [source] = (await tenant.client.get(f"{BASES}/{base['id']}/sources")).json()["data"]
    assert (source["kind"], source["status"], source["size_bytes"]) == ("document", "processing", len(stored))
    lying = DocumentStore.open(tenant.settings)
    assert [path.read_bytes() for path in (tenant.settings.data_dir / "knowledge").rglob("src_*")] == [stored]
    assert lying


async def test_bases_are_listed_newest_first_and_found_by_part_of_their_name(tenant: Tenant) -> None:
    ids = [(await create(tenant, name=name))["id"] for name in ("Prices", "Hours 100%", "PRICES 2")]
    listed = (await tenant.client.get(BASES, params={"limit": 2})).json()
    assert [base["id"] for base in listed["data"]] == [ids[2], ids[1]]
    assert listed["pagination"] == {"total": 3, "limit": 2, "offset": 0, "has_more": True}
    found = (await tenant.client.get(BASES, params={"name": "price"})).json()["data"]
    assert [base["id"] for base in found] == [ids[2], ids[0]]
    assert [base["id"] for base in (await tenant.client.get(BASES, params={"name": "0%"})).json()["data"]] == [ids[1]]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_name_and_description_are_changed_as_far_as_they_are_sent(tenant: Tenant, method: str) -> None:
    base = await create(tenant, description="Old.")
    url = f"{BASES}/{base['id']}"
    changed = (await tenant.client.request(method, url, json={"name": "New"})).json()["data"]
    assert (changed["name"], changed["description"]) == ("New", "Old.")
    changed = (await tenant.client.request(method, url, json={"name": None, "description": None})).json()["data"]
    assert (changed["name"], changed["description"]) == ("New", None)


async def test_a_deleted_base_is_gone_with_its_sources(tenant: Tenant) -> None:
    base = await create(tenant, file_content="We open at nine.")
    [source] = (await tenant.client.get(f"{BASES}/{base['id']}/sources")).json()["data"]
    deleted = await tenant.client.delete(f"{BASES}/{base['id']}")
    assert deleted.json()["data"] == {"id": base["id"], "deleted": True}
    for path in ("", "/sources", f"/sources/{source['id']}"):
        assert (await tenant.client.get(f"{BASES}/{base['id']}{path}")).status_code == 404
    assert (await tenant.client.delete(f"{BASES}/{base['id']}")).status_code == 404


async def test_sources_of_every_kind_are_added_and_shown(tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    file = {"filename": "hours.md", "content_type": "text/plain", "data": encode(b"# Hours")}
    document = await add(tenant, base_id, "document", file=file, description="When.")
    assert document["id"].startswith("src_")
    assert (document["kind"], document["name"], document["description"]) == ("document", "Source", "When.")
    assert (document["filename"], document["content_type"], document["size_bytes"]) == ("hours.md", "text/plain", 7)
    assert (document["status"], document["progress"], document["error"]) == ("processing", 0, None)
    text = await add(tenant, base_id, "text", content="We open at nine.")
    assert (text["kind"], text["size_bytes"], text["urls"]) == ("text", 16, None)
    web = await add(tenant, base_id, "web", startUrls=["HTTPS://Example.com:443/help#top"], maxDepth=2, maxDocuments=9)
    assert (web["kind"], web["urls"]) == ("web", ["https://example.com/help"])
    assert (web["max_depth"], web["max_pages"]) == (2, 9)
    listed = (await tenant.client.get(f"{BASES}/{base_id}/sources")).json()
    assert listed["data"] == [web, text, document]
    assert (await tenant.client.get(f"{BASES}/{base_id}/sources/{text['id']}")).json()["data"] == text
    none = (await tenant.client.get(f"{BASES}/{base_id}/sources", params={"status": "ready"})).json()
    assert (none["data"], none["pagination"]["total"]) == ([], 0)


async def test_all_urls_are_fetched_when_there_are_more_than_the_default_of_pages(tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    urls = [f"https://example.com/{number}" for number in range(60)]
    assert (await add(tenant, base_id, "web", urls=urls))["max_pages"] == 60
    assert (await add(tenant, base_id, "web", urls=urls, max_pages=5))["max_pages"] == 5


async def test_a_repeated_request_with_an_idempotency_key_adds_nothing(tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    headers = {"X-Idempotency-Key": "once"}
    body = {"name": "Hours", "text": "We open at nine."}
    url = f"{BASES}/{base_id}/sources/text"
    first = await tenant.client.post(url, json=body, headers=headers)
    again = await tenant.client.post(url, json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (await tenant.client.get(f"{BASES}/{base_id}")).json()["data"]["source_count"] == 1
    other = await tenant.client.post(url, json=body | {"text": "Other."}, headers=headers)
    assert other.status_code == 409


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "x", "description": "x" * 1001}, "description"),
        ({"name": "x", "file_name": "a.txt"}, "file_content"),
        ({"name": "x", "file_content": ""}, "file_content"),
        ({"name": "x", "file_content": "hello", "file_name": "a.pdf"}, "file_content"),
        ({"name": "x", "file_content": "hello", "file_name": "a.exe"}, "file_name"),
        ({"name": "x", "colour": "red"}, "colour"),
    ],
)
async def test_a_bad_knowledge_base_is_refused_by_field(tenant: Tenant, body: dict[str, Any], field: str) -> None:
    assert list(refused(await tenant.client.post(BASES, json=body))) == [field]
    assert (await tenant.client.get(BASES)).json()["pagination"]["total"] == 0


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("document", {"name": "x"}, "file"),
        ("document", {"name": "x", "file": {"filename": "a.txt"}}, "file.data"),
        ("document", {"name": "x", "file": {"filename": "a.txt", "data": "%%%"}}, "file.data"),
        ("document", {"name": "x", "file": {"filename": "a.txt", "data": ""}}, "file.data"),
        ("document", {"name": "x", "file": {"filename": "a.exe", "data": "TVo="}}, "file.content_type"),
        ("text", {"name": "x", "text": " "}, "text"),
        ("text", {"name": "x", "text": "x", "format": "pdf"}, "format"),
        ("web", {"name": "x", "urls": []}, "urls"),
        ("web", {"name": "x", "urls": ["ftp://example.com"]}, "urls.0"),
        ("web", {"name": "x", "urls": ["https://me:secret@example.com"]}, "urls.0"),
        ("web", {"name": "x", "urls": ["https://example.com"], "max_depth": 6}, "max_depth"),
        ("web", {"name": "x", "urls": ["https://example.com"], "max_pages": 501}, "max_pages"),
        ("web", {"name": "x", "urls": ["https://example.com"], "max_pages": True}, "max_pages"),
    ],
)
async def test_a_bad_source_is_refused_by_field(tenant: Tenant, kind: str, body: dict[str, Any], field: str) -> None:
    base_id = (await create(tenant))["id"]
    assert list(refused(await tenant.client.post(f"{BASES}/{base_id}/sources/{kind}", json=body))) == [field]
    assert (await tenant.client.get(f"{BASES}/{base_id}")).json()["data"]["source_count"] == 0


@on_sqlite
async def test_a_document_of_exactly_50_mb_is_taken_and_one_byte_more_is_413(tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    url = f"{BASES}/{base_id}/sources/document"
    file = {"filename": "big.txt", "data": encode(b"a" * MAX_DOCUMENT_BYTES)}
    taken = await tenant.client.post(url, json={"name": "Big", "file": file})
    assert taken.status_code == 201
    assert taken.json()["data"]["size_bytes"] == MAX_DOCUMENT_BYTES
    file["data"] = encode(b"a" * (MAX_DOCUMENT_BYTES + 1))
    refusal = await tenant.client.post(url, json={"name": "Big", "file": file})
    assert refusal.status_code == 413
    assert refusal.json()["error"]["code"] == "payload_too_large"
    assert refusal.json()["error"]["details"] == {"limit_bytes": MAX_DOCUMENT_BYTES}


async def test_a_body_far_over_the_limit_is_413_before_it_is_read(tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]

    async def never() -> Any:
        raise AssertionError("the body was read")
        yield b""

    headers = {"Content-Length": str(100 * 1024 * 1024)}
    url = f"{BASES}/{base_id}/sources/document"
    assert (await tenant.client.post(url, content=never(), headers=headers)).status_code == 413
    web = await tenant.client.post(f"{BASES}/{base_id}/sources/web", content=b"{" + b" " * 1024 * 1024 + b"}")
    assert web.status_code == 413


@on_sqlite
async def test_nothing_is_told_without_a_key(anonymous: httpx.AsyncClient) -> None:
    one = f"/{NOBODY}"
    for method, path in [
        ("GET", ""),
        ("POST", ""),
        *((method, one) for method in ("GET", "PUT", "PATCH", "DELETE")),
        *(("POST", f"{one}/{action}") for action in ("sources/document", "sources/web", "sources/text", "query")),
        *((method, f"{one}/sources/src_x") for method in ("GET", "DELETE")),
        ("GET", f"{one}/sources"),
    ]:
        assert (await anonymous.request(method, BASES + path)).status_code == 401, (method, path)


_BODIES: dict[tuple[str, str], dict[str, Any] | None] = {
    ("GET", ""): None,
    ("PUT", ""): {"name": "Taken"},
    ("PATCH", ""): {"name": "Taken"},
    ("DELETE", ""): None,
    ("GET", "/sources"): None,
    ("POST", "/sources/document"): {"name": "x", "file": {"filename": "a.txt", "data": "aGVsbG8="}},
    ("POST", "/sources/web"): {"name": "x", "urls": ["https://example.com"]},
    ("POST", "/sources/text"): {"name": "x", "text": "x"},
    ("POST", "/query"): {"query": "hours"},
}


async def test_a_base_of_another_organization_is_absent(tenant: Tenant, stranger: Tenant) -> None:
    base = await create(tenant)
    for base_id in (base["id"], NOBODY):
        for (method, path), body in _BODIES.items():
            response = await stranger.client.request(method, f"{BASES}/{base_id}{path}", json=body)
            assert response.status_code == 404, (method, path, response.text)
    assert (await tenant.client.get(f"{BASES}/{base['id']}")).json()["data"] == base
    assert not [path for path in (tenant.settings.data_dir / "knowledge").rglob("*") if path.is_file()]


async def test_a_source_is_found_only_in_its_own_base_and_organization(tenant: Tenant, stranger: Tenant) -> None:
    base_id, other_id = (await create(tenant))["id"], (await create(tenant))["id"]
    source = await add(tenant, base_id, "text", text="We open at nine.")
    url = f"/sources/{source['id']}"
    for client, parent in ((tenant.client, other_id), (stranger.client, base_id)):
        assert (await client.get(f"{BASES}/{parent}{url}")).status_code == 404
        assert (await client.delete(f"{BASES}/{parent}{url}")).status_code == 404
    assert (await tenant.client.get(f"{BASES}/{base_id}{url}")).json()["data"] == source


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "query"), ({"query": ""}, "query"), ({"query": "x", "limit": 0}, "limit"), ({"query": "x" * 2001}, "query")],
)
async def test_a_bad_query_is_refused_by_field(tenant: Tenant, body: dict[str, Any], field: str) -> None:
    base_id = (await create(tenant))["id"]
    assert list(refused(await tenant.client.post(f"{BASES}/{base_id}/query", json=body))) == [field]


async def test_docx_is_told_by_its_content_type_and_by_its_first_bytes(tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    data = encode(samples.make_docx([(0, "Hello.")]))
    for file in ({"filename": "a", "content_type": DOCX, "data": data}, {"filename": "a", "data": data}):
        assert (await add(tenant, base_id, "document", file=file))["size_bytes"] > 1000
