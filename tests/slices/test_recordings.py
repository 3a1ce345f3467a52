"""Recording links: signed, expiring, and served in parts."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from ringdown import values
from ringdown.api import app
from ringdown.calls.recording import RecordingLinks, RecordingStore
from tests.slices.conftest import BASE, Tenant, on_sqlite

AUDIO = bytes(range(256)) * 1000


@pytest.fixture
async def link(tenant: Tenant, recordings: RecordingStore, tmp_path: Path) -> AsyncIterator[str]:
    """The path and query of the link to a stored recording."""
    call = await tenant.add_call(seq=1, has_recording=True, duration_seconds=32)
    path = tmp_path / "audio.mp3"
    path.write_bytes(AUDIO)
    await recordings.save(tenant.organization_id, call.id, path)
    url = (await tenant.client.get(f"{BASE}/calls/{call.id}")).json()["data"]["recording_url"]
    yield url.removeprefix("https://calls.example")


def _change(link: str, **changes: str) -> str:
    parts = urlsplit(link)
    query = {name: found[0] for name, found in parse_qs(parts.query).items()} | changes
    return f"{parts.path}?{urlencode(query)}"


async def test_the_link_needs_no_key_and_gives_the_whole_mp3(link: str, anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.get(link)
    assert response.status_code == 200
    assert response.content == AUDIO
    assert response.headers["content-type"] == "audio/mpeg"
    assert response.headers["content-length"] == str(len(AUDIO))
    assert response.headers["accept-ranges"] == "bytes"


@on_sqlite
async def test_head_tells_the_size_without_the_audio(link: str, anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.head(link, headers={"Range": "bytes=0-9"})
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(AUDIO))


@on_sqlite
@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=255000-", 255_000, 256_000),
        ("bytes=255990-999999999", 255_990, 256_000),
        ("bytes=-10", 255_990, 256_000),
        ("bytes=-999999999", 0, 256_000),
        ("Bytes = 5-6", 5, 7),
    ],
)
async def test_a_range_gives_that_part(
    link: str, anonymous: httpx.AsyncClient, header: str, start: int, end: int
) -> None:
    response = await anonymous.get(link, headers={"Range": header})
    assert response.status_code == 206
    assert response.content == AUDIO[start:end]
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{len(AUDIO)}"
    assert response.headers["content-length"] == str(end - start)


@on_sqlite
@pytest.mark.parametrize("header", ["bytes=256000-", "bytes=999999999-1000000000", "bytes=-0"])
async def test_a_range_after_the_end_is_416_with_the_size(link: str, anonymous: httpx.AsyncClient, header: str) -> None:
    response = await anonymous.get(link, headers={"Range": header})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(AUDIO)}"
    error = response.json()["error"]
    assert (error["code"], error["details"]["field"]) == ("validation_error", "Range")


@on_sqlite
@pytest.mark.parametrize("header", ["bytes=9-5", "items=0-1", "bytes=a-b", "bytes=0-1,5-6", "", "bytes=", "bytes=-"])
async def test_a_range_that_is_not_one_is_ignored(link: str, anonymous: httpx.AsyncClient, header: str) -> None:
    response = await anonymous.get(link, headers={"Range": header})
    assert (response.status_code, len(response.content)) == (200, len(AUDIO))


async def test_if_range_gives_a_part_of_the_same_file_only(link: str, anonymous: httpx.AsyncClient) -> None:
    etag = (await anonymous.head(link)).headers["etag"]
    same = await anonymous.get(link, headers={"Range": "bytes=0-9", "If-Range": etag})
    other = await anonymous.get(link, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


@on_sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "0" * 64},
        {"signature": ""},
        {"signature": "é"},
        {"expires": "99999999999"},
        {"expires": "never"},
        {"organization": "org_00000000000000000000000000"},
    ],
)
async def test_a_changed_link_is_forbidden(link: str, anonymous: httpx.AsyncClient, changes: dict[str, str]) -> None:
    response = await anonymous.get(_change(link, **changes))
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert response.headers["x-request-id"] == response.json()["meta"]["request_id"]


async def test_a_link_opens_no_other_call(link: str, tenant: Tenant, anonymous: httpx.AsyncClient) -> None:
    other = await tenant.add_call(seq=2, has_recording=True)
    response = await anonymous.get(f"/recordings/{other.id}.mp3?{urlsplit(link).query}")
    assert response.status_code == 403
    assert (await anonymous.get(urlsplit(link).path)).status_code == 403


async def test_a_link_expires(tenant: Tenant, anonymous: httpx.AsyncClient) -> None:
    call = await tenant.add_call(seq=1, has_recording=True)
    signer = await RecordingLinks(tenant.database, tenant.settings).get_signer()
    long_ago = values.now_ms() // 1000 - tenant.settings.recording_link_seconds - 2
    url = signer.sign(tenant.organization_id, call.id, now_seconds=long_ago)
    response = await anonymous.get(url.removeprefix("https://calls.example"))
    assert response.status_code == 403
    assert "expired" in response.json()["error"]["message"]


async def test_a_good_link_to_a_deleted_call_is_not_found(
    link: str, tenant: Tenant, anonymous: httpx.AsyncClient
) -> None:
    call_id = urlsplit(link).path.removeprefix("/recordings/").removesuffix(".mp3")
    assert (await tenant.client.delete(f"{BASE}/calls/{call_id}")).status_code == 200
    assert (await anonymous.get(link)).status_code == 404


async def test_a_recording_whose_file_is_missing_is_not_found(tenant: Tenant, anonymous: httpx.AsyncClient) -> None:
    call = await tenant.add_call(seq=1, has_recording=True)
    url = (await tenant.client.get(f"{BASE}/calls/{call.id}/recording")).json()["data"]["recording_url"]
    response = await anonymous.get(url.removeprefix("https://calls.example"))
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


async def test_the_recording_endpoint_gives_link_format_and_duration(
    link: str, tenant: Tenant, anonymous: httpx.AsyncClient
) -> None:
    call_id = urlsplit(link).path.removeprefix("/recordings/").removesuffix(".mp3")
    data = (await tenant.client.get(f"{BASE}/calls/{call_id}/recording")).json()["data"]
    assert list(data) == ["call_id", "recording_url", "format", "duration_seconds"]
    assert (data["format"], data["duration_seconds"]) == ("mp3", 32)
    assert (await anonymous.get(data["recording_url"].removeprefix("https://calls.example"))).content == AUDIO


async def test_a_call_that_was_not_recorded_has_no_link(tenant: Tenant) -> None:
    call = await tenant.add_call(seq=1)
    assert (await tenant.client.get(f"{BASE}/calls/{call.id}")).json()["data"]["recording_url"] is None
    assert (await tenant.client.get(f"{BASE}/calls/{call.id}/recording")).status_code == 404


async def test_a_link_is_good_at_every_process_of_the_api(link: str, tenant: Tenant) -> None:
    transport = httpx.ASGITransport(app.create_app(tenant.settings, tenant.database))
    async with httpx.AsyncClient(transport=transport, base_url="http://other.test") as other:
        assert (await other.get(link)).status_code == 200


async def test_saving_again_replaces_the_recording(
    link: str, tenant: Tenant, recordings: RecordingStore, anonymous: httpx.AsyncClient, tmp_path: Path
) -> None:
    call_id = urlsplit(link).path.removeprefix("/recordings/").removesuffix(".mp3")
    path = tmp_path / "again.mp3"
    path.write_bytes(b"again")
    await recordings.save(tenant.organization_id, call_id, path)
    assert (await anonymous.get(link)).content == b"again"
