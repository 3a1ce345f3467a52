"""The envelope, the refusals and their order, over HTTP and on both databases."""

import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from structlog.testing import capture_logs

from ringdown.config import Settings
from ringdown.db.engine import Database
from tests import web_app
from tests.slices.conftest import on_sqlite
from tests.web_app import Things


@pytest.fixture
async def client(database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    things = Things()
    things.gate.set()
    app = web_app.build_app(settings=settings, database=database, things=things)
    async with web_app.open_client(app, key=await web_app.create_key(database)) as opened:
        yield opened


def _refusal(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    body = response.json()
    assert response.status_code == status, body
    assert list(body) == ["error", "meta"]
    assert list(body["error"]) == ["code", "message", "details"]
    assert body["error"]["code"] == code
    assert body["meta"]["request_id"] == response.headers["X-Request-Id"]
    details: dict[str, object] = body["error"]["details"]
    return details


async def test_a_list_answers_in_the_envelope(client: httpx.AsyncClient) -> None:
    response = await client.get("/things", params={"limit": 2, "offset": 1})
    body = response.json()
    assert response.status_code == 200
    assert list(body) == ["data", "meta", "pagination"]
    assert body["pagination"] == {"total": 3, "limit": 2, "offset": 1, "has_more": True}
    assert re.fullmatch(r"req_[0-9a-z]{26}", body["meta"]["request_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["meta"]["ts"])
    assert response.headers["X-Request-Id"] == body["meta"]["request_id"]


async def test_creating_answers_201_and_deleting_says_what_is_gone(client: httpx.AsyncClient) -> None:
    created = await client.post("/things", json={"name": "a"})
    assert (created.status_code, created.json()["data"]) == (201, {"id": "thing_1", "name": "a"})
    deleted = await client.delete("/things/thing_1")
    assert (deleted.status_code, deleted.json()["data"]) == (200, {"id": "thing_1", "deleted": True})


@on_sqlite
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer nonsense", f"Bearer truedy_{'x' * 32}", f"Basic truedy_{'x' * 32}", "Bearer truedy_é"],
)
async def test_a_missing_malformed_or_unknown_key_is_unauthorized(
    client: httpx.AsyncClient, authorization: str
) -> None:
    headers = {"Authorization": authorization.encode()}
    response = await client.get("/things?nonsense=1", headers=headers)
    _refusal(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@on_sqlite
async def test_the_key_is_checked_before_the_body_is_read(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": "Bearer wrong"}
    _refusal(await client.post("/things", content=b"{", headers=headers), 401, "unauthorized")
    _refusal(await client.post("/things", content=b"x" * 2_000_000, headers=headers), 401, "unauthorized")


@on_sqlite
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"text"', b"null", b"\xff", b'{"name": NaN}', b"[" * 100_000, b'{"name":"\\ud800"}']
)
async def test_a_body_that_is_no_json_object_is_a_bad_request(client: httpx.AsyncClient, content: bytes) -> None:
    _refusal(await client.post("/things", content=content), 400, "bad_request")


async def test_json_is_taken_whatever_its_content_type_says(client: httpx.AsyncClient) -> None:
    for content_type in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"):
        response = await client.post("/things", content=b'{"name": "a"}', headers={"Content-Type": content_type})
        assert response.status_code == 201


async def test_an_optional_body_may_be_missing_but_not_broken(client: httpx.AsyncClient) -> None:
    assert (await client.post("/things/a/stop")).status_code == 201
    assert (await client.post("/things/a/stop", json={"name": "red"})).json()["data"]["colour"] == "red"
    _refusal(await client.post("/things/a/stop", content=b"[]"), 400, "bad_request")


@on_sqlite
async def test_a_body_over_one_megabyte_is_refused_with_and_without_its_length(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65_536

    _refusal(await client.post("/things", content=b" " * 1_048_577), 413, "payload_too_large")
    _refusal(await client.post("/things", content=pieces()), 413, "payload_too_large")
    just_fits = json.dumps({"name": "a", "tags": ["x" * 1_048_000]}).encode()
    assert (await client.post("/things", content=just_fits)).status_code == 201


async def test_validation_names_every_field_and_says_what_is_allowed(client: httpx.AsyncClient) -> None:
    body = {"colour": {"name": "blue", "strength": 101}, "size": "tiny", "tags": ["a", 1], "extra": 1}
    details = _refusal(await client.post("/things", json=body), 422, "validation_error")
    assert details["errors"] == [
        {"field": "name", "reason": "is required"},
        {"field": "colour.name", "reason": "must be one of: red, green"},
        {"field": "colour.strength", "reason": "must be at most 100"},
        {"field": "size", "reason": "must be a whole number or one of: large"},
        {"field": "tags.1", "reason": "must be a string"},
        {"field": "extra", "reason": "is not a known field"},
    ]
    assert (details["field"], details["reason"]) == ("name", "is required")


async def test_fields_that_do_not_fit_together_are_a_validation_error(client: httpx.AsyncClient) -> None:
    body = {"name": "a", "size": "large", "tags": ["a"]}
    details = _refusal(await client.post("/things", json=body), 422, "validation_error")
    assert details["errors"] == [{"field": "body", "reason": "a large thing takes no tags"}]


@on_sqlite
@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ("limit=0", "limit", "must be a whole number from 1 to 100"),
        ("limit=101", "limit", "must be a whole number from 1 to 100"),
        ("limit=ten", "limit", "must be a whole number"),
        ("limit=", "limit", "must be a whole number"),
        ("offset=-1", "offset", "must be a whole number from 0 to 9007199254740991"),
        ("offset=99999999999999999999", "offset", "must be a whole number from 0 to 9007199254740991"),
        ("colour=blue", "colour", "must be one of: red, green"),
        ("color=red", "color", "is not a known query parameter; known are: colour, limit, offset, tag"),
        ("limit=1&limit=2", "limit", "may be given only once"),
        ("colour=a%00", "colour", "must not contain NUL characters"),
    ],
)
async def test_no_query_parameter_is_silently_ignored(
    client: httpx.AsyncClient, query: str, field: str, reason: str
) -> None:
    details = _refusal(await client.get(f"/things?{query}"), 422, "validation_error")
    assert details["errors"] == [{"field": field, "reason": reason}]


async def test_a_list_parameter_may_be_repeated(client: httpx.AsyncClient) -> None:
    response = await client.get("/things?tag=a&tag=b")
    assert response.json()["data"][0]["tags"] == ["a", "b"]


@on_sqlite
async def test_unknown_parameters_are_refused_where_none_are_taken(client: httpx.AsyncClient) -> None:
    details = _refusal(await client.delete("/things/a?force=1"), 422, "validation_error")
    assert details["reason"] == "is not a known query parameter; this endpoint takes none"


async def test_nul_characters_never_reach_the_database(client: httpx.AsyncClient) -> None:
    details = _refusal(
        await client.post("/things", content=b'{"name": "a", "tags": ["x", "\\u0000"]}'), 422, "validation_error"
    )
    assert details["field"] == "tags.1"
    _refusal(await client.get("/things/a%00b"), 404, "not_found")


@on_sqlite
async def test_unknown_paths_and_methods_answer_in_the_envelope(client: httpx.AsyncClient) -> None:
    _refusal(await client.get("/nothing"), 404, "not_found")
    response = await client.put("/things", json={})
    _refusal(response, 405, "method_not_allowed")
    assert response.headers["Allow"]


async def test_a_bug_answers_500_without_a_trace_and_is_logged_with_the_request_id(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        response = await client.post("/things", json={"name": "a", "then": "break"})
    assert _refusal(response, 500, "internal_error") == {}
    assert "secret detail" not in response.text
    assert "ZeroDivisionError" not in response.text
    failures = [entry for entry in logs if entry["event"] == "request_failed"]
    assert [entry["request_id"] for entry in failures] == [response.headers["X-Request-Id"]]


async def test_a_database_that_is_away_is_no_bug_and_names_a_time(client: httpx.AsyncClient) -> None:
    response = await client.post("/things", json={"name": "a", "then": "lose_database"})
    assert _refusal(response, 503, "unavailable") == {}
    assert response.headers["Retry-After"] == "5"
    assert "secret address" not in response.text


@on_sqlite
async def test_a_public_route_needs_no_key_but_is_as_strict(client: httpx.AsyncClient) -> None:
    response = await client.get("/hello?name=a", headers={"Authorization": ""})
    assert response.json()["data"] == {"hello": "a"}
    _refusal(await client.get("/hello?nam=a"), 422, "validation_error")


@on_sqlite
async def test_the_openapi_document_describes_key_and_refusals(client: httpx.AsyncClient) -> None:
    document = (await client.get("http://api.test/openapi.json")).json()
    operation = document["paths"]["/v1/things"]["get"]
    assert operation["security"] == [{"BearerAuth": []}]
    assert {"400", "401", "403", "404", "409", "413", "422", "429", "500"} <= set(operation["responses"])
    limit = next(parameter for parameter in operation["parameters"] if parameter["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 100)
    assert "security" not in document["paths"]["/v1/hello"]["get"]
