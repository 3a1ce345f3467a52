"""Providers that fail in the middle of real calls: nobody is left in silence."""

import pytest

from tests.acceptance.model_server import CHAT, SPEECH, TRANSCRIPTION, Answer, ScriptedServer
from tests.acceptance.talking.desk import GREETING, Desk
from tests.fakes.openai_server import Fault

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_dead_model_is_followed_by_the_next(desk: Desk, provider: ScriptedServer) -> None:
    provider.answers = {"When will it come?": Answer("On Friday. Goodbye.", ends_call=True)}
    agent = await desk.make_agent(model="dead", fallbacks={"models": ["fast"]})
    async with desk.call(agent, "say When will it come?", "wait 30") as (call_id, _):
        call = await desk.end_of(call_id)
    assert (await desk.turns_of(call_id))[-1] == ("agent", "On Friday. Goodbye.")
    assert call["ended_reason"] == "agent_hangup"
    told = (await desk.events_of(call_id, "provider.fallback"))[0]
    assert (told["kind"], told["from"], told["to"]) == ("model", "dead", "fast")
    assert "no connection" in told["error"]


async def test_models_that_are_all_dead_end_the_call_with_an_apology(desk: Desk) -> None:
    agent = await desk.make_agent(model="dead", fallbacks={"models": ["dead-too"]})
    async with desk.call(agent, "say When will it come?", "wait 30") as (call_id, _):
        call = await desk.end_of(call_id)
    assert "sorry" in [text for speaker, text in await desk.turns_of(call_id) if speaker == "agent"][-1]
    assert (call["status"], call["ended_reason"]) == ("completed", "provider_error")
    kinds = await desk.kinds_of(call_id)
    assert "provider.fallback" in kinds
    assert "provider.failed" in kinds


@pytest.mark.parametrize("fault", ["cut", "early_end", "garbage", "429", "slow_token"])
async def test_an_answer_that_fails_is_asked_for_again(desk: Desk, provider: ScriptedServer, fault: Fault) -> None:
    provider.answers = {"When will it come?": Answer("It comes on Friday then goodbye.", ends_call=True)}
    provider.faults = [(CHAT, fault)]
    agent = await desk.make_agent()
    async with desk.call(agent, "say When will it come?", "wait 30") as (call_id, _):
        call = await desk.end_of(call_id)
    assert await desk.turns_of(call_id) == [
        ("agent", GREETING),
        ("contact", "When will it come?"),
        ("agent", "It comes on Friday then goodbye."),
    ]
    assert call["ended_reason"] == "agent_hangup"


async def test_an_ear_and_a_voice_that_stay_broken_end_the_call(desk: Desk, provider: ScriptedServer) -> None:
    provider.faults = [(TRANSCRIPTION, "500")] * 8 + [(SPEECH, "none")] + [(SPEECH, "cut")] * 8
    agent = await desk.make_agent()
    async with desk.call(agent, "say When will it come?", "wait 30") as (call_id, _):
        call = await desk.end_of(call_id)
    assert (call["status"], call["ended_reason"]) == ("completed", "provider_error")
    assert [words for _, words in await desk.turns_of(call_id)][:2] == [GREETING, "[unclear]"]
