"""What the fakes of vendors' HTTP APIs share: an HTTP server, and the faults that a test has it play."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.web_server import Received, read_request

FaultKind = Literal["answer", "silent", "hang_up", "lost"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls the next requests to a path: another answer, none, or (`lost`) none after the work was done."""

    kind: FaultKind = "answer"
    status: int = 500
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, taken apart: `path` is without query, `query` and `form` hold the first value of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return {name: found[0] for name, found in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `document` becomes JSON unless it is bytes."""

    status: int
    document: object = None
    content_type: str = "application/json"


@dataclass
class VendorServer:
    """Serves `respond` on a free port of the loopback address; `faults` are used up in order, by method and path."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    faults: dict[tuple[str, str], list[Fault]] = field(default_factory=dict)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def fail(self, method: str, path: str, *faults: Fault) -> None:
        """Play faults for the next requests to a path."""
        self.faults.setdefault((method, path), []).extend(faults)

    def count(self, method: str, path: str) -> int:
        """How many requests to a path came."""
        return sum((request.method, request.path) == (method, path) for request in self.requests)

    async def respond(self, request: Request) -> Reply:
        """The vendor's own answer."""
        raise AssertionError(f"a fake without answers got {request.method} {request.path}")

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[Self]:
        """Serve until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=32 * 1024 * 1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._writers):
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = _take_apart(await read_request(reader))
        self.requests.append(request)
        waiting = self.faults.get((request.method, request.path))
        fault = waiting.pop(0) if waiting else None
        if fault is not None and fault.kind == "silent":
            await reader.read()  # until the client has lost its patience
        if fault is None or fault.kind == "lost":
            reply = await self.respond(request)
        if fault is not None and fault.kind != "answer":
            return False
        if fault is None:
            body = reply.document if isinstance(reply.document, bytes) else json.dumps(reply.document).encode()
            _write(writer, reply.status, body, {"Content-Type": reply.content_type})
        else:
            _write(writer, fault.status, fault.body, {"Content-Type": "application/json", **fault.headers})
        await writer.drain()
        return True


def _take_apart(received: Received) -> Request:
    parts = urlsplit(received.target)
    query = {name: found[0] for name, found in parse_qs(parts.query).items()}
    return Request(received.method, unquote(parts.path), query, received.headers, received.body)


def _write(writer: asyncio.StreamWriter, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    body = b"" if status == 204 else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
