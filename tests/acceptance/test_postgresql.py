"""The whole product on PostgreSQL: a call from its order to its record, keys, and commands that arrive at once."""

import re
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.acceptance import commands, recordings
from tests.acceptance.running import Ringdown, run_phone, wait_for_call
from tests.conftest import PostgresqlServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATABASE = "whole_product"
TEST_PHONE = "+12025550142"
NUMBER = "+4930901820"


@pytest.fixture(scope="module")
def database_url(postgresql_server: PostgresqlServer) -> str:
    return f"postgresql://postgres@/{DATABASE}?host={postgresql_server.socket_folder}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ringdown(
    postgresql_server: PostgresqlServer, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ringdown]:
    await postgresql_server.execute(f"CREATE DATABASE {DATABASE}")
    product = Ringdown(tmp_path_factory.mktemp("postgresql"))
    product.environment["RINGDOWN_DATABASE_URL"] = database_url
    await product.start()
    yield product
    assert await product.stop() == 0
    assert not list((product.folder / "data").glob("*.db"))
    await postgresql_server.execute(f"DROP DATABASE {DATABASE}")  # refused while anybody is connected


@pytest_asyncio.fixture(loop_scope="module")
async def client(ringdown: Ringdown) -> AsyncIterator[httpx.AsyncClient]:
    async with ringdown.client() as opened:
        yield opened


async def find_agent(client: httpx.AsyncClient) -> str:
    agent_id: str = (await client.get("/agents")).json()["data"][-1]["id"]
    return agent_id


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def demonstration_id(ringdown: Ringdown) -> str:
    """A call to the built-in test phone, talking while the other tests run."""
    async with ringdown.client() as client:
        body = {
            "agent_id": await find_agent(client),
            "phone_number": TEST_PHONE,
            "variables": {"first_name": "Ana"},
            "metadata": {"order": 7},
        }
        placed = await client.post("/calls", json=body)
    assert placed.status_code == 201, placed.text
    call_id: str = placed.json()["data"]["id"]
    return call_id


async def test_an_order_and_a_hang_up_reach_the_gateway_at_once(ringdown: Ringdown, client: httpx.AsyncClient) -> None:
    agent_id = await find_agent(client)
    ordered_s, hung_up_s = [], []
    for _ in range(3):
        async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "30") as phone:
            placed_at = time.monotonic()
            body = {"agent_id": agent_id, "phone_number": NUMBER}
            call_id = (await client.post("/calls", json=body)).json()["data"]["id"]
            ordered_s.append((await phone.wait_for("ringing", 30))["wall"] - placed_at)
            hung_up_at = time.monotonic()
            assert (await client.post(f"/calls/{call_id}/hangup")).status_code == 201
            hung_up_s.append((await phone.wait_for("ended", 30))["wall"] - hung_up_at)
            assert (await wait_for_call(client, call_id, "failed", "completed"))["ended_reason"] == "cancelled"
    # Without a notification the gateway looks every second for orders and every half second for commands.
    assert statistics.median(ordered_s) < 0.4
    assert statistics.median(hung_up_s) < 0.2


async def test_keys_are_made_listed_and_revoked(ringdown: Ringdown, database_url: str) -> None:
    environment = {"RINGDOWN_DATABASE_URL": database_url}
    made = await commands.run("keys", "create", "shop", folder=ringdown.folder, environment=environment)
    assert made.status == 0, made.errors
    assert re.fullmatch(r"truedy_\w{32}\n", made.output)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {made.output.strip()}"}) as shop:
        url = f"{ringdown.base_url}/api/public/v1/calls"
        assert (await shop.get(url)).status_code == 200
        revoked = await commands.run("keys", "revoke", "shop", folder=ringdown.folder, environment=environment)
        assert revoked.status == 0, revoked.errors
        assert (await shop.get(url)).status_code == 401
    listed = await commands.run("keys", "list", folder=ringdown.folder, environment=environment)
    assert [line.split()[-2:] for line in listed.output.splitlines()] == [["active", "default"], ["revoked", "shop"]]


async def test_a_database_that_is_not_there_is_one_sentence(
    ringdown: Ringdown, database_url: str, tmp_path: Path
) -> None:
    for url, reason in (
        (database_url.replace(DATABASE, "no_such_database"), 'database "no_such_database" does not exist'),
        ("postgresql://bob:secret@127.0.0.1:1/name", "Connect call failed"),
        ("mysql://bob:secret@127.0.0.1/name", "looks like postgresql://"),
    ):
        ended = await commands.run("keys", "list", folder=tmp_path, environment={"RINGDOWN_DATABASE_URL": url})
        assert (ended.status, ended.output) == (1, "")
        assert ended.errors.startswith("ringdown: ")
        assert reason in ended.errors
        assert "secret" not in ended.errors
        assert len(ended.errors.splitlines()) == 1


async def test_the_demonstration_call_completes(
    ringdown: Ringdown, client: httpx.AsyncClient, demonstration_id: str
) -> None:
    call = await wait_for_call(client, demonstration_id, "completed", "failed", timeout_s=90)
    assert (call["status"], call["ended_reason"], call["metadata"]) == ("completed", "agent_hangup", {"order": 7})
    assert call["summary"] == "Appointment confirmed: yes. People coming: 2."
    assert call["cost_credits"] == -(-call["duration_seconds"] // 6) > 0
    turns = (await client.get(f"/calls/{demonstration_id}/transcript")).json()["data"]["transcript"]
    assert {turn["speaker"] for turn in turns} == {"agent", "contact"}
    assert [turn["timestamp"] for turn in turns] == sorted(turn["timestamp"] for turn in turns)
    far, _ = await recordings.fetch(call["recording_url"])
    assert len(far) / recordings.RATE_HZ == pytest.approx(call["duration_seconds"], abs=1.0)
    listed = (await client.get("/calls", params={"status": "completed"})).json()
    assert listed["pagination"]["total"] == 1
    assert {name: listed["data"][0][name] for name in ("id", "summary", "cost_credits", "updated_at")} == {
        name: call[name] for name in ("id", "summary", "cost_credits", "updated_at")
    }
