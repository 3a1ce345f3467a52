"""Whole calls between two user agents on a virtual clock, with and without loss."""

import json
import random

import pytest

from ringdown.sip.digest import Credentials
from ringdown.sip.events import NO_RESPONSE, TRANSPORT_FAILED, Answered, Ended, Provisional, Rejected
from tests.unit.sip.calls import ANSWER, connect, in_dialog, make_pair, ring
from tests.unit.sip.network import is_request, is_status, lose_first

TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


@TRANSPORTS
def test_a_call_rings_is_answered_and_hung_up_by_the_caller(transport: str) -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob, transport)
    call.bye(network.now)
    network.run(0.1)
    assert alice.events_of(call) == [Provisional(180, "Ringing", b""), Answered(ANSWER), Ended("local")]
    assert bob.events_of(incoming) == [Answered(b""), Ended("bye")]
    assert bob.summary() == ["INVITE", "ACK", "BYE"]
    assert alice.summary() == ["100", "180", "200", "200"]


@TRANSPORTS
def test_the_callee_can_hang_up(transport: str) -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob, transport)
    incoming.bye(network.now)
    network.run(0.1)
    assert alice.events_of(call)[-1] == Ended("bye")
    assert bob.events_of(incoming)[-1] == Ended("local")


@pytest.mark.parametrize(("status", "reason"), [(486, "Busy Here"), (603, "Decline"), (404, "Not Found")])
def test_a_refusal_reaches_the_caller_with_its_status(status: int, reason: str) -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    incoming.reject(status, now=network.now)
    network.run(0.1)
    assert alice.events_of(call)[-1] == Rejected(status, reason)
    assert bob.events_of(incoming) == [Rejected(status, reason, is_local=True)]
    assert bob.summary()[-1] == "ACK"


def test_a_refusal_carries_retry_after() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    incoming.reject(503, fields=[("Retry-After", "120 (maintenance)")], now=network.now)
    network.run(0.1)
    assert alice.events_of(call)[-1] == Rejected(503, "Service Unavailable", retry_after=120)


@TRANSPORTS
def test_a_cancelled_call_ends_with_487_and_its_ack(transport: str) -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob, transport)
    call.cancel(network.now)
    network.run(0.1)
    assert alice.events_of(call)[-1] == Ended("cancelled")
    assert bob.events_of(incoming) == [Ended("cancelled")]
    assert bob.summary() == ["INVITE", "CANCEL", "ACK"]
    assert sorted(alice.summary()[2:]) == ["200", "487"]


def test_a_cancel_waits_for_the_first_response() -> None:
    network, alice, bob = make_pair()
    network.lose = lose_first([True], is_request("INVITE"))
    call = alice.dial("sip:bob@10.0.0.2")
    call.cancel(network.now)
    network.run(0.4)
    assert bob.summary() == []
    network.run(1)
    assert bob.summary() == ["INVITE", "CANCEL", "ACK"]
    assert alice.events_of(call) == [Ended("cancelled")]


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    incoming.answer(ANSWER, network.now)
    call.cancel(network.now)
    network.run(0.5)
    assert bob.summary()[1:] == ["CANCEL", "ACK", "BYE"]
    assert alice.events_of(call)[-1] == Ended("cancelled")
    assert bob.events_of(incoming)[-1] == Ended("bye")


def test_a_call_that_never_left_is_cancelled_without_a_word() -> None:
    network, alice, _ = make_pair()
    call = alice.prepare("sip:bob@10.0.0.2")
    call.cancel(network.now)
    network.run(1)
    assert alice.events_of(call) == [Ended("cancelled")]
    assert network.sent == []


def test_a_silent_peer_after_a_cancel_does_not_keep_the_owner_waiting() -> None:
    network, alice, bob = make_pair()
    call, _ = ring(network, alice, bob)
    network.lose = lambda _message: True
    call.cancel(network.now)
    network.run(4.1)
    assert alice.events_of(call)[-1] == Ended("cancelled")


def test_nobody_answering_the_invite_is_a_408_of_our_own_after_timer_b() -> None:
    network, alice, _ = make_pair()
    call = alice.dial("sip:bob@10.0.0.77")
    network.run(31.9)
    assert alice.events_of(call) == []
    network.run(0.2)
    assert alice.events_of(call) == [Rejected(408, NO_RESPONSE, is_local=True)]
    instants = [round(at - 1000.0, 3) for at, _, line in network.sent if line.startswith("INVITE")]
    assert instants == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_an_unreachable_peer_is_a_503_of_our_own() -> None:
    network, alice, _ = make_pair()
    network.is_unreachable.add("10.0.0.2")
    call = alice.dial("sip:bob@10.0.0.2")
    assert alice.events_of(call) == [Rejected(503, TRANSPORT_FAILED, is_local=True)]
    network.run(40)
    assert len(network.sent) == 1


def test_an_ack_that_cannot_be_sent_ends_the_call() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    incoming.answer(ANSWER, network.now)
    network.pump()
    network.is_unreachable.add("10.0.0.2")
    network.run(0.1)
    assert alice.events_of(call)[-1] == Ended("transport")


@pytest.mark.parametrize("lost", ["INVITE", "ACK", "BYE"])
def test_a_lost_request_is_repeated(lost: str) -> None:
    network, alice, bob = make_pair()
    network.lose = lose_first([True], is_request(lost))
    call = alice.dial("sip:bob@10.0.0.2")
    network.run(1)
    bob.incoming[0].answer(ANSWER, network.now)
    network.run(2)
    call.bye(network.now)
    network.run(2)
    assert len(bob.incoming) == 1
    assert alice.events_of(call) == [Answered(ANSWER), Ended("local")]
    assert bob.events_of(bob.incoming[0]) == [Answered(b""), Ended("bye")]


@pytest.mark.parametrize(("status", "method"), [(200, "INVITE"), (200, "BYE"), (486, "INVITE")])
def test_a_lost_final_response_is_repeated(status: int, method: str) -> None:
    network, alice, bob = make_pair()
    network.lose = lose_first([True, True], is_status(status, method))
    call, incoming = ring(network, alice, bob)
    if status == 486:
        incoming.reject(486, now=network.now)
    else:
        incoming.answer(ANSWER, network.now)
    network.run(3)
    call.bye(network.now)
    network.run(3)
    assert len(alice.events_of(call)) == (2 if status == 486 else 3)
    assert isinstance(bob.events_of(incoming)[-1], (Ended, Rejected))
    network.run(60)
    assert alice.agent.next_timeout() is None


@pytest.mark.parametrize("seed", range(20))
def test_a_call_survives_the_loss_of_two_messages_in_five(seed: int) -> None:
    network, alice, bob = make_pair()
    chance = random.Random(seed)
    network.lose = lambda _message: chance.random() < 0.4
    call = alice.dial("sip:bob@10.0.0.2")
    network.run(20)
    bob.incoming[0].answer(ANSWER, network.now)
    network.run(25)
    call.bye(network.now)
    network.run(32)
    assert len(bob.incoming) == 1
    assert [type(event) for event in alice.events_of(call)] == [Answered, Ended]
    assert [type(event) for event in bob.events_of(bob.incoming[0])] == [Answered, Ended]


def test_an_answer_that_is_never_acknowledged_is_hung_up() -> None:
    network, alice, bob = make_pair()
    network.lose = is_request("ACK")
    _, incoming = ring(network, alice, bob)
    incoming.answer(ANSWER, network.now)
    network.run(33)
    assert bob.events_of(incoming) == [Ended("timeout")]
    assert "BYE" in alice.summary()
    assert sum(line.startswith("SIP/2.0 200") for _, host, line in network.sent if host == "10.0.0.2") >= 10


def test_a_callee_that_hangs_up_at_once_waits_for_the_ack() -> None:
    network, alice, bob = make_pair()
    network.lose = lose_first([True], is_request("ACK"))
    call, incoming = ring(network, alice, bob)
    incoming.answer(ANSWER, network.now)
    incoming.bye(network.now)
    network.run(0.3)
    assert "BYE" not in alice.summary()
    network.run(1)
    assert alice.summary()[-1] == "BYE"
    assert alice.events_of(call)[-1] == Ended("bye")
    assert bob.events_of(incoming)[-1] == Ended("local")


def test_the_reason_of_a_bye_is_passed_on() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    bye = in_dialog(incoming, "BYE", branch="z9hG4bKbye", cseq=9, fields=[("Reason", "Q.850;cause=16")])
    network.inject(bye, to="10.0.0.1")
    assert alice.events_of(call)[-1] == Ended("bye", "Q.850;cause=16")


def test_a_call_leaves_nothing_behind() -> None:
    network, alice, bob = make_pair()
    call, _ = connect(network, alice, bob)
    call.bye(network.now)
    network.run(70)
    for node in (alice, bob):
        assert node.agent.next_timeout() is None
        assert node.agent._stack.sessions == {}
        assert node.agent._invited == {}
        assert node.agent._stack.transactions.count() == 0


def test_the_dialog_state_is_json_at_every_moment_and_is_told() -> None:
    network, alice, bob = make_pair()
    call = alice.prepare("sip:bob@10.0.0.2", credentials=Credentials("alice", "secret"))
    told: list[str] = []
    call.on_dialog_change = lambda state: told.append(json.dumps(state))
    before = json.dumps(call.state())
    call.send(network.now)
    network.run(0.1)
    bob.incoming[0].reject(401, fields=[("WWW-Authenticate", 'Digest realm="r", nonce="n"')], now=network.now)
    network.run(0.1)
    bob.incoming[1].answer(ANSWER, network.now)
    network.run(0.1)
    call.bye(network.now)
    network.run(0.1)
    assert [json.loads(state)["phase"] for state in told[-2:]] == ["confirmed", "ended"]
    assert json.loads(before)["phase"] == "early"
    assert not any("secret" in state or "Authorization" in state for state in told)
