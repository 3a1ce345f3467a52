"""A registrar of the test's own, on UDP and TCP: answers as the test says, and keeps what it was sent."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from ringdown.sip.framing import StreamFramer
from ringdown.sip.message import Request, Response, parse_message


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: status and header fields; status 0 is silence."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()


Answer = Callable[[Request], Said]


class ScriptedRegistrar:
    """What came in, and where it listens."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.keep_alives: list[bytes] = []
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []
        self._arrived = asyncio.Condition()

    def expires(self) -> list[str | None]:
        """The Expires of every request so far."""
        return [request.headers.get("Expires") for request in self.requests]

    async def wait_for(self, count: int, timeout_s: float = 10.0) -> None:
        """Until this many requests have come."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def take(self, data: bytes, address: tuple[str, int]) -> bytes | None:
        """What to answer to a message from this address."""
        if not data.strip():
            self.keep_alives.append(data)
            return None
        request = parse_message(data)
        assert isinstance(request, Request)
        async with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        said = self.answer(request)
        if not said.status:
            return None
        via = request.headers.get_lines("Via")[0].replace(";rport", f";rport={address[1]};received={address[0]}")
        request.headers.replace_first("Via", via)
        return Response.build(request, said.status, tag="registrar", fields=said.fields).serialize()

    async def serve_datagrams(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data, address = await loop.sock_recvfrom(sock, 65_535)
            if answer := await self.take(data, address):
                await loop.sock_sendto(sock, answer, address)

    async def serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = StreamFramer()
        self.writers.append(writer)
        address: Any = writer.get_extra_info("peername")
        while data := await reader.read(65_535):
            if data == b"\r\n\r\n":
                self.keep_alives.append(data)
            for message in framer.receive(data):
                if answer := await self.take(message, address):
                    writer.write(answer)
        writer.close()


@contextlib.asynccontextmanager
async def run_registrar(answer: Answer) -> AsyncIterator[ScriptedRegistrar]:
    """A registrar that answers with `answer(request)`."""
    registrar = ScriptedRegistrar(answer)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        server = await asyncio.start_server(registrar.serve_stream, "127.0.0.1", 0)
        registrar.port = server.sockets[0].getsockname()[1]
        sock.bind(("127.0.0.1", registrar.port))
        task = asyncio.create_task(registrar.serve_datagrams(sock))
        try:
            yield registrar
        finally:
            task.cancel()
            await asyncio.wait([task])
            server.close()
            for writer in registrar.writers:
                writer.close()
