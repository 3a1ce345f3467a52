"""The asyncio edge of the SIP library: its sockets, its clock, and the calls as the gateway holds them."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Self

from ringdown.sip import network
from ringdown.sip.address import Uri, join_host_port
from ringdown.sip.admission import Admit
from ringdown.sip.call import Call, IncomingCall, OutgoingCall
from ringdown.sip.destination import Destination
from ringdown.sip.digest import Credentials
from ringdown.sip.events import Ended, Event, Rejected
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.outgoing import Invitation
from ringdown.sip.sockets import Sockets
from ringdown.sip.stack import Statistics
from ringdown.sip.stale import StaleEnding
from ringdown.sip.transaction import Timing, Transmission
from ringdown.sip.useragent import UserAgent

_CLOSE_GRACE = 2.0  # seconds that `close` gives to the BYEs and CANCELs under way
_CLOSE_POLL = 0.02


class Endpoint:
    """One SIP address of this process, on UDP and TCP; made by `start`, ended by `close`."""

    def __init__(
        self,
        *,
        on_invite: Callable[[IncomingCall], None],
        admit: Admit,
        user_agent: str,
        advertised_host: str | None,
        timing: Timing,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timing = timing
        self._on_invite = on_invite
        self._advertised_host = advertised_host
        self._agent = UserAgent(locate=self._locate, admit=admit, user_agent=user_agent, timing=timing)
        self._sockets = Sockets(
            on_message=self._receive,
            on_send_failure=self._fail_transmission,
            on_connection_lost=self._lose_connection,
            on_refusal=self._receive_refusal,
        )
        self._calls: dict[object, Call] = {}
        self._endings: dict[object, asyncio.Future[None]] = {}
        # The one pending call of the loop, for the earliest timer of the user agent.
        self._wakeup: asyncio.TimerHandle | None = None
        self._is_flushing = False
        self._is_closed = False

    @classmethod
    async def start(
        cls,
        *,
        host: str,
        port: int,
        user_agent: str,
        on_invite: Callable[[IncomingCall], None],
        admit: Admit,
        advertised_host: str | None = None,
        timing: Timing | None = None,
    ) -> Self:
        """Listen on `host` (IPv4, IPv6, or a wildcard) and `port` (0: any free one), UDP and TCP.

        `admit(source, request)` is asked before a request may start anything.
        `advertised_host` replaces the bound address in Via and Contact. Raises `OSError` when the port is taken.
        """
        endpoint = cls(
            on_invite=on_invite,
            admit=admit,
            user_agent=user_agent,
            advertised_host=advertised_host,
            timing=timing or Timing(),
        )
        await endpoint._sockets.open(host, port)
        return endpoint

    @property
    def port(self) -> int:
        """The port that both transports listen on."""
        return self._sockets.port

    @property
    def statistics(self) -> Statistics:
        """Counters since the start."""
        return self._agent.statistics

    def local_uri(self, user: str) -> str:
        """`sip:user@host:port` as a peer on this machine's network can dial it."""
        host = self._advertised_host or self._sockets.host
        if network.is_wildcard(host):
            host = network.local_address(network.DEFAULT_ROUTE)
        return f"sip:{user}@{join_host_port(host, self.port)}"

    def prepare_invite(
        self,
        *,
        target: str,
        from_uri: str,
        from_display: str | None = None,
        to_uri: str | None = None,
        body: bytes = b"",
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> OutgoingCall:
        """A call that has not left yet; its `dialog_state` can be stored first.

        It must be sent or cancelled, or it stays registered. A `Route` among `headers` sends it through that
        proxy. Raises `ValueError` for a target, address or header that cannot be used.
        """
        invitation = Invitation(
            target=target,
            from_uri=from_uri,
            from_display=from_display,
            to_uri=to_uri,
            body=body,
            credentials=credentials,
            headers=headers or {},
        )
        session = self._agent.prepare(invitation)
        call = OutgoingCall(session, self)
        self._calls[session] = call
        return call

    async def end_stale_dialog(self, state: Mapping[str, Any], *, credentials: Credentials | None = None) -> str:
        """End a call that a dead process left behind, from its stored `dialog_state`; takes at most 8*T1.

        Returns what was sent first: `bye`, `cancel`, `reject` (an incoming call that had not been answered) or `none`
        (it had ended, or the state is not one of ours). Late answers are still dealt with after the return.
        `credentials` answer a peer that challenges the BYE; they are not part of the state.
        """
        try:
            ending = self._agent.end_stale(dict(state), now=self.now(), credentials=credentials)
        except ValueError:
            return "none"
        settled: asyncio.Future[None] = self._loop.create_future()
        self._endings[ending] = settled
        self.flush()
        await asyncio.wait([settled], timeout=9 * self._timing.t1)
        self._endings.pop(ending, None)
        return ending.method

    async def close(self) -> None:
        """Close the sockets, after a short grace for BYEs and CANCELs under way. Safe to call twice."""
        if self._is_closed:
            return
        deadline = self.now() + _CLOSE_GRACE
        while self._agent.has_pending_requests() and self.now() < deadline:  # noqa: ASYNC110 - nobody signals this
            await asyncio.sleep(_CLOSE_POLL)
        self._is_closed = True
        if self._wakeup is not None:
            self._wakeup.cancel()
        await self._sockets.close()
        for call in self._calls.values():
            call.deliver(Ended("local"))
        self._calls.clear()

    def now(self) -> float:
        """The loop's clock, in seconds."""
        return self._loop.time()

    def flush(self) -> None:
        """Send and deliver what the user agent holds, and set the clock for its next timer."""
        if self._is_flushing or self._is_closed:
            return
        self._is_flushing = True
        try:
            while (sent := self._agent.data_to_send()) or (events := self._agent.events()):
                if sent:
                    for transmission in sent:
                        self._sockets.send(transmission)
                else:
                    for owner, event in events:
                        self._deliver(owner, event)
        finally:
            self._is_flushing = False
        self._schedule()

    def _deliver(self, owner: object, event: Event | None) -> None:
        if event is None:
            assert isinstance(owner, IncomingSession)
            incoming = IncomingCall(owner, self)
            self._calls[owner] = incoming
            # Not called from here: a fault of the owner's code must not stop the endpoint.
            self._loop.call_soon(self._on_invite, incoming)
            return
        if isinstance(owner, StaleEnding):
            settled = self._endings.pop(owner, None)
            if settled is not None and not settled.done():
                settled.set_result(None)
            return
        is_last = isinstance(event, (Rejected, Ended))
        call = self._calls.pop(owner, None) if is_last else self._calls.get(owner)
        if call is not None:
            call.deliver(event)

    def _schedule(self) -> None:
        when = self._agent.next_timeout()
        if self._wakeup is not None:
            if not self._wakeup.cancelled() and when is not None and self._wakeup.when() <= when:
                return  # waking too early is cheaper than setting the clock for each message
            self._wakeup.cancel()
        self._wakeup = None if when is None else self._loop.call_at(when, self._wake)

    def _wake(self) -> None:
        self._wakeup = None
        try:
            self._agent.advance(self.now())
        finally:
            self.flush()

    def _receive(self, data: bytes, source: Destination) -> None:
        try:
            self._agent.receive(data, source=source, now=self.now())
        finally:
            self.flush()

    def _fail_transmission(self, transmission: Transmission) -> None:
        self._agent.fail_transmission(transmission, self.now())
        self.flush()

    def _lose_connection(self, connection: int) -> None:
        self._agent.lose_connection(connection, self.now())
        self.flush()

    def _receive_refusal(self, quote: bytes) -> None:
        self._agent.receive_refusal(quote, self.now())
        self.flush()

    def _locate(self, destination: Destination) -> tuple[str, int]:
        host = self._advertised_host or self._sockets.host
        if network.is_wildcard(host):
            host = network.local_address(destination.host)
        return host, self.port


def parse_user(uri: str) -> str | None:
    """The user part of a SIP or tel URI, e.g. a dialled number; `None` when there is none or it is malformed."""
    try:
        return Uri.parse(uri).user
    except ValueError:
        return None
