"""Rate limits and idempotency keys over HTTP, on both databases."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from ringdown import values
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.web import idempotency
from tests import web_app
from tests.slices.conftest import on_sqlite
from tests.web_app import Things

_MINUTE_START_AT = 1_800_000_000_000 - 1_800_000_000_000 % 60_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"rate_limit_enabled": True})


@pytest.fixture
def things() -> Things:
    made = Things()
    made.gate.set()
    return made


@pytest.fixture
async def client(database: Database, settings: Settings, things: Things) -> AsyncIterator[httpx.AsyncClient]:
    settings = settings.model_copy(update={"rate_limit_enabled": False})
    app = web_app.build_app(settings=settings, database=database, things=things)
    async with web_app.open_client(app, key=await web_app.create_key(database)) as opened:
        yield opened


async def test_requests_beyond_the_limit_are_refused_until_the_minute_is_over(
    database: Database, settings: Settings, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await web_app.create_key(database, limit=2)
    app = web_app.build_app(settings=settings, database=database, things=things)
    async with web_app.open_client(app, key=key) as client:
        monkeypatch.setattr(values, "now_ms", lambda: _MINUTE_START_AT + 15_500)
        answers = [await client.get("/things") for _ in range(3)]
        monkeypatch.setattr(values, "now_ms", lambda: _MINUTE_START_AT + 60_000)
        later = await client.get("/things")
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    refused = answers[2]
    assert refused.headers["X-RateLimit-Limit"] == "2"
    assert refused.headers["X-RateLimit-Reset"] == str(_MINUTE_START_AT // 1000 + 60)
    assert refused.headers["Retry-After"] == "45"
    error = refused.json()["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert error["details"] == {"limit": 2, "reset_at": values.to_wire_time(_MINUTE_START_AT + 60_000)}
    assert (later.status_code, later.headers["X-RateLimit-Remaining"]) == (200, "1")


async def test_the_limit_counts_across_processes_exactly(
    database: Database, settings: Settings, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "now_ms", lambda: _MINUTE_START_AT)
    key = await web_app.create_key(database, limit=10)
    apps = [web_app.build_app(settings=settings, database=database, things=things) for _ in range(2)]

    async def send(number: int) -> int:
        async with web_app.open_client(apps[number % 2], key=key) as client:
            return (await client.get("/things")).status_code

    statuses = await asyncio.gather(*(send(number) for number in range(24)))
    assert sorted(statuses) == [200] * 10 + [429] * 14


async def test_a_process_whose_clock_is_behind_opens_no_old_window(
    database: Database, settings: Settings, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = web_app.build_app(settings=settings, database=database, things=things)
    async with web_app.open_client(app, key=await web_app.create_key(database, limit=2)) as client:
        statuses = []
        for now_at in (_MINUTE_START_AT, _MINUTE_START_AT - 1, _MINUTE_START_AT):
            monkeypatch.setattr(values, "now_ms", lambda now_at=now_at: now_at)
            statuses.append((await client.get("/things")).status_code)
    assert statuses == [200, 200, 429]


async def test_without_limits_no_request_is_counted(client: httpx.AsyncClient) -> None:
    response = await client.get("/things")
    assert response.status_code == 200
    assert "X-RateLimit-Limit" not in response.headers


def _keyed(key: str = "k1") -> dict[str, str]:
    return {"X-Idempotency-Key": key}


async def test_a_repeated_request_gets_the_first_answer_and_creates_nothing(
    client: httpx.AsyncClient, things: Things
) -> None:
    first = await client.post("/things", json={"name": "a"}, headers=_keyed())
    again = await client.post("/things", content=b'{ "name" : "a" }', headers=_keyed())
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["X-Request-Id"] == again.json()["meta"]["request_id"]
    assert again.headers["X-Idempotent-Replay"] == "true"
    assert things.names == ["a"]


async def test_a_key_used_for_another_body_is_a_conflict(client: httpx.AsyncClient, things: Things) -> None:
    await client.post("/things", json={"name": "a"}, headers=_keyed())
    refused = await client.post("/things", json={"name": "b"}, headers=_keyed())
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert things.names == ["a"]


async def test_a_key_belongs_to_one_endpoint_and_one_organization(
    client: httpx.AsyncClient, database: Database, settings: Settings, things: Things
) -> None:
    await client.post("/things", json={"name": "a"}, headers=_keyed())
    stopped = await client.post("/things/thing_1/stop", headers=_keyed())
    assert stopped.json()["data"]["id"] == "thing_1"
    app = web_app.build_app(settings=settings, database=database, things=things)
    async with web_app.open_client(app, key=await web_app.create_key(database)) as other:
        assert (await other.post("/things", json={"name": "b"}, headers=_keyed())).status_code == 201
    assert things.names == ["a", "b"]


async def test_a_refused_request_is_not_stored(client: httpx.AsyncClient, things: Things) -> None:
    for body in ({"name": ""}, {"name": "a", "then": "fail"}):
        assert (await client.post("/things", json=body, headers=_keyed())).status_code in (409, 422)
    assert (await client.post("/things", json={"name": "a"}, headers=_keyed())).status_code == 201


async def test_a_bug_after_the_commit_does_not_let_the_request_create_again(
    client: httpx.AsyncClient, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": "a", "then": "break"}
    assert (await client.post("/things", json=body, headers=_keyed())).status_code == 500
    later_at = values.now_ms() + idempotency.IN_FLIGHT_MS + 1
    monkeypatch.setattr(values, "now_ms", lambda: later_at)
    again = await client.post("/things", json=body, headers=_keyed())
    assert again.status_code == 409
    assert again.json()["error"]["details"]["resource_id"] == "thing_1"
    assert things.names == ["a"]


async def test_of_fifty_concurrent_equal_requests_one_creates(client: httpx.AsyncClient, things: Things) -> None:
    things.gate.clear()

    async def send() -> int:
        return (await client.post("/things", json={"name": "a"}, headers=_keyed())).status_code

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        sent = [tasks.create_task(send()) for _ in range(50)]
        await things.entered.wait()
        while sum(task.done() for task in sent) < 49:
            await asyncio.sleep(0.01)
        things.gate.set()
    assert sorted(task.result() for task in sent) == [201] + [409] * 49
    assert things.names == ["a"]


async def test_a_request_that_died_in_flight_is_taken_over_after_a_while(
    client: httpx.AsyncClient, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    things.gate.clear()
    dead = asyncio.create_task(client.post("/things", json={"name": "a"}, headers=_keyed()))
    await things.entered.wait()

    async def die(*_arguments: object) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "finish", die)  # as a killed process: the marker stays
        dead.cancel()
        await asyncio.wait([dead])
    things.gate.set()
    assert (await client.post("/things", json={"name": "a"}, headers=_keyed())).status_code == 409
    later_at = values.now_ms() + idempotency.IN_FLIGHT_MS + 1
    monkeypatch.setattr(values, "now_ms", lambda: later_at)
    assert (await client.post("/things", json={"name": "a"}, headers=_keyed())).status_code == 201
    assert things.names == ["a"]


async def test_a_request_that_is_worked_on_for_long_keeps_its_key(
    client: httpx.AsyncClient, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "IN_FLIGHT_MS", 1500)
    things.gate.clear()
    slow = asyncio.create_task(client.post("/things", json={"name": "a"}, headers=_keyed()))
    await things.entered.wait()
    began_at = values.now_ms()
    while values.now_ms() < began_at + 2500:
        assert (await client.post("/things", json={"name": "a"}, headers=_keyed())).status_code == 409
        await asyncio.sleep(0.1)
    things.gate.set()
    assert (await slow).status_code == 201
    assert things.names == ["a"]


async def test_a_slow_request_whose_key_was_taken_over_creates_nothing(
    client: httpx.AsyncClient, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    things.gate.clear()
    slow = asyncio.create_task(client.post("/things", json={"name": "a"}, headers=_keyed()))
    await things.entered.wait()
    later_at = values.now_ms() + idempotency.IN_FLIGHT_MS + 1
    monkeypatch.setattr(values, "now_ms", lambda: later_at)
    things.entered.clear()
    second = asyncio.create_task(client.post("/things", json={"name": "a"}, headers=_keyed()))
    await things.entered.wait()
    things.gate.set()
    statuses = sorted(response.status_code for response in await asyncio.gather(slow, second))
    assert statuses == [201, 409]


async def test_a_key_is_forgotten_after_seven_days(
    client: httpx.AsyncClient, database: Database, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.post("/things", json={"name": "a"}, headers=_keyed("kept"))
    await client.post("/things", json={"name": "a"}, headers=_keyed("old"))
    later_at = values.now_ms() + idempotency.KEPT_MS + 1
    monkeypatch.setattr(values, "now_ms", lambda: later_at)
    assert (await client.post("/things", json={"name": "b"}, headers=_keyed("kept"))).status_code == 201
    async with database.write() as connection:
        assert await idempotency.delete_expired(connection, now_at=later_at) == 1
        assert await idempotency.delete_expired(connection, now_at=later_at) == 0
    assert things.names == ["a", "a", "b"]


@on_sqlite
async def test_an_empty_or_endless_key_is_refused(client: httpx.AsyncClient) -> None:
    for key in ("", "x" * 256):
        refused = await client.post("/things", json={"name": "a"}, headers=_keyed(key))
        assert refused.json()["error"]["details"]["field"] == "X-Idempotency-Key"


async def test_counting_a_request_is_cheap(database: Database, settings: Settings, things: Things) -> None:
    app = web_app.build_app(settings=settings, database=database, things=things)
    async with web_app.open_client(app, key=await web_app.create_key(database, limit=10_000)) as client:
        await client.get("/things")
        started = time.process_time()
        for _ in range(50):
            await client.get("/things")
        assert (time.process_time() - started) / 50 < 0.02
