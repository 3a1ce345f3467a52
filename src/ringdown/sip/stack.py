"""What every call of one endpoint shares: transactions, sessions by dialog, events, local address; does no I/O."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ringdown.sip import transaction
from ringdown.sip.address import join_host_port
from ringdown.sip.destination import Destination
from ringdown.sip.dialog import new_tag
from ringdown.sip.events import Event
from ringdown.sip.message import Request, Response
from ringdown.sip.transaction import ServerTransaction, Timing, Transactions

if TYPE_CHECKING:
    from ringdown.sip.session import Session

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY"
SUPPORTED = ("timer", "100rel", "replaces")


@dataclass(slots=True)
class Statistics:
    """Counters since the endpoint started, in messages."""

    received: int = 0
    sent: int = 0
    malformed: int = 0
    dropped: int = 0
    """Requests of sources that are not allowed."""
    stray: int = 0
    """Responses and ACKs that belong to nothing."""
    refused: int = 0
    """Requests answered with 4xx by the library itself."""
    transport_errors: int = 0
    retransmissions: int = 0


@dataclass(slots=True)
class Stack:
    """The shared state of one user agent. `locate` gives the address we show to a destination."""

    locate: Callable[[Destination], tuple[str, int]]
    user_agent: str
    timing: Timing = field(default_factory=Timing)
    statistics: Statistics = field(default_factory=Statistics)
    sessions: "dict[tuple[str, str], Session]" = field(default_factory=dict)
    """Calls with a dialog or on the way to one, by Call-ID and our tag."""
    source: Destination = field(default_factory=lambda: Destination("udp", "", 0))
    """Where the message came from that is being handled."""
    transactions: Transactions = field(init=False)
    _events: list[tuple[object, Event | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transactions = Transactions(self.timing)

    def emit(self, owner: object, event: Event | None) -> None:
        """Queue an event of a call; `None` announces a new incoming one."""
        self._events.append((owner, event))

    def events(self) -> list[tuple[object, Event | None]]:
        """The events since the last time, in order; each is handed out once."""
        taken, self._events = self._events, []
        return taken

    def build_via(self, destination: Destination, branch: str | None = None) -> str:
        """A Via for a request to this destination, with a fresh branch unless one is given."""
        host, port = self.locate(destination)
        sent_by = join_host_port(host, port)
        return f"SIP/2.0/{destination.transport.upper()} {sent_by};branch={branch or transaction.new_branch()};rport"

    def build_contact(self, user: str | None, destination: Destination) -> str:
        """Our Contact as this destination can reach it."""
        host, port = self.locate(destination)
        prefix = f"{user}@" if user else ""
        suffix = f";transport={destination.transport}" if destination.is_reliable else ""
        return f"<sip:{prefix}{join_host_port(host, port)}{suffix}>"

    def respond(
        self,
        server: ServerTransaction,
        status: int,
        *,
        now: float,
        reason: str | None = None,
        tag: str | None = None,
        fields: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Answer a request that belongs to no call, or needs no more than a status; `tag` is that of its dialog."""
        tag = (tag or new_tag()) if status > 100 else None
        response = Response.build(
            server.request, status, reason=reason, tag=tag, fields=[*fields, ("Server", self.user_agent)]
        )
        server.respond(response, now)

    def refuse(
        self,
        server: ServerTransaction,
        status: int,
        *,
        now: float,
        fields: Iterable[tuple[str, str]] = (),
        reason: str | None = None,
    ) -> None:
        """`respond`, and count it."""
        self.statistics.refused += 1
        self.respond(server, status, now=now, fields=fields, reason=reason)


def parse_seconds(value: str | None) -> int | None:
    """The number of a Retry-After; `None` when absent or malformed."""
    digits = (value or "").partition(";")[0].partition("(")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else None


def describe_sdp(body: bytes) -> list[tuple[str, str]]:
    """The Content-Type of a body of ours: SDP or nothing."""
    return [("Content-Type", "application/sdp")] if body else []


def list_unsupported(request: Request) -> list[str]:
    """The option tags that the peer requires and we do not know; empty when we may go on (§8.2.2.3)."""
    return [tag for tag in request.headers.get_all("Require") if tag and tag not in SUPPORTED]
