"""One TCP or TLS connection of either direction: cuts messages, answers keep-alives, notices a dead peer."""

import asyncio
import ssl
from typing import Any, Protocol

from ringdown.sip import fault, network, tls
from ringdown.sip.destination import Destination
from ringdown.sip.framing import MessageTooLarge, StreamFramer
from ringdown.sip.transmission import Transmission

_MAX_UNSENT_BYTES = 1_048_576  # a peer that does not read is cut off
_MESSAGE_TIMEOUT = 20.0  # seconds for the rest of a message that has begun
_IDLE_TIMEOUT = 900.0
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")  # how an alert and a handshake of TLS begin (RFC 8446 §5.1)


class StreamOwner(Protocol):
    """The part of the sockets that a connection needs."""

    def add_stream(self, stream: "Stream", address: Any) -> Destination | None:
        """Register a new connection; `None` when there are too many."""

    def remove_stream(self, stream: "Stream", source: Destination) -> None:
        """The connection ended."""

    def take_message(self, data: bytes, source: Destination) -> None:
        """A whole message came in."""

    def refuse_oversize(self, head: bytes, source: Destination) -> bytes:
        """What to answer a message that is too large, by its header section; maybe nothing."""


class Stream(asyncio.Protocol):
    """One connection; `peer` is where we made it to, `None` for one that a peer made to us."""

    def __init__(self, owner: StreamOwner, *, is_tls: bool, peer: Destination | None = None) -> None:
        self.peer = peer
        self.is_tls = is_tls
        self.fault: str | None = None
        self._owner = owner
        self._framer = StreamFramer()
        self._loop = asyncio.get_running_loop()
        self._used_at = self._loop.time()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._has_heard = False
        self._early = bytearray()
        # Set while the connection is registered.
        self._source: Destination | None = None

    @property
    def is_closing(self) -> bool:
        """Whether it can take nothing any more."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, with TLS agreed."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        network.watch_peer(transport.get_extra_info("socket"))
        address = transport.get_extra_info("peername")
        if self._is_named_right(transport):
            self._source = self._owner.add_stream(self, address) if address else None
        if self._source is None:
            transport.abort()
        elif self._early:
            self.data_received(bytes(self._early))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._unregister(fault.describe(exc) if exc is not None else fault.CLOSED)
        self.lost.set_result(None)

    def eof_received(self) -> None:
        """The peer closed: nothing more may be written, even while the transport still empties its buffer."""
        if self._transport is not None:
            self._transport.close()
        self._unregister(fault.CLOSED)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        if self._transport is None:  # they came with the end of the handshake
            self._early += data
            return
        self._used_at = self._loop.time()
        if not self._has_heard and data.startswith(_TLS_RECORDS):
            self.fault = fault.IS_TLS
            self.close()
            return
        self._has_heard = True
        if data == b"\r\n\r\n" and not self._framer.is_inside_message:
            self.write(b"\r\n")  # RFC 5626 §4.4.1: the answer to a keep-alive
            return
        try:
            messages = self._framer.receive(data)
        except MessageTooLarge as error:
            if self._source is not None:
                self.write(self._owner.refuse_oversize(error.head, self._source))
            self.close()
            return
        except ValueError:
            self.close()
            return
        for message in messages:
            if self._source is not None:
                self._owner.take_message(message, self._source)

    def take(self, transmission: Transmission, *, is_reused: bool) -> bool:
        """Write it and tell it so; false when the connection is closed or the peer does not read."""
        if self._source is None or not self.write(transmission.data):
            return False
        if transmission.on_sent is not None:
            transmission.on_sent(self._source.connection or 0, is_reused)
        return True

    def write(self, data: bytes) -> bool:
        """Send bytes; false when the connection is closed or the peer does not read."""
        if self._transport is None or self.is_closing:
            return False
        if not self._framer.is_inside_message:
            self._used_at = self._loop.time()  # a peer that is gone breaks the connection, see `watch_peer`
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
        if now - self._used_at > limit:
            self.close()

    def _is_named_right(self, transport: asyncio.Transport) -> bool:
        if not self.is_tls or self.peer is None or self.peer.security is None or not self.peer.security.is_verified:
            return True
        session: ssl.SSLObject = transport.get_extra_info("ssl_object")
        try:
            tls.check_name(session.getpeercert() or {}, self.peer.security.server_name or self.peer.host)
        except ValueError as error:
            self.fault = fault.describe(error)
        return self.fault is None

    def _unregister(self, why: str) -> None:
        self.fault = self.fault or why
        source, self._source = self._source, None
        if source is not None:
            self._owner.remove_stream(self, source)
