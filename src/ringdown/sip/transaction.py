"""SIP transactions: retransmission, timers and matching (RFC 3261 §17, RFC 6026); knows no dialog and no socket."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from ringdown.sip import fault, hop, timers
from ringdown.sip.destination import DEFAULT_PORTS, Destination, Transport
from ringdown.sip.message import BRANCH_COOKIE, Request, Response
from ringdown.sip.reach import Reach
from ringdown.sip.transmission import TransactionUser, Transmission

_MAX_REFUSALS = 3  # of a request and its retransmissions over UDP: 1.5 s
_MAX_DATAGRAM_BYTES = 1300  # a request that is larger goes over TCP (RFC 3261 §18.1.1)
_SWITCH_TIMEOUT = 1.5  # seconds that TCP gets to connect before UDP is used all the same


@dataclass(frozen=True, slots=True)
class Timing:
    """The base timers in seconds (RFC 3261 §17.1.1.1); every other timer is a multiple."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def timeout(self) -> float:
        """64*T1: timers B, D, F, H, J, L and M."""
        return 64 * self.t1


class Transactions:
    """All transactions of one endpoint, their timers, and what they want sent."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.timers = timers.Timers()
        self.retransmissions = 0
        self.reach = Reach()
        self._outbox: list[Transmission] = []
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[tuple[str, ...], ServerTransaction] = {}

    def data_to_send(self) -> list[Transmission]:
        """What must go out now, in order; each is handed out once."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def send(
        self,
        data: bytes,
        destination: Destination,
        on_failure: Callable[[float], None] | None = None,
        on_sent: Callable[[int, bool], None] | None = None,
        connect_timeout_s: float | None = None,
    ) -> None:
        """Queue bytes."""
        self._outbox.append(Transmission(data, destination, on_failure, on_sent, connect_timeout_s))

    def request(
        self, request: Request, *, destination: Destination, user: TransactionUser, now: float
    ) -> "ClientTransaction":
        """Send a request (not an ACK) as a client transaction; a CANCEL takes the way that its INVITE took."""
        invite = self.find_client(request.via.branch, "INVITE") if request.method == "CANCEL" else None
        destination = destination if invite is None else invite.destination
        transaction = self.resume(request, destination=destination, user=user)
        transaction.start(now)
        return transaction

    def resume(self, request: Request, *, destination: Destination, user: TransactionUser) -> "ClientTransaction":
        """A client transaction whose request was already sent, maybe by another process."""
        transaction = ClientTransaction(self, request, destination=destination, user=user)
        self._clients[transaction.key] = transaction
        return transaction

    def serve(self, request: Request, *, source: Destination) -> "ServerTransaction":
        """A server transaction for a request that matched none."""
        transaction = ServerTransaction(self, request, source=source)
        self._servers[transaction.key] = transaction
        return transaction

    def find_server(self, request: Request, *, method: str | None = None) -> "ServerTransaction | None":
        """The transaction this request belongs to; `method` overrides its own (a CANCEL looks for the INVITE)."""
        return self._servers.get(hop.server_key(request, method or request.method))

    def find_client(self, branch: str, method: str) -> "ClientTransaction | None":
        """The transaction of a request of ours."""
        return self._clients.get((branch, method))

    def receive_response(self, response: Response, now: float, source: Destination | None = None) -> bool:
        """Give a response to its transaction; false when there is none (§18.1.2)."""
        transaction = self.find_client(response.via.branch, response.cseq_method)
        if transaction is None:
            return False
        self.reach.note_response(transaction.destination, response.via, source)
        transaction.answered_from = source
        transaction.receive(response, now)
        return True

    def lose_connection(self, connection: int, now: float) -> None:
        """A stream broke: what was sent on it and not answered yet is sent anew, or fails (§17.1.4)."""
        for transaction in list(self._clients.values()):
            if transaction.connection == connection and transaction.state == "trying":
                transaction.lose_connection(now)

    def note_lost(self, connection: int, fault_text: str) -> None:
        """Keep why the requests on a stream that broke are not answered."""
        for transaction in self._clients.values():
            if transaction.connection == connection:
                self.reach.note_fault(transaction.destination, fault_text)

    def has_pending_requests(self) -> bool:
        """Whether a request of ours, other than an INVITE, still waits for its final response."""
        return any(
            client.state in ("trying", "proceeding") and not client.is_invite for client in self._clients.values()
        )

    def count(self) -> int:
        """How many transactions are alive."""
        return len(self._clients) + len(self._servers)

    def forget_client(self, transaction: "ClientTransaction") -> None:
        """Called by a transaction that ended."""
        self._clients.pop(transaction.key, None)

    def forget_server(self, transaction: "ServerTransaction") -> None:
        """Called by a transaction that ended."""
        self._servers.pop(transaction.key, None)


class ClientTransaction:
    """One request of ours, INVITE or other, until nothing more can come back (§17.1, RFC 6026 §8.4).

    State: `trying` (RFC: Calling or Trying), `proceeding`, `accepted` (INVITE with 2xx), `completed`, `terminated`.
    """

    def __init__(
        self, transactions: Transactions, request: Request, *, destination: Destination, user: TransactionUser
    ) -> None:
        self.request = request
        self.destination = destination
        self.is_invite = request.method == "INVITE"
        self.key = (request.via.branch, request.method)
        self.state: Literal["trying", "proceeding", "accepted", "completed", "terminated"] = "trying"
        self._transactions = transactions
        self._timing = transactions.timing
        self._user = user
        self.fault: str | None = None
        """Why it failed, in a few words."""
        self.answered_from: Destination | None = None
        self._is_switched = False  # to TCP, for its size
        self._data = request.serialize()
        self._ack: bytes | None = None
        self.connection: int | None = None  # the stream that took the request
        self._may_resend = False
        self._refusals = 0
        self._was_resent = False
        self._interval = self._timing.t1
        # Timer A or E; set only while an unreliable transport needs retransmission.
        self._resend: timers.Timer | None = None
        # Timer B or F, then D, K or M.
        self._deadline: timers.Timer | None = None

    def start(self, now: float) -> None:
        """Send the request and start its timers."""
        is_large = not self.destination.is_reliable and len(self._data) > _MAX_DATAGRAM_BYTES
        if is_large and self._transactions.reach.may_take_tcp(self.destination):
            self._switch("tcp")
        self._begin(now)
        self.expire_after(self._timing.timeout, now)

    def expire_after(self, delay: float, now: float) -> None:
        """Have the transaction fail with a timeout unless a final response comes within `delay` seconds."""
        self._restart_deadline(now + delay, self._time_out)

    def receive(self, response: Response, now: float) -> None:
        """Take a response that matched."""
        if self.state in ("completed", "accepted"):
            self._receive_again(response, now)
        elif response.status < 200:
            if self.state == "trying":
                self.state = "proceeding"
                self._proceed()
            self._user.on_response(response, now)
        else:
            self._finish(response, now)
            self._user.on_response(response, now)

    def fail_transport(self, now: float) -> None:
        """The request could not be sent; a large one that was to go over TCP goes over UDP now (§18.1.1)."""
        if self.state == "trying" and self._is_switched:
            self._switch("udp")
            self._transactions.reach.note_without_tcp(self.destination)
            self._begin(now)
        elif self.state in ("trying", "proceeding"):
            self.fault = self._transactions.reach.find_fault(self.destination) or "transport failed"
            self._terminate(now)
            self._user.on_failure("transport", now)

    def note_sent(self, connection: int, is_reused: bool) -> None:
        """The request went out on this stream."""
        self.connection, self._may_resend = connection, is_reused

    def lose_connection(self, now: float) -> None:
        """The stream broke before any response came.

        A stream that earlier requests had used may have been dead for long: once, the request goes out on a new
        one. A peer that did get it takes that for a retransmission.
        """
        if self._may_resend and not self._was_resent:
            self._was_resent, self.connection = True, None
            self._transactions.retransmissions += 1
            self._send(self._data)
        else:
            self.fail_transport(now)

    def receive_refusal(self, now: float) -> None:
        """The peer's host says that nobody listens; not believed at once, for a peer that restarts comes back."""
        self._refusals += 1
        if self._refusals >= _MAX_REFUSALS and self.state == "trying":
            self._transactions.reach.note_fault(self.destination, fault.REFUSED)
            self.fail_transport(now)

    def _begin(self, now: float) -> None:
        self._send(self._data)
        if not self.destination.is_reliable:
            self._resend = self._transactions.timers.start(now + self._interval, self._retransmit)

    def _switch(self, transport: Transport) -> None:
        """Have the request go over this transport; its top Via names it, also in the CANCEL and ACK to come."""
        self._is_switched = transport == "tcp"
        self.destination = replace(self.destination, transport=transport)
        via = self.request.via = replace(self.request.via, transport=transport.upper())
        self.request.headers.replace_first("Via", via.serialize())
        self._data = self.request.serialize()

    def _proceed(self) -> None:
        self._interval = self._timing.t2
        if self.is_invite:  # an INVITE may ring for ever; its owner decides when to cancel
            for timer in (self._resend, self._deadline):
                if timer is not None:
                    timer.cancel()

    def _finish(self, response: Response, now: float) -> None:
        if self._resend is not None:
            self._resend.cancel()
        reliable = self.destination.is_reliable
        if not self.is_invite:
            self.state, delay = "completed", 0.0 if reliable else self._timing.t4  # timer K
        elif response.status < 300:
            self.state, delay = "accepted", self._timing.timeout  # timer M
        else:
            self.state, delay = "completed", 0.0 if reliable else self._timing.timeout  # timer D, at least 32 s
            self._ack = hop.build_failure_ack(self.request, response).serialize()
            self._send(self._ack)
        if delay:
            self._restart_deadline(now + delay, self._terminate)
        else:
            self._terminate(now)

    def _receive_again(self, response: Response, now: float) -> None:
        if self.state == "accepted" and 200 <= response.status < 300:
            self._user.on_response(response, now)
        elif self._ack is not None and response.status >= 300:
            self._send(self._ack)

    def _retransmit(self, now: float) -> None:
        self._transactions.retransmissions += 1
        self._send(self._data)
        if self.state == "trying":
            self._interval = self._interval * 2 if self.is_invite else min(self._interval * 2, self._timing.t2)
        self._resend = self._transactions.timers.start(now + self._interval, self._retransmit)

    def _time_out(self, now: float) -> None:
        self.fault = fault.TIMED_OUT
        self._transactions.reach.note_fault(self.destination, self.fault)
        self._terminate(now)
        self._user.on_failure("timeout", now)

    def _restart_deadline(self, when: float, callback: Callable[[float], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._transactions.timers.start(when, callback)

    def _terminate(self, _now: float) -> None:
        self.state = "terminated"
        for timer in (self._resend, self._deadline):
            if timer is not None:
                timer.cancel()
        self._transactions.forget_client(self)

    def _send(self, data: bytes) -> None:
        timeout = _SWITCH_TIMEOUT if self._is_switched else None
        self._transactions.send(data, self.destination, self.fail_transport, self.note_sent, timeout)


class ServerTransaction:
    """One request of a peer, INVITE or other, and our responses (§17.2, RFC 6026 §8.2).

    State: `proceeding` (also the RFC's Trying), `accepted` (INVITE with 2xx), `completed`, `confirmed`, `terminated`.
    """

    def __init__(self, transactions: Transactions, request: Request, *, source: Destination) -> None:
        self.request = request
        self.source = source
        self.reply_to = response_destination(request, source)
        self.is_invite = request.method == "INVITE"
        self.key = hop.server_key(request, request.method)
        self.state: Literal["proceeding", "accepted", "completed", "confirmed", "terminated"] = "proceeding"
        self.on_end: Callable[[], object] | None = None
        self._transactions = transactions
        self._timing = transactions.timing
        self._last: bytes | None = None
        self._interval = self._timing.t1
        # Timer G; set only for a refused INVITE over an unreliable transport.
        self._resend: timers.Timer | None = None
        # Timer H, I, J or L.
        self._deadline: timers.Timer | None = None

    def respond(self, response: Response, now: float) -> None:
        """Send a response; after a final one only further 2xx of the same INVITE are sent."""
        if self.state == "proceeding":
            self._last = response.serialize()
            self._send(self._last)
            if response.status >= 200:
                self._finish(response.status, now)
        elif self.state == "accepted" and 200 <= response.status < 300:
            self._send(response.serialize())

    def receive_again(self) -> None:
        """The same request came again: repeat the last response (§17.2.1); the owner repeats a 2xx itself."""
        if self._last is not None and self.state in ("proceeding", "completed"):
            self._transactions.retransmissions += 1
            self._send(self._last)

    def receive_ack(self, now: float) -> bool:
        """An ACK came; false when it acknowledges a 2xx and so belongs to the dialog."""
        if self.state == "completed":
            self.state = "confirmed"
            if self._resend is not None:
                self._resend.cancel()
            self._end_at(now + (0.0 if self.source.is_reliable else self._timing.t4), now)  # timer I
        return self.state in ("confirmed", "terminated")

    def _finish(self, status: int, now: float) -> None:
        reliable = self.source.is_reliable
        if not self.is_invite:
            self.state = "completed"
            self._end_at(now + (0.0 if reliable else self._timing.timeout), now)  # timer J
        elif status < 300:
            self.state = "accepted"
            self._end_at(now + self._timing.timeout, now)  # timer L
        else:
            self.state = "completed"
            if not reliable:
                self._resend = self._transactions.timers.start(now + self._interval, self._retransmit)
            self._end_at(now + self._timing.timeout, now)  # timer H

    def _retransmit(self, now: float) -> None:
        assert self._last is not None
        self._transactions.retransmissions += 1
        self._send(self._last)
        self._interval = min(self._interval * 2, self._timing.t2)
        self._resend = self._transactions.timers.start(now + self._interval, self._retransmit)

    def _end_at(self, when: float, now: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if when <= now:
            self._terminate(now)
        else:
            self._deadline = self._transactions.timers.start(when, self._terminate)

    def _terminate(self, _now: float) -> None:
        self.state = "terminated"
        for timer in (self._resend, self._deadline):
            if timer is not None:
                timer.cancel()
        self._transactions.forget_server(self)
        if self.on_end is not None:
            self.on_end()

    def _send(self, data: bytes) -> None:
        self._transactions.send(data, self.reply_to)


def new_branch() -> str:
    """A branch that is unique in space and time (§8.1.1.7)."""
    return BRANCH_COOKIE + secrets.token_hex(12)


def response_destination(request: Request, source: Destination) -> Destination:
    """Where a response goes: the connection, else the port that Via names; over UDP `rport` (§18.2.2, RFC 3581)."""
    via = request.via
    if not source.is_reliable and "rport" in via.params:
        return source
    port = via.port or DEFAULT_PORTS[source.transport]
    return Destination(source.transport, source.host, port, source.connection, source.security)
