"""A customer's web server that receives webhooks with every kind of fault: raw HTTP/1.1 over a real socket."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.fakes.web_server import Received, read_request

Fault = Literal["none", "silent", "reset", "cut", "drip", "huge", "headers", "garbage", "forget"]
#: Between the bytes of an answer that drips.
DRIP_S = 0.05


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered.

    `silent` never answers; `reset` resets the connection; `cut` closes in the middle of the body; `drip` sends a body
    byte by byte; `huge` and `headers` send a body, or headers, without end; `garbage` is no HTTP; `forget` answers and
    closes the connection without having said so.
    """

    status: int = 204
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = "none"


@dataclass(slots=True)
class WebhookReceiver:
    """Answers what `choose` says; keeps all requests, and those it has accepted, in the order of its answers."""

    choose: Callable[[Received], Reply] = lambda _request: Reply()
    seen: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)
    connections: int = 0
    #: Requests under way at once, at most.
    most_at_once: int = 0
    url: str = ""
    _at_once: int = 0
    _serving: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def run(self, *, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator["WebhookReceiver"]:
        """Serve on a port of the loopback address, by default a free one."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=tls)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
        try:
            yield self
        finally:
            server.close()
            for writer in self._serving.values():
                writer.transport.abort()
            if self._serving:
                await asyncio.wait(self._serving, timeout=20)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await read_request(reader)
                self.seen.append(request)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    is_kept = await self._answer(request, reader, writer)
                finally:
                    self._at_once -= 1
                if not is_kept:
                    break
        del self._serving[task]
        writer.close()

    async def _answer(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        reply = self.choose(request)
        if reply.fault in ("none", "forget"):
            if 200 <= reply.status < 300:
                self.accepted.append(request)
            writer.write(_write_head(reply, length=len(reply.body)) + reply.body)
            await writer.drain()
            return reply.fault == "none"
        if reply.fault == "silent":
            await reader.read()  # until the client has lost its patience
        elif reply.fault == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif reply.fault == "garbage":
            writer.write(b"\x00\x01 this is no HTTP\r\n\r\n")
        elif reply.fault == "cut":
            writer.write(_write_head(reply, length=100) + b"half")
        elif reply.fault == "drip":
            writer.write(_write_head(reply, length=10_000))
            await _send_for_ever(writer, b".", pause_s=DRIP_S)
        elif reply.fault == "huge":
            writer.write(_write_head(reply, length=10_000_000_000))
            await _send_for_ever(writer, b"x" * 65_536, pause_s=0)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\n")
            await _send_for_ever(writer, b"X-More: " + b"y" * 1_000 + b"\r\n", pause_s=0)
        return False


def _write_head(reply: Reply, *, length: int) -> bytes:
    length_line = [] if reply.status == 204 else [f"Content-Length: {length}"]
    lines = [f"HTTP/1.1 {reply.status} Whatever", *length_line]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in reply.headers.items()), "", ""]).encode()


async def _send_for_ever(writer: asyncio.StreamWriter, piece: bytes, *, pause_s: float) -> None:
    while not writer.transport.is_closing():
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause_s)


def find_wrong_signatures(requests: Sequence[Received], secret: str) -> list[Received]:
    """The requests that the sample of the public documentation refuses for their signature."""
    return [
        request
        for request in requests
        if not hmac.compare_digest(
            hmac.new(
                secret.encode(), f"{request.headers['x-truedy-timestamp']}.".encode() + request.body, hashlib.sha256
            ).hexdigest(),
            request.headers["x-truedy-signature"],
        )
    ]


def list_event_ids(requests: Sequence[Received]) -> list[str]:
    """The ids of the events in the order in which they first came."""
    return list(dict.fromkeys(str(json.loads(request.body)["id"]) for request in requests))
