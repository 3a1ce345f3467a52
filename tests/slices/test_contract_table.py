"""Every operation of the API by one table: it succeeds, and refuses who has no key, others and the unknown."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.slices.contract_entry import JSON
from tests.slices.contract_table import PUBLIC, TABLE
from tests.slices.contract_things import Things
from tests.slices.contract_world import Operation, World, check_answer, check_refusal, make_world  # noqa: F401 - a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")
_METHODS = ("get", "post", "put", "patch", "delete")
_UNKNOWN = {"number": ["999"], "phone_number": ["+12025550199"]}
each_operation = pytest.mark.parametrize("name", TABLE)


async def test_every_operation_of_the_document_has_its_entry(world: World) -> None:
    described = {
        operations[method]["operationId"]
        for operations in world.document["paths"].values()
        for method in _METHODS
        if method in operations
    }
    assert described == set(TABLE)


@each_operation
async def test_it_succeeds_as_documented(world: World, name: str) -> None:
    operation, things = world.operations[name], Things(world.ours.tenant)
    entry = operation.entry
    if entry.shows is not None:
        await things.get(entry.shows)
    path = await operation.fill_path(things)
    shown = await _find(world, operation, things, path)
    sent = await things.fill(dict(entry.body or {}))
    response = await operation.ask(things, path=path, **({"json": sent} if sent and not entry.form else {}))
    answer = check_answer(operation, response, status=operation.status, media_type=entry.media_type)
    if entry.media_type != JSON or entry.is_bare:
        return
    if operation.method == "delete":
        assert answer["data"] == {"id": answer["data"]["id"], "deleted": True}
    elif shown is not None:
        after = await _find(world, operation, things, path)
        assert after is not None
        assert {field for field in after if after[field] != shown[field]} <= {*sent, "updated_at", *entry.follows}
        _check_alike(answer["data"], after)
    if operation.method != "get" and isinstance(answer["data"], dict):
        plain = {field: value for field, value in sent.items() if not isinstance(value, list)}
        _check_alike({field: plain[field] for field in plain.keys() - entry.reworded}, answer["data"])
        await _check_made(world, operation, things, path, answer["data"])


def _check_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    both = one.keys() & other.keys()
    assert {field: one[field] for field in both} == {field: other[field] for field in both}


async def _find(world: World, operation: Operation, things: Things, path: Mapping[str, str]) -> dict[str, Any] | None:
    """What a PUT or PATCH changes, as its GET shows it."""
    getters = [one for one in world.operations.values() if (one.method, one.path) == ("get", operation.path)]
    if operation.method not in ("put", "patch") or not getters:
        return None
    found: dict[str, Any] = (await getters[0].send(things.tenant.client, path)).json()["data"]
    return found


async def _check_made(
    world: World, operation: Operation, things: Things, path: Mapping[str, str], made: Mapping[str, Any]
) -> None:
    """What a POST has made is there, as its answer shows it."""
    for link in operation.described["responses"][str(operation.status)].get("links", {}).values():
        getter = world.operations[link["operationId"]]
        if getter.method == "get" and getter.path.rpartition("/")[0] == operation.path:
            own = {**path, getter.path_names[-1]: made["id"]}
            _check_alike(made, (await getter.send(things.tenant.client, own)).json()["data"])


@each_operation
async def test_who_has_no_key_is_refused(world: World, name: str) -> None:
    operation = world.operations[name]
    path = dict.fromkeys(operation.path_names, "x")
    for headers in ({}, {"Authorization": f"Bearer truedy_{'x' * 32}"}):
        response = await operation.send(world.anonymous, path, headers=headers, query={"no": "such"}, content=b"{")
        if name in PUBLIC:
            assert response.status_code != 401
            continue
        check_refusal(operation, response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == "Bearer"


@each_operation
async def test_what_is_absent_is_not_found(world: World, name: str) -> None:
    operation = world.operations[name]
    path = await operation.fill_path(world.ours)
    await world.ours.fill(operation.entry.body)
    before = world.read_rows()
    for parameter, value in path.items():
        like_it = f"{value.partition('_')[0]}_{'0' * 26}"
        for absent in _UNKNOWN.get(parameter, [like_it, "\N{NO ENTRY} no such"]):
            response = await operation.ask(world.ours, path={**path, parameter: absent})
            check_refusal(operation, response, *operation.entry.absent)
    assert world.read_rows() == before


@each_operation
async def test_things_of_others_are_not_found(world: World, name: str) -> None:
    operation, ours = world.operations[name], world.ours.tenant.organization_id
    entry = operation.entry
    path = await operation.fill_path(world.ours)
    refers = await world.ours.fill(dict(entry.refers))
    before = world.read_rows(organization_id=ours)
    own_path = await operation.fill_path(world.theirs)
    for parameter, value in path.items():
        if value != own_path[parameter]:
            response = await operation.ask(world.theirs, path={**own_path, parameter: value})
            check_refusal(operation, response, *entry.absent)
    for field, value in refers.items():
        await _refer(world, operation, field, value)
    assert world.read_rows(organization_id=ours) == before


async def _refer(world: World, operation: Operation, field: str, value: Any) -> None:
    """A request of theirs in which this field names a thing of ours is refused."""
    entry, foreign = operation.entry, {field: value}
    own = await world.theirs.fill(dict(entry.body or entry.query))
    if entry.form is not None:
        response = await operation.ask(world.theirs, files={"file": entry.form["file"]}, data=foreign)
    elif entry.body is not None:
        response = await operation.ask(world.theirs, json={**own, **foreign})
    else:
        response = await operation.ask(world.theirs, query={**own, **foreign})
    if response.status_code == 404:
        check_refusal(operation, response, 404, "not_found")
    else:
        details = check_refusal(operation, response, 422, "validation_error")
        assert str(details["field"]).partition(".")[0] in (field, operation.entry.aliases.get(field))


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry.shows is not None])
async def test_things_of_others_are_not_shown(world: World, name: str) -> None:
    operation = world.operations[name]
    thing = await world.ours.get(str(operation.entry.shows))
    mine = await operation.ask(world.ours)
    assert f'"{thing}"' in mine.text.replace(" ", "")
    theirs = await operation.ask(world.theirs)
    assert theirs.status_code == 200
    assert f'"{thing}"' not in theirs.text.replace(" ", "")


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry.overlooks])
async def test_things_of_others_count_for_nothing_where_they_are_not_refused(world: World, name: str) -> None:
    operation, ours = world.operations[name], world.ours.tenant.organization_id
    entry = operation.entry
    for field, template in entry.overlooks.items():
        foreign = {field: await world.ours.fill(template)}
        own = await world.theirs.fill(dict(entry.body or entry.query))
        before = world.read_rows(organization_id=ours)
        if operation.entry.body is not None:
            response = await operation.ask(world.theirs, json={**own, **foreign})
            assert response.json()["data"]["deleted_count"] == 0
        else:
            response = await operation.ask(world.theirs, query={**own, **foreign})
            assert not (response.json()["data"] if entry.media_type == JSON else response.text)
        assert response.status_code == operation.status, response.text
        assert world.read_rows(organization_id=ours) == before


async def test_lists_are_paged_by_limit_and_offset(world: World) -> None:
    paged = [one for one in world.operations.values() if {"limit", "offset"} <= one.query.keys()]
    assert len(paged) > 15
    for operation in paged:
        path = await operation.fill_path(world.ours)
        if operation.entry.shows is not None:
            await world.ours.get(operation.entry.shows)
        client = world.ours.tenant.client
        first = (await operation.send(client, path, query={"limit": 1})).json()
        total = first["pagination"]["total"]
        assert len(first["data"]) == min(total, 1), operation.id
        page = {"total": total, "limit": 1, "offset": 0, "has_more": total > 1}
        assert page.items() <= first["pagination"].items(), operation.id
        last = (await operation.send(client, path, query={"limit": 1, "offset": total})).json()
        assert last["data"] == [], operation.id
        assert {**page, "offset": total, "has_more": False}.items() <= last["pagination"].items(), operation.id
