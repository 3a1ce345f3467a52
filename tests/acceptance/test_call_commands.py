"""`ringdown calls` beside the running product: its own key, lists, calls, files, and what goes wrong."""

import csv
import io
import json
import re
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from ringdown.cli.preflight import find_free_port
from tests.acceptance import commands
from tests.acceptance.running import HOST, Ringdown, run_phone, wait_for_call

pytestmark = pytest.mark.asyncio(loop_scope="package")

NUMBER = "+4930901820"


async def run(ringdown: Ringdown, *arguments: str, http_port: int | None = None) -> commands.Ended:
    """`ringdown calls ARGUMENTS` on the machine and data of the product."""
    environment = {"RINGDOWN_HTTP_PORT": str(http_port or ringdown.ports["HTTP_PORT"])}
    return await commands.run("calls", *arguments, folder=ringdown.folder, environment=environment)


def find_key_file(ringdown: Ringdown) -> Path:
    return ringdown.folder / "data" / "command-line.key"


async def find_sample_agent(client: httpx.AsyncClient) -> str:
    found = (await client.get("/agents", params={"name": "Sample agent"})).json()["data"]
    agent_id: str = found[0]["id"]
    return agent_id


async def make_agent_without_number(client: httpx.AsyncClient) -> str:
    """An agent whose calls have ended when they are placed."""
    body: dict[str, Any] = {"name": "Numberless", "voice_id": "espeak:en-us", "system_prompt": "Be kind."}
    agent_id: str = (await client.post("/agents", json=body)).json()["data"]["id"]
    return agent_id


async def test_the_first_command_makes_a_key_that_only_its_owner_reads_and_the_next_ones_use_it(
    ringdown: Ringdown, client: httpx.AsyncClient
) -> None:
    path = find_key_file(ringdown)
    path.unlink(missing_ok=True)
    agent_id = await make_agent_without_number(client)
    keys = (await client.get("/api-keys")).json()["pagination"]["total"]
    arguments = ("create", NUMBER, "--agent", agent_id, "-v", "first_name=Ana", "-m", "order=A-17", "--wait", "--json")
    created = await run(ringdown, *arguments)
    assert (created.status, created.errors) == (0, "")
    call = json.loads(created.output)
    assert (call["status"], call["ended_reason"]) == ("failed", "no_phone_number_configured")
    assert (call["variables"], call["metadata"]) == ({"first_name": "Ana"}, {"order": "A-17"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_text()
    assert re.fullmatch(r"truedy_\w{32}\n", kept)
    assert kept.strip() not in created.output

    listed = await run(ringdown, "list", "--agent", agent_id, "-f", "metadata.order=A-17")
    assert (listed.status, listed.errors) == (0, "")
    heading, row, count = listed.output.splitlines()
    assert heading.split()[:3] == ["ID", "STATUS", "DIRECTION"]
    assert row.split()[:3] == [call["id"], "failed", "outbound"]
    assert count == "1 of 1"

    exported = await run(ringdown, "export", "--agent", agent_id)
    assert (exported.status, exported.errors) == (0, "")
    assert [found["id"] for found in csv.DictReader(io.StringIO(exported.output))] == [call["id"]]
    assert path.read_text() == kept
    assert (await client.get("/api-keys")).json()["pagination"]["total"] == keys + 1


async def test_a_call_that_rings_is_hung_up(ringdown: Ringdown, client: httpx.AsyncClient) -> None:
    agent_id = await find_sample_agent(client)
    body = {"agent_id": agent_id, "phone_number": NUMBER, "call_settings": {"join_timeout": "600s"}}
    async with run_phone(ringdown.ports["PEER_PORT"], "--reaction", "ring"):
        call_id = (await client.post("/calls", json=body)).json()["data"]["id"]
        await wait_for_call(client, call_id, "ringing")
        ended = await run(ringdown, "hangup", call_id)
        assert (ended.status, ended.output, ended.errors) == (0, f"Hanging up {call_id}.\n", "")
        call = await wait_for_call(client, call_id, "failed", "completed")
    assert (call["status"], call["ended_reason"]) == ("failed", "cancelled")


async def test_a_kept_key_that_is_not_good_any_more_names_its_file(ringdown: Ringdown) -> None:
    path = find_key_file(ringdown)
    path.write_text("truedy_" + "x" * 32 + "\n")
    try:
        refused = await run(ringdown, "list")
    finally:
        path.unlink()
    assert refused.status == 1
    assert f"Delete {path} to have a new one made." in refused.errors


async def test_an_api_that_is_away_is_one_sentence(ringdown: Ringdown) -> None:
    port = find_free_port(HOST)
    away = await run(ringdown, "list", http_port=port)
    assert (away.status, away.output, away.errors.count("\n")) == (1, "", 1)
    assert away.errors.startswith(f"ringdown: The API at http://{HOST}:{port} cannot be reached (")
    assert away.errors.endswith("). Does `ringdown serve` run?\n")
