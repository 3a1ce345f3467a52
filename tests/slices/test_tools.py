"""The endpoints of tools: every spelling, what is refused, what is kept secret."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema
import pytest

from ringdown import values
from ringdown.api import app as api_app
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.tools import store
from tests.fakes.mcp_server import FakeMcpServer
from tests.fakes.web_server import Answer, FakeWebServer
from tests.slices.conftest import BASE, Tenant, on_sqlite

TOOLS = f"{BASE}/tools"

# The same tool in the documented spellings.
SPELLING_A = {
    "name": "Find order",
    "definition": {
        "modelToolName": "find_order",
        "description": "Finds an order.",
        "type": "http",
        "http": {"url": "https://shop.example/orders", "method": "POST"},
        "dynamicParameters": [
            {
                "name": "number",
                "location": "PARAMETER_LOCATION_BODY",
                "schema": {"type": "string", "description": "Its number."},
                "required": True,
            }
        ],
    },
}
SPELLING_B = {
    "name": "Find order",
    "description": "Finds an order.",
    "definition": {
        "type": "http",
        "method": "POST",
        "base_url": "https://shop.example/orders",
        "parameters": [{"name": "number", "type": "string", "required": True, "description": "Its number."}],
    },
}
SPELLING_C = {
    "name": "Find order",
    "definition": {
        "description": "Finds an order.",
        "http": {"baseUrlPattern": "https://shop.example/orders", "httpMethod": "POST"},
        "dynamicParameters": [
            {
                "name": "number",
                "location": "PARAMETER_LOCATION_BODY",
                "schema": {"type": "string", "description": "Its number."},
                "required": True,
            }
        ],
        "staticParameters": [],
    },
}
SPELLING_R = {
    "name": "Find order",
    "description": "Finds an order.",
    "endpoint": "https://shop.example/orders",
    "method": "POST",
    "parameters": {
        "type": "object",
        "properties": {"number": {"type": "string", "description": "Its number."}},
        "required": ["number"],
    },
}
SPELLINGS = {"A": SPELLING_A, "B": SPELLING_B, "C": SPELLING_C, "R": SPELLING_R}


@pytest.fixture(params=sorted(SPELLINGS))
def spelling(request: pytest.FixtureRequest) -> dict[str, Any]:
    body: dict[str, Any] = SPELLINGS[request.param]
    return body


async def _create(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(TOOLS, json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def _refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {error["field"]: error["reason"] for error in response.json()["error"]["details"]["errors"]}


def _tool_with(**definition: Any) -> dict[str, Any]:
    return {
        "name": "Find order",
        "definition": {"http": {"url": "https://shop.example/", "method": "POST"}, **definition},
    }


async def test_every_spelling_makes_the_same_tool(client: httpx.AsyncClient, spelling: dict[str, Any]) -> None:
    made = await _create(client, spelling)
    assert made["id"].startswith("tool_")
    assert {name: made[name] for name in ("name", "type", "description", "url", "method", "headers")} == {
        "name": "Find order",
        "type": "http",
        "description": "Finds an order.",
        "url": "https://shop.example/orders",
        "method": "POST",
        "headers": {},
    }
    assert (made["body_template"], made["timeout_seconds"]) == (None, 10)
    assert made["definition"]["modelToolName"] == "find_order"
    assert made["definition"]["http"] == {"url": "https://shop.example/orders", "method": "POST"}
    assert made["definition"]["dynamicParameters"] == SPELLING_A["definition"]["dynamicParameters"]  # type: ignore[index]
    assert values.parse_wire_time(made["created_at"]) == values.parse_wire_time(made["updated_at"])
    got = await client.get(f"{TOOLS}/{made['id']}")
    assert got.json()["data"] == made


@on_sqlite
async def test_every_spelling_changes_a_tool(client: httpx.AsyncClient, spelling: dict[str, Any]) -> None:
    made = await _create(client, {"name": "Placeholder", "definition": {"modelToolName": "find_order"}})
    for method in ("PATCH", "PUT"):
        response = await client.request(method, f"{TOOLS}/{made['id']}", json=spelling)
        assert response.status_code == 200, response.text
        changed = response.json()["data"]
        assert (changed["url"], changed["method"]) == ("https://shop.example/orders", "POST")
        assert changed["definition"]["dynamicParameters"][0]["schema"]["description"] == "Its number."
        assert changed["definition"]["modelToolName"] == "find_order"


async def test_a_list_is_newest_first_with_a_filter_and_pages(client: httpx.AsyncClient) -> None:
    for name in ("Find order", "Cancel order", "Weather"):
        await _create(client, {"name": name})
    page = (await client.get(TOOLS, params={"name": "ORDER", "limit": 1})).json()
    assert [tool["name"] for tool in page["data"]] == ["Cancel order"]
    assert page["pagination"] == {"total": 2, "limit": 1, "offset": 0, "has_more": True}
    rest = (await client.get(TOOLS, params={"offset": 1})).json()
    assert [tool["name"] for tool in rest["data"]] == ["Cancel order", "Find order"]
    assert _refused(await client.get(TOOLS, params={"colour": "red"})).keys() == {"colour"}


async def test_deleting_is_for_good(client: httpx.AsyncClient) -> None:
    made = await _create(client, SPELLING_A)
    response = await client.delete(f"{TOOLS}/{made['id']}")
    assert response.json()["data"] == {"id": made["id"], "deleted": True}
    assert (await client.delete(f"{TOOLS}/{made['id']}")).status_code == 404
    assert (await client.get(f"{TOOLS}/{made['id']}")).status_code == 404


@on_sqlite
async def test_without_a_key_nothing_is_answered(anonymous: httpx.AsyncClient, spelling: dict[str, Any]) -> None:
    for method, path in [
        ("GET", TOOLS),
        ("POST", TOOLS),
        ("GET", f"{TOOLS}/tool_1"),
        ("PUT", f"{TOOLS}/tool_1"),
        ("PATCH", f"{TOOLS}/tool_1"),
        ("DELETE", f"{TOOLS}/tool_1"),
        ("POST", f"{TOOLS}/tool_1/test"),
    ]:
        body = spelling if method in ("POST", "PUT", "PATCH") and not path.endswith("test") else None
        assert (await anonymous.request(method, path, json=body)).status_code == 401, (method, path)


async def test_another_organizations_tool_is_absent(tenant: Tenant, stranger: Tenant, spelling: dict[str, Any]) -> None:
    made = await _create(tenant.client, spelling)
    one = f"{TOOLS}/{made['id']}"
    for method, path, body in [
        ("GET", one, None),
        ("PUT", one, spelling),
        ("PATCH", one, spelling),
        ("DELETE", one, None),
        ("POST", f"{one}/test", {}),
    ]:
        assert (await stranger.client.request(method, path, json=body)).status_code == 404, method
    assert (await stranger.client.get(TOOLS)).json()["data"] == []
    async with tenant.database.read() as connection:
        assert await store.find_tools(connection, stranger.organization_id, [made["id"]]) == []
    # The names of another organization are free.
    assert (await _create(stranger.client, spelling))["name"] == "Find order"


async def test_a_repeated_request_creates_one_tool(client: httpx.AsyncClient, spelling: dict[str, Any]) -> None:
    headers = {"X-Idempotency-Key": "once"}
    first = await client.post(TOOLS, json=spelling, headers=headers)
    again = await client.post(TOOLS, json=spelling, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (await client.get(TOOLS)).json()["pagination"]["total"] == 1
    other = await client.post(TOOLS, json={"name": "Another"}, headers=headers)
    assert other.status_code == 409


@on_sqlite
async def test_a_body_over_a_megabyte_is_refused(client: httpx.AsyncClient, spelling: dict[str, Any]) -> None:
    response = await client.post(TOOLS, json={**spelling, "description": "x" * 1_100_000})
    assert response.status_code == 413


@on_sqlite
async def test_what_is_no_object_is_a_bad_request(client: httpx.AsyncClient) -> None:
    for body in (b"[]", b"{", b'"x"', b""):
        assert (await client.post(TOOLS, content=body)).status_code == 400


async def test_the_model_knows_each_tool_by_a_name_of_its_own(client: httpx.AsyncClient) -> None:
    made = await _create(client, {"name": "Find  Order: by number!"})
    assert made["definition"]["modelToolName"] == "find_order_by_number"
    conflict = await client.post(TOOLS, json={"name": "find order by NUMBER"})
    assert conflict.status_code == 409
    assert conflict.json()["error"]["details"] == {"modelToolName": "find_order_by_number"}
    other = await _create(client, {"name": "Other"})
    renamed = await client.patch(
        f"{TOOLS}/{other['id']}", json={"definition": {"modelToolName": "find_order_by_number"}}
    )
    assert renamed.status_code == 409
    # A new name for people leaves the model's as it is.
    relabelled = (await client.patch(f"{TOOLS}/{other['id']}", json={"name": "Something"})).json()["data"]
    assert (relabelled["name"], relabelled["definition"]["modelToolName"]) == ("Something", "other")
    assert _refused(await client.post(TOOLS, json={"name": "End call"})).keys() == {"definition.modelToolName"}


async def test_a_name_may_be_left_out_where_the_model_has_one(client: httpx.AsyncClient) -> None:
    assert (await _create(client, {"definition": {"modelToolName": "find-order"}}))["name"] == "find-order"
    assert "name is required" in _refused(await client.post(TOOLS, json={}))["body"]
    assert _refused(await client.post(TOOLS, json={"name": "  "})).keys() == {"name"}
    assert _refused(await client.post(TOOLS, json={"name": "x" * 256})).keys() == {"name"}
    for bad in ("with space", "x" * 65, ""):
        assert _refused(await client.post(TOOLS, json={"definition": {"modelToolName": bad}}))


async def test_a_placeholder_needs_no_definition_and_gets_one_later(client: httpx.AsyncClient) -> None:
    made = await _create(client, {"name": "Later"})
    assert (made["url"], made["definition"]["http"], made["type"]) == (None, None, "http")
    tried = (await client.post(f"{TOOLS}/{made['id']}/test")).json()["data"]
    assert (tried["is_error"], tried["response"], tried["status"]) == (True, "This tool is not set up.", None)
    changed = await client.patch(f"{TOOLS}/{made['id']}", json={"definition": SPELLING_C["definition"]})
    assert changed.json()["data"]["url"] == "https://shop.example/orders"
    emptied = await client.patch(f"{TOOLS}/{made['id']}", json={"definition": None})
    assert (emptied.json()["data"]["url"], emptied.json()["data"]["definition"]["dynamicParameters"]) == (None, [])


async def test_what_is_not_sent_stays(client: httpx.AsyncClient) -> None:
    made = await _create(client, {**SPELLING_B, "timeout_seconds": 20, "category": "shop"})
    one = f"{TOOLS}/{made['id']}"
    changed = (await client.patch(one, json={"definition": {"description": "Finds."}})).json()["data"]
    assert changed["description"] == "Finds."
    for name in ("url", "method", "timeout_seconds", "category", "name"):
        assert changed[name] == made[name]
    assert changed["definition"]["dynamicParameters"] == made["definition"]["dynamicParameters"]
    reset = (await client.patch(one, json={"timeout_seconds": None, "category": None})).json()["data"]
    assert (reset["timeout_seconds"], reset["category"]) == (10, None)


async def test_the_definition_of_an_answer_may_be_sent_back(client: httpx.AsyncClient) -> None:
    made = await _create(
        client,
        _tool_with(
            headers={"X-Shop": "north", "Accept-Language": "en"},
            requirements={
                "httpSecurityOptions": {"options": [{"requirements": {"key": {"headerApiKey": {"name": "X-API-Key"}}}}]}
            },
            authTokens={"key": "hush"},
            staticParameters=[{"name": "call", "location": "PARAMETER_LOCATION_QUERY", "value": "{{call_id}}"}],
            dynamicParameters=[{"name": "number", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "string"}}],
        ),
    )
    again = await client.put(f"{TOOLS}/{made['id']}", json={"name": made["name"], "definition": made["definition"]})
    assert again.status_code == 200, again.text
    changed = again.json()["data"]
    assert {**changed, "updated_at": None} == {**made, "updated_at": None}


SECRETS: list[tuple[dict[str, Any], str]] = [
    ({"definition": {"headers": {"X-API-Key": "hush-hush"}}}, "X-API-Key"),
    ({"headers": {"X-API-Key": "hush-hush"}}, "X-API-Key"),
    (
        {
            "definition": {
                "staticParameters": [
                    {"name": "X-API-Key", "location": "PARAMETER_LOCATION_HEADER", "value": "hush-hush"}
                ]
            }
        },
        "X-API-Key",
    ),
    (
        {
            "definition": {
                "requirements": {
                    "httpSecurityOptions": {
                        "options": [{"requirements": {"k": {"headerApiKey": {"name": "X-API-Key"}}}}]
                    }
                },
                "authTokens": {"k": "hush-hush"},
            }
        },
        "X-API-Key",
    ),
    (
        {
            "definition": {
                "requirements": {
                    "httpSecurityOptions": {"options": [{"requirements": {"k": {"httpAuth": {"value": "hush-hush"}}}}]}
                }
            }
        },
        "Authorization",
    ),
    ({"authentication": {"type": "bearer", "token": "hush-hush"}}, "Authorization"),
    ({"authentication": {"type": "api_key", "header": "X-API-Key", "value": "hush-hush"}}, "X-API-Key"),
    ({"authentication": {"type": "basic", "username": "shop", "password": "hush-hush"}}, "Authorization"),
]


async def test_a_secret_is_sealed_shown_as_stars_and_kept(tenant: Tenant) -> None:
    client = tenant.client

    async def read_sealed(tool_id: str) -> Any:
        async with tenant.database.read() as connection:
            tool = await store.get_tool(connection, tenant.organization_id, tool_id)
        [parameter] = tool.static_parameters
        return parameter.value

    for number, (secret_part, header) in enumerate(SECRETS):
        body = {"name": f"Shop {number}", **secret_part}
        body["definition"] = {"http": {"url": "https://shop.example/"}, **body.get("definition", {})}
        made = await _create(client, body)
        assert made["headers"] == {header: "***"}
        assert "hush" not in (await client.get(TOOLS)).text

        sealed = await read_sealed(made["id"])
        assert sealed not in ("hush-hush", "***", None)
        one = f"{TOOLS}/{made['id']}"
        for unchanged in ({"headers": {header: "***"}}, {"definition": made["definition"]}, {"description": "x"}):
            response = await client.patch(one, json=unchanged)
            assert response.status_code == 200, response.text
            assert response.json()["data"]["headers"] == {header: "***"}
            assert await read_sealed(made["id"]) == sealed
        assert (await client.patch(one, json={"headers": {header: "new"}})).status_code == 200
        assert await read_sealed(made["id"]) != sealed


@on_sqlite
async def test_stars_that_stand_for_nothing_are_refused(client: httpx.AsyncClient) -> None:
    body = _tool_with(headers={"X-API-Key": "***"})
    assert "no" in _refused(await client.post(TOOLS, json=body))["header.X-API-Key"]


async def test_a_secret_of_the_body_is_sealed_and_context_is_not(tenant: Tenant) -> None:
    made = await _create(
        tenant.client,
        _tool_with(
            headers={"X-Call": "{{call_id}}", "Accept": "text/csv"},
            staticParameters=[
                {"name": "api_key", "value": "hush-hush"},
                {"name": "shop", "value": "north"},
            ],
        ),
    )
    shown = {one["name"]: one["value"] for one in made["definition"]["staticParameters"]}
    assert shown == {"api_key": "***", "shop": "north"}
    assert made["headers"] == {"X-Call": "{{call_id}}", "Accept": "text/csv"}
    async with tenant.database.read() as connection:
        tool = await store.get_tool(connection, tenant.organization_id, made["id"])
    assert "hush" not in str(tool)


async def test_a_requirement_without_its_token_is_kept_open(client: httpx.AsyncClient) -> None:
    options = {"options": [{"requirements": {"key": {"headerApiKey": {"name": "X-API-Key"}}}}]}
    made = await _create(client, _tool_with(requirements={"httpSecurityOptions": options}))
    assert made["headers"] == {"X-API-Key": None}
    tried = (await client.post(f"{TOOLS}/{made['id']}/test", json={})).json()["data"]
    assert tried["is_error"]
    assert "X-API-Key has no value" in tried["response"]
    given = await client.patch(f"{TOOLS}/{made['id']}", json={"definition": {"authTokens": {"key": "hush"}}})
    assert given.json()["data"]["headers"] == {"X-API-Key": "***"}
    unknown = await client.patch(f"{TOOLS}/{made['id']}", json={"definition": {"authTokens": {"other": "x"}}})
    assert _refused(unknown).keys() == {"definition.authTokens.other"}


async def test_a_secret_must_not_stand_in_the_url(client: httpx.AsyncClient) -> None:
    for name in ["api_key", "apikey", "token", "access-token", "secret", "password", "key", "auth"]:
        in_url = {"name": "Shop", "definition": {"http": {"url": f"https://shop.example/?{name}=1"}}}
        assert "header" in _refused(await client.post(TOOLS, json=in_url))["url"]
        as_query = _tool_with(staticParameters=[{"name": name, "location": "PARAMETER_LOCATION_QUERY", "value": "1"}])
        assert "header" in _refused(await client.post(TOOLS, json=as_query))[f"staticParameters.{name}"]


@on_sqlite
async def test_a_key_in_the_query_is_refused_as_a_requirement(client: httpx.AsyncClient) -> None:
    options = {"options": [{"requirements": {"key": {"queryApiKey": {"name": "k"}}}}]}
    refused = _refused(await client.post(TOOLS, json=_tool_with(requirements={"httpSecurityOptions": options})))
    assert "headerApiKey" in refused["definition.requirements.key"]
    nothing = {"options": [{"requirements": {"key": {}}}]}
    assert _refused(await client.post(TOOLS, json=_tool_with(requirements={"httpSecurityOptions": nothing})))


BAD_URLS = [
    "http://shop.example/",
    "ftp://shop.example/",
    "shop.example",
    "https://user:pass@shop.example/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://10.0.0.1:8443/",
    "https://169.254.169.254/latest",
    "https://shop.example/{number}",
    "https://{host}.example/",
    "https://shop.example/?q={q}",
    "https://shop.example/{{call_id}}",
]


@on_sqlite
async def test_a_url_that_cannot_be_used_is_refused(client: httpx.AsyncClient) -> None:
    for url in BAD_URLS:
        for body in (
            {"name": "Shop", "definition": {"http": {"url": url}}},
            {"name": "Shop", "definition": {"http": {"baseUrlPattern": url}}},
            {"name": "Shop", "definition": {"type": "http", "base_url": url}},
            {"name": "Shop", "endpoint": url},
        ):
            assert _refused(await client.post(TOOLS, json=body)).keys() == {"url"}, body


BAD_DEFINITIONS: list[tuple[dict[str, Any], str]] = [
    ({"method": "HEAD"}, "definition.method"),
    ({"type": "client"}, "definition.type"),
    ({"surprise": 1}, "definition.surprise"),
    ({"timeout_seconds": 0}, "definition.timeout_seconds"),
    ({"timeout": "61s"}, "definition.timeout"),
    ({"headers": {"Host": "other.example"}}, "headers.Host"),
    ({"headers": {"X-A": "1\r\nX-B: 2"}}, "headers.X-A"),
    ({"headers": {"Bad Header": "1"}}, "headers.Bad Header"),
    ({"dynamicParameters": [{"name": "a", "schema": {"type": "text"}}]}, "parameters.a.schema"),
    ({"dynamicParameters": [{"name": "a", "schema": {"$ref": "https://x/y"}}]}, "parameters.a.schema"),
    ({"dynamicParameters": [{"name": "a", "schema": {"maxLength": "x"}}]}, "parameters.a.schema"),
    ({"dynamicParameters": [{"name": "a"}, {"name": "a"}]}, "parameters.a"),
    ({"dynamicParameters": [{"name": "a", "location": "COOKIE"}]}, "definition.dynamicParameters.0.location"),
    ({"dynamicParameters": [{"name": "a b"}]}, "definition.dynamicParameters.0.name"),
    ({"dynamicParameters": [{"schema": {}}]}, "definition.dynamicParameters.0.name"),
    ({"parameters": {"properties": {"a": {}}, "required": ["b"]}}, "parameters.required"),
    (
        {"dynamicParameters": [{"name": "a"}], "staticParameters": [{"name": "a", "value": 1}]},
        "parameters.a",
    ),
    ({"dynamicParameters": [{"name": "a", "location": "PATH"}]}, "url"),
    ({"body_template": '{"a": {{a}'}, "body_template"),
    ({"body_template": "{{#a}}{}{{/a}}"}, "body_template"),
    ({"body_template": "{}", "dynamicParameters": [{"name": "a"}]}, "body_template"),
    ({"include": ["a"]}, "definition.include"),
    ({"type": "mcp", "dynamicParameters": [{"name": "a"}]}, "definition"),
    ({"authentication": {"type": "basic", "username": "x"}}, "authentication"),
    ({"authentication": {"token": "x"}}, "authentication.type"),
    ({"description": "x" * 5000}, "definition.description"),
]


@on_sqlite
async def test_a_definition_that_cannot_work_is_refused(client: httpx.AsyncClient) -> None:
    for definition, field in BAD_DEFINITIONS:
        refused = _refused(await client.post(TOOLS, json=_tool_with(**definition)))
        assert any(name.startswith(field) for name in refused), refused


async def test_a_get_has_no_body(client: httpx.AsyncClient) -> None:
    body = {
        "name": "Shop",
        "definition": {
            "http": {"url": "https://shop.example/"},
            "dynamicParameters": [{"name": "a", "location": "PARAMETER_LOCATION_BODY"}],
        },
    }
    assert "QUERY" in _refused(await client.post(TOOLS, json=body))["parameters.a"]
    template = {"name": "Shop", "url": "https://shop.example/", "body_template": "{}"}
    assert _refused(await client.post(TOOLS, json=template)).keys() == {"body_template"}


@on_sqlite
async def test_spellings_that_contradict_each_other_are_refused(client: httpx.AsyncClient) -> None:
    body = {"name": "Shop", "url": "https://a.example/", "definition": {"http": {"url": "https://b.example/"}}}
    assert "definition.http.url" in _refused(await client.post(TOOLS, json=body))
    same = {"name": "Shop", "url": "https://a.example/", "definition": {"http": {"url": "https://a.example/"}}}
    assert (await _create(client, same))["url"] == "https://a.example/"


@on_sqlite
async def test_parameters_go_where_url_and_method_have_them(client: httpx.AsyncClient) -> None:
    for method, rest in [("GET", "QUERY"), ("DELETE", "QUERY"), ("POST", "BODY"), ("PUT", "BODY"), ("patch", "BODY")]:
        made = await _create(
            client,
            {
                "name": f"Order {method}",
                "definition": {
                    "base_url": "https://shop.example/orders/{id}",
                    "method": method,
                    "parameters": [{"name": "id", "type": "string"}, {"name": "rest", "type": "integer", "default": 1}],
                },
            },
        )
        assert [one["location"] for one in made["definition"]["dynamicParameters"]] == [
            "PARAMETER_LOCATION_PATH",
            f"PARAMETER_LOCATION_{rest}",
        ]


@pytest.fixture
async def near(settings: Settings, database: Database, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """The tenant's client of an API that lets tools reach this machine."""
    app = api_app.create_app(settings.model_copy(update={"private_urls_allowed": True}), database)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api.test", headers=tenant.client.headers
    ) as client:
        yield client


async def _try(client: httpx.AsyncClient, made: dict[str, Any], **body: Any) -> dict[str, Any]:
    response = await client.post(f"{TOOLS}/{made['id']}/test", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def test_a_tool_is_tried_with_arguments_and_context(near: httpx.AsyncClient) -> None:
    async with FakeWebServer().run() as server:
        server.answers = [Answer(b'{ "state": "shipped" }')]
        made = await _create(
            near,
            {
                "name": "Find order",
                "authentication": {"type": "bearer", "token": "hush-hush"},
                "definition": {
                    "http": {"url": f"{server.url}/orders/{{number}}", "method": "POST"},
                    "dynamicParameters": [{"name": "number", "required": True}, {"name": "note"}],
                    "staticParameters": [{"name": "caller", "value": "{{caller_number}}"}],
                },
            },
        )
        tried = await _try(
            near, made, arguments={"number": "A 1", "note": "hi"}, context={"caller_number": "+12025550142"}
        )
        [received] = server.requests
    assert received.headers["authorization"] == "Bearer hush-hush"
    assert received.json() == {"caller": "+12025550142", "note": "hi"}
    assert (tried["status"], tried["is_error"], tried["response"]) == (200, False, '{"state":"shipped"}')
    assert tried["duration_ms"] >= 0
    assert tried["request"]["url"] == f"{server.url}/orders/A%201"
    assert tried["request"]["headers"]["Authorization"] == "Bearer ***"
    assert "hush" not in str(tried)


async def test_a_fault_of_the_tool_is_an_answer(near: httpx.AsyncClient) -> None:
    async with FakeWebServer().run() as server:
        server.answers = [Answer(status=500, body=b"broken", headers={})]
        made = await _create(near, {"name": "Broken", "url": server.url, "method": "POST"})
        tried = await _try(near, made)
        assert (tried["status"], tried["is_error"]) == (500, True)
        assert (await _try(near, made, arguments={"surprise": 1}))["response"].startswith("There is no parameter")
    assert (await _try(near, made))["status"] is None


@on_sqlite
async def test_a_trial_of_another_form_is_refused(client: httpx.AsyncClient) -> None:
    made = await _create(client, SPELLING_A)
    path = f"{TOOLS}/{made['id']}/test"
    assert _refused(await client.post(path, json={"arguments": []})).keys() == {"arguments"}
    assert _refused(await client.post(path, json={"surprise": 1})).keys() == {"surprise"}
    assert _refused(await client.post(path, json={"tool": "x"})).keys() == {"tool"}
    assert (await client.post(path, content=b"[]")).status_code == 400
    assert (await client.post(path, json={"arguments": {"a": "x" * 1_100_000}})).status_code == 413
    assert (await client.post(f"{TOOLS}/tool_absent/test", json={})).status_code == 404


async def test_what_was_allowed_once_is_still_guarded_when_it_is_tried(
    client: httpx.AsyncClient, near: httpx.AsyncClient
) -> None:
    async with FakeWebServer().run() as server:
        made = await _create(near, {"name": "Near", "url": server.url})
        tried = await _try(client, made)
    assert tried["is_error"]
    assert "not a public address" in tried["response"]
    assert server.connections == 0


async def test_an_mcp_server_is_listed_and_tried(near: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringdown.tools.mcp.OPEN_TIMEOUT_S", 30.0)  # for a busy machine
    async with FakeMcpServer().run() as server:
        made = await _create(
            near,
            {
                "name": "Shop",
                "definition": {
                    "type": "mcp",
                    "url": server.url,
                    "headers": {"Authorization": "Bearer hush"},
                    "include": ["add"],
                    "timeout": "60s",
                },
            },
        )
        assert (made["type"], made["headers"]) == ("mcp", {"Authorization": "***"})
        assert made["definition"]["include"] == ["add"]
        listed = json.loads((await _try(near, made))["response"])
        assert {"name": "add", "description": "Adds two numbers."} in listed
        tried = await _try(near, made, tool="add", arguments={"a": 2, "b": 3})
        assert (tried["response"], tried["is_error"], tried["status"]) == ("5", False, None)
    tried = await _try(near, made)
    assert tried["is_error"]
    assert "could not be reached" in tried["response"]


async def test_tools_are_found_in_the_order_they_are_named_in(tenant: Tenant) -> None:
    first, second = [(await _create(tenant.client, {"name": name}))["id"] for name in ("One", "Two")]
    async with tenant.database.read() as connection:
        found = await store.find_tools(connection, tenant.organization_id, [second, "tool_absent", first, second])
        assert [tool.id for tool in found] == [second, first]
        assert await store.find_tools(connection, tenant.organization_id, []) == []


@on_sqlite
async def test_answers_are_as_the_document_says(client: httpx.AsyncClient) -> None:
    document = (await client.get(f"{BASE}/openapi.json")).json()
    made = await client.post(TOOLS, json={**SPELLING_A, "headers": {"X-API-Key": "hush"}})
    one = f"{TOOLS}/{made.json()['data']['id']}"
    base = f"{TOOLS}/{{tool_id}}"
    for path, response in [
        (TOOLS, made),
        (TOOLS, await client.get(TOOLS)),
        (TOOLS, await client.post(TOOLS, json={})),
        (TOOLS, await client.post(TOOLS, json=SPELLING_B)),
        (base, await client.get(one)),
        (base, await client.put(one, json={"timeout_seconds": "2500ms"})),
        (base, await client.patch(one, json={"method": "GOT"})),
        (f"{base}/test", await client.post(f"{one}/test", json={"arguments": {"surprise": 1}})),
        (base, await client.delete(one)),
        (base, await client.delete(one)),
    ]:
        operation = document["paths"][path][response.request.method.lower()]
        described = operation["responses"][str(response.status_code)]["content"]["application/json"]["schema"]
        # Not `jsonschema.validate`, which checks the whole document again each time.
        jsonschema.Draft202012Validator({**described, "components": document["components"]}).validate(response.json())
