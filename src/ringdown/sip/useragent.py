"""The Sans-I/O user agent: sorts incoming messages to transactions and calls; the edge moves its bytes."""

import re
import secrets
from collections.abc import Callable
from dataclasses import replace

from ringdown.sip import inspection, malformed, refresh
from ringdown.sip.admission import Admit, Refusal
from ringdown.sip.destination import DEFAULT_PORTS, Destination, TlsClient
from ringdown.sip.digest import Credentials
from ringdown.sip.events import Event
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.invitation import Invitation
from ringdown.sip.message import Request, Response, Via, parse_message
from ringdown.sip.outgoing import OutgoingSession
from ringdown.sip.replaces import Replaces
from ringdown.sip.session import Session
from ringdown.sip.stack import ALLOW, SUPPORTED, Stack, Statistics
from ringdown.sip.stale import StaleEnding
from ringdown.sip.transaction import ServerTransaction, Timing
from ringdown.sip.transmission import Transmission

_WITHIN_CALLS = frozenset({"BYE", "UPDATE", "PRACK", "INFO", "REFER", "NOTIFY"})
_QUOTED_BRANCH = re.compile(rb"(?P<method>[A-Z]+) [^\r\n]*\r\nVia: [^\r\n]*?;branch=(?P<branch>[\w-]+)[;\r]")


class UserAgent:
    """All calls of one endpoint.

    After calling any method that takes `now` you must send what `data_to_send` gives, deliver what `events`
    gives, and call `advance` at the instant that `next_timeout` names. `admit(source, request)` is asked
    for every request that starts something.
    """

    def __init__(
        self,
        *,
        locate: Callable[[Destination], tuple[str, int]],
        admit: Admit,
        user_agent: str,
        timing: Timing | None = None,
    ) -> None:
        self._stack = Stack(locate=locate, user_agent=user_agent, timing=timing or Timing())
        self._admit = admit
        # The call that each INVITE transaction belongs to, for its CANCEL.
        self._invited: dict[tuple[str, ...], IncomingSession] = {}
        # Call-ID, From tag and number of each INVITE that has a transaction.
        self._ongoing: set[tuple[str, str | None, int]] = set()

    @property
    def statistics(self) -> Statistics:
        """The counters."""
        self._stack.statistics.retransmissions = self._stack.transactions.retransmissions
        return self._stack.statistics

    @property
    def stack(self) -> Stack:
        """What requests outside of calls share with them."""
        return self._stack

    def prepare(self, invitation: Invitation) -> OutgoingSession:
        """An outgoing call; nothing is sent before its `send`. Raises `ValueError` for a target we cannot reach."""
        return OutgoingSession(self._stack, invitation, call_id=secrets.token_hex(16))

    def end_stale(
        self,
        state: dict[str, object],
        *,
        now: float,
        credentials: Credentials | None = None,
        security: TlsClient | None = None,
    ) -> StaleEnding:
        """Begin to end a call of another process; raises `ValueError` for a state we did not write."""
        ending = StaleEnding(self._stack, state, credentials=credentials, security=security)
        ending.begin(now)
        return ending

    def receive(self, data: bytes, *, source: Destination, now: float) -> None:
        """Take one whole message; never raises for what it holds."""
        self._stack.statistics.received += 1
        self._stack.source = source
        try:
            message = parse_message(data)
        except ValueError:
            self._stack.statistics.malformed += 1
            self._receive_malformed(data, source, now)
            return
        try:
            if isinstance(message, Response):
                if not self._stack.transactions.receive_response(message, now, source):
                    self._stack.statistics.stray += 1
            else:
                self._receive_request(_note_source(message, source), source, now)
        except ValueError:
            self._stack.statistics.malformed += 1

    def data_to_send(self) -> list[Transmission]:
        """What must go out now."""
        sent = self._stack.transactions.data_to_send()
        self._stack.statistics.sent += len(sent)
        return sent

    def events(self) -> list[tuple[object, Event | None]]:
        """What happened: call and event; `None` announces a new `IncomingSession`."""
        return self._stack.events()

    def next_timeout(self) -> float | None:
        """When to call `advance`."""
        return self._stack.transactions.timers.next_timeout()

    def advance(self, now: float) -> None:
        """Run the timers that are due."""
        self._stack.transactions.timers.run_due(now)

    def fail_transmission(self, transmission: Transmission, now: float) -> None:
        """These bytes could not be sent."""
        self._stack.statistics.transport_errors += 1
        if transmission.on_failure is not None:
            transmission.on_failure(now)

    def lose_connection(self, connection: int, now: float) -> None:
        """The stream with this number broke."""
        self._stack.transactions.lose_connection(connection, now)

    def receive_refusal(self, quote: bytes, now: float) -> None:
        """The network says that nobody listens where a datagram went that began with `quote` (§18.4).

        Believed only of a request whose branch it quotes in full: nobody on the outside can guess that.
        """
        found = _QUOTED_BRANCH.match(quote)
        if found is None:
            return
        client = self._stack.transactions.find_client(found["branch"].decode(), found["method"].decode())
        if client is not None and not client.destination.is_reliable:
            self._stack.statistics.transport_errors += 1
            client.receive_refusal(now)

    def has_pending_requests(self) -> bool:
        """Whether a request of ours other than an INVITE, such as a BYE or CANCEL, is still unanswered."""
        return self._stack.transactions.has_pending_requests()

    def _receive_request(self, request: Request, source: Destination, now: float) -> None:
        transactions = self._stack.transactions
        server = transactions.find_server(request)
        if request.method == "ACK":
            self._receive_ack(request, server, now)
        elif server is not None:
            server.receive_again()
        elif request.method == "CANCEL":
            self._receive_cancel(request, source, now)
        elif request.to.tag is not None:
            self._receive_in_dialog(request, source, now)
        elif self._is_admitted(request, source, now):
            self._receive_new(transactions.serve(request, source=source), now)

    def _receive_malformed(self, data: bytes, source: Destination, now: float) -> None:
        salvaged = malformed.salvage(data)
        try:
            if salvaged is None:
                return
            request, status = _note_source(salvaged[0], source), salvaged[1]
        except ValueError:
            return
        server = self._stack.transactions.find_server(request)
        if server is not None:
            server.receive_again()
        elif self._is_admitted(request, source, now):
            self._stack.refuse(self._stack.transactions.serve(request, source=source), status, now=now)

    def _is_admitted(self, request: Request, source: Destination, now: float) -> bool:
        admission = self._admit(source, request)
        if isinstance(admission, Refusal):
            server = self._stack.transactions.serve(request, source=source)
            self._stack.refuse(server, admission.status, now=now, fields=admission.fields, reason=admission.reason)
        elif admission == "drop":
            self._stack.statistics.dropped += 1
        return admission == "accept"

    def _receive_ack(self, request: Request, server: ServerTransaction | None, now: float) -> None:
        if server is not None and server.receive_ack(now):
            return
        session = self._stack.sessions.get((request.call_id, request.to.tag or ""))
        if session is None:
            self._stack.statistics.stray += 1
        else:
            session.receive_ack(request, now)

    def _receive_cancel(self, request: Request, source: Destination, now: float) -> None:
        invited = self._stack.transactions.find_server(request, method="INVITE")
        if invited is None and not self._is_admitted(request, source, now):
            return
        server = self._stack.transactions.serve(request, source=source)
        if invited is None:
            self._stack.refuse(server, 481, now=now)
            return
        # Without a session the INVITE was a re-INVITE or refused; either has its final response (§9.2).
        session = self._invited.get(invited.key)
        self._stack.respond(server, 200, now=now, tag=session.dialog.local_tag if session is not None else None)
        if session is not None:
            session.receive_cancel(request, now)

    def _receive_in_dialog(self, request: Request, source: Destination, now: float) -> None:
        session = self._stack.sessions.get((request.call_id, request.to.tag or ""))
        if session is None and not self._is_admitted(request, source, now):
            return
        server = self._stack.transactions.serve(request, source=source)
        if session is None:
            self._stack.refuse(server, 481, now=now)
            return
        try:
            session.receive_request(server, now)
        except ValueError:
            self._stack.statistics.malformed += 1
            self._stack.refuse(server, 400, now=now)

    def _receive_new(self, server: ServerTransaction, now: float) -> None:
        request = server.request
        refusal = inspection.inspect(request)
        if refusal is not None:
            self._stack.refuse(server, refusal.status, now=now, fields=refusal.fields, reason=refusal.reason)
        elif request.method == "OPTIONS":
            fields = [("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", ", ".join(SUPPORTED))]
            self._stack.respond(server, 200, now=now, fields=fields)
        elif request.method in _WITHIN_CALLS:
            self._stack.refuse(server, 481, now=now)
        elif request.method in ("SUBSCRIBE", "PUBLISH"):
            self._stack.refuse(server, 489, now=now)
        elif request.method != "INVITE":
            self._stack.refuse(server, 405, now=now, fields=[("Allow", ALLOW)])
        elif (request.call_id, request.from_.tag, request.cseq) in self._ongoing:
            self._stack.refuse(server, 482, now=now)  # the same over another path (§8.2.2.2)
        else:
            self._receive_invite(server, now)

    def _receive_invite(self, server: ServerTransaction, now: float) -> None:
        request = server.request
        refusal = refresh.find_refusal(request, refresh.SessionTimer())
        if refusal is not None:
            self._stack.refuse(server, refusal[0], now=now, fields=refusal[1])
            return
        try:
            replaced = self._find_replaced(request)
            if isinstance(replaced, int):
                self._stack.refuse(server, replaced, now=now)
                return
            session = IncomingSession(self._stack, server, replaced=replaced)
        except ValueError:
            self._stack.statistics.malformed += 1
            self._stack.refuse(server, 400, now=now)
            return
        self._stack.respond(server, 100, now=now)
        self._remember(server, session)
        self._stack.emit(session, None)

    def _remember(self, server: ServerTransaction, session: IncomingSession) -> None:
        identity = (server.request.call_id, server.request.from_.tag, server.request.cseq)
        self._invited[server.key] = session
        self._ongoing.add(identity)

        def forget() -> None:
            self._invited.pop(server.key, None)
            self._ongoing.discard(identity)

        server.on_end = forget

    def _find_replaced(self, request: Request) -> Session | int | None:
        """The call that an INVITE with Replaces takes over, or the status that refuses it (RFC 3891 §3).

        Raises `ValueError` when the header is malformed.
        """
        values = request.headers.get_lines("Replaces")
        if not values:
            return None
        if len(values) > 1:
            raise ValueError("more than one Replaces")
        replaces = Replaces.parse(values[0])
        session = self._stack.sessions.get((replaces.call_id, replaces.to_tag))
        if session is None or not session.has_peer(replaces.from_tag):
            return 481
        if session.is_over:
            return 603
        if session.is_up:
            return 486 if replaces.is_early_only else session
        return session if session.is_caller else 481


def _note_source(request: Request, source: Destination) -> Request:
    """The request with `received` and `rport` in its top Via (§18.2.1, RFC 3581 §4)."""
    via = request.via
    if via.transport.lower() not in DEFAULT_PORTS:
        raise ValueError("unsupported transport in Via")
    params = dict(via.params)
    if "rport" in params:
        params["rport"] = str(source.port)
        params["received"] = source.host
    elif via.host != source.host:
        params["received"] = source.host
    if params == via.params:
        return request
    noted = replace(via, params=params)
    request.headers.replace_first("Via", _with_first(request.headers.get_lines("Via")[0], noted))
    request.via = noted
    return request


def _with_first(line: str, via: Via) -> str:
    _, comma, others = line.partition(",")
    return f"{via.serialize()}{comma}{others}"
