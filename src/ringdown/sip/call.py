"""The asyncio face of one call: what the gateway and the test phone hold; the rules are in the sessions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ringdown.sip.errand import Outcome
from ringdown.sip.events import Ended, Event, ReferralReceived, Referred, ReferResult, Rejected, ReofferFailed
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.outgoing import OutgoingSession
from ringdown.sip.referral import ReceivedReferral
from ringdown.sip.refresh import SessionTimer
from ringdown.sip.renegotiation import CALL_ENDED
from ringdown.sip.session import Session

_R = TypeVar("_R")


class Edge(Protocol):
    """The part of the endpoint that a call needs."""

    def now(self) -> float:
        """The loop's clock."""

    def flush(self) -> None:
        """Send and deliver what the user agent holds."""

    def find_call(self, session: Session) -> "Call | None":
        """The live call of this session."""


class Call:
    """One call of either direction."""

    def __init__(self, session: Session, edge: Edge) -> None:
        self._session = session
        self._edge = edge
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        # What `reoffer` and `refer` wait for.
        self._waiting: set[asyncio.Future[Any]] = set()

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

    @property
    def make_offer(self) -> Callable[[], bytes] | None:
        """Called when a re-INVITE comes without SDP, returns our offer; the answer goes to `on_answer`."""
        return self._session.make_offer

    @make_offer.setter
    def make_offer(self, callback: Callable[[], bytes] | None) -> None:
        self._session.make_offer = callback

    @property
    def on_answer(self) -> Callable[[bytes], None] | None:
        """Called with the SDP that answers an offer which `reoffer` did not make; `ValueError` becomes a BYE.

        Such offers are those of `make_offer`, and ours repeated by a session timer.
        """
        return self._session.on_answer

    @on_answer.setter
    def on_answer(self, callback: Callable[[bytes], None] | None) -> None:
        self._session.on_answer = callback

    @property
    def replaces(self) -> str:
        """This dialog as our peer's new caller names it in Replaces (RFC 3891); `ValueError` before the answer."""
        return self._session.replaces().serialize()

    def allows(self, method: str) -> bool:
        """Whether the peer has said in its Allow that it takes this method, e.g. `REFER`."""
        return self._session.is_allowed(method)

    def supports(self, tag: str) -> bool:
        """Whether the peer has said in its Supported that it knows this option tag, e.g. `replaces`."""
        return self._session.is_supported(tag)

    @property
    def signalling_host(self) -> str:
        """The address that the peer's last message came from; empty before the first."""
        return self._session.signalling_host

    async def _wait(self, future: "asyncio.Future[_R]", at_the_end: _R) -> _R:
        """The result of something under way; it is bounded by its transactions, and by the end of the call."""
        self._edge.flush()
        await asyncio.wait([future])
        return at_the_end if future.cancelled() else future.result()

    async def reoffer(self, sdp: bytes) -> bytes:
        """Send a re-INVITE; returns the SDP of its answer, raises `ReofferFailed`. A 481 or 408 ends the call.

        Waits for other offers under way, and after a 491 as long as RFC 3261 §14.1 says.
        """
        answered: asyncio.Future[Outcome] = self._expect()

        def settle(outcome: Outcome, _now: float) -> None:
            if not answered.done():
                answered.set_result(outcome)

        self._session.reoffer(sdp, settle, self._edge.now())
        outcome = await self._wait(answered, CALL_ENDED)
        if outcome.response is None or outcome.status >= 300:
            raise ReofferFailed(outcome.status, outcome.reason)
        return outcome.response.body

    async def refer(
        self, target: str, *, replaces: str | None = None, referred_by: str | None = None, timeout_s: float = 30
    ) -> ReferResult:
        """Ask the peer to call `target` (RFC 3515), in place of the dialog `replaces`; the call stays up.

        Returns the final refusal of the REFER, or the final status that the peer notifies, or 408 after `timeout_s`.
        Raises `ValueError` for a target that is no URI.
        """
        told: asyncio.Future[ReferResult] = self._expect()

        def settle(result: ReferResult) -> None:
            if not told.done():
                told.set_result(result)

        self._session.refer(
            target,
            replaces=replaces,
            referred_by=referred_by,
            timeout_s=timeout_s,
            on_done=settle,
            now=self._edge.now(),
        )
        return await self._wait(told, ReferResult(CALL_ENDED.status, CALL_ENDED.reason, is_refused=True))

    def events(self) -> AsyncIterator[Event]:
        """What happens to the call, up to and with its `Rejected` or `Ended`. To be iterated by one task."""
        return _Events(self._queue)

    async def bye(self) -> None:
        """Hang up; returns at once, `Ended("local")` follows within 8*T1. Safe to call twice or after the end."""
        self._session.bye(self._edge.now())
        self._edge.flush()

    def deliver(self, event: Event) -> None:
        """Called by the endpoint."""
        if isinstance(event, ReferralReceived):
            event = _describe_referral(event.received, self._edge)
        self._queue.put_nowait(event)
        if isinstance(event, (Rejected, Ended)):  # an endpoint that closes leaves nobody waiting
            for future in self._waiting:
                future.cancel()

    def _expect(self) -> "asyncio.Future[Any]":
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future


class _Events(AsyncIterator[Event]):
    """Not a generator: one that is left before its end costs the event loop a task and a turn of its own."""

    def __init__(self, queue: "asyncio.Queue[Event]") -> None:
        self._queue = queue
        self._is_last = False

    async def __anext__(self) -> Event:
        if self._is_last:
            raise StopAsyncIteration
        event = await self._queue.get()
        self._is_last = isinstance(event, (Rejected, Ended))
        return event


class OutgoingCall(Call):
    """A call that we place; made by `Endpoint.prepare_invite`."""

    def __init__(self, session: OutgoingSession, edge: Edge) -> None:
        super().__init__(session, edge)
        self._outgoing = session

    @property
    def is_proceeding(self) -> bool:
        """Whether the peer has answered anything to the INVITE under way, be it 100 Trying, which is no event."""
        return self._outgoing.is_proceeding

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

    @property
    def replaced_call(self) -> Call | None:
        """The live call that this one takes over (RFC 3891): its owner answers this one and hangs that one up."""
        replaced = self._incoming.replaced
        return None if replaced is None else self._edge.find_call(replaced)

    def header(self, name: str) -> str | None:
        """The first value of a header of the INVITE, by its canonical name."""
        return self._incoming.invite.headers.get(name)

    def header_lines(self, name: str) -> list[str]:
        """All values of a header of the INVITE, as written."""
        return self._incoming.invite.headers.get_lines(name)

    async def ring(self) -> None:
        """Send 180 Ringing."""
        self._incoming.ring(self._edge.now())
        self._edge.flush()

    async def progress(self, status: int = 183, sdp: bytes = b"") -> None:
        """Send a 101-199 response, with early media if there is SDP; waits for nothing.

        Reliable (RFC 3262) when the caller requires that, or supports it and there is SDP. Raises `ValueError` for
        another status.
        """
        self._incoming.progress(status, sdp, self._edge.now())
        self._edge.flush()

    async def answer(self, sdp: bytes, session_timer: SessionTimer | None = None) -> None:
        """Send 200 OK; `Answered` follows with the ACK. Does nothing when the caller has given up meanwhile.

        `Rejected` (420 or 422) follows instead when the caller's session timer cannot be accepted.
        """
        self._incoming.answer(sdp, self._edge.now(), session_timer=session_timer)
        self._edge.flush()

    async def reject(
        self,
        status: int,
        reason: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> None:
        """Refuse with 300-699; `Rejected` follows. Raises `ValueError` for another status."""
        fields = list(headers.items() if isinstance(headers, Mapping) else headers)
        self._incoming.reject(status, reason=reason, fields=fields, now=self._edge.now())
        self._edge.flush()


class _Referral:
    """The asyncio face of a REFER of the peer."""

    def __init__(self, received: ReceivedReferral, edge: Edge) -> None:
        self._received = received
        self._edge = edge

    async def accept(self) -> bool:
        """See `Referral`."""
        is_open = self._received.accept(self._edge.now())
        self._edge.flush()
        return is_open

    async def notify(self, status: int, reason: str) -> None:
        """See `Referral`; raises `ValueError` for what is no status line."""
        self._received.notify(status, reason, self._edge.now())
        self._edge.flush()

    async def reject(self, status: int) -> None:
        """See `Referral`."""
        self._received.reject(status, self._edge.now())
        self._edge.flush()


def _describe_referral(received: ReceivedReferral, edge: Edge) -> Referred:
    return Referred(received.target, received.replaces, received.referred_by, _Referral(received, edge))
