"""Random requests made from the OpenAPI document: no bug shows, and every answer is what the document says."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringdown import values
from ringdown.calls.models import TranscriptTurn
from ringdown.voice import flows
from tests.slices.conftest import BASE, Tenant

_METHODS = ("get", "post", "put", "patch", "delete")
_WITHOUT_ENVELOPE = ("/healthz", f"{BASE}/openapi.json")
# What a path cannot hold: a slash begins another part, dots are resolved by the client.
_PATH_TEXT = st.text(min_size=1, max_size=20).filter(lambda text: "/" not in text and text.strip(".") != "")
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["", "0", "1", "-1", "30s", "500ms", "+12025550142", "2026-04-05T10:00:00Z", "{{name}}", "\0", "é"]
    ),
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@dataclass(frozen=True, slots=True)
class Api:
    """The document, and what exists by the name of the field or parameter that may say it."""

    document: dict[str, Any]
    known: Mapping[str, list[Any]]

    def list_operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [
            (method, path, operations[method])
            for path, operations in self.document["paths"].items()
            for method in _METHODS
            if method in operations
        ]

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        reference: str | None = schema.get("$ref")
        if reference is None:
            return schema
        found: Mapping[str, Any] = self.document["components"]["schemas"][reference.rpartition("/")[2]]
        return found

    def draw_values(self, schema: Mapping[str, Any], *, name: str = "", is_noisy: bool) -> st.SearchStrategy[Any]:
        """Values of the field `name` that its schema allows; with noise, every third is anything at all."""
        schema = self.resolve(schema)
        known = self.known.get(name)
        good = st.sampled_from(known) if known else self._draw_good(schema, name=name, is_noisy=is_noisy)
        return st.one_of(good, good, _ANYTHING) if is_noisy else good

    def _draw_good(self, schema: Mapping[str, Any], *, name: str, is_noisy: bool) -> st.SearchStrategy[Any]:
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "anyOf" in schema:
            return st.one_of(*(self.draw_values(choice, name=name, is_noisy=is_noisy) for choice in schema["anyOf"]))
        match schema.get("type"):
            case "object":
                return self._draw_object(schema, is_noisy=is_noisy)
            case "array":
                return st.lists(self.draw_values(schema.get("items", {}), is_noisy=is_noisy), max_size=3)
            case "integer" | "number":
                low, high = schema.get("minimum", 0), min(schema.get("maximum", 120), 120)
                return st.integers(int(low), int(high)) | st.floats(low, high)
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
            case "string" if "pattern" in schema:
                return st.from_regex(schema["pattern"], alphabet=st.characters(codec="ascii"))
            case "string":
                return st.text(min_size=schema.get("minLength", 0), max_size=20)
            case _:
                return _ANYTHING

    def _draw_object(self, schema: Mapping[str, Any], *, is_noisy: bool) -> st.SearchStrategy[Any]:
        properties = {
            name: self.draw_values(child, name=name, is_noisy=is_noisy)
            for name, child in schema.get("properties", {}).items()
            if not self.resolve(child).get("deprecated")
        }
        if not properties:
            return st.dictionaries(st.text(max_size=8), _SCALARS if is_noisy else st.text(max_size=8), max_size=3)
        required = {name: properties[name] for name in schema.get("required", ())}
        # A few fields at a time: with all thirty at once, hardly a body would get past validation.
        few = st.lists(st.sampled_from(sorted(properties)), max_size=4).flatmap(
            lambda names: st.fixed_dictionaries({**required, **{name: properties[name] for name in names}})
        )
        return few | st.fixed_dictionaries({}, optional=properties) if is_noisy else few


def _break_somewhere(document: Any) -> st.SearchStrategy[Any]:
    """The document with one part of it replaced by anything."""
    if not isinstance(document, dict) or not document:
        return _ANYTHING
    deeper = st.sampled_from(sorted(document)).flatmap(
        lambda name: _break_somewhere(document[name]).map(lambda value: {**document, name: value})
    )
    return st.one_of(deeper, deeper, deeper, _ANYTHING, st.just(document))


@st.composite
def _draw_request(draw: st.DrawFn, api: Api) -> tuple[str, str, dict[str, Any]]:
    method, path, operation = draw(st.sampled_from(api.list_operations()))
    is_noisy = draw(st.booleans())
    url, query, headers = path, {}, {}
    for parameter in operation.get("parameters", []):
        name, place = parameter["name"], parameter["in"]
        if place == "path":
            value = draw(_PATH_TEXT if is_noisy and draw(st.booleans()) else st.sampled_from(api.known[name]))
            url = url.replace(f"{{{name}}}", quote(value, safe=""))
        elif place == "query" and draw(st.integers(0, 4)) == 0:
            value = draw(api.draw_values(parameter["schema"], name=name, is_noisy=is_noisy))
            query[name] = value if isinstance(value, str) else json.dumps(value)
        elif place == "header" and draw(st.integers(0, 4)) == 0:
            headers[name] = draw(st.sampled_from(["one", "two", "", "x" * 256]))
    if is_noisy and draw(st.integers(0, 9)) == 0:
        query[draw(st.text(max_size=5))] = "1"
    if is_noisy and draw(st.integers(0, 9)) == 0:
        headers["Authorization"] = draw(st.sampled_from(["", "Bearer x", "Basic eDp5", f"Bearer truedy_{'a' * 32}"]))
    request: dict[str, Any] = {"params": query, "headers": headers, "path": path}
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = draw(api.draw_values(schema, is_noisy=is_noisy))
        if isinstance(body, dict) and "flow" in body:
            body["flow"] = draw(_break_somewhere(flows.sample_flow()))
        is_broken = is_noisy and draw(st.integers(0, 9)) == 0
        request["content"] = draw(st.binary(max_size=20)) if is_broken else json.dumps(body).encode()
    return method, url, request


def _check(api: Api, method: str, path: str, response: httpx.Response) -> None:
    told = f"{method} {response.request.url} {response.request.content!r} -> {response.status_code} {response.text}"
    described = api.document["paths"][path][method]["responses"].get(str(response.status_code))
    assert response.status_code != 500, told
    assert described is not None, f"not documented: {told}"
    request_id = response.headers["x-request-id"]
    assert request_id.startswith("req_")
    if response.headers["content-type"] != "application/json":
        assert response.is_success, told
        return
    answer = response.json()
    if path not in _WITHOUT_ENVELOPE:
        assert answer["meta"]["request_id"] == request_id, told
        assert ("error" in answer) == response.is_error, told
    schema = described["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": api.document["components"]}).validate(answer)


def _resolve_nothing(*_: object, **__: object) -> list[Any]:
    raise socket.gaierror(socket.EAI_NONAME, "the tools of this test find no server")


@pytest.fixture
async def api(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The document of the API, and agents and calls of the tenant."""
    monkeypatch.setattr(socket, "getaddrinfo", _resolve_nothing)
    document = (await tenant.client.get(f"{BASE}/openapi.json")).json()
    agent = await tenant.add_agent(outbound_number="+12025550101")
    draft = await tenant.add_agent(status="draft", flow=flows.sample_flow())
    turn = TranscriptTurn(position=0, speaker="agent", text="Hello.", start_ms=0, end_ms=900)
    now = values.now_ms()
    ended = [
        await tenant.add_call(seq=1_000_000 + place, agent_id=agent.id, turns=(turn,), started_at=now, ended_at=now)
        for place in range(9)
    ]
    ringing = await tenant.add_call(seq=2_000_000, agent_id=agent.id, status="ringing")
    recorded = await tenant.add_call(seq=2_000_001, agent_id=agent.id, started_at=now, ended_at=now, has_recording=True)
    calls = [call.id for call in (*ended, ringing, recorded)]
    trunk = {"name": "carrier", "hosts": ["sip.example.net"], "username": "alice", "password": "secret"}
    trunk_id = (await tenant.client.post(f"{BASE}/telephony/trunks", json=trunk)).json()["data"]["id"]
    numbers = [await tenant.add_number(f"+1202555011{digit}", trunk_id=trunk_id) for digit in range(5)]
    bases = f"{BASE}/knowledge-bases"
    base_id = (await tenant.client.post(bases, json={"name": "Help"})).json()["data"]["id"]
    text = {"name": "Hours", "text": "We open at nine."}
    source_id = (await tenant.client.post(f"{bases}/{base_id}/sources/text", json=text)).json()["data"]["id"]
    tool_ids = [
        (await tenant.client.post(f"{BASE}/tools", json=tool)).json()["data"]["id"]
        for tool in ({"name": "Later"}, {"name": "Shop", "url": "https://shop.example/", "method": "POST"})
    ]
    tool_urls = ["https://shop.example/a", "https://shop.example/{name}", "http://127.0.0.1/"]
    known: dict[str, list[Any]] = {
        "tool_id": [*tool_ids, "tool_of_nobody"],
        **dict.fromkeys(("url", "endpoint", "base_url", "baseUrlPattern"), tool_urls),
        "knowledge_base_id": [base_id, base_id, "kb_of_nobody"],
        "source_id": [source_id, "src_of_nobody"],
        "urls": [["https://example.com/help"], ["example.com"]],
        "data": ["aGVsbG8=", "JVBERi0xLjQ="],
        "filename": ["a.txt", "a.pdf", "a.exe"],
        "agent_id": [agent.id, agent.id, draft.id],
        "call_id": calls,
        "ids": [[calls[0]], [calls[1], "call_of_nobody"], calls[2:4]],
        "trunk_id": [trunk_id, trunk_id, "trunk_of_nobody"],
        "number_id": [*(number.id for number in numbers), "num_of_nobody"],
        "hosts": [["sip.example.net:5080"], [{"host": "2001:db8::1", "weight": 2}], ["192.0.2.1"]],
        "allowed_sources": [["203.0.113.0/24"], []],
        "sip_server": ["sip.example.net", "sip.example.org:5080"],
        "voice_id": ["espeak:en-us", "espeak:en-gb"],
        "model": ["builtin", "gpt-4o", "ultravox-v0.7"],
        "language_hint": ["en", "de-DE"],
        "from_number": ["+12025550101", None],
        "tools": [[]],
        "knowledge_bases": [[]],
        "created_after": ["2020-01-01T00:00:00Z", "2026-04-05"],
        "created_before": ["2030-01-01T00:00:00Z", "2026-04-05T10:00:00+02:00"],
        "max_duration": ["30s", 900],
        "join_timeout": ["5s", 30],
    }
    return Api(document, known)


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
async def test_any_request_gets_a_documented_answer(tenant: Tenant, api: Api, data: st.DataObject) -> None:
    method, url, request = data.draw(_draw_request(api))
    path = request.pop("path")
    response = await tenant.client.request(method, url, **request)
    _check(api, method, path, response)
