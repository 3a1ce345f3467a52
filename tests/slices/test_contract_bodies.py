"""What every operation refuses by its schema: bodies and parameters that are wrong, missing, unknown or too large."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.slices.contract_entry import MB
from tests.slices.contract_table import TABLE
from tests.slices.contract_values import is_allowed, list_choices, list_wrong, list_wrong_members
from tests.slices.contract_world import Operation, World, check_refusal, make_world  # noqa: F401 - a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")
with_body = pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry.body is not None])
each_operation = pytest.mark.parametrize("name", TABLE)
_READS = ("get_", "list_", "export_", "download_", "preview_")


async def _ask(world: World, operation: Operation, **sent: Any) -> httpx.Response:
    return await operation.ask(world.ours, **sent)


def _list_fields(operation: Operation, response: httpx.Response) -> set[str]:
    """The fields that a 422 names, by their whole names and by those of what they lie in."""
    details = check_refusal(operation, response, 422, "validation_error")
    assert details.items() >= details["errors"][0].items()
    assert all(error["reason"] for error in details["errors"])
    named = [error["field"].split(".") for error in details["errors"]]
    return {".".join(parts[:length]) for parts in named for length in range(1, len(parts) + 1)}


async def test_the_table_has_a_body_where_the_document_has_one(world: World) -> None:
    assert {name for name in TABLE if name.startswith(_READS)} == {
        name for name, operation in world.operations.items() if operation.method == "get"
    }
    described = {name for name, operation in world.operations.items() if "requestBody" in operation.described}
    assert described == {name for name, entry in TABLE.items() if entry.body is not None or entry.form is not None}


@with_body
async def test_fields_of_a_wrong_kind_are_all_named(world: World, name: str) -> None:
    operation = world.operations[name]
    schema = operation.body_schema
    assert schema is not None
    own, wrong = await world.ours.fill(dict(operation.entry.body or {})), {}
    aliases = frozenset(operation.entry.aliases)
    await operation.fill_path(world.ours)
    before = world.read_rows()
    for what, (body, names) in list_wrong_members(schema, operation.components, without=aliases).items():
        response = await _ask(world, operation, json={**own, **body})
        if response.status_code != 422:
            wrong[what] = f"{response.status_code} for {body}"
        elif missed := names - operation.entry.looked_at_last - _list_fields(operation, response):
            wrong[what] = f"does not name {missed} of {str(body)[:300]}: {response.text[:1000]}"
    assert wrong == {}
    assert world.read_rows() == before


@with_body
async def test_other_names_are_read_like_the_first(world: World, name: str) -> None:
    operation = world.operations[name]
    schema = operation.body_schema
    assert schema is not None
    own = await world.ours.fill(dict(operation.entry.body or {}))
    for alias, field in operation.entry.aliases.items():
        rest = {one: value for one, value in own.items() if one not in (alias, field)}
        for what, value in list_wrong(schema["properties"][field], operation.components):
            response = await _ask(world, operation, json={**rest, alias: value})
            assert response.status_code == 422, (alias, what)
            assert _list_fields(operation, response) & {alias, field}, (alias, what, response.text)


@with_body
async def test_each_required_field_is_named_when_it_is_missing(world: World, name: str) -> None:
    operation = world.operations[name]
    schema = operation.body_schema
    assert schema is not None
    required = set(schema.get("required", ()))
    response = await _ask(world, operation, json={})
    if operation.entry.needed:
        assert response.status_code == 422, response.text
        _list_fields(operation, response)
        assert all(field in response.text for field in operation.entry.needed)
    elif required:
        assert required <= _list_fields(operation, response)
    elif operation.method != "post":
        assert response.status_code == operation.status


@pytest.mark.parametrize("name", [name for name in TABLE if not name.startswith((*_READS, "delete_"))])
async def test_unknown_fields_are_named(world: World, name: str) -> None:
    operation = world.operations[name]
    entry = operation.entry
    own = await world.ours.fill({**(entry.body or {}), "no_such_field": 1})
    if entry.form is None:
        response = await _ask(world, operation, json=own)
    else:
        response = await _ask(world, operation, files={"file": entry.form["file"]}, data={"no_such_field": "1"})
    assert "no_such_field" in _list_fields(operation, response)


@with_body
async def test_what_is_no_json_object_is_a_bad_request(world: World, name: str) -> None:
    operation = world.operations[name]
    for content in (b"{", b"[]", b"null", b'"text"', b"\xff", b'{"name": NaN}'):
        check_refusal(operation, await _ask(world, operation, content=content), 400, "bad_request")
    if operation.is_required:
        check_refusal(operation, await _ask(world, operation, content=b""), 400, "bad_request")


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry.form is not None])
async def test_a_form_names_its_wrong_fields_and_needs_its_file(world: World, name: str) -> None:
    operation = world.operations[name]
    form = dict(operation.entry.form or {})
    content = operation.described["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    for field in content.keys() - {"file"}:
        response = await _ask(world, operation, files={"file": form["file"]}, data={field: "no such" * 100})
        assert response.status_code in (404, 422), (field, response.text)
        if response.status_code == 422:
            assert field in _list_fields(operation, response)
    response = await _ask(world, operation, files={"country": (None, "US")})
    assert _list_fields(operation, response) == {"file"}
    response = await _ask(world, operation, data={"file": "phone"}, files={"country": (None, "US")})
    assert _list_fields(operation, response) == {"file"}


@pytest.mark.parametrize("name", [name for name in TABLE if not name.startswith(_READS)])
async def test_a_body_that_is_too_large_is_refused(world: World, name: str) -> None:
    operation = world.operations[name]
    size = operation.entry.max_bytes + 1
    kind = "application/json" if operation.entry.form is None else "multipart/form-data; boundary=x"
    headers = {"Content-Type": kind}
    if size > MB + 1:
        headers["Content-Length"] = str(size)
    response = await _ask(world, operation, content=b" " * min(size, MB + 1), headers=headers)
    check_refusal(operation, response, 413, "payload_too_large")


@each_operation
async def test_parameters_that_are_wrong_are_named(world: World, name: str) -> None:
    operation = world.operations[name]
    path = await operation.fill_path(world.ours)
    own = await world.ours.fill(operation.entry.query)
    for parameter in (each for each, described in operation.query.items() if described.get("required")):
        response = await operation.send(world.ours.tenant.client, path)
        assert _list_fields(operation, response) == {parameter}
    for query in ({"no_such_parameter": "1"}, *_list_wrong_queries(operation)):
        [field] = query
        values = httpx.QueryParams({**own, **query})
        response = await operation.send(world.ours.tenant.client, path, query=values)
        assert response.status_code == 422, (query, response.text)
        assert _list_fields(operation, response) & {field, field.partition("[")[0]}, (query, response.text)


def _list_wrong_queries(operation: Operation) -> list[dict[str, Any]]:
    wrong: list[dict[str, Any]] = []
    for name, parameter in operation.query.items():
        schema = parameter["schema"]
        for value in ("no-such", "", "-1", "0", "101", "9007199254740992", "x" * 300):
            if not _is_read(schema, value, operation.components):
                wrong.append({name: value})
        if schema.get("type") != "array" and parameter.get("style") != "deepObject":
            wrong.append({name: ["1", "1"]})
    return wrong


def _is_read(schema: Mapping[str, Any], text: str, components: Mapping[str, Any]) -> bool:
    """Whether the schema allows what a text in a URL may stand for."""
    readings: list[Any] = [text]
    with contextlib.suppress(ValueError):
        readings.append(json.loads(text))
    kinds = {choice.get("type") for choice in list_choices(schema, components)}
    if kinds & {"object"} or (kinds == {"boolean"} and text in ("0", "1")):
        return True
    formats = {choice.get("format") for choice in list_choices(schema, components)}
    if formats & {"date", "date-time"}:
        return False
    return any(is_allowed(schema, reading, components) for reading in readings)
