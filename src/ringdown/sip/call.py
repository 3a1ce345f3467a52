"""The asyncio face of one call: what the gateway and the test phone hold; the rules are in the sessions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from ringdown.sip.events import Ended, Event, Rejected
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.outgoing import OutgoingSession
from ringdown.sip.session import Session


class Edge(Protocol):
    """The part of the endpoint that a call needs."""

    def now(self) -> float:
        """The loop's clock."""

    def flush(self) -> None:
        """Send and deliver what the user agent holds."""


class Call:
    """One call of either direction."""

    def __init__(self, session: Session, edge: Edge) -> None:
        self._session = session
        self._edge = edge
        self._queue: asyncio.Queue[Event] = asyncio.Queue()

    @property
    def dialog_state(self) -> dict[str, Any]:
        """What `Endpoint.end_stale_dialog` needs after a crash; JSON-serializable, current at every moment.

        Store it before `send`, and again whenever `on_dialog_change` is called with it.
        """
        return self._session.state()

    @property
    def on_reoffer(self) -> Callable[[bytes], bytes] | None:
        """Called with the SDP of a re-INVITE or UPDATE, returns our answer; `ValueError` becomes 488."""
        return self._session.on_reoffer

    @on_reoffer.setter
    def on_reoffer(self, callback: Callable[[bytes], bytes] | None) -> None:
        self._session.on_reoffer = callback

    @property
    def on_dialog_change(self) -> Callable[[dict[str, Any]], None] | None:
        """Called with the new `dialog_state` each time it changes, before the message that changes it leaves."""
        return self._session.on_dialog_change

    @on_dialog_change.setter
    def on_dialog_change(self, callback: Callable[[dict[str, Any]], None] | None) -> None:
        self._session.on_dialog_change = callback

    async def events(self) -> AsyncIterator[Event]:
        """What happens to the call, up to and with its `Rejected` or `Ended`. To be iterated by one task."""
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, (Rejected, Ended)):
                return

    async def bye(self) -> None:
        """Hang up; returns at once, `Ended("local")` follows within 8*T1. Safe to call twice or after the end."""
        self._session.bye(self._edge.now())
        self._edge.flush()

    def deliver(self, event: Event) -> None:
        """Called by the endpoint."""
        self._queue.put_nowait(event)


class OutgoingCall(Call):
    """A call that we place; made by `Endpoint.prepare_invite`."""

    def __init__(self, session: OutgoingSession, edge: Edge) -> None:
        super().__init__(session, edge)
        self._outgoing = session

    async def send(self) -> None:
        """Send the INVITE; returns at once."""
        self._outgoing.send(self._edge.now())
        self._edge.flush()

    async def cancel(self) -> None:
        """Stop ringing; returns at once, `Ended("cancelled")` follows within 8*T1."""
        self._outgoing.cancel(self._edge.now())
        self._edge.flush()


class IncomingCall(Call):
    """A call that a peer places; given to `on_invite`."""

    def __init__(self, session: IncomingSession, edge: Edge) -> None:
        super().__init__(session, edge)
        self._incoming = session

    @property
    def request_uri(self) -> str:
        """Whom the caller asks for."""
        return self._incoming.invite.uri

    @property
    def from_uri(self) -> str:
        """The caller's URI."""
        return self._incoming.invite.from_.uri

    @property
    def from_display(self) -> str | None:
        """The caller's display name."""
        return self._incoming.invite.from_.display

    @property
    def to_uri(self) -> str:
        """Whom the caller dialled."""
        return self._incoming.invite.to.uri

    @property
    def body(self) -> bytes:
        """The SDP offer; empty when the caller wants ours."""
        return self._incoming.invite.body

    @property
    def source(self) -> tuple[str, int]:
        """The address that the INVITE came from."""
        return self._incoming.source.host, self._incoming.source.port

    def header(self, name: str) -> str | None:
        """The first value of a header of the INVITE, by its canonical name."""
        return self._incoming.invite.headers.get(name)

    async def ring(self) -> None:
        """Send 180 Ringing."""
        self._incoming.ring(self._edge.now())
        self._edge.flush()

    async def answer(self, sdp: bytes) -> None:
        """Send 200 OK; `Answered` follows with the ACK. Does nothing when the caller has given up meanwhile."""
        self._incoming.answer(sdp, self._edge.now())
        self._edge.flush()

    async def reject(self, status: int, reason: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Refuse with 300-699; `Rejected` follows. Raises `ValueError` for another status."""
        fields = list((headers or {}).items())
        self._incoming.reject(status, reason=reason, fields=fields, now=self._edge.now())
        self._edge.flush()
