"""Provisional responses that must arrive: PRACK from both sides, order, loss, and what waits for them (RFC 3262)."""

import pytest

from ringdown.sip.events import Answered, Ended, Provisional, Rejected
from ringdown.sip.message import Request, Response
from tests.unit.sip.calls import ANSWER, in_dialog, last_response, make_pair, pass_back
from tests.unit.sip.network import Network, Node, is_request, is_status, lose_first

EARLY = b"v=0\r\ns=early\r\n"
REQUIRED = {"Require": "100rel"}


def dial(headers: dict[str, str] | None = None) -> tuple[Network, Node, Node]:
    network, alice, bob = make_pair()
    alice.dial("sip:bob@10.0.0.2", headers=headers or {})
    network.run(0.1)
    return network, alice, bob


def reliable(rseq: int, *, tag_contact: str = "<sip:bob@10.0.0.2>") -> list[tuple[str, str]]:
    return [("Contact", tag_contact), ("Require", "100rel"), ("RSeq", str(rseq))]


def pracks(node: Node) -> list[str]:
    found = [item for item in node.received if isinstance(item, Request) and item.method == "PRACK"]
    return [item.headers.get("RAck") or "" for item in found]


def test_early_media_is_confirmed_and_the_answer_follows() -> None:
    network, alice, bob = dial()
    incoming = bob.incoming[0]
    incoming.progress(183, EARLY, network.now)
    network.run(0.1)
    incoming.answer(EARLY, network.now)
    network.run(0.1)
    assert bob.summary() == ["INVITE", "PRACK", "ACK"]
    assert alice.summary() == ["100", "183", "200", "200"]
    events = [event for _, event in alice.log]
    assert events == [Provisional(183, "Session Progress", EARLY), Answered(EARLY)]


def test_a_plain_ringing_needs_no_prack() -> None:
    network, alice, bob = dial()
    bob.incoming[0].ring(network.now)
    network.run(0.1)
    assert bob.summary() == ["INVITE"]
    assert alice.received[-1].headers.get("Require") is None


def test_a_caller_that_requires_it_gets_even_ringing_reliably() -> None:
    network, _, bob = dial(REQUIRED)
    bob.incoming[0].ring(network.now)
    network.run(0.1)
    assert bob.summary() == ["INVITE", "PRACK"]


def test_a_lost_response_is_repeated_and_told_once() -> None:
    network, alice, bob = dial()
    network.lose = lose_first([True, True], is_status(183))
    bob.incoming[0].progress(183, EARLY, network.now)
    network.run(3)
    assert [event for _, event in alice.log] == [Provisional(183, "Session Progress", EARLY)]
    assert len(pracks(bob)) == 1


def test_a_lost_prack_is_repeated_and_the_response_told_once() -> None:
    network, alice, bob = dial()
    network.lose = lose_first([True], is_request("PRACK"))
    bob.incoming[0].progress(183, EARLY, network.now)
    network.run(5)
    assert len(alice.log) == 1
    assert len(set(pracks(bob))) == 1
    assert not bob.log


def test_the_second_response_waits_for_the_first_prack() -> None:
    network, alice, bob = dial(REQUIRED)
    network.lose = is_request("PRACK")
    incoming = bob.incoming[0]
    incoming.ring(network.now)
    incoming.progress(183, EARLY, network.now)
    network.run(1)
    assert "183" not in alice.summary()
    network.lose = lambda _message: False
    network.run(2)
    assert alice.summary()[-1] == "200"
    first, second = (int(value.split()[0]) for value in dict.fromkeys(pracks(bob)))
    assert second == first + 1


def test_the_answer_waits_until_the_early_description_is_confirmed() -> None:
    network, alice, bob = dial()
    network.lose = is_request("PRACK")
    incoming = bob.incoming[0]
    incoming.progress(183, EARLY, network.now)
    incoming.answer(ANSWER, network.now)
    network.run(1)
    assert not any(isinstance(event, Answered) for _, event in alice.log)
    network.lose = lambda _message: False
    network.run(3)
    assert alice.log[-1][1] == Answered(ANSWER)


def test_an_unconfirmed_response_ends_the_call_with_504() -> None:
    network, alice, bob = dial()
    network.lose = is_request("PRACK")
    bob.incoming[0].progress(183, EARLY, network.now)
    network.run(33)
    assert bob.log[-1][1] == Rejected(504, "Server Time-out", is_local=True)
    assert alice.log[-1][1] == Rejected(504, "Server Time-out")
    network.run(70)
    assert bob.agent.next_timeout() is None


def test_a_cancelled_call_repeats_nothing() -> None:
    network, alice, bob = dial()
    network.lose = is_request("PRACK")
    bob.incoming[0].progress(183, EARLY, network.now)
    network.run(0.1)
    call = alice.log[0][0]
    call.cancel(network.now)  # type: ignore[attr-defined]
    network.run(0.1)
    assert bob.log[-1][1] == Ended("cancelled")
    count = len(network.sent)
    network.lose = lambda _message: False
    network.run(40)
    assert not any("183" in line for _, _, line in network.sent[count:])


def test_the_caller_takes_responses_only_in_their_order_in_each_early_dialog() -> None:
    network, alice, bob = dial()
    network.lose = lambda message: isinstance(message, Response)
    invite = bob.incoming[0].invite
    for tag, rseq in (("a", 7), ("a", 9), ("a", 7), ("b", 100), ("a", 8), ("a", 9)):
        pass_back(network, invite, 183, tag=tag, fields=reliable(rseq))
    assert [event.tag for _, event in alice.log if isinstance(event, Provisional)] == ["a", "b", "a", "a"]
    assert list(dict.fromkeys(pracks(bob))) == ["7 1 INVITE", "100 1 INVITE", "8 1 INVITE", "9 1 INVITE"]


@pytest.mark.parametrize("rseq", ["", "x", "-1", "99999999999"])
def test_a_number_that_is_none_is_ignored(rseq: str) -> None:
    network, alice, bob = dial()
    fields = [("Contact", "<sip:bob@10.0.0.2>"), ("Require", "100rel"), ("RSeq", rseq)]
    pass_back(network, bob.incoming[0].invite, 183, tag="a", fields=fields)
    assert alice.log == []
    assert pracks(bob) == []


def test_the_answer_without_sdp_has_that_of_the_confirmed_response() -> None:
    network, alice, bob = dial()
    network.lose = lambda message: isinstance(message, Response)
    invite = bob.incoming[0].invite
    pass_back(network, invite, 183, tag="a", fields=reliable(1), body=EARLY)
    pass_back(network, invite, 200, tag="a", fields=[("Contact", "<sip:bob@10.0.0.2>")])
    assert alice.log[-1][1] == Answered(EARLY)


def test_the_bye_after_a_prack_has_a_number_of_its_own() -> None:
    network, alice, bob = dial()
    bob.incoming[0].progress(183, EARLY, network.now)
    network.run(0.1)
    bob.incoming[0].answer(EARLY, network.now)
    network.run(0.1)
    call = alice.log[0][0]
    call.bye(network.now)  # type: ignore[attr-defined]
    network.run(0.1)
    numbers = [item.cseq for item in bob.received if isinstance(item, Request) and item.method in ("PRACK", "BYE")]
    assert numbers == [2, 3]
    assert bob.log[-1][1] == Ended("bye")


def test_a_prack_for_nothing_is_481() -> None:
    network, alice, bob = dial()
    incoming = bob.incoming[0]
    incoming.ring(network.now)
    network.run(0.1)
    call = alice.log[0][0]
    prack = call.dialog.build_request(  # type: ignore[attr-defined]
        "PRACK", via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKp;rport", cseq=5, fields=[("RAck", "1 1 INVITE")]
    )
    network.inject(prack.serialize(), to="10.0.0.2", source="10.0.0.1")
    network.run(0.1)
    assert (last_response(alice).status, last_response(alice).cseq_method) == (481, "PRACK")


def test_after_confirmed_early_media_the_callee_may_offer_anew_before_it_answers() -> None:
    network, alice, bob = dial()
    incoming = bob.incoming[0]
    incoming.progress(183, EARLY, network.now)
    network.run(0.1)
    call = alice.log[0][0]
    call.on_reoffer = lambda offer: b"v=0\r\ns=re\r\n"  # type: ignore[attr-defined]
    update = in_dialog(incoming, "UPDATE", branch="z9hG4bKu", cseq=1, body=b"v=0\r\n")
    network.inject(update, to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)
    assert (last_response(bob).status, last_response(bob).body) == (200, b"v=0\r\ns=re\r\n")


def test_a_caller_that_wants_our_offer_gets_none_before_the_answer() -> None:
    network, alice, bob = make_pair()
    alice.dial("sip:bob@10.0.0.2", body=b"")
    network.run(0.1)
    bob.incoming[0].progress(183, EARLY, network.now)
    network.run(0.1)
    assert alice.received[-1].body == b""


@pytest.mark.parametrize("status", [100, 200, 99])
def test_another_status_is_a_value_error(status: int) -> None:
    network, _, bob = dial()
    with pytest.raises(ValueError, match="provisional"):
        bob.incoming[0].progress(status, b"", network.now)
