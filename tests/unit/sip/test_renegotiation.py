"""Offers of ours within a call, glare, late offers, and what a peer that is gone means."""

import pytest

from ringdown.sip.digest import Credentials
from ringdown.sip.errand import Outcome
from ringdown.sip.events import Answered, Ended
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.message import Request, Response
from ringdown.sip.outgoing import OutgoingSession
from ringdown.sip.session import Session
from tests.unit.sip.calls import ANSWER, connect, in_dialog, last_response, make_pair, pass_back, reinvite, ring
from tests.unit.sip.network import Network, Node, is_request, is_status, lose_first

HOLD = b"v=0\r\na=sendonly\r\n"
HELD = b"v=0\r\na=recvonly\r\n"


class Told:
    """The outcomes of offers, in their order."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def __call__(self, outcome: Outcome, _now: float) -> None:
        self.outcomes.append(outcome)

    @property
    def statuses(self) -> list[int]:
        return [outcome.status for outcome in self.outcomes]


def offer(network: Network, session: Session, body: bytes = HOLD) -> Told:
    told = Told()
    session.reoffer(body, told, network.now)
    network.pump()
    return told


def answer_with(session: Session, body: bytes) -> list[bytes]:
    offers: list[bytes] = []

    def answer(received: bytes) -> bytes:
        offers.append(received)
        return body

    session.on_reoffer = answer
    return offers


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_an_offer_of_ours_is_answered_and_acknowledged(who: str) -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    ours, theirs, far = (call, incoming, bob) if who == "caller" else (incoming, call, alice)
    offers = answer_with(theirs, HELD)
    told = offer(network, ours)
    network.run(0.1)
    assert offers == [HOLD]
    assert told.outcomes[0].response is not None
    assert told.outcomes[0].response.body == HELD
    assert far.summary()[-2:] == ["INVITE", "ACK"]
    network.run(70)
    assert alice.agent._stack.transactions.count() == 0
    call.bye(network.now)
    network.run(0.1)
    assert bob.events_of(incoming)[-1] == Ended("bye")


def test_a_refused_offer_leaves_the_call_as_it_was() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)

    def refuse(_offer: bytes) -> bytes:
        raise ValueError("no")

    incoming.on_reoffer = refuse
    told = offer(network, call)
    network.run(0.1)
    assert told.statuses == [488]
    reinvite(network, incoming, body=b"", branch="z9hG4bKre1", cseq=1)
    assert last_response(bob).body == b"v=0\r\n"  # not the one that was refused


def test_a_lost_answer_is_acknowledged_once_it_comes() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    answer_with(incoming, HELD)
    network.lose = lose_first([True, True], lambda message: is_request("ACK")(message))
    told = offer(network, call)
    network.run(3)
    assert told.statuses == [200]
    assert bob.summary()[-1] == "ACK"
    network.run(40)
    assert not any(isinstance(event, Ended) for event in bob.events_of(incoming))


def test_two_offers_go_one_after_the_other() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    offers = answer_with(incoming, HELD)
    first, second = offer(network, call, b"v=0\r\n1"), offer(network, call, b"v=0\r\n2")
    network.run(0.5)
    assert (first.statuses, second.statuses) == ([200], [200])
    assert offers == [b"v=0\r\n1", b"v=0\r\n2"]


def test_offers_that_cross_are_both_refused_and_the_callee_is_first_in_the_end() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    at_alice, at_bob = answer_with(call, HELD), answer_with(incoming, HELD)
    ours, theirs = offer(network, call, b"v=0\r\nours"), offer(network, incoming, b"v=0\r\ntheirs")
    network.run(0.05)
    assert [line for _, _, line in network.sent].count("SIP/2.0 491 Request Pending") == 2
    assert (ours.statuses, theirs.statuses) == ([], [])
    network.run(2.1)
    assert theirs.statuses == [200]
    network.run(2.5)
    assert ours.statuses == [200]
    assert (at_alice, at_bob) == ([b"v=0\r\ntheirs"], [b"v=0\r\nours"])


def mute(network: Network, node: Node) -> None:
    """From now on this peer's words are written by hand."""
    node.agent._stack.sessions.clear()
    network.lose = lambda message: isinstance(message, Response)


def last_request(node: Node) -> Request:
    return [item for item in node.received if isinstance(item, Request)][-1]


def test_endless_glare_is_given_up() -> None:
    network, alice, bob = make_pair()
    call, _ = connect(network, alice, bob)
    mute(network, bob)
    told = offer(network, call)
    for _ in range(8):
        network.run(0.05)
        if last_request(bob).method == "INVITE":
            pass_back(network, last_request(bob), 491, tag="x")
        network.run(4.1)
    assert told.statuses == [491]
    numbers = {item.cseq for item in bob.received if isinstance(item, Request) and item.method == "INVITE"}
    assert len(numbers) == 1 + 6  # the call's own, and six attempts
    assert not any(isinstance(event, Ended) for event in alice.events_of(call))


def test_an_offer_waits_until_our_own_answer_is_acknowledged() -> None:
    network, alice, bob = make_pair()
    network.lose = lose_first([True], is_request("ACK"))
    call, incoming = ring(network, alice, bob)
    incoming.answer(ANSWER, network.now)
    told = offer(network, incoming)
    answer_with(call, HELD)
    network.run(0.3)
    assert "INVITE" not in alice.summary()
    network.run(1)
    assert told.statuses == [200]


def test_an_offer_before_the_answer_or_after_the_end_fails_at_once() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    assert offer(network, call).statuses == [481]
    incoming.answer(ANSWER, network.now)
    network.run(0.1)
    call.bye(network.now)
    network.run(0.1)
    assert offer(network, call).statuses == [481]


def test_the_end_of_the_call_ends_the_wait_for_an_answer() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    network.lose = is_request("INVITE")
    told = offer(network, call)
    incoming.bye(network.now)
    network.run(0.1)
    assert told.statuses == [481]
    network.run(70)
    assert told.statuses == [481]


def test_a_silent_peer_ends_the_call() -> None:
    network, alice, bob = make_pair()
    call, _ = connect(network, alice, bob)
    network.lose = lambda _message: True
    told = offer(network, call)
    network.run(33)
    assert told.statuses == [408]
    assert alice.events_of(call)[-1] == Ended("timeout")


def test_a_peer_that_only_says_trying_ends_the_call_too() -> None:
    network, alice, bob = make_pair()
    call, _ = connect(network, alice, bob)
    mute(network, bob)
    told = offer(network, call)
    network.run(0.1)
    pass_back(network, last_request(bob), 100)
    network.run(33)
    assert told.statuses == [408]


def test_a_peer_that_forgot_the_call_ends_it() -> None:
    network, alice, bob = make_pair()
    call, _ = connect(network, alice, bob)
    bob.agent._stack.sessions.clear()
    told = offer(network, call)
    network.run(0.1)
    assert told.statuses == [481]
    assert alice.events_of(call)[-1] == Ended("timeout")


def test_a_challenged_offer_is_sent_again_with_credentials() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", credentials=Credentials("alice", "secret"))
    network.run(0.1)
    bob.incoming[0].answer(ANSWER, network.now)
    network.run(0.1)
    network.lose = lambda message: isinstance(message, Response)
    told = offer(network, call)
    network.run(0.1)
    first = bob.received[-1]
    assert isinstance(first, Request)
    challenge = [("Proxy-Authenticate", 'Digest realm="r", nonce="n"')]
    pass_back(network, first, 407, tag="t", fields=challenge)
    second = bob.received[-1]
    assert isinstance(second, Request)
    assert "Digest" in (second.headers.get("Proxy-Authorization") or "")
    assert (second.cseq, second.body) == (first.cseq + 1, HOLD)
    assert told.statuses == []
    network.lose = lambda _message: False
    pass_back(network, second, 200, fields=[("Contact", "<sip:bob@10.0.0.2>")], body=HELD)
    ack = last_request(bob)
    assert (ack.method, ack.headers.get("Proxy-Authorization")) == ("ACK", second.headers.get("Proxy-Authorization"))


def test_the_answer_may_move_the_peer() -> None:
    network, alice, bob = make_pair()
    call, _ = connect(network, alice, bob)
    moved = network.add("10.0.0.3")
    mute(network, bob)
    offer(network, call)
    network.run(0.1)
    pass_back(network, last_request(bob), 200, fields=[("Contact", "<sip:bob@10.0.0.3>")], body=HELD)
    assert moved.summary() == ["ACK"]


def connect_late() -> tuple[Network, Node, Node, OutgoingSession, IncomingSession]:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    call.make_offer = lambda: b"v=0\r\ns=late\r\n"
    reinvite(network, incoming, body=b"", branch="z9hG4bKlate", cseq=1)
    return network, alice, bob, call, incoming


def acknowledge(network: Network, incoming: IncomingSession, body: bytes) -> None:
    ack = in_dialog(incoming, "ACK", branch="z9hG4bKlateack", cseq=1, body=body)
    network.inject(ack, to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)


def test_a_late_offer_is_ours_and_its_answer_comes_with_the_ack() -> None:
    network, _, bob, call, incoming = connect_late()
    told: list[bytes] = []
    call.on_answer = told.append
    assert last_response(bob).body == b"v=0\r\ns=late\r\n"
    acknowledge(network, incoming, HELD)
    assert told == [HELD]


def test_an_answer_to_a_late_offer_that_cannot_be_used_ends_the_call() -> None:
    network, alice, bob, call, incoming = connect_late()

    def refuse(_answer: bytes) -> None:
        raise ValueError("no")

    call.on_answer = refuse
    acknowledge(network, incoming, HELD)
    assert bob.summary()[-1] == "BYE"
    assert alice.events_of(call)[-1] == Ended("local")


def test_an_offer_while_our_late_offer_is_open_is_491() -> None:
    network, _, bob, call, incoming = connect_late()
    call.on_reoffer = lambda _offer: pytest.fail("our own offer is open")
    for method, branch, cseq in (("INVITE", "z9hG4bKx", 2), ("UPDATE", "z9hG4bKy", 3)):
        crossing = in_dialog(incoming, method, branch=branch, cseq=cseq, body=HOLD)
        network.inject(crossing, to="10.0.0.1", source="10.0.0.2")
        network.run(0.1)
        assert last_response(bob).status == 491


def test_an_offer_before_the_answer_to_our_first_offer_is_491() -> None:
    network, alice, bob = make_pair()
    network.lose = is_request("ACK")
    call = alice.dial("sip:bob@10.0.0.2", body=b"")
    answer_with(call, HELD)
    network.run(0.1)
    bob.incoming[0].answer(HOLD, network.now)
    network.run(0.1)
    assert call.dialog is not None
    update = call.dialog.build_request(
        "UPDATE", via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKu;rport", cseq=7, body=b"v=0\r\n"
    )
    network.inject(update.serialize(), to="10.0.0.2", source="10.0.0.1")
    network.run(0.1)
    assert (last_response(alice).status, last_response(alice).cseq_method) == (491, "UPDATE")


def test_we_answer_the_offer_of_a_peer_whom_we_sent_none() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", body=b"")
    offers = answer_with(call, HELD)
    network.run(0.1)
    bob.incoming[0].answer(HOLD, network.now)
    network.run(0.1)
    assert offers == [HOLD]
    assert bob.events_of(bob.incoming[0]) == [Answered(HELD)]
    assert alice.events_of(call)[-1] == Answered(HOLD)


def test_an_offer_in_an_answer_that_cannot_be_met_is_acknowledged_and_hung_up() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", body=b"")

    def refuse(_offer: bytes) -> bytes:
        raise ValueError("no")

    call.on_reoffer = refuse
    network.run(0.1)
    bob.incoming[0].answer(HOLD, network.now)
    network.run(0.1)
    assert bob.summary() == ["INVITE", "ACK", "BYE"]
    assert alice.events_of(call)[-1] == Ended("local")


def test_an_update_without_sdp_is_only_a_refresh() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    call.on_reoffer = lambda _offer: pytest.fail("there is no offer")
    update = in_dialog(incoming, "UPDATE", branch="z9hG4bKu", cseq=1, fields=[("Contact", "<sip:bob@10.0.0.2>")])
    network.inject(update, to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)
    assert (last_response(bob).status, last_response(bob).body) == (200, b"")
    assert is_status(200, "UPDATE")(last_response(bob))


def test_a_call_that_ends_between_two_attempts_makes_no_other() -> None:
    network, alice, bob = make_pair()
    call, _ = connect(network, alice, bob)
    mute(network, bob)
    told = offer(network, call)
    network.run(0.1)
    pass_back(network, last_request(bob), 491, tag="x")
    call.bye(network.now)
    network.run(0.05)
    pass_back(network, last_request(bob), 200)
    assert told.statuses == [481]
    waiting = alice.agent.next_timeout()
    assert waiting is None or waiting > network.now + 4  # only what transactions remember
