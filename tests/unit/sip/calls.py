"""Two user agents and the steps of a call between them, for tests that begin in the middle of one."""

from ringdown.sip.incoming import IncomingSession
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.outgoing import OutgoingSession
from tests.unit.sip.network import Network, Node

ANSWER = b"v=0\r\ns=answer\r\n"


def make_pair() -> tuple[Network, Node, Node]:
    network = Network()
    return network, network.add("10.0.0.1"), network.add("10.0.0.2")


def ring(network: Network, alice: Node, bob: Node, transport: str = "udp") -> tuple[OutgoingSession, IncomingSession]:
    call = alice.dial(f"sip:bob@10.0.0.2;transport={transport}")
    network.run(0.1)
    incoming = bob.incoming[-1]
    incoming.ring(network.now)
    network.run(0.1)
    return call, incoming


def connect(
    network: Network, alice: Node, bob: Node, transport: str = "udp"
) -> tuple[OutgoingSession, IncomingSession]:
    call, incoming = ring(network, alice, bob, transport)
    incoming.answer(ANSWER, network.now)
    network.run(0.1)
    return call, incoming


def reinvite(network: Network, incoming: IncomingSession, *, body: bytes, branch: str, cseq: int) -> None:
    network.inject(in_dialog(incoming, "INVITE", branch=branch, cseq=cseq, body=body), to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)


def in_dialog(
    incoming: IncomingSession,
    method: str,
    *,
    branch: str,
    cseq: int,
    body: bytes = b"",
    fields: list[tuple[str, str]] | None = None,
) -> bytes:
    via = f"SIP/2.0/UDP 10.0.0.2:5060;branch={branch};rport"
    assert incoming.dialog is not None
    return incoming.dialog.build_request(method, via=via, cseq=cseq, fields=fields or [], body=body).serialize()


def last_response(node: Node) -> Response:
    response = next(item for item in reversed(node.received) if isinstance(item, Response))
    assert parse_message(response.serialize()) == response
    return response


def pass_back(
    network: Network,
    request: Request,
    status: int,
    *,
    fields: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    tag: str | None = None,
    source: str = "10.0.0.2",
) -> None:
    """A response of a peer that is no user agent of ours to a request of 10.0.0.1."""
    response = Response.build(request, status, tag=tag, fields=fields or [], body=body)
    network.inject(response.serialize(), to="10.0.0.1", source=source)
    network.run(0.1)
