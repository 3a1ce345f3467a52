"""What an INVITE of ours says and where it goes, and what a refusal tells."""

import pytest

from ringdown.sip.destination import Destination, TlsClient
from ringdown.sip.events import Ended, Rejected
from ringdown.sip.message import Request
from tests.unit.sip.calls import make_pair, pass_back
from tests.unit.sip.network import Network, Node

HOP = Destination("udp", "10.0.0.2", 5080)


def dial(**options: object) -> tuple[Network, Node, Node, Request]:
    network, alice, bob = make_pair()
    alice.dial("sip:+15550100@carrier.example;user=phone", hop=HOP, **options)
    network.run(0.1)
    request = bob.received[0]
    assert isinstance(request, Request)
    return network, alice, bob, request


def refuse(status: int, fields: list[tuple[str, str]]) -> Rejected:
    network, alice, _, request = dial()
    pass_back(network, request, status, tag="t", fields=fields)
    rejected = alice.log[-1][1]
    assert isinstance(rejected, Rejected)
    return rejected


def test_the_hop_decides_where_it_goes_and_the_target_what_it_says() -> None:
    _, _, _, request = dial()
    assert request.uri == "sip:+15550100@carrier.example;user=phone"
    assert request.to.uri == "sip:+15550100@carrier.example"


def test_the_hop_stands_in_the_stored_state_without_secrets() -> None:
    network, alice, _ = make_pair()
    security = TlsClient(server_name="sip.carrier.example", ca="CA", private_key="KEY")
    hop = Destination("tls", "198.51.100.7", 5061, security=security)
    call = alice.prepare("sip:bob@carrier.example", hop=hop)
    state = call.state()
    assert (state["transport"], state["host"], state["port"]) == ("tls", "198.51.100.7", 5061)
    assert state["server_name"] == "sip.carrier.example"
    assert "KEY" not in str(state)
    assert call.invite.headers.get("Contact") == "<sip:alice@10.0.0.1:5060;transport=tls>"
    assert (call.invite.via.transport, network.sent) == ("TLS", [])


def test_a_large_invite_that_took_tcp_is_cancelled_there_by_a_successor() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", body=b"v=0\r\n" + b"a=x\r\n" * 300)
    network.run(0.1)
    assert call.state()["transport"] == "tcp"
    alice.agent._stack.sessions.clear()
    assert alice.agent.end_stale(call.state(), now=network.now).method == "cancel"
    network.run(0.1)
    assert bob.summary()[:2] == ["INVITE", "CANCEL"]
    assert bob.received[1].via.transport == "TCP"
    assert bob.events_of(bob.incoming[0]) == [Ended("cancelled")]


def test_a_header_may_repeat_and_routes_stand_in_their_order() -> None:
    headers = [("Diversion", "<sip:a@b>"), ("Diversion", "<sip:c@d>"), ("route", "<sip:p1;lr>"), ("Route", "<sip:p2>")]
    _, _, _, request = dial(headers=headers)
    assert request.headers.get_lines("Diversion") == ["<sip:a@b>", "<sip:c@d>"]
    assert request.headers.get_lines("Route") == ["<sip:p1;lr>", "<sip:p2>"]


def test_a_redirection_tells_its_contacts_in_the_order_of_their_q() -> None:
    contacts = [
        ("Contact", '<sip:c@x>;q=0.1, "B" <sip:b@x>;q=0.7'),
        ("Contact", "*"),
        ("Contact", "<sip:a@x>"),
        ("Contact", "<sip:z@x>;q=high"),
    ]
    rejected = refuse(302, contacts)
    assert (rejected.status, rejected.contacts) == (302, ("sip:a@x", "sip:b@x", "sip:c@x"))


def test_the_contacts_of_another_refusal_are_not_followed() -> None:
    assert refuse(486, [("Contact", "<sip:a@x>")]).contacts == ()


@pytest.mark.parametrize(("value", "expected"), [
    ('399 sbc.example "number form not accepted"', "number form not accepted"),
    ('399 sbc "say \\"no\\""', 'say "no"'),
    ("399 sbc", "399 sbc"),
])  # fmt: skip
def test_the_warning_of_a_refusal_is_told(value: str, expected: str) -> None:
    assert refuse(488, [("Warning", value)]).warning == expected


def test_a_hop_over_tls_is_kept_for_the_whole_call() -> None:
    network, alice, bob = make_pair()
    hop = Destination("tls", "10.0.0.2", 5061, security=TlsClient(server_name="pbx.example"))
    call = alice.dial("sip:bob@pbx.example", hop=hop)
    network.run(0.1)
    bob.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    assert call.dialog is not None
    assert call.dialog.next_hop() == Destination("tls", "10.0.0.2", 5060, security=hop.security)
    assert bob.incoming[0].dialog.contact == "<sip:bob@10.0.0.2:5060;transport=tls>"
    call.bye(network.now)
    network.run(0.1)
    assert bob.summary() == ["INVITE", "ACK", "BYE"]
