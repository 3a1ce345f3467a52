"""A real call that one speech-to-speech model leads: it hears, decides and speaks."""

import pytest

from tests.acceptance.talking.desk import GREETING, Desk
from tests.fakes.realtime_server import FakeRealtimeServer
from tests.fakes.web_server import Answer as Page
from tests.fakes.web_server import FakeWebServer

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_speech_to_speech_model_leads_a_call_to_its_end(desk: Desk, realtime: FakeRealtimeServer) -> None:
    realtime.transcripts = ["Where is my order?"]
    realtime.replies = [[("track", "{}")], ["It comes on Friday, goodbye.", ("end_call", "{}")]]
    async with FakeWebServer(answers=[Page(b'{"day": "Friday"}')]).run() as web:
        tool = await desk.make_tool(
            name="Track", definition={"description": "Tracks.", "http": {"baseUrlPattern": web.url + "/track"}}
        )
        agent = await desk.make_agent(model="duplex", tools=[tool])
        async with desk.call(agent, "say Where is my order?", "wait 30") as (call_id, phone):
            call = await desk.end_of(call_id)
            await phone.wait_for("ended")
        assert len(web.requests) == 1
    assert await desk.turns_of(call_id) == [
        ("agent", GREETING),
        ("contact", "Where is my order?"),
        ("agent", "It comes on Friday, goodbye."),
    ]
    assert (call["status"], call["ended_reason"]) == ("completed", "agent_hangup")
    assert await desk.kinds_of(call_id) == ["tool.started", "tool.finished"]
    assert realtime.problems == []
    results = [event["item"] for event in realtime.session.received if event["type"] == "conversation.item.create"]
    assert '{"day":"Friday"}' in [item.get("output") for item in results]


async def test_a_speech_to_speech_model_that_cannot_be_reached_ends_the_call_with_an_apology(
    desk: Desk, realtime: FakeRealtimeServer
) -> None:
    realtime.fault = "500"
    agent = await desk.make_agent(model="duplex")
    try:
        async with desk.call(agent, "wait 30") as (call_id, _):
            call = await desk.end_of(call_id)
    finally:
        realtime.fault = "none"
    assert (call["status"], call["ended_reason"]) == ("completed", "provider_error")
    assert "sorry" in (await desk.turns_of(call_id))[-1][1]
