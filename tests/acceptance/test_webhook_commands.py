"""`ringdown webhooks listen` beside the running product: a call's events arrive signed and in order."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.acceptance import commands
from tests.acceptance.running import Ringdown, wait_for_call

pytestmark = pytest.mark.asyncio(loop_scope="package")

_PATIENCE_S = 60


@contextlib.asynccontextmanager
async def _listen(ringdown: Ringdown, *arguments: str) -> AsyncIterator[asyncio.StreamReader]:
    """`ringdown webhooks listen` on the machine and data of the product; what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringdown", "webhooks", "listen", *arguments,
        cwd=ringdown.folder, env=ringdown.environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(_PATIENCE_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


async def _read_until(lines: asyncio.StreamReader, last: str) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(_PATIENCE_S):
        while not found or last not in found[-1]:
            line = (await lines.readline()).decode().rstrip()
            assert line, found
            found.append(line)
    return found


async def test_events_of_a_call_are_listened_to_and_every_attempt_is_shown(
    ringdown: Ringdown, client: httpx.AsyncClient
) -> None:
    endpoints = (await client.get("/webhook-endpoints")).json()["pagination"]["total"]
    async with _listen(ringdown) as lines:
        [opened] = await _read_until(lines, "Listening on")
        [agent] = (await client.get("/agents", params={"name": "Sample agent"})).json()["data"]
        body = {"agent_id": agent["id"], "phone_number": "+12025550142"}
        call_id = (await client.post("/calls", json=body)).json()["data"]["id"]
        await wait_for_call(client, call_id, "in_progress")
        await client.post(f"/calls/{call_id}/hangup")
        told = [line for line in await _read_until(lines, "call.billed") if call_id in line]
        listed = await commands.run("webhooks", "list", folder=ringdown.folder, environment=_reach(ringdown))
        target = opened.split()[2].rstrip(";")
        assert any(target in line for line in listed.output.splitlines())
    assert [line.split()[1] for line in told] == ["call.started", "call.joined", "call.ended", "call.billed"]
    assert all(line.endswith("signature ok") for line in told)
    assert (await client.get("/webhook-endpoints")).json()["pagination"]["total"] == endpoints


async def test_a_secret_of_ones_own_is_enough_and_a_replay_comes_again(
    ringdown: Ringdown, client: httpx.AsyncClient
) -> None:
    async with _listen(ringdown, "--secret", "the-secret-of-a-developer") as lines:
        [opened] = await _read_until(lines, "Listening on")
        made = await client.post(
            "/webhook-endpoints", json={"url": opened.split()[2].rstrip(";"), "secret": "the-secret-of-a-developer"}
        )
        endpoint_id = made.json()["data"]["id"]
        for expected in ("signature ok", "signature ok, again"):
            verb = (
                ("test", endpoint_id)
                if expected == "signature ok"
                else ("replay", endpoint_id, "--status", "delivered")
            )
            done = await commands.run("webhooks", *verb, folder=ringdown.folder, environment=_reach(ringdown))
            assert (done.status, done.errors) == (0, "")
            assert (await _read_until(lines, "call.ended"))[-1].endswith(expected)
            await _wait_until_delivered(client, endpoint_id)
        shown = await commands.run(
            "webhooks", "deliveries", "--endpoint", endpoint_id, "--json",
            folder=ringdown.folder, environment=_reach(ringdown),
        )  # fmt: skip
        [delivery] = json.loads(shown.output)
        assert (delivery["status"], delivery["attempt_count"], delivery["response_status"]) == ("delivered", 2, 204)
        deleted = await commands.run(
            "webhooks", "delete", endpoint_id, folder=ringdown.folder, environment=_reach(ringdown)
        )
        assert deleted.output == f"Deleted {endpoint_id}.\n"


async def _wait_until_delivered(client: httpx.AsyncClient, endpoint_id: str) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            response = await client.get("/webhook-deliveries", params={"endpoint_id": endpoint_id})
            if [one["status"] for one in response.json()["data"]] == ["delivered"]:
                return
            await asyncio.sleep(0.05)


def _reach(ringdown: Ringdown) -> dict[str, str]:
    return {"RINGDOWN_HTTP_PORT": str(ringdown.ports["HTTP_PORT"])}
