"""Calls from the outside: placed by the API or a phone, over real SIP and RTP, and the record they leave."""

import asyncio
import os
import signal
import time
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.acceptance import recordings
from tests.acceptance.running import Ringdown, run_phone, steps, wait_for_call

# The product runs for all tests; what speaks to it must live on the same event loop.
pytestmark = pytest.mark.asyncio(loop_scope="package")

VOICE = "espeak:en-us"
FLOW: dict[str, Any] = {
    "start": "ask",
    "nodes": {
        "ask": {
            "say": "Good morning {{first_name}}. Shall we deliver your parcel today?",
            "listen": {"kind": "yes_no"},
            "slot": "today",
            "reprompt": "Please say yes or no.",
            "next": "thanks",
            "on_failure": "thanks",
        },
        "thanks": {"say": "Thank you. Goodbye.", "end": "hang_up"},
    },
    "summary": "Deliver today: {{today}}.",
}


async def make_agent(client: httpx.AsyncClient, **fields: Any) -> str:
    """A new agent with an outbound number; returns its id."""
    body = {"name": "Parcels", "voice_id": VOICE, "system_prompt": "Ask about the parcel.", "flow": FLOW, **fields}
    answer = await client.post("/agents", json=body)
    assert answer.status_code == 201, answer.text
    agent_id: str = answer.json()["data"]["id"]
    return agent_id


async def find_sample_agent(client: httpx.AsyncClient) -> str:
    agents = (await client.get("/agents")).json()["data"]
    return next(agent["id"] for agent in agents if agent["name"] == "Sample agent")


@pytest_asyncio.fixture(loop_scope="package")
async def agent_id(client: httpx.AsyncClient) -> str:
    """The agent that has an outbound number, with the flow of these tests."""
    found = await find_sample_agent(client)
    changed = await client.patch(
        f"/agents/{found}", json={"flow": FLOW, "greeting_settings": {}, "join_timeout": "30s", "max_duration": "600s"}
    )
    assert changed.status_code == 200, changed.text
    return found


async def place(client: httpx.AsyncClient, agent_id: str, **fields: Any) -> dict[str, Any]:
    body = {"agent_id": agent_id, "phone_number": "+4930901820", "variables": {"first_name": "Ana"}, **fields}
    answer = await client.post("/calls", json=body)
    assert answer.status_code == 201, answer.text
    call: dict[str, Any] = answer.json()["data"]
    assert call["status"] == "queued"
    return call


async def test_an_outbound_call_leaves_words_times_audio_and_cost(
    ringdown: Ringdown, client: httpx.AsyncClient, agent_id: str
) -> None:
    script = steps("tone 1000 600", "say yes", "wait 30")
    async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "0.5", *script) as phone:
        call_id = (await place(client, agent_id, metadata={"order": 7}))["id"]
        await phone.wait_for("ringing")
        assert (await client.get(f"/calls/{call_id}")).json()["data"]["status"] == "ringing"
        call = await wait_for_call(client, call_id, "completed", "failed")
        await phone.wait_for("ended")
        tone_at_s = (await phone.wait_for("tone"))["at_ms"] / 1000
        said_at_s = (await phone.wait_for("said"))["at_ms"] / 1000

    assert (call["status"], call["ended_reason"], call["direction"]) == ("completed", "agent_hangup", "outbound")
    assert (call["to"], call["from"], call["metadata"]) == ("+4930901820", "+12025550101", {"order": 7})
    assert call["summary"] == "Deliver today: yes."
    assert call["cost_credits"] == -(-call["duration_seconds"] // 6)
    assert call["latency"]["p50_ms"] > 0

    turns = (await client.get(f"/calls/{call_id}/transcript")).json()["data"]["transcript"]
    agent_turns = [turn for turn in turns if turn["speaker"] == "agent"]
    answer = next(turn for turn in turns if turn["speaker"] == "contact" and turn["text"])
    assert agent_turns[0]["text"] == "Good morning Ana. Shall we deliver your parcel today?"
    assert agent_turns[-1]["text"] == "Thank you. Goodbye."
    assert not any(turn["interrupted"] for turn in agent_turns)
    assert [turn["timestamp"] for turn in turns] == sorted(turn["timestamp"] for turn in turns)
    assert turns[-1]["end_timestamp"] <= call["duration_seconds"] + 1
    assert answer["timestamp"] == pytest.approx(said_at_s, abs=0.5)

    far, near = await recordings.fetch(call["recording_url"])
    assert len(far) / recordings.RATE_HZ == pytest.approx(call["duration_seconds"], abs=1.0)
    tone = recordings.find_tone(far, 1000)
    assert tone is not None
    # The phone's clock starts up to a ring's length before ours: when our answer reached it.
    assert tone[0] == pytest.approx(tone_at_s, abs=0.3)
    assert tone[1] - tone[0] == pytest.approx(0.6, abs=0.1)
    assert recordings.find_tone(near, 1000) is None
    first = agent_turns[0]
    assert recordings.loudness(near, first["timestamp"] + 0.2, first["end_timestamp"] - 0.2) > 0.02
    assert recordings.loudness(near, tone[0] + 0.1, tone[1] - 0.1) < 0.001


async def test_an_inbound_call_rings_the_agent_and_is_recorded_alike(
    ringdown: Ringdown, client: httpx.AsyncClient, agent_id: str
) -> None:
    arguments = ("--dial", ringdown.agent_uri, *steps("say no", "wait 30"))
    async with run_phone(0, *arguments) as phone:
        await phone.wait_for("ended")
    listed = (await client.get("/calls", params={"direction": "inbound", "limit": 1})).json()["data"]
    call = await wait_for_call(client, listed[0]["id"], "completed", "failed")
    assert (call["status"], call["ended_reason"], call["agent_id"]) == ("completed", "agent_hangup", agent_id)
    assert call["summary"] == "Deliver today: no."
    turns = (await client.get(f"/calls/{call['id']}")).json()["data"]["transcript"]
    assert [turn["speaker"] for turn in turns] == ["agent", "contact", "agent"]
    far, near = await recordings.fetch(call["recording_url"])
    assert recordings.loudness(far, turns[1]["timestamp"], turns[1]["end_timestamp"]) > 0.01
    assert recordings.loudness(near, turns[0]["timestamp"] + 0.2, turns[0]["end_timestamp"] - 0.2) > 0.02


@pytest.mark.parametrize(
    ("reaction", "ended_reason"), [("busy", "busy"), ("decline", "declined"), ("ring", "no_answer")]
)
async def test_a_phone_that_does_not_answer_leaves_its_reason(
    ringdown: Ringdown, client: httpx.AsyncClient, agent_id: str, reaction: str, ended_reason: str
) -> None:
    async with run_phone(ringdown.ports["PEER_PORT"], "--reaction", reaction) as phone:
        call_id = (await place(client, agent_id, call_settings={"join_timeout": "2s"}))["id"]
        call = await wait_for_call(client, call_id, "failed", "completed")
        await phone.wait_for("ended", 30)
    assert (call["status"], call["ended_reason"]) == ("failed", ended_reason)
    assert (call["duration_seconds"], call["cost_credits"], call["recording_url"]) == (0, 0, None)
    assert "answered" not in phone.kinds()


async def test_a_peer_that_is_not_there_is_unreachable(
    ringdown: Ringdown, client: httpx.AsyncClient, agent_id: str
) -> None:
    call_id = (await place(client, agent_id, call_settings={"join_timeout": "40s"}))["id"]
    call = await wait_for_call(client, call_id, "failed", timeout_s=45)
    assert call["ended_reason"] == "unreachable"


async def test_the_api_hangs_up_a_ringing_and_a_talking_call(
    ringdown: Ringdown, client: httpx.AsyncClient, agent_id: str
) -> None:
    async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "30") as phone:
        call_id = (await place(client, agent_id))["id"]
        await phone.wait_for("ringing")
        assert (await client.delete(f"/calls/{call_id}")).status_code == 422
        assert (await client.post(f"/calls/{call_id}/hangup")).status_code == 201
        assert (await wait_for_call(client, call_id, "failed"))["ended_reason"] == "cancelled"
        await phone.wait_for("ended", 30)
    async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "0") as phone:
        call_id = (await place(client, agent_id))["id"]
        await phone.wait_for("answered")
        await wait_for_call(client, call_id, "in_progress")
        await asyncio.sleep(1)
        assert (await client.post(f"/calls/{call_id}/hangup")).status_code == 201
        call = await wait_for_call(client, call_id, "completed")
        await phone.wait_for("ended", 30)
    assert call["ended_reason"] == "agent_hangup"
    assert (await client.post(f"/calls/{call_id}/hangup")).status_code == 422
    assert (await client.delete(f"/calls/{call_id}")).status_code == 200
    assert (await client.get(f"/calls/{call_id}")).status_code == 404


async def test_the_last_word_before_a_hang_up_is_in_the_transcript(
    ringdown: Ringdown, client: httpx.AsyncClient, agent_id: str
) -> None:
    # The answer is followed by the hang-up at once, long before any end of turn.
    script = steps("say yes", "wait 0", "hang_up")
    async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "0", *script) as phone:
        call_id = (await place(client, agent_id))["id"]
        await phone.wait_for("ended")
    call = await wait_for_call(client, call_id, "completed")
    assert call["ended_reason"] == "user_hangup"
    turns = (await client.get(f"/calls/{call_id}")).json()["data"]["transcript"]
    assert [turn["speaker"] for turn in turns][:2] == ["agent", "contact"]
    assert turns[1]["text"]


async def test_keypad_digits_answer_a_question(ringdown: Ringdown, client: httpx.AsyncClient, agent_id: str) -> None:
    flow = {**FLOW, "nodes": {**FLOW["nodes"], "ask": {**FLOW["nodes"]["ask"], "keypad": {"1": "yes", "2": "no"}}}}
    assert (await client.patch(f"/agents/{agent_id}", json={"flow": flow})).status_code == 200
    async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "0", *steps("digits 2", "wait 30")):
        call_id = (await place(client, agent_id))["id"]
        call = await wait_for_call(client, call_id, "completed", "failed")
    assert call["summary"] == "Deliver today: no."


async def test_a_killed_gateway_ends_its_calls_and_a_new_one_takes_calls(
    ringdown: Ringdown, client: httpx.AsyncClient, agent_id: str
) -> None:
    async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "0", *steps("wait 60")) as phone:
        talking = (await place(client, agent_id))["id"]
        await phone.wait_for("answered")
        await asyncio.sleep(4)
        killed_at = time.monotonic()
        os.kill(ringdown.find_process("ringdown.gateway"), signal.SIGKILL)
        told = await phone.wait_for("ended", 15)
        call = await wait_for_call(client, talking, "completed", "failed", timeout_s=60)
    assert (call["status"], call["ended_reason"]) == ("completed", "recovered_after_crash")
    assert told["wall"] - killed_at < 15
    assert call["duration_seconds"] in (3, 4, 5)
    _, near = await recordings.fetch(call["recording_url"])
    assert recordings.loudness(near, 0.3, 1.5) > 0.02
    assert len(near) / recordings.RATE_HZ > call["duration_seconds"] - 2

    async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "0", *steps("say yes", "wait 30")):
        after = (await place(client, agent_id))["id"]
        assert (await wait_for_call(client, after, "completed", "failed"))["status"] == "completed"
