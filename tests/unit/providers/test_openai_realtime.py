"""Realtime sessions against a server that speaks the protocol exactly, and that fails in every way."""

import asyncio
import contextlib
import math
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy
import pytest

from ringdown.providers.openai_realtime import OpenAIRealtime
from ringdown.providers.realtime_session import RealtimeSession
from ringdown.providers.realtime_settings import RealtimeParameters
from ringdown.voice import ports
from tests.fakes.realtime_server import FakeRealtimeServer

PATIENCE_S = 20.0
TOOL = ports.ToolSpec("find_slot", "Find a slot.", {"type": "object", "properties": {"day": {"type": "string"}}})


@pytest.fixture
async def server() -> AsyncIterator[FakeRealtimeServer]:
    async with FakeRealtimeServer().run() as running:
        yield running
    assert running.problems == []


@contextlib.asynccontextmanager
async def opened(
    server: FakeRealtimeServer, *, rate_hz: int = 8000, history: tuple[ports.Message, ...] = (), **parameters: object
) -> AsyncIterator[RealtimeSession]:
    model = OpenAIRealtime(
        base_url=server.url, api_key="sk-secret", model="gpt-realtime", voice="marin", parameters=parameters
    )
    session = await model.open(
        instructions="Be kind.",
        tools=[TOOL],
        sample_rate_hz=rate_hz,
        language="de-DE",
        temperature=0.3,
        history=history,
    )
    try:
        yield session
    finally:
        await session.close()
        await session.close()
        await model.close()


def speech(duration_ms: int, rate_hz: int = 8000) -> bytes:
    count = duration_ms * rate_hz // 1000
    return b"".join(struct.pack("<h", round(9000 * math.sin(n * 0.4))) for n in range(count))


def silence(duration_ms: int, rate_hz: int = 8000) -> bytes:
    return bytes(duration_ms * rate_hz // 1000 * 2)


async def until(
    session: RealtimeSession, kind: type[ports.DuplexEvent] | Callable[[ports.DuplexEvent], bool]
) -> list[ports.DuplexEvent]:
    """The events up to and including the first of a kind."""
    seen: list[ports.DuplexEvent] = []
    async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(session.events()) as events:  # type: ignore[type-var]
        async for event in events:
            seen.append(event)
            if isinstance(event, kind) if isinstance(kind, type) else kind(event):
                return seen
    raise AssertionError(f"the session ended after {seen}")


def words_of(events: list[ports.DuplexEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ports.AgentWords)).strip()


def audio_of(events: list[ports.DuplexEvent]) -> bytes:
    return b"".join(event.pcm for event in events if isinstance(event, ports.AgentAudio))


async def received(server: FakeRealtimeServer, kind: str, count: int = 1) -> list[dict[str, object]]:
    """The client's events of a kind, once there are so many."""
    session = server.session

    def found() -> list[dict[str, object]]:
        return [event for event in session.received if event["type"] == kind]

    async with asyncio.timeout(PATIENCE_S), session.changed:
        await session.changed.wait_for(lambda: len(found()) >= count)
    return found()


def peak_hz(pcm: bytes, rate_hz: int) -> float:
    samples = numpy.frombuffer(pcm, "<i2").astype(float)
    return float(numpy.argmax(numpy.abs(numpy.fft.rfft(samples))) * rate_hz / len(samples))


async def test_the_session_is_configured_as_the_call_needs(server: FakeRealtimeServer) -> None:
    async with opened(server, silence_duration_ms=400, max_output_tokens=500):
        settings = server.session.settings
    assert settings["instructions"] == "Be kind."
    assert settings["tools"][0]["name"] == "find_slot"
    assert settings["audio"]["input"]["transcription"]["language"] == "de"
    assert settings["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 400
    assert settings["audio"]["output"]["voice"] == "marin"
    assert settings["max_output_tokens"] == 500
    assert server.queries == ["/v1/realtime?model=gpt-realtime"]
    assert server.keys == ["Bearer sk-secret"]


async def test_turns_can_be_ended_by_their_sense(server: FakeRealtimeServer) -> None:
    async with opened(server, turn_detection="semantic_vad", eagerness="high", noise_reduction="far_field"):
        hears = server.session.settings["audio"]["input"]
    assert (hears["turn_detection"]["type"], hears["turn_detection"]["eagerness"]) == ("semantic_vad", "high")
    assert hears["noise_reduction"] == {"type": "far_field"}


@pytest.mark.parametrize(
    ("rate_hz", "audio_format", "kind"),
    [(8000, None, "audio/pcmu"), (16000, None, "audio/pcm"), (8000, "pcm", "audio/pcm"), (16000, "pcma", "audio/pcma")],
)
async def test_audio_goes_both_ways_in_every_format(
    server: FakeRealtimeServer, rate_hz: int, audio_format: str | None, kind: str
) -> None:
    server.replies = [["one two three four"]]
    async with opened(server, rate_hz=rate_hz, audio_format=audio_format) as session:
        session.push(speech(400, rate_hz) + silence(700, rate_hz))
        events = await until(session, ports.AgentDone)
    assert server.session.settings["audio"]["input"]["format"]["type"] == kind
    pcm = audio_of(events)
    assert len(pcm) == pytest.approx(0.4 * rate_hz * 2, abs=rate_hz * 2 * 0.002)
    assert peak_hz(pcm, rate_hz) == pytest.approx(440, abs=5)


async def test_a_turn_has_its_place_its_words_and_its_answer(server: FakeRealtimeServer) -> None:
    server.transcripts, server.replies = ["good morning"], [["Hello there."]]
    async with opened(server) as session:
        session.push(silence(1000) + speech(600) + silence(800))
        events = await until(session, ports.AgentDone)
    started, stopped, words = events[:3]
    assert isinstance(started, ports.SpeechStarted)
    assert isinstance(stopped, ports.SpeechStopped)
    assert started.at_ms == pytest.approx(1000, abs=20)
    assert stopped.at_ms == pytest.approx(1600, abs=20)
    assert words == ports.CallerWords(started.turn_id, "good morning")
    assert events[3] == ports.AgentStarted("")
    assert words_of(events) == "Hello there."


async def test_words_that_cannot_be_written_down_are_not_understood(server: FakeRealtimeServer) -> None:
    server.transcripts = [None]
    async with opened(server) as session:
        session.push(speech(300) + silence(700))
        events = await until(session, ports.CallerWords)
    assert isinstance(events[-1], ports.CallerWords)
    assert not events[-1].understood


async def test_words_are_said_as_they_are_one_after_the_other(server: FakeRealtimeServer) -> None:
    async with opened(server) as session:
        session.say("Good morning.", label="opening-1")
        session.say("How are you?", label="more-2")
        first = await until(session, ports.AgentDone)
        second = await until(session, ports.AgentDone)
    assert (first[0], words_of(first)) == (ports.AgentStarted("opening-1"), "Good morning.")
    assert (second[0], words_of(second)) == (ports.AgentStarted("more-2"), "How are you?")


async def test_a_response_that_the_server_is_too_busy_for_is_asked_for_again(server: FakeRealtimeServer) -> None:
    server.fault, server.replies = "busy", [["One."], ["Two."]]
    async with opened(server) as session:
        session.respond(label="a")
        await until(session, ports.AgentDone)
        events = await until(session, ports.AgentDone)
    assert events[0] == ports.AgentStarted("a")
    assert words_of(events) == "Two."


async def test_what_was_not_heard_is_forgotten(server: FakeRealtimeServer) -> None:
    async with opened(server) as session:
        session.say("one two three four five", label="a")
        events = await until(session, ports.AgentDone)
        item_id = next(event.item_id for event in events if isinstance(event, ports.AgentAudio))
        session.truncate(item_id, 230)
        await received(server, "conversation.item.truncate")
    assert server.session.truncated == [(item_id, 230)]


async def test_stopping_before_the_response_has_begun_silences_it_all_the_same(server: FakeRealtimeServer) -> None:
    async with opened(server) as session:
        session.say("Nobody shall hear this.", label="a")
        session.stop()
        session.say("But this.", label="b")
        events = await until(session, ports.AgentDone)
    assert words_of(events) == "But this."
    assert ports.AgentStarted("a") not in events


async def test_stopping_without_an_answer_harms_nothing(server: FakeRealtimeServer) -> None:
    server.replies = [["Yes."]]
    async with opened(server) as session:
        session.stop()
        session.respond(label="a")
        assert words_of(await until(session, ports.AgentDone)) == "Yes."


async def test_the_callers_voice_cancels_the_answer(server: FakeRealtimeServer) -> None:
    server.replies = [[" ".join(["word"] * 2000)], ["Yes?"]]
    async with opened(server) as session:
        session.respond(label="a")
        await until(session, ports.AgentAudio)
        session.push(speech(300) + silence(700))
        await until(session, ports.SpeechStarted)
        events = await until(session, lambda event: event == ports.AgentStarted(""))
        assert not any(isinstance(event, ports.ToolRequest) for event in events)
        assert words_of(await until(session, ports.AgentDone)) == "Yes?"
    assert server.session.cancelled == 1


async def test_a_tool_is_asked_for_and_answered(server: FakeRealtimeServer) -> None:
    server.replies = [["One moment.", ("find_slot", '{"day": "monday"}')], ["At nine."]]
    async with opened(server) as session:
        session.respond(label="a")
        events = await until(session, ports.AgentDone)
        [request] = [event for event in events if isinstance(event, ports.ToolRequest)]
        assert (request.name, request.arguments) == ("find_slot", '{"day": "monday"}')
        session.answer_tool(request, ports.ToolResult("nine"))
        session.respond(label="more")
        assert words_of(await until(session, ports.AgentDone)) == "At nine."
        [created] = await received(server, "conversation.item.create")
    expected = {"type": "function_call_output", "call_id": request.tool_call_id, "output": "nine"}
    assert created["item"] == expected


async def test_a_session_that_goes_on_knows_what_was_said_and_done(server: FakeRealtimeServer) -> None:
    request = ports.ToolRequest("call_9", "find_slot", "{}")
    history = (
        ports.Message("assistant", "Hello."),
        ports.Message("user", "when"),
        ports.Message("assistant", "", tool_calls=(request,)),
        ports.Message("tool", "nine", tool_call_id="call_9"),
    )
    async with opened(server, history=history) as session:
        session.answer_tool(ports.ToolRequest("call_7", "old", "{}"), ports.ToolResult("late"))
        created = [event["item"] for event in await received(server, "conversation.item.create", 6)]
    kinds = [(item["type"], item.get("role") or item.get("call_id")) for item in created]  # type: ignore[attr-defined]
    assert kinds == [
        ("message", "assistant"),
        ("message", "user"),
        ("function_call", "call_9"),
        ("function_call_output", "call_9"),
        ("function_call", "call_7"),
        ("function_call_output", "call_7"),
    ]


async def test_keys_and_instructions_reach_the_model(server: FakeRealtimeServer) -> None:
    server.replies = [["Thanks."]]
    async with opened(server) as session:
        session.hear("[keypad 42]")
        session.respond("Be quick.", label="a")
        await until(session, ports.AgentDone)
        items = await received(server, "conversation.item.create", 2)
    assert [(event["item"]["role"], event["item"]["content"][0]["text"]) for event in items] == [  # type: ignore[index]
        ("user", "[keypad 42]"),
        ("system", "Be quick."),
    ]


async def test_the_words_of_a_caller_who_is_gone_come_after_a_flush(server: FakeRealtimeServer) -> None:
    server.transcripts = ["call me back"]
    async with opened(server) as session:
        session.push(speech(500))
        [started] = await until(session, ports.SpeechStarted)
        session.flush()
        events = await until(session, ports.CallerWords)
    assert isinstance(started, ports.SpeechStarted)
    assert events[-1] == ports.CallerWords(started.turn_id, "call me back")
    assert events[0] == ports.SpeechStopped(started.turn_id, 500)


@pytest.mark.parametrize(
    ("fault", "message", "is_retryable"),
    [
        ("401", "HTTP 401", False),
        ("429", "HTTP 429", True),
        ("500", "HTTP 500", True),
        ("refused_session", "the session was refused", False),
    ],
)
async def test_a_session_that_is_refused_says_why(
    server: FakeRealtimeServer, fault: str, message: str, is_retryable: bool
) -> None:
    server.fault = fault  # type: ignore[assignment]
    with pytest.raises(ports.ProviderError, match=message) as caught:
        async with opened(server):
            pass
    assert caught.value.retryable is is_retryable
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_no_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = FakeRealtimeServer(url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        with pytest.raises(ports.ProviderError, match="no connection") as caught:
            async with opened(away):
                pass
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("cut", "connection was closed"),
        ("garbage", "cannot be read"),
        ("error_event", "refused to go on"),
        ("failed", "failed while answering"),
    ],
)
async def test_a_session_that_breaks_raises(server: FakeRealtimeServer, fault: str, message: str) -> None:
    server.fault = fault  # type: ignore[assignment]
    server.replies = [["one two three four five six"]]
    async with opened(server) as session:
        session.respond(label="a")
        with pytest.raises(ports.ProviderError, match=message) as caught:
            await until(session, ports.AgentDone)
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


def test_parameters_are_checked_before_the_first_call() -> None:
    with pytest.raises(ValueError, match="silence_ms is not known; known are audio_format"):
        OpenAIRealtime(base_url="http://x/v1", api_key=None, model="m", parameters={"silence_ms": 3})
    with pytest.raises(ValueError, match="speed: "):
        OpenAIRealtime(base_url="http://x/v1", api_key=None, model="m", parameters={"speed": 9})


def test_each_parameter_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "providers.md").read_text(encoding="utf-8")
    for name in RealtimeParameters.model_fields:
        assert f"| `{name}` |" in page, name
