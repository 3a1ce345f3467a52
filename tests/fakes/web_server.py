"""A web server whose answers and faults a test scripts: raw HTTP/1.1 over a real socket."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Literal["none", "silent", "cut", "garbage", "hang_up"]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered.

    `silent` never answers, `cut` closes in the middle of the body, `hang_up` closes at once, and `garbage` is no HTTP.
    """

    body: bytes = b'{"ok": true}'
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    fault: Fault = "none"
    delay_s: float = 0.0


@dataclass(slots=True)
class FakeWebServer:
    """Answers by path without the query, else with `answers` in turn; the last one stays."""

    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    pages: dict[str, Answer] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    url: str = ""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def run(self, *, tls: ssl.SSLContext | None = None) -> AsyncIterator["FakeWebServer"]:
        """Serve on a free port of the loopback address."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._writers):
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        received = await read_request(reader)
        self.requests.append(received)
        answer = self.pages.get(received.target.partition("?")[0])
        if answer is None:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer.fault == "silent":
            await reader.read()  # until the client has lost its patience
            return False
        if answer.fault == "hang_up":
            return False
        if answer.fault == "garbage":
            writer.write(b"\x00\x01 this is no HTTP\r\n\r\n")
            await writer.drain()
            return False
        await asyncio.sleep(answer.delay_s)
        lines = [f"HTTP/1.1 {answer.status} Whatever", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        is_cut = answer.fault == "cut"
        body = b"" if received.method == "HEAD" else answer.body[: len(answer.body) // 2] if is_cut else answer.body
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        return not is_cut


async def read_request(reader: asyncio.StreamReader) -> Received:
    """One whole request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, target, headers, body)
