"""The asyncio edge of the SIP library: its sockets, its clock, and the calls as the gateway holds them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from ringdown.sip import network, oversize
from ringdown.sip.address import NameAddr, Uri, join_host_port
from ringdown.sip.admission import Admit
from ringdown.sip.asker import Asker
from ringdown.sip.call import Call, IncomingCall, OutgoingCall
from ringdown.sip.destination import Destination, TlsClient, Transport
from ringdown.sip.digest import Credentials
from ringdown.sip.events import TRANSPORT_FAILED, Ended, Event, Rejected
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.inquiry import Inquirer, Reply
from ringdown.sip.invitation import Invitation
from ringdown.sip.location import LocationFailed
from ringdown.sip.locator import Locator
from ringdown.sip.refresh import SessionTimer
from ringdown.sip.registrant import Registration
from ringdown.sip.registration import Registrar, RegistrationStatus
from ringdown.sip.resolver import Resolver
from ringdown.sip.session import Session
from ringdown.sip.sockets import Sockets
from ringdown.sip.stack import Statistics
from ringdown.sip.stale import StaleEnding
from ringdown.sip.tls import TlsServer
from ringdown.sip.transaction import Timing
from ringdown.sip.transmission import Transmission
from ringdown.sip.useragent import UserAgent

_CLOSE_GRACE = 2.0  # seconds that `close` gives to the BYEs and CANCELs under way
_CLOSE_POLL = 0.02


class Endpoint:
    """One SIP address of this process, on UDP, TCP and TLS; made by `start`, ended by `close`."""

    def __init__(
        self,
        *,
        on_invite: Callable[[IncomingCall], None],
        admit: Admit,
        user_agent: str,
        public_host: str | None,
        timing: Timing,
        resolver: Resolver,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timing = timing
        self._on_invite = on_invite
        self._admit = admit
        self._public_host = public_host
        self._locator = Locator(resolver)
        self._registrations: set[Registration] = set()
        self._agent = UserAgent(locate=self._find_own_address, admit=admit, user_agent=user_agent, timing=timing)
        self._sockets = Sockets(
            on_message=self._receive,
            on_send_failure=self._fail_transmission,
            on_connection_lost=self._lose_connection,
            on_refusal=self._receive_refusal,
            on_oversize=self._refuse_oversize,
            resolver=resolver,
        )
        self._asker = Asker(self._agent.stack, locator=self._locator, send=self._sockets.send, flush=self.flush)
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
        tls: TlsServer | None = None,
        public_host: str | None = None,
        timing: Timing | None = None,
        nameserver: tuple[str, int] | None = None,
    ) -> Self:
        """Listen on `host` (IPv4, IPv6, or a wildcard) and `port` (0: any free one), UDP and TCP, and for `tls`.

        `admit(source, request)` is asked before a request may start anything. `public_host` replaces the bound
        address in Via and Contact, except for peers on this machine and in private networks. `nameserver` (address,
        port) replaces the system's. Raises `OSError` when a port is taken or a certificate cannot be used.
        """
        endpoint = cls(
            on_invite=on_invite,
            admit=admit,
            user_agent=user_agent,
            public_host=public_host,
            timing=timing or Timing(),
            resolver=Resolver(host=host, nameserver=nameserver, now=asyncio.get_running_loop().time),
        )
        await endpoint._sockets.open(host, port, tls)
        return endpoint

    @property
    def port(self) -> int:
        """The port that UDP and TCP listen on."""
        return self._sockets.port

    @property
    def tls_port(self) -> int | None:
        """The port that TLS listens on."""
        return self._sockets.tls_port

    @property
    def observed(self) -> Mapping[str, tuple[str, int]]:
        """Our address as each peer saw it, by the peer's address (`received` and `rport` of its responses)."""
        return self._agent.stack.transactions.reach.observed

    def set_public_host(self, host: str | None) -> None:
        """Show another address to peers outside from now on; `None` shows the bound one."""
        self._public_host = host

    @property
    def statistics(self) -> Statistics:
        """Counters since the start."""
        return self._agent.statistics

    def local_uri(self, user: str) -> str:
        """`sip:user@host:port` as peers can dial it: the public address if there is one."""
        host = self._public_host or self._sockets.host
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
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        hop: Destination | None = None,
        session_timer: SessionTimer | None = None,
    ) -> OutgoingCall:
        """A call that has not left yet; its `dialog_state` can be stored first.

        It must be sent or cancelled, or it stays registered. `hop` is where it really goes; without it a `Route`
        among `headers` (in which a name may repeat) sends it through that proxy. Raises `ValueError` for a target,
        address or header that cannot be used.
        """
        invitation = Invitation(
            target=target,
            from_uri=from_uri,
            from_display=from_display,
            to_uri=to_uri,
            body=body,
            credentials=credentials,
            headers=headers,
            hop=hop,
            session_timer=session_timer,
        )
        session = self._agent.prepare(invitation)
        call = OutgoingCall(session, self)
        self._calls[session] = call
        return call

    async def locate(
        self, uri: str, *, transport: Transport | None = None, security: TlsClient | None = None
    ) -> list[Destination]:
        """Where requests to a URI may go, best first (RFC 3263): NAPTR, SRV, addresses, kept for their TTL.

        Each is an address; one for TLS is verified against the URI's host unless `security` names another. Raises
        `LocationFailed`, whose text is a sentence.
        """
        return await self._locator.locate(uri, transport=transport, security=security)

    async def ask(
        self,
        method: str,
        target: str,
        *,
        from_uri: str,
        hop: Destination | None = None,
        to_uri: str | None = None,
        credentials: Credentials | None = None,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_s: float = 32.0,
    ) -> Reply:
        """Send a request outside of any dialog, answer its challenges, and wait for the final response.

        Without `hop` the first Route among `headers`, or the target, is located; a further hop is tried when one does
        not answer or says 503. Raises `ValueError` for an address or header that cannot be sent.
        """
        fields = tuple(headers)
        inquirer = Inquirer(self._agent.stack, target=target, from_uri=from_uri, to_uri=to_uri, credentials=credentials)
        route = next((NameAddr.parse(value).uri for name, value in fields if name.lower() == "route"), target)
        try:
            hops = [hop] if hop is not None else await self.locate(route)
        except LocationFailed as error:
            return Reply(status=503, reason=TRANSPORT_FAILED, is_local=True, fault=f"host unknown: {error.why}")
        return await self._asker.ask_any(inquirer, method, hops=hops, timeout_s=timeout_s, headers=fields, body=body)

    def register(self, registrar: Registrar, on_change: Callable[[RegistrationStatus], None]) -> Registration:
        """Keep an address of record registered until the registration, or this endpoint, is closed.

        `on_change` is called with every change. Raises `ValueError` for an address that cannot be used.
        """
        registration = Registration(self._asker, registrar, on_change=on_change, on_close=self._registrations.discard)
        self._registrations.add(registration)
        return registration

    async def end_stale_dialog(
        self,
        state: Mapping[str, Any],
        *,
        credentials: Credentials | None = None,
        security: TlsClient | None = None,
    ) -> str:
        """End a call that a dead process left behind, from its stored `dialog_state`; takes at most 8*T1.

        Returns what was sent first: `bye`, `cancel`, `reject` (an incoming call that had not been answered) or `none`
        (it had ended, or the state is not one of ours). Late answers are still dealt with after the return.
        `credentials` answer a peer that challenges the BYE, `security` is how TLS connections to it are made; neither
        is part of the state.
        """
        try:
            ending = self._agent.end_stale(dict(state), now=self.now(), credentials=credentials, security=security)
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
        await asyncio.gather(*(registration.close() for registration in tuple(self._registrations)))
        deadline = self.now() + _CLOSE_GRACE
        while self._agent.has_pending_requests() and self.now() < deadline:  # noqa: ASYNC110 - nobody signals this
            await asyncio.sleep(_CLOSE_POLL)
        self._is_closed = True
        if self._wakeup is not None:
            self._wakeup.cancel()
        self._asker.close()
        await self._sockets.close()
        for call in self._calls.values():
            call.deliver(Ended("local"))
        self._calls.clear()

    def find_call(self, session: Session) -> Call | None:
        """The live call of this session."""
        return self._calls.get(session)

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

    def _fail_transmission(self, transmission: Transmission, why: str) -> None:
        self._agent.stack.transactions.reach.note_fault(transmission.destination, why)
        self._agent.fail_transmission(transmission, self.now())
        self.flush()

    def _lose_connection(self, connection: int, why: str) -> None:
        self._agent.stack.transactions.note_lost(connection, why)
        self._agent.lose_connection(connection, self.now())
        for registration in self._registrations:
            registration.lose_connection(connection)
        self.flush()

    def _receive_refusal(self, quote: bytes) -> None:
        self._agent.receive_refusal(quote, self.now())
        self.flush()

    def _refuse_oversize(self, head: bytes, source: Destination) -> bytes:
        self._agent.statistics.malformed += 1
        request = oversize.read_head(head)
        if request is None or self._admit(source, request) != "accept":
            return b""
        return oversize.build_refusal(request, server=self._agent.stack.user_agent)

    def _find_own_address(self, destination: Destination) -> tuple[str, int]:
        """Host and port that we show to a destination."""
        port = (self._sockets.tls_port if destination.transport == "tls" else None) or self.port
        public = self._public_host
        if public is not None and network.needs_public_address(destination.host):
            is_other_family = network.is_literal(public) and (":" in public) != (":" in destination.host)
            if not is_other_family:
                return public, port
        host = self._sockets.host
        if network.is_wildcard(host):
            host = network.local_address(self._sockets.add_zone(destination.host))
        return host, port


def parse_user(uri: str) -> str | None:
    """The user part of a SIP or tel URI, e.g. a dialled number; `None` when there is none or it is malformed."""
    try:
        return Uri.parse(uri).user
    except ValueError:
        return None
