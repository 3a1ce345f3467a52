"""An OpenAI-compatible server for tests: chat, transcription and speech over real HTTP, and its faults.

Its replies are built from the `openai` package's own types, so that they cannot drift from the protocol.
"""

import asyncio
import contextlib
import io
import json
import math
import struct
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from openai.types import CreateEmbeddingResponse
from openai.types.audio import (
    Transcription,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel

Fault = Literal[
    "none",
    "slow",
    "slow_token",
    "cut",
    "early_end",
    "garbage",
    "error_event",
    "400",
    "401",
    "408",
    "409",
    "429",
    "quota",
    "500",
]


# How tool calls come: as OpenAI sends them, or with a habit of some other server.
ToolStyle = Literal["openai", "interleaved", "no_index", "same_index", "no_id", "name_repeated", "arguments_as_object"]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: path, headers, JSON body or form fields (a file's content under its field name)."""

    path: str
    headers: dict[str, str]
    fields: dict[str, Any]


@dataclass(slots=True)
class FakeOpenAIServer:
    """What it answers; change the fields between requests. `fault` applies to each request."""

    text: str = "Hello there."
    tool_calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments
    tool_style: ToolStyle = "openai"
    finish_reason: str = "stop"
    transcript: str = "yes please"
    words: list[tuple[str, float, float]] = field(default_factory=lambda: [("yes", 0.1, 0.4), ("please", 0.4, 0.9)])
    streams_transcripts: bool = True
    language: str = "english"  # as the server tells it with `verbose_json`
    tone_hz: float = 440.0
    speech_s: float = 0.5
    sends_wav_header: bool = False
    fault: Fault = "none"
    delay_s: float = 5.0
    pause_s: float = 0.0  # between the pieces of a stream
    requests: list[Received] = field(default_factory=list)
    disconnects: int = 0
    url: str = ""

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["FakeOpenAIServer"]:
        """Serve on a free port of the loopback address."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}/v1"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received = await _read_request(reader)
            self.requests.append(received)
            await self._answer(received, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.disconnects += 1
        finally:
            writer.close()

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> None:
        status = {"quota": 429}.get(self.fault) or (int(self.fault) if self.fault.isdigit() else 200)
        if status != 200:
            code = "insufficient_quota" if self.fault == "quota" else "some_code"
            error = {"message": f"refused {received.headers.get('authorization')}", "type": "some_type", "code": code}
            return await _send(writer, status, "application/json", json.dumps({"error": error}).encode())
        if self.fault == "slow":
            await self._wait_unless_closed(writer)
        match received.path:
            case "/v1/chat/completions":
                chunks = self._chat_chunks(received)
                events = [_event(chunk, self.tool_style) for chunk in chunks]
                await self._stream(writer, "text/event-stream", events)
            case "/v1/embeddings":
                await self._embed(received, writer)
            case "/v1/audio/transcriptions":
                await self._transcribe(received, writer)
            case "/v1/audio/speech":
                await self._stream(writer, "audio/pcm", self._speech_pieces())
            case _:
                await _send(writer, 404, "application/json", b'{"error": {"message": "no such path"}}')
        return None

    async def _wait_unless_closed(self, writer: asyncio.StreamWriter) -> None:
        end = asyncio.get_running_loop().time() + self.delay_s
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)
            if writer.transport.is_closing():
                raise ConnectionResetError

    async def _stream(self, writer: asyncio.StreamWriter, kind: str, pieces: list[bytes]) -> None:
        """Send pieces in HTTP chunks; the faults of a stream happen in its middle."""
        if kind == "text/event-stream":
            pieces = [*pieces, b"data: [DONE]\n\n"] if self.fault != "early_end" else pieces[: len(pieces) // 2]
        if self.fault == "garbage":
            kind, pieces = ("application/json", [b"{}"]) if kind == "audio/pcm" else (kind, [b"data: {not json\n\n"])
        if self.fault == "error_event":
            failure = {"error": {"message": "secret words", "type": "server_error", "code": None}}
            pieces[len(pieces) // 2 :] = [f"data: {json.dumps(failure)}\n\n".encode()]
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        if self.fault == "slow_token":
            await writer.drain()
            await self._wait_unless_closed(writer)
        for number, piece in enumerate(pieces):
            if self.fault == "cut" and number >= len(pieces) // 2:
                writer.transport.abort()
                return
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(self.pause_s)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _chat_chunks(self, received: Received) -> list[BaseModel]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": f"{word} "} for word in self.text.split()]
        deltas += self._tool_deltas()
        reason = "tool_calls" if self.tool_calls else self.finish_reason
        choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": reason})
        model = str(received.fields["model"])
        frame = {"id": "chatcmpl-1", "created": 1, "model": model, "object": "chat.completion.chunk"}
        return [ChatCompletionChunk.model_validate({**frame, "choices": [choice]}) for choice in choices]

    def _tool_deltas(self) -> list[dict[str, Any]]:
        """The beginnings of tool calls and their arguments in halves, one call after the other unless interleaved."""
        calls: list[list[dict[str, Any]]] = []
        for index, (name, arguments) in enumerate(self.tool_calls):
            begin = {"index": index, "id": f"call_{index}", "type": "function"}
            half = len(arguments) // 2
            pieces = [{**begin, "function": {"name": name, "arguments": ""}}]
            pieces += [
                {"index": index, "function": {"arguments": part}} for part in (arguments[:half], arguments[half:])
            ]
            calls.append(pieces)
        if self.tool_style == "interleaved":
            calls = [list(pieces) for pieces in zip(*calls, strict=True)]
        return [{"tool_calls": [piece]} for pieces in calls for piece in pieces]

    async def _embed(self, received: Received, writer: asyncio.StreamWriter) -> None:
        texts = received.fields["input"]
        rows = [{"index": at, "object": "embedding", "embedding": embed(text)} for at, text in enumerate(texts)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        model = received.fields["model"]
        answer = CreateEmbeddingResponse.model_validate(
            {"data": rows[::-1], "model": model, "object": "list", "usage": usage}
        )
        body = b"{}" if self.fault == "garbage" else answer.model_dump_json().encode()
        await _send(writer, 200, "application/json", body)

    async def _transcribe(self, received: Received, writer: asyncio.StreamWriter) -> None:
        if received.fields.get("stream") == "true" and self.streams_transcripts:
            parts = self.transcript.split(" ")
            events: list[BaseModel] = [
                TranscriptionTextDeltaEvent(delta=part + " ", type="transcript.text.delta") for part in parts
            ]
            events.append(TranscriptionTextDoneEvent(text=self.transcript, type="transcript.text.done"))
            return await self._stream(writer, "text/event-stream", [_event(event) for event in events])
        answer: BaseModel = Transcription(text=self.transcript)
        if received.fields.get("response_format") == "verbose_json":
            words = [{"word": word, "start": start, "end": end} for word, start, end in self.words]
            answer = TranscriptionVerbose.model_validate(
                {"duration": 1.0, "text": self.transcript, "language": self.language, "words": words}
            )
        body = b"<html>" if self.fault == "garbage" else answer.model_dump_json(exclude_none=True).encode()
        return await _send(writer, 200, "application/json", body)

    def _speech_pieces(self) -> list[bytes]:
        count = int(24_000 * self.speech_s)
        samples = [round(10_000 * math.sin(2 * math.pi * self.tone_hz * n / 24_000)) for n in range(count)]
        pcm = struct.pack(f"<{count}h", *samples)
        if self.sends_wav_header:
            pcm = to_wav(pcm, sample_rate_hz=24_000)
        return [pcm[at : at + 1001] for at in range(0, len(pcm), 1001)]  # odd, so that samples are torn


def to_wav(pcm: bytes, *, sample_rate_hz: int) -> bytes:
    """16-bit mono PCM as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate_hz)
        writer.writeframes(pcm)
    return file.getvalue()


def embed(text: str) -> list[float]:
    """A vector that tells texts apart: how often each letter of a few stands in it."""
    return [float(text.lower().count(letter)) for letter in "aeioust"]


def _event(chunk: BaseModel, style: ToolStyle = "openai") -> bytes:
    document = json.loads(chunk.model_dump_json(exclude_unset=True))
    for choice in document.get("choices", ()):
        for call in choice["delta"].get("tool_calls", ()):
            _deviate(call, style)
    return f"data: {json.dumps(document)}\n\n".encode()


def _deviate(call: dict[str, Any], style: ToolStyle) -> None:
    """Change a piece of a tool call as some servers send it."""
    if style in ("no_index", "no_id"):
        del call["index"]
    if style == "no_id":
        call.pop("id", None)
    if style == "same_index":
        call["index"] = 0
    if style == "name_repeated":
        call["function"].setdefault("name", "look")
    if style == "arguments_as_object" and call["function"].get("name"):
        call["function"]["arguments"] = {"a": 1}
    elif style == "arguments_as_object":
        call["function"]["arguments"] = None


async def _send(writer: asyncio.StreamWriter, status: int, kind: str, body: bytes) -> None:
    head = (
        f"HTTP/1.1 {status} Status\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


async def _read_request(reader: asyncio.StreamReader) -> Received:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    path = lines[0].split(" ")[1]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(path, headers, _read_fields(headers.get("content-type", ""), body))


def _read_fields(kind: str, body: bytes) -> dict[str, Any]:
    if not kind.startswith("multipart/form-data"):
        return dict(json.loads(body or b"{}"))
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    fields: dict[str, Any] = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        name = head.decode().partition('name="')[2].partition('"')[0]
        fields[name] = content if b"filename=" in head else content.decode()
    return fields
