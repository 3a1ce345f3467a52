"""The sockets of one endpoint: UDP, TCP and TLS in both directions; knows no SIP but message boundaries."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import count
from typing import Any

from ringdown.sip import fault, icmp, network, tls
from ringdown.sip.destination import Destination, TlsClient
from ringdown.sip.resolver import Resolver
from ringdown.sip.stream import Stream
from ringdown.sip.tls import TlsServer
from ringdown.sip.transmission import Transmission

_CONNECT_TIMEOUT = 4.0
_LOSS_TIMEOUT = 1.0
_HANDSHAKE_TIMEOUT = 5.0
_MAX_CONNECTIONS = 1024
_MAX_CONNECTIONS_OF_SOURCE = 64
_SWEEP_INTERVAL = 10.0
_MAX_DATAGRAM_BYTES = 65_536
_MAX_READ_AT_ONCE = 64
_MAX_OLD_ERRORS = 3  # errors of earlier datagrams before this one is left to its retransmission

Address = tuple[str, int]


class Sockets:
    """Moves bytes. `on_message(data, source)` gets whole messages.

    `on_send_failure(transmission, fault)` gets what surely did not go out, `on_connection_lost(connection, fault)` the
    end of a stream.
    """

    def __init__(
        self,
        *,
        on_message: Callable[[bytes, Destination], None],
        on_send_failure: Callable[[Transmission, str], None],
        on_connection_lost: Callable[[int, str], None],
        on_refusal: Callable[[bytes], None],
        on_oversize: Callable[[bytes, Destination], bytes],
        resolver: Resolver,
    ) -> None:
        self.host = ""
        self.port = 0
        self.tls_port: int | None = None
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_send_failure = on_send_failure
        self._on_connection_lost = on_connection_lost
        self._on_refusal = on_refusal
        self._on_oversize = on_oversize
        self._resolver = resolver
        self._family = socket.AF_INET
        self._numbers = count(1)
        self._datagram_socket: socket.socket | None = None
        self._received = bytearray(_MAX_DATAGRAM_BYTES)
        self._servers: list[asyncio.Server] = []
        self._streams: dict[int, Stream] = {}
        # By address and security: a connection that was verified for one peer is not used for another.
        self._stream_by_peer: dict[Destination, Stream] = {}
        # How many connections each site has made to us, and on how many more it agrees on TLS.
        self._accepted: Counter[str] = Counter()
        self._handshakes: Counter[str] = Counter()
        # Messages that wait for a connection to this address.
        self._connecting: dict[Destination, list[Transmission]] = {}
        # The zones of the link-local addresses that were heard, by address: only the sockets need them.
        self._zones: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int, tls_server: TlsServer | None = None) -> None:
        """Bind and listen; raises `OSError`, also for a certificate that cannot be used."""
        context = None if tls_server is None else tls.build_server_context(tls_server)
        datagram, stream = network.bind_pair(host, port)
        self.host, self.port = host, datagram.getsockname()[1]
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        icmp.enable(datagram)
        self._datagram_socket = datagram
        self._loop.add_reader(datagram, self._read_datagrams)
        await self._serve(stream, None)
        if tls_server is not None:
            try:
                stream = network.listen(host, tls_server.port)
            except OSError:
                await self.close()
                raise
            self.tls_port = stream.getsockname()[1]
            await self._serve(stream, context)
        self._sweeper = self._loop.call_later(_SWEEP_INTERVAL, self._sweep)

    async def close(self) -> None:
        """Close everything; what is being connected or resolved is given up."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            server.close()
        for stream in list(self._streams.values()):
            stream.close()
        if self._datagram_socket is not None:
            self._loop.remove_reader(self._datagram_socket)
            self._datagram_socket.close()
        await asyncio.sleep(0)  # the transports close their sockets in the next turn of the loop

    def send(self, transmission: Transmission) -> None:
        """Send now, or as soon as the name is resolved and the connection made."""
        destination = transmission.destination
        stream = self._streams.get(destination.connection or 0)
        if stream is not None and stream.take(transmission, is_reused=True):
            return
        if network.is_literal(destination.host):
            self._send_to(destination.host, transmission)
        else:
            self._run(self._resolve_and_send(transmission))

    def take_datagram(self, data: bytes, address: Any) -> None:
        """A datagram came in."""
        if data.strip(b"\r\n\x00"):  # keep-alives are not messages
            self._on_message(data, Destination("udp", self._note_zone(address[0]), address[1]))

    def _read_datagrams(self) -> None:
        """Reads what waits, a bounded number: a turn of the event loop for each would cost more than its reading."""
        assert self._datagram_socket is not None
        for _ in range(_MAX_READ_AT_ONCE):
            try:
                size, address = self._datagram_socket.recvfrom_into(self._received)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._note_datagram_error()
                return
            self.take_datagram(bytes(self._received[:size]), address)

    def _note_datagram_error(self) -> bool:
        """The UDP socket failed: for the datagram that is being sent, or (true) for earlier ones that were refused."""
        assert self._datagram_socket is not None
        count, refused = icmp.read_refusals(self._datagram_socket)
        for quote in refused:  # later, for the user agent may be in the middle of sending
            self._loop.call_soon(self._on_refusal, quote)
        return count > 0

    def take_message(self, data: bytes, source: Destination) -> None:
        """A whole message came in on a stream."""
        self._on_message(data, source)

    def refuse_oversize(self, head: bytes, source: Destination) -> bytes:
        """A stream brings a message that is too large; returns what to answer before it is closed."""
        return self._on_oversize(head, source)

    def add_stream(self, stream: Stream, address: Any) -> Destination | None:
        """Register a new connection; `None` when there are too many, or too many of this source."""
        host = self._note_zone(address[0])
        if stream.peer is None:
            if self._is_full(host):
                return None
            self._accepted[network.name_site(host)] += 1
        number = next(self._numbers)
        security = None if stream.peer is None else stream.peer.security
        source = Destination("tls" if stream.is_tls else "tcp", host, address[1], number, security)
        self._streams[number] = stream
        self._stream_by_peer[source] = stream
        return source

    def remove_stream(self, stream: Stream, source: Destination) -> None:
        """A connection ended, or the peer will not read what is written to it any more."""
        number = source.connection or 0
        self._streams.pop(number, None)
        if self._stream_by_peer.get(source) is stream:
            del self._stream_by_peer[source]
        if stream.peer is None:
            self._accepted -= Counter([network.name_site(source.host)])  # keeps no zeros
        self._on_connection_lost(number, stream.fault or fault.CLOSED)

    def add_zone(self, host: str) -> str:
        """The address as the system takes it: a link-local one with the zone that it was heard in."""
        return f"{host}%{self._zones[host]}" if host in self._zones else host

    async def _serve(self, stream: socket.socket, context: ssl.SSLContext | None) -> None:
        make = (lambda: Stream(self, is_tls=False)) if context is None else (lambda: _Gate(self, context))
        self._servers.append(await self._loop.create_server(make, sock=stream))

    def begin_handshake(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        """A peer connected to the TLS port; refused when there are too many, as those with TLS are."""
        address = transport.get_extra_info("peername")
        host = network.normalize(address[0]) if address else ""
        if not host or self._is_full(host):
            transport.abort()
            return
        transport.pause_reading()  # what comes is for TLS
        self._handshakes[network.name_site(host)] += 1
        self._run(self._agree_on_tls(transport, context, host))

    async def _agree_on_tls(self, transport: asyncio.Transport, context: ssl.SSLContext, host: str) -> None:
        stream = Stream(self, is_tls=True)
        secured: asyncio.Transport | None = None
        try:
            secured = await self._loop.start_tls(
                transport, stream, context, server_side=True, ssl_handshake_timeout=_HANDSHAKE_TIMEOUT
            )
        except OSError:  # it speaks no TLS, has not the right certificate, or is gone
            transport.abort()
        finally:
            self._handshakes -= Counter([network.name_site(host)])  # keeps no zeros
        if secured is not None and not stream.lost.done():
            stream.connection_made(secured)

    def _is_full(self, host: str) -> bool:
        if len(self._streams) + self._handshakes.total() >= _MAX_CONNECTIONS:
            return True
        site = network.name_site(host)
        return self._accepted[site] + self._handshakes[site] >= _MAX_CONNECTIONS_OF_SOURCE

    def _note_zone(self, host: str) -> str:
        plain = network.normalize(host)
        _, _, zone = host.partition("%")
        if zone and (plain in self._zones or len(self._zones) < _MAX_CONNECTIONS):
            self._zones[plain] = zone
        return plain

    def _send_to(self, host: str, transmission: Transmission) -> None:
        try:
            mapped = network.map_to_family(self.add_zone(host), self._family, is_dual=self.host == "::")
        except OSError as error:
            self._on_send_failure(transmission, fault.describe(error))
            return
        wanted = transmission.destination
        if wanted.transport == "udp":
            self._send_datagram((mapped, wanted.port), transmission)
            return
        peer = _name_peer(wanted, host)
        plain = Destination(wanted.transport, host, wanted.port)  # a connection that the peer made
        for known in (plain, peer) if wanted.security is None else (peer,):
            stream = self._stream_by_peer.get(known)
            if stream is not None and stream.take(transmission, is_reused=True):
                return
        if peer in self._connecting:
            self._connecting[peer].append(transmission)
        else:
            self._connecting[peer] = [transmission]
            self._run(self._connect(peer, mapped, transmission.connect_timeout_s or _CONNECT_TIMEOUT))

    def _send_datagram(self, address: Address, transmission: Transmission) -> None:
        assert self._datagram_socket is not None
        for _ in range(_MAX_OLD_ERRORS):
            try:
                self._datagram_socket.sendto(transmission.data, address)
            except (BlockingIOError, InterruptedError):
                return  # lost as on the network, since its buffer is full: to be sent again
            except OSError as error:
                if not self._note_datagram_error():
                    self._on_send_failure(transmission, fault.describe(error))
                    return
            else:
                return

    async def _resolve_and_send(self, transmission: Transmission) -> None:
        answer = await self._resolver.find_addresses(transmission.destination.host)
        if answer.records:
            self._send_to(answer.records[0], transmission)
        else:
            self._on_send_failure(transmission, f"host unknown: {answer.why}")

    async def _connect(self, peer: Destination, mapped: str, timeout_s: float) -> None:
        made: list[Stream] = []  # filled when the TCP connection stands, before TLS
        why: str | None = None
        try:
            async with asyncio.timeout(timeout_s):
                await self._make_connection(peer, mapped, made)
        except (OSError, ValueError) as error:
            why = fault.describe(error, is_handshake=peer.transport == "tls" and bool(made))
        stream = made[0] if made and why is None else None
        if stream is not None and stream.is_closing:
            await asyncio.wait([stream.lost], timeout=_LOSS_TIMEOUT)  # then the reason is known
        for transmission in self._connecting.pop(peer):
            if stream is None or not stream.take(transmission, is_reused=False):
                self._on_send_failure(transmission, why or (stream and stream.fault) or fault.CLOSED)

    async def _make_connection(self, peer: Destination, mapped: str, made: list[Stream]) -> None:
        def make_stream() -> Stream:
            made.append(Stream(self, is_tls=peer.transport == "tls", peer=peer))
            return made[0]

        context: ssl.SSLContext | None = None
        name: str | None = None
        if peer.security is not None:
            # In a thread: it reads the system's authorities.
            context = await self._loop.run_in_executor(None, tls.build_client_context, peer.security)
            name = peer.security.server_name
        await self._loop.create_connection(
            make_stream, mapped, peer.port, ssl=context, server_hostname=name, local_addr=self._local_address()
        )

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
        self._sweeper = self._loop.call_later(_SWEEP_INTERVAL, self._sweep)


class _Gate(asyncio.Protocol):
    """A connection to the TLS port before TLS is begun, so that it is counted from the start."""

    def __init__(self, sockets: Sockets, context: ssl.SSLContext) -> None:
        self._sockets = sockets
        self._context = context

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._sockets.begin_handshake(transport, self._context)


def _name_peer(wanted: Destination, host: str) -> Destination:
    """The destination with its name resolved; over TLS with the name that its certificate must show."""
    if wanted.transport == "tls":
        security = wanted.security or TlsClient()
        security = replace(security, server_name=security.server_name or wanted.host)
        return Destination("tls", host, wanted.port, security=security)
    return Destination(wanted.transport, host, wanted.port)
