"""Offers within a call: answered by its owner, refused while they cannot be met or come too early."""

import pytest

from ringdown.sip.events import Answered, Ended
from tests.unit.sip.calls import ANSWER, connect, in_dialog, last_response, make_pair, reinvite, ring


def test_a_reoffer_is_answered_by_the_owner() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    call.on_reoffer = lambda offer: b"v=0\r\ns=re-" + offer[-3:]
    reinvite(network, incoming, body=b"v=0\r\nabc", branch="z9hG4bKre1", cseq=1)
    assert b"s=re-abc" in last_response(bob).body
    assert last_response(bob).status == 200


def test_a_reoffer_that_cannot_be_met_is_488_and_the_call_goes_on() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)

    def refuse(_offer: bytes) -> bytes:
        raise ValueError("no common codec")

    call.on_reoffer = refuse
    reinvite(network, incoming, body=b"v=0\r\nabc", branch="z9hG4bKre1", cseq=1)
    assert last_response(bob).status == 488
    call.bye(network.now)
    network.run(0.1)
    assert bob.events_of(incoming)[-1] == Ended("bye")


def test_a_reinvite_without_offer_gets_our_description() -> None:
    network, alice, bob = make_pair()
    _, incoming = connect(network, alice, bob)
    reinvite(network, incoming, body=b"", branch="z9hG4bKre1", cseq=1)
    assert last_response(bob).body == b"v=0\r\n"


def test_a_cancel_that_crosses_the_answer_of_a_reinvite_changes_nothing() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    reinvite(network, incoming, body=b"", branch="z9hG4bKre1", cseq=1)
    cancel = in_dialog(incoming, "CANCEL", branch="z9hG4bKre1", cseq=1)
    network.inject(cancel, to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)
    assert (last_response(bob).status, last_response(bob).cseq_method) == (200, "CANCEL")
    assert alice.events_of(call)[-1] == Answered(ANSWER)


def test_an_out_of_order_request_is_refused() -> None:
    network, alice, bob = make_pair()
    _, incoming = connect(network, alice, bob)
    reinvite(network, incoming, body=b"", branch="z9hG4bKre1", cseq=5)
    reinvite(network, incoming, body=b"", branch="z9hG4bKre2", cseq=4)
    assert last_response(bob).status == 500


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_of_the_callee_before_its_answer_is_491_and_the_call_goes_on(method: str) -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    call.on_reoffer = lambda _offer: pytest.fail("the first offer has no answer yet")
    offer = in_dialog(incoming, method, branch="z9hG4bKre1", cseq=1, body=b"v=0\r\nabc")
    network.inject(offer, to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)
    assert last_response(bob).status == 491
    incoming.answer(ANSWER, network.now)
    network.run(0.1)
    assert alice.events_of(call)[-1] == Answered(ANSWER)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_of_the_caller_before_our_answer_is_500_with_a_time_to_retry(method: str) -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    incoming.on_reoffer = lambda _offer: pytest.fail("the first offer has no answer yet")
    assert call.dialog is not None
    via = "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKre1;rport"
    early = call.dialog.build_request(method, via=via, cseq=2, body=b"v=0\r\nabc")
    network.inject(early.serialize(), to="10.0.0.2", source="10.0.0.1")
    network.run(0.1)
    refusal = last_response(alice)
    assert (refusal.status, refusal.headers.get("Retry-After")) == (500, "3")
    incoming.answer(ANSWER, network.now)
    network.run(0.1)
    assert bob.events_of(incoming) == [Answered(b"")]
