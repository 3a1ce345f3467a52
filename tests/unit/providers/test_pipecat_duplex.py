"""Pipecat's own OpenAI Realtime service behind our port, against the Realtime server of the tests."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import loguru
import pytest

from ringdown.providers import pipecat_services
from ringdown.providers.registry import ProviderSettings
from ringdown.voice import ports
from tests.fakes.realtime_server import FakeRealtimeServer

loguru.logger.disable("pipecat")

PATIENCE_S = 20.0
KEY = "sk-very-secret"
LOOK = ports.ToolSpec("look", "Look it up", {"type": "object", "properties": {"a": {"type": "integer"}}})
VOICE, SILENCE = struct.pack("<160h", *(([8000] * 20 + [-8000] * 20) * 4)), bytes(320)
PCM = {"type": "audio/pcm", "rate": 24_000}
SESSION = {
    "audio": {
        "input": {"format": PCM, "transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}},
        "output": {"format": PCM},
    }
}


class Listener:
    """Reads the events of a session until one fits."""

    def __init__(self, session: Any) -> None:
        self.heard: list[ports.DuplexEvent] = []
        self._events = session.events()

    async def until(self, fits: Callable[[ports.DuplexEvent], bool]) -> ports.DuplexEvent:
        async with asyncio.timeout(PATIENCE_S):
            async for event in self._events:
                self.heard.append(event)
                if fits(event):
                    return event
        raise AssertionError("the session ended")

    def text(self) -> str:
        return "".join(event.text for event in self.heard if isinstance(event, ports.AgentWords)).strip()


@pytest.fixture
async def server() -> AsyncIterator[FakeRealtimeServer]:
    async with FakeRealtimeServer().run() as running:
        yield running


async def open_session(server: FakeRealtimeServer) -> Any:
    provider = ProviderSettings(
        name="live",
        kind="speech_to_speech",
        type="pipecat:openai.realtime",
        key=KEY,  # type: ignore[arg-type]
        url=server.url.replace("http://", "ws://") + "/realtime",
        model="rt",
        parameters={"session_properties": SESSION},
    )
    return await pipecat_services.open_duplex(provider).open(
        instructions="Be kind.", tools=(LOOK,), sample_rate_hz=8000, language="en-US", temperature=0.3
    )


async def test_the_agent_greets_hears_uses_a_tool_and_answers(server: FakeRealtimeServer) -> None:
    server.replies = [["Hello there."], [("look", '{"a": 1}')], ["It is one."]]
    server.transcripts = ["what is it"]
    session = await open_session(server)
    listener = Listener(session)
    session.say("Hello there.", label="greeting")
    await listener.until(lambda event: isinstance(event, ports.AgentDone))
    assert listener.heard[0] == ports.AgentStarted("greeting")
    assert listener.text() == "Hello there."
    assert sum(len(event.pcm) for event in listener.heard if isinstance(event, ports.AgentAudio)) // 16 == 200

    for _ in range(50):
        session.push(VOICE)
    await listener.until(lambda event: isinstance(event, ports.SpeechStarted))
    for _ in range(60):
        session.push(SILENCE)
    request = await listener.until(lambda event: isinstance(event, ports.ToolRequest))
    assert isinstance(request, ports.ToolRequest)
    assert (request.name, request.arguments) == ("look", '{"a": 1}')
    kinds = [type(event).__name__ for event in listener.heard]
    assert kinds.index("SpeechStarted") < kinds.index("SpeechStopped") < kinds.index("CallerWords")

    session.answer_tool(request, ports.ToolResult("one"))
    session.respond(label="after the tool")
    await listener.until(lambda event: isinstance(event, ports.AgentWords) and event.text.strip() == "one.")
    assert listener.text().endswith("It is one.")
    results = [item for item in server.session.items.values() if item["type"] == "function_call_output"]
    assert [item["output"] for item in results] == ['"one"']
    assert server.session.settings["instructions"] == "Be kind."
    assert server.keys == [f"Bearer {KEY}"]
    await session.close()
    await session.close()


async def test_a_session_that_breaks_off_is_a_provider_error_without_secrets(server: FakeRealtimeServer) -> None:
    server.replies, server.fault = [["Hello there my friend."]], "cut"
    session = await open_session(server)
    session.say("Hello there.", label="greeting")

    async def listen() -> None:
        async for _ in session.events():
            pass

    async def keep_talking() -> None:
        while True:
            session.push(SILENCE)
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(keep_talking())
    with pytest.raises(ports.ProviderError) as failure:
        async with asyncio.timeout(PATIENCE_S):
            await listen()
    assert KEY not in str(failure.value)
    talking.cancel()
    await session.close()
