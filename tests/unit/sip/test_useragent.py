"""What the user agent does with requests that start nothing, strangers, and broken or hostile messages."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.events import Answered, Ended, Rejected
from ringdown.sip.message import Response
from tests.unit.sip.network import Network, Node

AGENT, PEER = "10.0.0.1", "10.0.0.2"


def make_pair() -> tuple[Network, Node, Node]:
    network = Network()
    return network, network.add(AGENT), network.add(PEER)


def write(
    method: str,
    *,
    uri: str = "sip:agent@10.0.0.1",
    to: str = "<sip:agent@10.0.0.1>",
    branch: str = "z9hG4bK1",
    extra: str = "Contact: <sip:peer@10.0.0.2>\r\n",
    via: str = "SIP/2.0/UDP 10.0.0.2:5060;rport",
    body: str = "",
) -> bytes:
    return (
        f"{method} {uri} SIP/2.0\r\nVia: {via};branch={branch}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:peer@10.0.0.2>;tag=peer\r\nTo: {to}\r\nCall-ID: call\r\nCSeq: 1 {method}\r\n"
        f"{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def statuses(network: Network, peer: Node, data: bytes) -> list[int]:
    network.inject(data, to=AGENT, source=PEER)
    network.run(0.1)
    return [item.status for item in peer.received if isinstance(item, Response)]


@pytest.mark.parametrize(("data", "status"), [
    (write("OPTIONS"), 200),
    (write("OPTIONS").replace(b"Max-Forwards: 70", b"Max-Forwards: 0"), 200),  # it has arrived (RFC 4475 §3.3.11)
    (write("MESSAGE"), 405),
    (write("SUBSCRIBE"), 489),
    (write("PUBLISH"), 489),
    (write("NOTIFY"), 481),
    (write("REFER"), 481),
    (write("PRACK"), 481),
    (write("INFO"), 481),
    (write("REGISTER"), 405),
    (write("FOO"), 501),
    (write("BYE"), 481),
    (write("UPDATE"), 481),
    (write("CANCEL"), 481),
    (write("BYE", to="<sip:agent@10.0.0.1>;tag=unknown"), 481),
    (write("INVITE", to="<sip:agent@10.0.0.1>;tag=unknown"), 481),
    (write("INVITE", uri="http://agent"), 416),
    (write("INVITE", extra=""), 400),
    (write("INVITE", extra="Contact: <sip:>\r\n"), 400),
    (write("INVITE", extra="Contact: <sip:x@y;transport=ws>\r\n"), 400),
    (write("INVITE", extra="Contact: <sip:x@y>\r\nRequire: 100rel, resource-priority\r\n"), 420),
])  # fmt: skip
def test_a_request_that_starts_nothing_gets_its_status(data: bytes, status: int) -> None:
    network, agent, peer = make_pair()
    assert statuses(network, peer, data) == [status]
    assert agent.incoming == []
    network.run(70)
    assert agent.agent._stack.transactions.count() == 0


def test_the_405_and_the_420_say_what_would_do() -> None:
    network, _, peer = make_pair()
    statuses(network, peer, write("MESSAGE"))
    statuses(network, peer, write("INVITE", branch="z9hG4bK2", extra="Contact: <sip:x@y>\r\nRequire: foo, bar\r\n"))
    first, second = peer.received
    assert "INVITE" in (first.headers.get("Allow") or "")
    assert second.headers.get_all("Unsupported") == ["foo", "bar"]


def test_a_stranger_gets_no_word_and_is_counted() -> None:
    network = Network()
    agent = network.add(AGENT, admit=lambda source, _request: "accept" if source.host == "10.0.0.3" else "drop")
    peer = network.add(PEER)
    for method in ("INVITE", "OPTIONS", "REGISTER", "CANCEL", "ACK"):
        assert statuses(network, peer, write(method)) == []
    assert statuses(network, peer, write("BYE", to="<sip:a@b>;tag=x")) == []
    assert agent.agent.statistics.dropped == 5
    assert agent.agent.statistics.stray == 1
    assert agent.incoming == []


def test_a_repeated_invite_makes_one_call() -> None:
    network, agent, peer = make_pair()
    invite = write("INVITE")
    assert statuses(network, peer, invite) == [100]
    assert statuses(network, peer, invite) == [100, 100]
    assert len(agent.incoming) == 1


def test_an_invite_that_comes_over_two_paths_makes_one_call() -> None:
    network, agent, peer = make_pair()
    statuses(network, peer, write("INVITE"))
    assert statuses(network, peer, write("INVITE", branch="z9hG4bKother")) == [100, 482]
    assert len(agent.incoming) == 1
    agent.incoming[0].reject(486, now=network.now)
    network.inject(write("ACK", to=peer.received[-1].headers.get("To") or ""), to=AGENT, source=PEER)
    network.run(40)
    assert statuses(network, peer, write("INVITE", branch="z9hG4bKlater"))[-1] == 100


def test_an_options_says_what_we_can() -> None:
    network, _, peer = make_pair()
    statuses(network, peer, write("OPTIONS"))
    answer = peer.received[0]
    assert {"REFER", "PRACK", "UPDATE", "INFO"} <= set(answer.headers.get_all("Allow"))
    assert set(answer.headers.get_all("Supported")) == {"timer", "100rel", "replaces"}


def test_a_via_of_a_transport_that_is_not_spoken_is_dropped() -> None:
    network, agent, peer = make_pair()
    assert statuses(network, peer, write("OPTIONS", via="SIP/2.0/SCTP 10.0.0.2:5060;rport")) == []
    assert statuses(network, peer, write("OPTIONS", via="SIP/2.0/TLS 10.0.0.2:5060;rport")) == [200]
    assert agent.agent.statistics.malformed == 1


def test_a_cancel_after_the_answer_changes_nothing() -> None:
    network, agent, peer = make_pair()
    statuses(network, peer, write("INVITE"))
    agent.incoming[0].answer(b"v=0\r\n", network.now)
    assert statuses(network, peer, write("CANCEL"))[-1] == 200
    assert agent.events_of(agent.incoming[0]) == []


def test_an_ack_with_sdp_is_given_to_a_call_without_offer() -> None:
    network, agent, peer = make_pair()
    statuses(network, peer, write("INVITE"))
    call = agent.incoming[0]
    call.answer(b"v=0\r\ns=offer\r\n", network.now)
    assert call.dialog is not None
    ack = write("ACK", to=f"<sip:agent@10.0.0.1>;tag={call.dialog.local_tag}", branch="z9hG4bK9", body="v=0\r\n")
    statuses(network, peer, ack)
    assert agent.events_of(call) == [Answered(b"v=0\r\n")]


def test_a_request_of_another_peer_with_a_wrong_tag_does_not_end_the_call() -> None:
    network, agent, peer = make_pair()
    statuses(network, peer, write("INVITE"))
    call = agent.incoming[0]
    assert call.dialog is not None
    to = f"<sip:agent@10.0.0.1>;tag={call.dialog.local_tag}"
    forged = write("BYE", to=to, branch="z9hG4bK9").replace(b"tag=peer", b"tag=forged")
    assert statuses(network, peer, forged)[-1] == 481
    assert agent.events_of(call) == []


def test_a_bye_before_the_answer_ends_the_invite_too() -> None:
    network, agent, peer = make_pair()
    statuses(network, peer, write("INVITE"))
    call = agent.incoming[0]
    assert call.dialog is not None
    to = f"<sip:agent@10.0.0.1>;tag={call.dialog.local_tag}"
    bye = write("BYE", to=to, branch="z9hG4bK9").replace(b"CSeq: 1", b"CSeq: 2")
    assert statuses(network, peer, bye) == [100, 200, 487]
    assert agent.events_of(call) == [Ended("cancelled")]


def test_an_agent_can_call_itself() -> None:
    network = Network()
    agent = network.add(AGENT)
    call = agent.dial(f"sip:me@{AGENT}")
    network.run(0.1)
    agent.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    call.bye(network.now)
    network.run(0.1)
    assert agent.events_of(call) == [Answered(b"v=0\r\n"), Ended("local")]
    assert agent.events_of(agent.incoming[0]) == [Answered(b""), Ended("bye")]


@pytest.mark.parametrize(("status", "reason"), [(200, None), (100, None), (700, None), (486, "Busy\r\nX: y")])
def test_an_unusable_refusal_is_a_value_error_and_the_call_still_rings(status: int, reason: str | None) -> None:
    network, agent, peer = make_pair()
    statuses(network, peer, write("INVITE"))
    with pytest.raises(ValueError, match=r".+"):
        agent.incoming[0].reject(status, reason=reason, now=network.now)
    agent.incoming[0].reject(486, now=network.now)
    assert statuses(network, peer, write("OPTIONS", branch="z9hG4bK2"))[:2] == [100, 486]


def test_a_response_names_the_source_and_goes_there() -> None:
    network, _, peer = make_pair()
    statuses(network, peer, write("OPTIONS", via="SIP/2.0/UDP 192.168.1.5:4000;rport"))
    via = peer.received[0].via
    assert (via.host, via.params["received"], via.params["rport"]) == ("192.168.1.5", PEER, "5060")


def test_a_via_chain_in_one_line_is_returned_whole() -> None:
    network, _, peer = make_pair()
    data = write("OPTIONS").replace(b"branch=z9hG4bK1", b"branch=z9hG4bK1, SIP/2.0/UDP far;branch=z9hG4bKfar")
    statuses(network, peer, data)
    first, second = peer.received[0].headers.get_all("Via")
    assert "branch=z9hG4bK1" in first
    assert second == "SIP/2.0/UDP far;branch=z9hG4bKfar"


def test_garbage_is_counted_and_dropped() -> None:
    network, agent, peer = make_pair()
    for data in (b"", b"\x00", b"hello", b"INVITE sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"):
        network.inject(data, to=AGENT, source=PEER)
    assert agent.agent.statistics.malformed == 5
    assert peer.received == []


VALID = [
    write("INVITE"), write("OPTIONS"), write("CANCEL"), write("ACK"), write("BYE", to="<sip:agent@10.0.0.1>;tag=zz"),
    b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=BRANCH\r\nFrom: <sip:a@b>;tag=LOCAL\r\n"
    b"To: <sip:b@c>;tag=far\r\nCall-ID: CALL\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@10.0.0.2>\r\n"
    b"Record-Route: <sip:10.0.0.2;lr>\r\nContent-Length: 0\r\n\r\n",
]  # fmt: skip


@given(
    st.integers(0, len(VALID) - 1), st.integers(0, 10**6), st.integers(0, 8), st.binary(max_size=8), st.integers(0, 9)
)
@settings(max_examples=400, deadline=None)
def test_no_mutated_message_raises_or_disturbs_a_call(which: int, at: int, cut: int, piece: bytes, kind: int) -> None:
    network, agent, peer = make_pair()
    call = agent.dial("sip:bob@10.0.0.2")
    network.run(0.1)
    dialog = peer.incoming[0].dialog
    assert dialog is not None
    base = VALID[which].replace(b"zz", (call.invite.from_.tag or "").encode())
    base = base.replace(b"BRANCH", call.invite.via.branch.encode()).replace(b"CALL", call.invite.call_id.encode())
    if kind:
        base = base.replace(b" 180 ", f" {kind}{kind}{kind} ".encode())
    at %= len(base)
    network.inject(base[:at] + piece + base[at + cut :], to=AGENT, source="10.0.0.9")
    network.run(1)
    for incoming in agent.incoming:
        json.dumps(incoming.state())
        incoming.ring(network.now)
        incoming.answer(b"v=0\r\n", network.now)
    json.dumps(call.state())
    call.bye(network.now)
    network.run(200)
    assert isinstance(agent.events_of(call)[-1], (Ended, Rejected))
    assert all(isinstance(agent.events_of(incoming)[-1], (Ended, Rejected)) for incoming in agent.incoming)
    assert agent.agent._stack.transactions.count() == 0


def test_a_flood_of_mutations_leaves_the_call_alive() -> None:
    network, agent, peer = make_pair()
    call = agent.dial("sip:bob@10.0.0.2")
    network.run(0.1)
    peer.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    chance = random.Random(4475)
    for _ in range(500):
        data = bytearray(chance.choice(VALID))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        network.inject(bytes(data), to=AGENT, source="10.0.0.9")
    call.bye(network.now)
    network.run(0.5)
    assert agent.events_of(call)[-1] == Ended("local")
    assert peer.events_of(peer.incoming[0])[-1] == Ended("bye")
