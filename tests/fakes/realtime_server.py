"""An OpenAI Realtime server for tests, over a real WebSocket, and its faults.

What it sends is built from the `openai` package's own types, what it receives is checked by them: a field that they do
not know is a failure. It hears voice in whatever is not silence, and speaks tones.
"""

import asyncio
import audioop
import base64
import contextlib
import http
import json
import math
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from openai.types import realtime
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Fault = Literal[
    "none", "401", "429", "500", "refused_session", "mute", "cut", "garbage", "error_event", "failed", "busy"
]

_CLIENT_EVENTS: TypeAdapter[Any] = TypeAdapter(realtime.RealtimeClientEvent)
_SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
_MS_PER_WORD = 100
_TURN_DEFAULTS = {"create_response": True, "prefix_padding_ms": 300, "silence_duration_ms": 500}


@dataclass
class FakeRealtimeServer:
    """What it answers: each response is the next of `replies`, text or (name, arguments) of a tool.

    `fault` holds for each session. `problems` are breaches of the protocol by the client.
    """

    replies: list[list[str | tuple[str, str]]] = field(default_factory=list)
    transcripts: list[str | None] = field(default_factory=list)
    fault: Fault = "none"
    tone_hz: float = 440.0
    url: str = ""
    sessions: list["_Session"] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["FakeRealtimeServer"]:
        """Serve on a free port of the loopback address."""
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._admit) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"http://127.0.0.1:{port}/v1"
            yield self

    @property
    def session(self) -> "_Session":
        """The newest session."""
        return self.sessions[-1]

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.queries.append(request.path)
        self.keys.append(request.headers.get("authorization"))
        if self.fault.isdigit():
            return connection.respond(http.HTTPStatus(int(self.fault)), "refused\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        session = _Session(self, connection)
        self.sessions.append(session)
        with contextlib.suppress(ConnectionClosed):
            await session.run()


class _Session:
    """One connection: its configuration, its conversation, and the response that runs."""

    def __init__(self, owner: FakeRealtimeServer, connection: ServerConnection) -> None:
        self._owner = owner
        self._connection = connection
        self._ids = 0
        self.received: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.durations_ms: dict[str, int] = {}
        self.truncated: list[tuple[str, int]] = []
        self.cancelled = 0
        self._active: dict[str, Any] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._audio_ms = 0.0
        self._turn_id: str | None = None
        self._last_voiced_ms = 0.0
        self.changed = asyncio.Condition()

    async def run(self) -> None:
        await self._send("session.created", session={"type": "realtime", "model": "gpt-realtime"})
        try:
            async for message in self._connection:
                await self._receive(json.loads(message))
                async with self.changed:
                    self.changed.notify_all()
        finally:
            if self._answering is not None:
                self._answering.cancel()
                await asyncio.gather(self._answering, return_exceptions=True)

    async def _receive(self, event: dict[str, Any]) -> None:
        for problem in _check(event):
            self._owner.problems.append(problem)
        if event["type"] != "input_audio_buffer.append":
            self.received.append(event)
        match event["type"]:
            case "session.update":
                await self._configure(event["session"])
            case "input_audio_buffer.append":
                await self._hear(base64.b64decode(event["audio"]))
            case "input_audio_buffer.commit":
                await self._commit()
            case "conversation.item.create":
                await self._add_item({"id": self._new_id("item"), **event["item"]})
            case "conversation.item.truncate":
                await self._truncate(event)
            case "response.create":
                await self._create(event)
            case "response.cancel":
                await self._cancel("client_cancelled")

    async def _configure(self, settings: dict[str, Any]) -> None:
        if self._owner.fault == "refused_session":
            await self._fail("invalid_request_error", "invalid_value")
            return
        self.settings = settings
        await self._send("session.updated", session=settings)
        if self._owner.fault == "garbage":
            await self._connection.send("{not json")

    # --- hearing ------------------------------------------------------------------------------------------------

    async def _hear(self, audio: bytes) -> None:
        pcm, rate_hz = self._decode(audio)
        step = rate_hz // 100 * 2
        for at in range(0, len(pcm), step):
            self._audio_ms += len(pcm[at : at + step]) / (rate_hz * 2) * 1000
            await self._detect(audioop.max(pcm[at : at + step], 2) > 200)

    async def _detect(self, is_voiced: bool) -> None:
        rules = {**_TURN_DEFAULTS, **self.settings["audio"]["input"]["turn_detection"]}
        if is_voiced:
            self._last_voiced_ms = self._audio_ms
            if self._turn_id is None:
                self._turn_id = self._new_id("item")
                start_ms = max(0, round(self._audio_ms - 10 - rules["prefix_padding_ms"]))
                await self._send("input_audio_buffer.speech_started", item_id=self._turn_id, audio_start_ms=start_ms)
                await self._cancel("turn_detected")
        elif self._turn_id is not None and self._audio_ms - self._last_voiced_ms >= rules["silence_duration_ms"]:
            await self._send(
                "input_audio_buffer.speech_stopped", item_id=self._turn_id, audio_end_ms=round(self._audio_ms)
            )
            await self._commit(self._turn_id)
            if rules["create_response"] and self._owner.fault != "mute":
                await self._respond({})

    async def _commit(self, item_id: str | None = None) -> None:
        self._turn_id = None
        item_id = item_id or self._new_id("item")
        await self._send("input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        content = [{"type": "input_audio", "transcript": None}]
        await self._add_item({"id": item_id, "type": "message", "role": "user", "content": content})
        transcript = self._owner.transcripts.pop(0) if self._owner.transcripts else "hello"
        kind = "conversation.item.input_audio_transcription"
        if transcript is None:
            error = {"type": "server_error", "code": "audio_unintelligible", "message": "no words"}
            await self._send(f"{kind}.failed", item_id=item_id, content_index=0, error=error)
            return
        await self._send(f"{kind}.delta", item_id=item_id, content_index=0, delta=transcript)
        usage = {"type": "duration", "seconds": 1.0}
        await self._send(f"{kind}.completed", item_id=item_id, content_index=0, transcript=transcript, usage=usage)

    # --- answering ----------------------------------------------------------------------------------------------

    async def _create(self, event: dict[str, Any]) -> None:
        if self._owner.fault == "busy":  # a response of its own comes first, and is told of later
            self._owner.fault = "none"
            await self._fail("invalid_request_error", "conversation_already_has_active_response", event)
            await self._respond({})
        elif self._active is not None:
            await self._fail("invalid_request_error", "conversation_already_has_active_response", event)
        elif self._owner.fault != "mute":
            await self._respond(event.get("response", {}))

    async def _respond(self, wanted: dict[str, Any]) -> None:
        self._active = {
            "id": self._new_id("resp"),
            "object": "realtime.response",
            "status": "in_progress",
            "metadata": wanted.get("metadata"),
            "output": [],
        }
        await self._send("response.created", response=self._active)
        await self._send("rate_limits.updated", rate_limits=[])
        instructions = wanted.get("instructions", "")
        parts: list[str | tuple[str, str]]
        if "\n" in instructions:  # the words that are to be said exactly
            parts = [instructions.partition("\n")[2]]
        else:
            parts = self._owner.replies.pop(0) if self._owner.replies else []
        self._answering = asyncio.create_task(self._answer(self._active, parts))

    async def _answer(self, response: dict[str, Any], parts: list[str | tuple[str, str]]) -> None:
        with contextlib.suppress(ConnectionClosed):
            for index, part in enumerate(parts):
                if isinstance(part, str):
                    await self._speak(response, part, index=index)
                else:
                    await self._call(response, part, index=index)
            if self._owner.fault == "failed":
                details = {"type": "failed", "error": {"type": "server_error", "code": "server_error"}}
                await self._finish("failed", status_details=details)
            else:
                await self._finish("completed")

    async def _speak(self, response: dict[str, Any], text: str, *, index: int) -> None:
        item = {"id": self._new_id("item"), "type": "message", "role": "assistant", "content": []}
        place = {"response_id": response["id"], "item_id": item["id"], "output_index": index, "content_index": 0}
        whole = {"response_id": response["id"], "output_index": index}
        response["output"].append(item)
        await self._send("response.output_item.added", **whole, item=item)
        await self._add_item(item)
        await self._send("response.content_part.added", **place, part={"type": "audio", "transcript": ""})
        self.durations_ms[item["id"]] = 0
        for number, word in enumerate(text.split()):
            await self._break_down(number)
            await self._send("response.output_audio_transcript.delta", **place, delta=f"{word} ")
            audio = base64.b64encode(self._encode(_MS_PER_WORD)).decode()
            await self._send("response.output_audio.delta", **place, delta=audio)
            self.durations_ms[item["id"]] += _MS_PER_WORD
            await asyncio.sleep(0)
        await self._send("response.output_audio.done", **place)
        await self._send("response.output_audio_transcript.done", **place, transcript=text)
        await self._send("response.content_part.done", **place, part={"type": "audio", "transcript": text})
        item["content"] = [{"type": "output_audio", "transcript": text}]
        await self._send("conversation.item.done", item=item, previous_item_id=None)
        await self._send("response.output_item.done", **whole, item=item)

    async def _break_down(self, number: int) -> None:
        if number != 2:
            return
        if self._owner.fault == "cut":
            self._owner.fault = "none"  # the next session lives
            self._connection.transport.abort()
        elif self._owner.fault == "error_event":
            await self._fail("server_error", "server_error")

    async def _call(self, response: dict[str, Any], part: tuple[str, str], *, index: int) -> None:
        item = {"id": self._new_id("item"), "type": "function_call", "call_id": self._new_id("call")}
        item |= {"name": part[0], "arguments": part[1], "status": "completed"}
        whole = {"response_id": response["id"], "output_index": index}
        place = {**whole, "item_id": item["id"], "call_id": item["call_id"]}
        response["output"].append(item)
        await self._send("response.output_item.added", **whole, item=item)
        await self._add_item(item)
        await self._send("response.function_call_arguments.delta", **place, delta=part[1])
        await self._send("response.function_call_arguments.done", **place, arguments=part[1], name=part[0])
        await self._send("response.output_item.done", **whole, item=item)

    async def _cancel(self, reason: str) -> None:
        if self._active is None:
            if reason == "client_cancelled":
                await self._fail("invalid_request_error", "response_cancel_not_active")
            return
        self.cancelled += 1
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)
        await self._finish("cancelled", status_details={"type": "cancelled", "reason": reason})

    async def _finish(self, status: str, **details: Any) -> None:
        response, self._active = self._active, None
        if response is not None:
            await self._send("response.done", response={**response, "status": status, **details})

    async def _truncate(self, event: dict[str, Any]) -> None:
        duration_ms = self.durations_ms.get(event["item_id"])
        if duration_ms is None or event["audio_end_ms"] > duration_ms:
            self._owner.problems.append(f"truncated {event['item_id']} at {event['audio_end_ms']} of {duration_ms} ms")
            await self._fail("invalid_request_error", "invalid_value", event)
            return
        self.truncated.append((event["item_id"], event["audio_end_ms"]))
        place = {name: event[name] for name in ("item_id", "audio_end_ms", "content_index")}
        await self._send("conversation.item.truncated", **place)

    # --- wire ---------------------------------------------------------------------------------------------------

    async def _add_item(self, item: dict[str, Any]) -> None:
        self.items[item["id"]] = item
        await self._send("conversation.item.added", item=item, previous_item_id=None)

    async def _fail(self, kind: str, code: str, event: dict[str, Any] | None = None) -> None:
        event_id = (event or {}).get("event_id")
        error = {"type": kind, "code": code, "message": "secret words", "event_id": event_id, "param": None}
        await self._send("error", error=error)

    async def _send(self, kind: str, **fields: Any) -> None:
        event = {"event_id": self._new_id("event"), "type": kind, **fields}
        model = _SERVER_EVENTS.validate_python(event)
        assert model.type == kind, f"{kind} was read as {model.type}"
        await self._connection.send(json.dumps(event))

    def _new_id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}_{len(self._owner.sessions)}_{self._ids}"

    def _decode(self, audio: bytes) -> tuple[bytes, int]:
        match self.settings["audio"]["input"]["format"]["type"]:
            case "audio/pcmu":
                return audioop.ulaw2lin(audio, 2), 8000
            case "audio/pcma":
                return audioop.alaw2lin(audio, 2), 8000
        return audio, 24000

    def _encode(self, duration_ms: int) -> bytes:
        kind = self.settings["audio"]["output"]["format"]["type"]
        rate_hz = 24000 if kind == "audio/pcm" else 8000
        angle = 2 * math.pi * self._owner.tone_hz / rate_hz
        samples = (round(8000 * math.sin(angle * n)) for n in range(duration_ms * rate_hz // 1000))
        pcm = b"".join(struct.pack("<h", sample) for sample in samples)
        if kind == "audio/pcm":
            return pcm
        return audioop.lin2ulaw(pcm, 2) if kind == "audio/pcmu" else audioop.lin2alaw(pcm, 2)


def _check(event: dict[str, Any]) -> list[str]:
    """What is wrong with a client's event."""
    try:
        model = _CLIENT_EVENTS.validate_python(event)
    except ValueError as error:
        return [f"{event.get('type')}: {error}"]
    if model.type != event["type"]:
        return [f"{event['type']} was read as {model.type}"]
    return [f"{event['type']}: unknown {name}" for name in _find_unknown(model)]


def _find_unknown(value: object) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from (value.model_extra or {})
        for name in type(value).model_fields:
            yield from _find_unknown(getattr(value, name))
    elif isinstance(value, list):
        for entry in value:
            yield from _find_unknown(entry)
