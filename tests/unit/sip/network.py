"""An in-memory network of user agents on a virtual clock, which can lose messages on a pattern."""

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from ringdown.sip.admission import Admit, admit_all
from ringdown.sip.destination import Destination
from ringdown.sip.digest import Challenge, Credentials, compute_digest, parse_digest
from ringdown.sip.events import Event
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.invitation import Invitation
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.outgoing import OutgoingSession
from ringdown.sip.transmission import Transmission
from ringdown.sip.useragent import UserAgent

LATENCY = 0.01


class Node:
    """One user agent at an address of the network, and everything that happened to it."""

    def __init__(self, network: "Network", host: str, admit: Admit = admit_all) -> None:
        self.host = host
        self.network = network
        self.incoming: list[IncomingSession] = []
        self.log: list[tuple[object, Event]] = []
        self.received: list[Request | Response] = []
        self.agent = UserAgent(locate=lambda _: (host, 5060), admit=admit, user_agent="Test")

    def events_of(self, owner: object) -> list[Event]:
        return [event for candidate, event in self.log if candidate is owner]

    def dial(self, target: str, **options: Any) -> OutgoingSession:
        call = self.prepare(target, **options)
        call.send(self.network.now)
        self.network.pump()
        return call

    def prepare(self, target: str, *, body: bytes = b"v=0\r\n", **options: Any) -> OutgoingSession:
        """A call; `options` are fields of its `Invitation`."""
        invitation = Invitation(target=target, from_uri=f"sip:alice@{self.host}", body=body, **options)
        return self.agent.prepare(invitation)

    def summary(self) -> list[str]:
        """What came in, as methods and statuses."""
        return [item.method if isinstance(item, Request) else str(item.status) for item in self.received]


class Network:
    """Delivers after `LATENCY`; `lose(message)` decides what is lost; `sent` is what was put on the wire."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.nodes: dict[str, Node] = {}
        self.sent: list[tuple[float, str, str]] = []
        self.lose: Callable[[Request | Response], bool] = lambda _message: False
        self.is_unreachable: set[str] = set()
        self._streams: dict[tuple[str, str], int] = {}
        self._wire: list[tuple[float, int, bytes, Destination, str]] = []
        self._order = count()

    def add(self, host: str, **options: object) -> Node:
        node = Node(self, host, **options)  # type: ignore[arg-type]
        self.nodes[host] = node
        return node

    def inject(self, data: bytes, *, to: str, source: str = "10.9.9.9", transport: str = "udp") -> None:
        """A message of a peer that is no user agent of ours."""
        origin = Destination(transport, source, 5060, 7 if transport == "tcp" else None)  # type: ignore[arg-type]
        self.nodes[to].agent.receive(data, source=origin, now=self.now)
        self.pump()

    def break_stream(self, near: str, far: str) -> None:
        """The stream from `near` to `far` breaks, and `near` is told."""
        number = self._streams.pop((near, far))
        self.nodes[near].agent.lose_connection(number, self.now)
        self.pump()

    def run(self, seconds: float) -> None:
        """Let time pass, jumping from one due thing to the next."""
        end = self.now + seconds
        self.pump()
        while (due := self._next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            while self._wire and self._wire[0][0] <= self.now:
                _, _, data, destination, source = heapq.heappop(self._wire)
                self._arrive(data, destination, source)
            for node in list(self.nodes.values()):
                node.agent.advance(self.now)
            self.pump()
        self.now = end

    def pump(self) -> None:
        """Put on the wire and into the logs what the agents hold."""
        for host, node in list(self.nodes.items()):
            for transmission in node.agent.data_to_send():
                message = parse_message(transmission.data)
                self.sent.append((self.now, host, message.serialize().split(b"\r\n")[0].decode()))
                if transmission.destination.host in self.is_unreachable:
                    node.agent.fail_transmission(transmission, self.now)
                    continue
                if transmission.destination.transport == "tcp":
                    self._note_stream(host, transmission)
                if not self.lose(message):
                    item = (self.now + LATENCY, next(self._order), transmission.data, transmission.destination, host)
                    heapq.heappush(self._wire, item)
            for owner, event in node.agent.events():
                if event is None:
                    assert isinstance(owner, IncomingSession)
                    node.incoming.append(owner)
                else:
                    node.log.append((owner, event))

    def _note_stream(self, near: str, transmission: Transmission) -> None:
        key = (near, transmission.destination.host)
        is_reused = key in self._streams
        number = self._streams.setdefault(key, next(self._order))
        if transmission.on_sent is not None:
            transmission.on_sent(number, is_reused)

    def _arrive(self, data: bytes, destination: Destination, source: str) -> None:
        node = self.nodes.get(destination.host)
        if node is None:
            return
        node.received.append(parse_message(data))
        connection = 1 if destination.transport == "tcp" else None
        origin = Destination(destination.transport, source, 5060, connection)
        node.agent.receive(data, source=origin, now=self.now)
        self.pump()

    def _next_due(self) -> float | None:
        due = [item[0] for item in self._wire[:1]]
        due += [when for node in self.nodes.values() if (when := node.agent.next_timeout()) is not None]
        return min(due, default=None)


def lose_first(pattern: Iterable[bool], matches: Callable[[Request | Response], bool]) -> Callable[..., bool]:
    """Lose the matching messages for which the pattern says so; once it is used up, none."""
    verdicts = iter(pattern)
    return lambda message: matches(message) and next(verdicts, False)


def is_request(method: str) -> Callable[[Request | Response], bool]:
    return lambda message: isinstance(message, Request) and message.method == method


def is_status(status: int, method: str = "INVITE") -> Callable[[Request | Response], bool]:
    return lambda message: isinstance(message, Response) and message.status == status and message.cseq_method == method


def is_authorized(value: str, *, challenge: Challenge, credentials: Credentials, method: str) -> bool:
    """Whether an Authorization value answers this challenge."""
    params = parse_digest(value)
    expected = compute_digest(
        challenge,
        credentials=credentials,
        method=method,
        uri=params["uri"],
        nonce_count=params.get("nc", ""),
        cnonce=params.get("cnonce", ""),
    )
    return (params["username"], params["nonce"]) == (credentials.username, challenge.nonce) and (
        params["response"] == expected
    )
