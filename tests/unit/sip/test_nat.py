"""Peers behind NAT and peers on TLS: where the requests of a call go."""

import json

import pytest

from ringdown.sip.destination import Destination, TlsClient
from ringdown.sip.dialog import Dialog, is_private
from ringdown.sip.message import Request, Response
from tests.unit.sip.calls import ANSWER, make_pair, pass_back
from tests.unit.sip.network import Network, Node

PUBLIC = "203.0.113.9"
SECURITY = TlsClient(server_name="sip.example.net")


def make_dialog(contact: str, *routes: str) -> Dialog:
    fields = [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        ("From", "<sip:a@192.0.2.1>;tag=from"),
        ("To", "<sip:b@192.0.2.2>"),
        ("Call-ID", "id"),
        ("CSeq", "5 INVITE"),
        ("Contact", contact),
        *(("Record-Route", route) for route in routes),
    ]
    return Dialog.from_invite(
        Request.build("INVITE", "sip:b@192.0.2.2", fields), local_tag="to", contact="<sip:b@192.0.2.2>"
    )


UDP = Destination("udp", PUBLIC, 40_000)


@pytest.mark.parametrize(("contact", "source", "via_host", "expected"), [
    ("<sip:a@192.168.1.5:5070>", UDP, "192.168.1.5", UDP),
    ("<sip:a@192.168.1.5:5070>", UDP, None, UDP),
    ("<sip:a@100.64.3.4>", UDP, None, UDP),
    ("<sip:a@[fd00::5]>", UDP, None, UDP),
    ("<sip:a@127.0.0.1:5070>", UDP, None, UDP),
    # Behind a NAT that is itself in a private network: the Via tells.
    ("<sip:a@10.1.0.2>", Destination("udp", "10.2.0.1", 9), "10.1.0.2", Destination("udp", "10.2.0.1", 9)),
    # A proxy in the same network that does not record its route: the peer is reached directly.
    ("<sip:a@10.1.0.2>", Destination("udp", "10.1.0.1", 5060), "10.1.0.1", Destination("udp", "10.1.0.2", 5060)),
    ("<sip:a@10.1.0.2>", Destination("udp", "10.1.0.1", 5060), "proxy.local", Destination("udp", "10.1.0.2", 5060)),
    # Public addresses and names are believed, and so is a private one that the messages come from.
    ("<sip:a@198.51.100.7:5070>", UDP, "198.51.100.7", Destination("udp", "198.51.100.7", 5070)),
    ("<sip:a@pbx.example.net>", UDP, None, Destination("udp", "pbx.example.net", 5060)),
    ("<sip:a@10.1.0.2:5070>", Destination("udp", "10.1.0.2", 9), None, Destination("udp", "10.1.0.2", 5070)),
])  # fmt: skip
def test_a_request_goes_where_the_peer_can_be_reached(
    contact: str, source: Destination, via_host: str | None, expected: Destination
) -> None:
    dialog = make_dialog(contact)
    dialog.note_source(source, via_host)
    assert dialog.next_hop() == expected
    read = Dialog.from_dict(json.loads(json.dumps(dialog.to_dict())))
    assert read.next_hop() == expected


def test_a_nat_over_tcp_keeps_the_connection() -> None:
    dialog = make_dialog("<sip:a@192.168.1.5;transport=tcp>")
    dialog.note_source(Destination("tcp", PUBLIC, 40_000, connection=17), "192.168.1.5")
    assert dialog.next_hop().connection == 17


def test_a_private_route_of_a_proxy_behind_nat_is_not_tried() -> None:
    dialog = make_dialog("<sip:a@192.168.1.5>", "<sip:192.168.1.1;lr>")
    dialog.note_source(UDP)
    assert dialog.next_hop() == UDP
    assert dialog.build_request("BYE", via="SIP/2.0/UDP x;branch=z9hG4bKb", cseq=1).headers.get("Route") is not None


def test_a_dialog_of_a_former_release_is_read() -> None:
    values = make_dialog("<sip:a@192.168.1.5>").to_dict()
    for name in ("source", "is_rewritten"):
        del values[name]
    assert Dialog.from_dict(values).next_hop() == Destination("udp", "192.168.1.5", 5060)


@pytest.mark.parametrize("contact", ["<sip:a@198.51.100.7;transport=tls>", "<sips:a@198.51.100.7>"])
def test_a_request_over_tls_has_the_security_of_the_hop_and_its_connection(contact: str) -> None:
    dialog = make_dialog(contact)
    dialog.security = SECURITY
    dialog.note_source(Destination("tls", "198.51.100.7", 33_333, connection=4))
    hop = dialog.next_hop()
    assert hop == Destination("tls", "198.51.100.7", 5061, security=SECURITY)
    assert hop.connection == 4


def test_a_contact_without_transport_is_reached_over_the_one_that_the_peer_used() -> None:
    dialog = make_dialog("<sip:a@198.51.100.7>")
    dialog.note_source(Destination("tls", "198.51.100.7", 33_333, connection=4))
    assert dialog.next_hop() == Destination("tls", "198.51.100.7", 5061)
    assert dialog.next_hop().connection == 4
    dialog.note_source(Destination("tcp", "198.51.100.8", 33_333, connection=5))
    assert dialog.next_hop() == Destination("udp", "198.51.100.7", 5060)


def test_no_secret_is_written_down() -> None:
    dialog = make_dialog("<sip:a@198.51.100.7;transport=tls>")
    dialog.security = TlsClient(server_name="x", certificate="CERT", private_key="KEY")
    dialog.note_source(Destination("tls", "198.51.100.7", 5061, 1, dialog.security))
    written = json.dumps(dialog.to_dict())
    assert "CERT" not in written
    assert "KEY" not in written


@pytest.mark.parametrize(("host", "expected"), [
    ("10.0.0.1", True), ("172.31.0.1", True), ("172.32.0.1", False), ("100.127.0.1", True), ("100.128.0.1", False),
    ("169.254.1.1", True), ("fe80::1", True), ("::1", True), ("2001:db8::1", False), ("8.8.8.8", False),
    ("pbx.local", False), ("", False),
])  # fmt: skip
def test_private_addresses_are_told(host: str, expected: bool) -> None:
    assert is_private(host) is expected


def answer_from_nat() -> tuple[Network, Node, Node, object]:
    """Alice has called a peer whose answer names an address that she cannot reach."""
    network, alice, _ = make_pair()
    nat = network.add(PUBLIC)
    call = alice.dial(f"sip:bob@{PUBLIC}")
    network.run(0.1)
    network.lose = lambda message: isinstance(message, Response)
    fields = [("Contact", "<sip:bob@192.168.1.5:5062>")]
    pass_back(network, nat.incoming[0].invite, 200, tag="t", fields=fields, body=ANSWER, source=PUBLIC)
    return network, alice, nat, call


def test_the_ack_and_the_bye_go_through_the_nat_with_the_peers_own_address_as_target() -> None:
    network, _, nat, call = answer_from_nat()
    call.bye(network.now)  # type: ignore[attr-defined]
    network.run(0.1)
    assert nat.summary() == ["INVITE", "ACK", "BYE"]
    bye = nat.received[-1]
    assert isinstance(bye, Request)
    assert bye.uri == "sip:bob@192.168.1.5:5062"
    assert call.signalling_host == PUBLIC  # type: ignore[attr-defined]


def test_a_call_through_nat_that_a_dead_process_left_is_hung_up() -> None:
    network, _, nat, call = answer_from_nat()
    state = json.loads(json.dumps(call.state()))  # type: ignore[attr-defined]
    successor = network.add("10.0.0.50")
    assert successor.agent.end_stale(state, now=network.now).method == "bye"
    network.run(0.1)
    assert nat.summary()[-1] == "BYE"
