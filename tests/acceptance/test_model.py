"""Calls that a language model leads: hosted transcription, chat and speech behind the real product."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.acceptance import commands, recordings
from tests.acceptance.model_server import (
    BREATH,
    CHAT,
    MS_PER_CHARACTER,
    SPEECH,
    SUMMARY,
    TONE_HZ,
    TRANSCRIPTION,
    Answer,
    ScriptedServer,
)
from tests.acceptance.running import Phone, Ringdown, run_phone, steps, wait_for_call

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREETING = "Good morning Ana, this is Parcels."
NUMBER = "+4930901820"
FLOW = {
    "start": "ask",
    "nodes": {
        "ask": {
            "say": "Shall we deliver today, {{first_name}}?",
            "listen": {"kind": "yes_no"},
            "slot": "today",
            "next": "thanks",
            "on_failure": "thanks",
        },
        "thanks": {"say": "Goodbye.", "end": "hang_up"},
    },
    "summary": "Deliver today: {{today}}.",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().run() as running:
        assert isinstance(running, ScriptedServer)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ringdown(provider: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ringdown]:
    product = Ringdown(tmp_path_factory.mktemp("hosted"))
    product.environment |= {
        "RINGDOWN_MODEL_URL": provider.url,
        "RINGDOWN_MODEL_KEY": "key-of-the-model",
        "RINGDOWN_MODEL_NAME": "fast-model",
        "RINGDOWN_TRANSCRIPTION_URL": provider.url,
        "RINGDOWN_TRANSCRIPTION_KEY": "key-of-the-ear",
        "RINGDOWN_TRANSCRIPTION_MODEL": "whisper",
        "RINGDOWN_SPEECH_URL": provider.url,
        "RINGDOWN_SPEECH_KEY": "key-of-the-voice",
        "RINGDOWN_SPEECH_MODEL": "tones",
        "RINGDOWN_SPEECH_VOICES": "alloy, nova",
    }
    await product.start()
    yield product
    assert await product.stop() == 0


@pytest_asyncio.fixture(loop_scope="module")
async def client(ringdown: Ringdown) -> AsyncIterator[httpx.AsyncClient]:
    async with ringdown.client() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def _sample_agent_follows_the_model(client: httpx.AsyncClient, provider: ScriptedServer) -> None:
    provider.requests.clear()
    provider.faults.clear()
    provider.answers.clear()
    provider.summary_delay_s = 0.0
    changed = await client.patch(f"/agents/{await find_agent(client)}", json={
        "flow": None,
        "model": "default",
        "voice_id": "speech:nova",
        "system_prompt": "You deliver parcels to {{first_name}} for {{agent_name}}.{{unknown}}",
        "greeting": "Good morning {{first_name}}, this is {{agent_name}}.",
        "name": "Parcels",
        "temperature": 0.7,
        "success_criteria": "They agree on a day.",
        "extraction_schema": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    })  # fmt: skip
    assert changed.status_code == 200, changed.text


async def find_agent(client: httpx.AsyncClient) -> str:
    agent_id: str = (await client.get("/agents")).json()["data"][-1]["id"]
    return agent_id


@asynccontextmanager
async def place_call(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer, *script: str, **settings: object
) -> AsyncIterator[tuple[str, Phone]]:
    """A call to a phone whose words the transcription knows."""
    async with run_phone(ringdown.ports["PEER_PORT"], "--answer-after", "0", *steps(*script)) as phone:
        provider.hear = lambda: next(
            (event["detail"] for event in reversed(phone.events) if event["kind"] == "said"), ""
        )
        body: dict[str, object] = {"agent_id": await find_agent(client), "phone_number": NUMBER}
        body |= {"variables": {"first_name": "Ana"}, "call_settings": settings}
        placed = await client.post("/calls", json=body)
        assert placed.status_code == 201, placed.text
        yield placed.json()["data"]["id"], phone


async def wait_for_summary(client: httpx.AsyncClient, call_id: str) -> dict[str, Any]:
    """The call once it has ended and has its summary, which a model writes after the end."""
    await wait_for_call(client, call_id, "completed", "failed")
    async with asyncio.timeout(20):
        while True:
            call: dict[str, Any] = (await client.get(f"/calls/{call_id}")).json()["data"]
            if call["summary"] is not None:
                return call
            await asyncio.sleep(0.1)


async def read_turns(client: httpx.AsyncClient, call_id: str) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = (await client.get(f"/calls/{call_id}/transcript")).json()["data"]["transcript"]
    return turns


def words_of(turns: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(turn["speaker"], turn["text"]) for turn in turns]


async def test_a_model_leads_a_call_to_its_end(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    provider.answers = {
        "When will it come?": Answer("It comes on Thursday. Does that suit you?"),
        "Friday would be better.": Answer("Friday it is. Goodbye.", ends_call=True),
    }
    async with place_call(
        ringdown, client, provider, "say When will it come?", "say Friday would be better.", "wait 30"
    ) as (call_id, phone):
        call = await wait_for_summary(client, call_id)
        await phone.wait_for("ended", 30)

    turns = await read_turns(client, call_id)
    assert words_of(turns) == [
        ("agent", GREETING),
        ("contact", "When will it come?"),
        ("agent", "It comes on Thursday. Does that suit you?"),
        ("contact", "Friday would be better."),
        ("agent", "Friday it is. Goodbye."),
    ]
    assert not any(turn["interrupted"] for turn in turns)
    assert (call["status"], call["ended_reason"], call["summary"]) == ("completed", "agent_hangup", SUMMARY)
    assert (call["outcome"], call["sentiment"]) == ("interested", "positive")
    analysis = call["analysis"]
    assert (analysis["is_success"], analysis["structured_data"]) == (True, {"day": "Friday"})
    assert (analysis["source"], analysis["model"]) == ("model", "fast-model")
    told = (await client.get("/events", params={"call_id": call_id, "sort": "created_at"})).json()["data"]
    assert [event["event"] for event in told][-2:] == ["call.billed", "call.analyzed"]
    assert told[-1]["data"]["analysis"] == analysis
    assert 200 <= call["latency"]["p50_ms"] < 3000
    assert call["latency"]["p95_ms"] >= call["latency"]["p50_ms"]

    # The line is held until the last word was played.
    _, near = await recordings.fetch(call["recording_url"])
    last = turns[-1]
    tone = recordings.find_tone(near, TONE_HZ)
    assert tone is not None
    assert tone[1] == pytest.approx(last["end_timestamp"], abs=0.15)
    assert last["end_timestamp"] - last["timestamp"] == pytest.approx(
        len("Friday it is.Goodbye.") * MS_PER_CHARACTER / 1000, abs=0.3
    )


async def test_the_providers_get_what_they_need_and_no_more(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    provider.answers = {"Bye.": Answer("Goodbye.", ends_call=True)}
    async with place_call(ringdown, client, provider, "say Bye.", "wait 30") as (call_id, _):
        await wait_for_summary(client, call_id)

    chat = provider.requests_to(CHAT)[0]
    system, *said = chat.fields["messages"]
    assert system["role"] == "system"
    assert system["content"].startswith("You deliver parcels to Ana for Parcels.\n")
    assert said == [{"role": "assistant", "content": GREETING}, {"role": "user", "content": "Bye."}]
    assert (chat.fields["model"], chat.fields["temperature"]) == ("fast-model", 0.7)
    assert [tool["function"]["name"] for tool in chat.fields["tools"]] == [
        "end_call",
        "send_digits",
        "leave_voicemail",
        "opt_out",
    ]
    assert chat.headers["authorization"] == "Bearer key-of-the-model"
    ear = provider.requests_to(TRANSCRIPTION)[0]
    assert (ear.fields["model"], ear.fields["language"]) == ("whisper", "en")
    assert ear.headers["authorization"] == "Bearer key-of-the-ear"
    voice = provider.requests_to(SPEECH)[0]
    assert (voice.fields["model"], voice.fields["voice"], voice.fields["input"]) == ("tones", "nova", GREETING)
    assert voice.headers["authorization"] == "Bearer key-of-the-voice"
    analysis = provider.analyses()[-1]
    assert analysis.fields["messages"][-1]["content"] == f"Agent: {GREETING}\nContact: Bye.\nAgent: Goodbye."
    assert [tool["function"]["name"] for tool in analysis.fields["tools"]] == ["record_analysis"]
    log = (ringdown.folder / "log").read_text()
    assert not any(secret in log for secret in ("key-of-", "Ana", NUMBER))


async def test_a_call_has_ended_before_the_model_has_written_its_summary(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    provider.answers = {"Bye.": Answer("Goodbye.", ends_call=True)}
    provider.summary_delay_s = 3.0
    async with place_call(ringdown, client, provider, "say Bye.", "wait 30") as (call_id, phone):
        ended = await wait_for_call(client, call_id, "completed", "failed")
        await phone.wait_for("ended", 30)
    assert (ended["status"], ended["summary"], ended["cost_credits"] > 0) == ("completed", None, True)
    assert ended["recording_url"] is not None
    summed = await wait_for_summary(client, call_id)
    changing = ("summary", "outcome", "sentiment", "analysis", "updated_at", "recording_url")  # signed anew each time
    assert summed["summary"] == SUMMARY
    assert {**summed, **{name: ended[name] for name in changing}} == ended


async def test_words_that_are_not_kept_are_summarised_and_judged_by_nobody(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    provider.answers = {"Bye.": Answer("Goodbye.", ends_call=True)}
    async with place_call(ringdown, client, provider, "say Bye.", "wait 30", transcription_enabled=False) as (
        call_id,
        _,
    ):
        call = await wait_for_summary(client, call_id)
    assert (call["summary"], await read_turns(client, call_id)) == (SUMMARY, [])
    [asked] = provider.analyses()
    assert asked.fields["messages"][-1]["content"] == f"Agent: {GREETING}\nCaller: Bye.\nAgent: Goodbye."


async def test_an_interrupted_answer_is_cut_to_what_was_heard(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    answer = f"Let me tell you{BREATH} that it will come on Monday or on Tuesday or on Wednesday or on any other day."
    provider.answers = {
        "When will it come?": Answer(answer),
        "Stop I know enough now.": Answer("Sorry. Goodbye.", ends_call=True),
    }
    async with place_call(
        ringdown, client, provider, "say When will it come?", "say Stop I know enough now.", "wait 30"
    ) as (call_id, _):
        call = await wait_for_summary(client, call_id)

    turns = await read_turns(client, call_id)
    # On a busy machine the phone's last syllable comes late enough to be a turn of its own.
    assert [turn["speaker"] for turn in turns][:5] == ["agent", "contact", "agent", "contact", "agent"]
    cut = turns[2]
    assert cut["interrupted"]
    assert cut["text"]
    assert answer.startswith(cut["text"])
    assert len(cut["text"]) < len(answer) - 10
    # The phone hears silence soon after it has begun to speak.
    assert cut["end_timestamp"] - turns[3]["timestamp"] < 0.8
    assert {"role": "assistant", "content": cut["text"]} in provider.conversations()[-1]
    assert call["ended_reason"] == "agent_hangup"


async def test_a_flow_hears_and_speaks_with_the_hosted_providers(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    changed = await client.patch(f"/agents/{await find_agent(client)}", json={"flow": FLOW, "model": "builtin"})
    assert changed.status_code == 200, changed.text
    async with place_call(ringdown, client, provider, "say Yes please.", "wait 30") as (call_id, _):
        call = await wait_for_summary(client, call_id)
    assert words_of(await read_turns(client, call_id)) == [
        ("agent", f"{GREETING} Shall we deliver today, Ana?"),
        ("contact", "Yes please."),
        ("agent", "Goodbye."),
    ]
    assert (call["ended_reason"], call["summary"]) == ("agent_hangup", "Deliver today: yes.")
    assert provider.requests_to(CHAT) == []


async def test_a_model_that_fails_twice_ends_the_call_with_an_apology(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    provider.faults = [(CHAT, "500")] * 8  # a caller who goes on speaking has the model asked anew
    async with place_call(ringdown, client, provider, "say When will it come?", "wait 30") as (call_id, phone):
        call = await wait_for_summary(client, call_id)
        await phone.wait_for("ended", 30)
    turns = await read_turns(client, call_id)
    # The phone may still be at its last word when the model has failed for good.
    assert [turn["speaker"] for turn in turns][:3] == ["agent", "contact", "agent"], turns
    assert [turn["text"] for turn in turns if turn["speaker"] == "agent"][-1].startswith("I'm sorry")
    assert (call["status"], call["ended_reason"]) == ("completed", "provider_error")
    assert len(provider.conversations()) % 2 == 0


async def test_a_model_and_an_ear_that_fail_once_are_asked_again(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    wording = {"greeting_settings": {"prompt": "Wish {{first_name}} a good day."}}
    assert (await client.patch(f"/agents/{await find_agent(client)}", json=wording)).status_code == 200
    opening = "[The call was answered. Greet the caller: Wish Ana a good day.]"
    provider.answers = {opening: Answer("Good day."), "Bye.": Answer("Goodbye.", ends_call=True)}
    provider.faults = [(TRANSCRIPTION, "429"), (CHAT, "500")]
    async with place_call(ringdown, client, provider, "say Bye.", "wait 30") as (call_id, _):
        call = await wait_for_summary(client, call_id)
    assert words_of(await read_turns(client, call_id)) == [
        ("agent", "Good day."),
        ("contact", "Bye."),
        ("agent", "Goodbye."),
    ]
    assert (call["ended_reason"], call["summary"]) == ("agent_hangup", SUMMARY)
    # The instruction to greet is not part of what was said.
    assert provider.conversations()[-1] == [
        {"role": "assistant", "content": "Good day."},
        {"role": "user", "content": "Bye."},
    ]


async def test_a_voice_that_fails_ends_the_call(
    ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer
) -> None:
    provider.faults = [(SPEECH, "500")] * 4
    async with place_call(ringdown, client, provider, "wait 30") as (call_id, phone):
        call = await wait_for_call(client, call_id, "completed", "failed", timeout_s=15)
        await phone.wait_for("ended", 30)
    assert (call["status"], call["ended_reason"]) == ("completed", "provider_error")
    assert await read_turns(client, call_id) == []


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"RINGDOWN_MODEL_URL": "http://127.0.0.1:1/v1"}, "model_name is required with model_url"),
        ({"RINGDOWN_SPEECH_VOICES": '["alloy"]'}, "speech_voices (RINGDOWN_SPEECH_VOICES): must be names separated"),
    ],
)
async def test_settings_that_make_no_sense_are_one_sentence(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    ended = await commands.run("serve", folder=tmp_path, environment=environment)
    assert (ended.status, ended.output) == (1, "")
    assert sentence in ended.errors
    assert ended.errors.startswith("ringdown: ")
    assert len(ended.errors.splitlines()) == 1
    assert not (tmp_path / "data").exists()
