"""The way to one browser: ICE on the media session's own socket, which DTLS shares; knows no SDP and no RTP."""

import asyncio
import socket
from typing import Any

from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol
from aioice.stun import Message

from ringdown.media.latch import Address, normalise_host
from ringdown.media.muxed import is_media
from ringdown.sip import network

_DATAGRAM_BYTES = 2048
# More would only serve to have us send to others (RFC 8445 §19.5.1).
_MAX_CANDIDATES = 32


class IceLink(Connection):
    """ICE with one browser, controlled by it; `connect`, `send`, `recv` and `close` are aioice's.

    `open` takes a bound socket, which it reads until `pause`; then somebody else does, and passes `take` what is no
    media. `peer` is where the browser is once `connect` has returned.
    """

    def __init__(self) -> None:
        super().__init__(ice_controlling=False)
        self._known: set[tuple[str, int]] = set()
        self._wire: _Wire | None = None
        self._candidates = 0

    async def open(self, bound: socket.socket) -> None:
        """Begin to read."""
        self._wire = wire = _Wire(bound, StunProtocol(self))
        wire.protocol.connection_made(wire)
        wire.start()
        await self.gather_candidates()

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],  # noqa: ARG002 - aioice's own
        timeout: int = 5,  # noqa: ARG002 - likewise
    ) -> list[Candidate]:
        """Our one candidate; what the browser is shown besides leads to the same socket."""
        assert self._wire is not None
        host, port = self._wire.address
        candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host"),
            host=host,
            port=port,
            type="host",
        )
        self._wire.protocol.local_candidate = candidate
        self._protocols.append(self._wire.protocol)
        return [candidate]

    async def add_candidate(self, text: str) -> None:
        """Take the value of an `a=candidate` line. Raises `ValueError` for one that is malformed.

        Names (mDNS), TCP and what is no single machine are passed over: the browser finds us from there, too.
        """
        candidate = Candidate.from_sdp(text.removeprefix("candidate:"))
        is_usable = candidate.transport.lower() == "udp" and candidate.component == 1
        if not is_usable or not network.is_unicast(candidate.host) or self._candidates >= _MAX_CANDIDATES:
            return
        self._candidates += 1
        await self.add_remote_candidate(candidate)

    def check_incoming(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """A check that knew our password: who sent it may send media."""
        self._known.add(addr)
        super().check_incoming(message, addr, protocol)

    def is_known(self, host: str, port: int) -> bool:
        """Whether the browser has shown to be there."""
        return (host, port) in self._known

    @property
    def peer(self) -> tuple[str, int]:
        """Where the browser was sent to last."""
        assert self._wire is not None and self._wire.peer is not None
        return self._wire.peer

    def pause(self) -> None:
        """Read no more: from now on `take` is called."""
        if self._wire is not None:
            self._wire.stop()

    def take(self, datagram: bytes, source: Address) -> None:
        """Take a datagram that is no media."""
        if self._wire is not None and datagram:
            self._wire.deliver(datagram, source)


class _Wire(asyncio.DatagramTransport):
    """The socket as aioice wants it."""

    def __init__(self, bound: socket.socket, protocol: StunProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.peer: tuple[str, int] | None = None
        self._socket = bound
        self._is_dual = bound.family == socket.AF_INET6 and bound.getsockname()[0] == "::"
        self._loop = asyncio.get_running_loop()
        self._is_reading = False
        self._is_closed = False

    @property
    def address(self) -> tuple[str, int]:
        """Our address as ICE pairs it with others; any that has the family, where we listen on all."""
        host, port = self._socket.getsockname()[:2]
        return (
            network.local_address("::1" if ":" in host else "127.0.0.1") if network.is_wildcard(host) else host,
            port,
        )

    def start(self) -> None:
        self._loop.add_reader(self._socket.fileno(), self._read)
        self._is_reading = True

    def stop(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._socket.fileno())

    def _read(self) -> None:
        try:
            datagram, source = self._socket.recvfrom(_DATAGRAM_BYTES)
        except OSError:
            return
        if datagram and not is_media(datagram):
            self.deliver(datagram, source)

    def deliver(self, datagram: bytes, source: Address) -> None:
        if not self._is_closed:
            self.protocol.datagram_received(datagram, (normalise_host(source[0]), source[1]))

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send; what the system refuses is lost, as any datagram may be."""
        if self._is_closed:
            return
        if data[0] > 3:  # no STUN: ICE has chosen
            self.peer = addr
        try:
            host = network.map_to_family(addr[0], self._socket.family, is_dual=self._is_dual)
            self._socket.sendto(data, (host, addr[1]))
        except OSError:
            return

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket.getsockname() if name == "sockname" else default

    def is_closing(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """The socket is its owner's to close."""
        if not self._is_closed:
            self.stop()
            self._is_closed = True
            self._loop.call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()
