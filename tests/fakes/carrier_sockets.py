"""The SIP sockets of the fake carrier: one UDP, TCP or TLS listener on a free port of the loopback address."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Literal, cast

Address = tuple[str, int]
Send = Callable[[bytes], None]
OnMessage = Callable[[bytes, Address, Send], None]
Transport = Literal["udp", "tcp", "tls"]

_HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def listen(transport: Transport, on_message: OnMessage, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Hand each message to `on_message(data, source, send)`; yields the port."""
    if transport == "udp":
        loop = asyncio.get_running_loop()
        datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(on_message), local_addr=(_HOST, 0))
        try:
            yield datagrams.get_extra_info("sockname")[1]
        finally:
            datagrams.close()
        return
    streams: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        streams.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while True:
                data = await _read_message(reader)
                on_message(data, writer.get_extra_info("peername")[:2], writer.write)
        streams.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, _HOST, 0, ssl=tls if transport == "tls" else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in list(streams):
            writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        if data.strip():
            self._on_message(data, source[:2], lambda answer: self._transport.sendto(answer, source))


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """One message by its Content-Length (RFC 3261 §18.3); keep-alives before it are skipped."""
    head = b""
    while not head.strip():
        head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.decode(errors="replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-length", "l"):
            length = int(value)
    return head + await reader.readexactly(length)
