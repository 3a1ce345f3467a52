"""The sockets of one endpoint: UDP, TCP in both directions, name resolution; knows no SIP but message boundaries."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from ringdown.sip import icmp, network
from ringdown.sip.destination import Destination
from ringdown.sip.framing import StreamFramer
from ringdown.sip.transaction import Transmission

_CONNECT_TIMEOUT = 5.0
_RESOLVE_TIMEOUT = 5.0
_RESOLVED_FOR = 60.0  # seconds that a resolved name is kept
_MAX_CONNECTIONS = 1024
_MAX_UNSENT_BYTES = 1_048_576  # a peer that does not read is cut off
_SWEEP_INTERVAL = 10.0
_MESSAGE_TIMEOUT = 20.0  # seconds for the rest of a message that has begun
_IDLE_TIMEOUT = 900.0
_MAX_OLD_ERRORS = 3  # errors of earlier datagrams before this one is left to its retransmission

Address = tuple[str, int]


class Sockets:
    """Moves bytes. `on_message(data, source)` gets whole messages, `on_send_failure` what surely did not go out."""

    def __init__(
        self,
        *,
        on_message: Callable[[bytes, Destination], None],
        on_send_failure: Callable[[Transmission], None],
        on_connection_lost: Callable[[int], None],
        on_refusal: Callable[[bytes], None],
    ) -> None:
        self.host = ""
        self.port = 0
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_send_failure = on_send_failure
        self._on_connection_lost = on_connection_lost
        self._on_refusal = on_refusal
        self._family = socket.AF_INET
        self._numbers = count(1)
        self._datagram_socket: socket.socket | None = None
        self._datagram: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._streams: dict[int, _Stream] = {}
        self._stream_by_address: dict[Address, _Stream] = {}
        # Messages that wait for a connection to this address.
        self._connecting: dict[Address, list[Transmission]] = {}
        self._resolved: dict[str, tuple[str, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._send_error: Exception | None = None
        self._is_error_old = False
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int) -> None:
        """Bind and listen; raises `OSError`."""
        datagram, stream = network.bind_pair(host, port)
        self.host, self.port = host, datagram.getsockname()[1]
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        icmp.enable(datagram)
        self._datagram_socket = datagram
        self._datagram, _ = await self._loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=datagram)
        self._server = await self._loop.create_server(lambda: _Stream(self), sock=stream)
        self._sweeper = self._loop.call_later(_SWEEP_INTERVAL, self._sweep)

    async def close(self) -> None:
        """Close everything; what is being connected or resolved is given up."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for stream in list(self._streams.values()):
            stream.close()
        if self._datagram is not None:
            self._datagram.close()
        await asyncio.sleep(0)  # the transports close their sockets in the next turn of the loop

    def send(self, transmission: Transmission) -> None:
        """Send now, or as soon as the name is resolved and the connection made."""
        destination = transmission.destination
        stream = self._streams.get(destination.connection or 0)
        if stream is not None and stream.take(transmission, is_reused=True):
            return
        host = destination.host if network.is_literal(destination.host) else self._find_resolved(destination.host)
        if host is None:
            self._run(self._resolve_and_send(transmission))
        else:
            self._send_to(host, transmission)

    def take_datagram(self, data: bytes, address: Any) -> None:
        """A datagram came in."""
        if data.strip(b"\r\n\x00"):  # keep-alives are not messages
            self._on_message(data, Destination("udp", network.normalize(address[0]), address[1]))

    def note_datagram_error(self, error: Exception) -> None:
        """The UDP socket failed: for the datagram that is being sent, or for an earlier one that was refused."""
        assert self._datagram_socket is not None
        count, refused = icmp.read_refusals(self._datagram_socket)
        self._send_error, self._is_error_old = error, count > 0
        for quote in refused:  # later, for the user agent may be in the middle of sending
            self._loop.call_soon(self._on_refusal, quote)

    def take_message(self, data: bytes, source: Destination) -> None:
        """A whole message came in on a stream."""
        self._on_message(data, source)

    def add_stream(self, stream: "_Stream", address: Any) -> Destination | None:
        """Register a new connection; `None` when there are too many."""
        if len(self._streams) >= _MAX_CONNECTIONS:
            return None
        number = next(self._numbers)
        source = Destination("tcp", network.normalize(address[0]), address[1], number)
        self._streams[number] = stream
        self._stream_by_address[source.host, source.port] = stream
        return source

    def remove_stream(self, stream: "_Stream", source: Destination) -> None:
        """A connection ended, or the peer will not read what is written to it any more."""
        number = source.connection or 0
        self._streams.pop(number, None)
        address = (source.host, source.port)
        if self._stream_by_address.get(address) is stream:
            del self._stream_by_address[address]
        self._on_connection_lost(number)

    def _send_to(self, host: str, transmission: Transmission) -> None:
        try:
            mapped = network.map_to_family(host, self._family, is_dual=self.host == "::")
        except OSError:
            self._on_send_failure(transmission)
            return
        address = (host, transmission.destination.port)
        stream = self._stream_by_address.get(address)
        if transmission.destination.transport == "udp":
            self._send_datagram((mapped, address[1]), transmission)
        elif stream is not None and stream.take(transmission, is_reused=True):
            return
        elif address in self._connecting:
            self._connecting[address].append(transmission)
        else:
            self._connecting[address] = [transmission]
            self._run(self._connect(address, mapped))

    def _send_datagram(self, address: Address, transmission: Transmission) -> None:
        assert self._datagram is not None
        for _ in range(_MAX_OLD_ERRORS):
            self._send_error = None
            self._datagram.sendto(transmission.data, address)  # asyncio tells of an error before it returns
            if self._send_error is None:
                return
            if not self._is_error_old:
                self._on_send_failure(transmission)
                return

    def _find_resolved(self, name: str) -> str | None:
        host, until = self._resolved.get(name, ("", 0.0))
        return host if until > self._loop.time() else None

    async def _resolve_and_send(self, transmission: Transmission) -> None:
        name = transmission.destination.host
        flags = socket.AI_V4MAPPED if self.host == "::" else 0
        try:
            async with asyncio.timeout(_RESOLVE_TIMEOUT):
                found = await self._loop.getaddrinfo(name, None, family=self._family, flags=flags)
        except (OSError, UnicodeError):  # TimeoutError is an OSError; a label may be too long for IDNA
            found = []
        if not found:
            self._on_send_failure(transmission)
            return
        host = network.normalize(str(found[0][4][0]))
        self._resolved[name] = (host, self._loop.time() + _RESOLVED_FOR)
        self._send_to(host, transmission)

    async def _connect(self, address: Address, mapped: str) -> None:
        stream: _Stream | None = None
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                _, stream = await self._loop.create_connection(
                    lambda: _Stream(self), mapped, address[1], local_addr=self._local_address()
                )
        except OSError:
            stream = None
        for transmission in self._connecting.pop(address):
            if stream is None or not stream.take(transmission, is_reused=False):
                self._on_send_failure(transmission)

    def _local_address(self) -> Address | None:
        return None if network.is_wildcard(self.host) else (self.host, 0)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _sweep(self) -> None:
        now = self._loop.time()
        for stream in list(self._streams.values()):
            stream.close_if_stuck(now)
        self._resolved = {name: entry for name, entry in self._resolved.items() if entry[1] > now}
        self._sweeper = self._loop.call_later(_SWEEP_INTERVAL, self._sweep)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._sockets.take_datagram(data, addr)

    def error_received(self, exc: Exception) -> None:
        self._sockets.note_datagram_error(exc)


class _Stream(asyncio.Protocol):
    """One TCP connection, of either direction."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._framer = StreamFramer()
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._transport: asyncio.Transport | None = None
        # Set while the connection is registered.
        self._source: Destination | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        network.watch_peer(transport.get_extra_info("socket"))
        address = transport.get_extra_info("peername")
        self._source = self._sockets.add_stream(self, address) if address else None
        if self._source is None:
            transport.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._unregister()

    def eof_received(self) -> None:
        """The peer closed: nothing more may be written, even while the transport still empties its buffer."""
        if self._transport is not None:
            self._transport.close()
        self._unregister()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        if data == b"\r\n\r\n" and not self._framer.is_inside_message:
            self.write(b"\r\n")  # RFC 5626 §4.4.1: the answer to a keep-alive
            return
        try:
            messages = self._framer.receive(data)
        except ValueError:
            self.close()
            return
        for message in messages:
            if self._source is not None:
                self._sockets.take_message(message, self._source)

    def take(self, transmission: Transmission, *, is_reused: bool) -> bool:
        """Write it and tell it so; false when the connection is closed or the peer does not read."""
        if self._source is None or not self.write(transmission.data):
            return False
        if transmission.on_sent is not None:
            transmission.on_sent(self._source.connection or 0, is_reused)
        return True

    def write(self, data: bytes) -> bool:
        """Send bytes; false when the connection is closed or the peer does not read."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            self._transport.abort()
            return False
        return True

    def close(self) -> None:
        """Close, after what was written has left."""
        if self._transport is not None:
            self._transport.close()

    def close_if_stuck(self, now: float) -> None:
        """Close a connection whose peer owes the rest of a message, or has long been silent."""
        limit = _MESSAGE_TIMEOUT if self._framer.is_inside_message else _IDLE_TIMEOUT
        if now - self._heard_at > limit:
            self.close()

    def _unregister(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            self._sockets.remove_stream(self, source)
