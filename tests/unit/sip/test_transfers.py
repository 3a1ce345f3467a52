"""Transfers: our REFER and what is notified, the peer's REFER, and calls that replace others (RFC 3515, 3891, 3892)."""

import pytest

from ringdown.sip.events import Ended, ReferralReceived, ReferResult
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.message import Request, Response
from ringdown.sip.outgoing import OutgoingSession
from ringdown.sip.referral import ReceivedReferral
from ringdown.sip.replaces import Replaces
from ringdown.sip.session import Session
from ringdown.sip.sipfrag import build_fragment, parse_fragment
from tests.unit.sip.calls import ANSWER, connect, in_dialog, last_response, make_pair, pass_back, ring
from tests.unit.sip.network import Network, Node, is_request

TARGET = "sip:carol@10.0.0.3"


def refer(
    network: Network, session: Session, *, replaces: str | None = None, target: str = TARGET, timeout_s: float = 30
) -> list[ReferResult]:
    told: list[ReferResult] = []
    session.refer(
        target, replaces=replaces, referred_by=None, timeout_s=timeout_s, on_done=told.append, now=network.now
    )
    network.run(0.1)
    return told


def referral_of(node: Node, session: Session) -> ReceivedReferral:
    event = node.events_of(session)[-1]
    assert isinstance(event, ReferralReceived)
    return event.received


def make_call() -> tuple[Network, Node, Node, OutgoingSession, IncomingSession]:
    network, alice, bob = make_pair()
    return network, alice, bob, *connect(network, alice, bob)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_blind_transfer_is_accepted_and_its_success_notified(who: str) -> None:
    network, alice, bob, call, incoming = make_call()
    ours, theirs, near, far = (call, incoming, alice, bob) if who == "caller" else (incoming, call, bob, alice)
    told = refer(network, ours)
    referral = referral_of(far, theirs)
    own = ours.dialog
    assert own is not None
    assert (referral.target, referral.replaces) == (TARGET, None)
    assert referral.referred_by == ("<sip:alice@10.0.0.1>" if who == "caller" else "<sip:bob@10.0.0.2>")
    referral.accept(network.now)
    network.run(0.1)
    assert last_response(near).status == 202
    assert told == []
    referral.notify(180, "Ringing", network.now)
    network.run(0.1)
    assert told == []
    referral.notify(200, "OK", network.now)
    network.run(0.1)
    assert told == [ReferResult(200, "OK")]
    states = [item.headers.get("Subscription-State") for item in near.received if is_request("NOTIFY")(item)]
    assert states == ["active;expires=180", "active;expires=180", "terminated;reason=noresource"]
    ours.bye(network.now)
    network.run(0.1)
    assert far.events_of(theirs)[-1] == Ended("bye")


def test_a_failed_transfer_tells_why_and_the_call_goes_on() -> None:
    network, alice, bob, call, incoming = make_call()
    told = refer(network, call)
    referral = referral_of(bob, incoming)
    referral.accept(network.now)
    referral.notify(486, "Busy Here", network.now)
    network.run(0.1)
    assert told == [ReferResult(486, "Busy Here")]
    assert not told[0].is_refused  # it tried
    assert not any(isinstance(event, Ended) for event in alice.events_of(call))
    referral.notify(200, "OK", network.now)  # after the final one nothing is sent
    network.run(0.1)
    assert alice.summary().count("NOTIFY") == 2
    assert refer(network, call) == []  # another attempt may follow
    referral_of(bob, incoming).reject(403, network.now)
    network.run(0.1)


def test_a_refused_transfer_tells_its_status() -> None:
    network, _, bob, call, incoming = make_call()
    told = refer(network, call)
    referral_of(bob, incoming).reject(403, network.now)
    network.run(0.1)
    assert told == [ReferResult(403, "Forbidden")]
    assert told[0].is_refused


def test_a_transfer_that_nobody_decides_is_declined_after_10_seconds() -> None:
    network, alice, _, call, _ = make_call()
    told = refer(network, call)
    network.run(9.8)
    assert told == []
    network.run(0.3)
    assert told == [ReferResult(603, "Decline")]
    network.run(40)
    assert alice.agent.next_timeout() is None


def test_a_transfer_that_rang_without_a_final_word_was_tried() -> None:
    network, _, bob, call, incoming = make_call()
    told = refer(network, call, timeout_s=5)
    referral = referral_of(bob, incoming)
    referral.accept(network.now)
    referral.notify(180, "Ringing", network.now)
    network.run(6)
    assert [(result.status, result.is_refused) for result in told] == [(408, False)]


def test_a_transfer_without_a_final_word_is_408_and_later_words_are_refused() -> None:
    network, alice, bob, call, incoming = make_call()
    told = refer(network, call, timeout_s=5)
    referral = referral_of(bob, incoming)
    referral.accept(network.now)
    network.run(6)
    assert [result.status for result in told] == [408]
    assert told[0].is_refused  # nothing was heard of it but 100
    referral.notify(200, "OK", network.now)
    network.run(0.1)
    assert last_response(bob).status == 481
    assert len(told) == 1
    assert not any(isinstance(event, Ended) for event in alice.events_of(call))


def test_a_peer_that_accepts_and_hangs_up_is_told_as_202() -> None:
    network, _, bob, call, incoming = make_call()
    told = refer(network, call)
    referral_of(bob, incoming).accept(network.now)
    network.run(0.1)
    incoming.bye(network.now)
    network.run(0.1)
    assert [result.status for result in told] == [202]


def test_a_second_transfer_at_the_same_time_is_491() -> None:
    network, _, _, call, _ = make_call()
    refer(network, call)
    assert [result.status for result in refer(network, call)] == [491]


def test_a_transfer_needs_an_answered_call() -> None:
    network, alice, bob = make_pair()
    call, _ = ring(network, alice, bob)
    assert [result.status for result in refer(network, call)] == [481]


def test_a_silent_peer_ends_the_call() -> None:
    network, alice, _, call, _ = make_call()
    network.lose = lambda _message: True
    told = refer(network, call, timeout_s=60)
    network.run(33)
    assert [result.status for result in told] == [408]
    assert alice.events_of(call)[-1] == Ended("timeout")


@pytest.mark.parametrize("target", ["", "carol", "http://x", "sip:a b@c"])
def test_a_target_that_is_no_uri_is_a_value_error(target: str) -> None:
    network, _, _, call, _ = make_call()
    with pytest.raises(ValueError, match=r".+"):
        refer(network, call, target=target)
    assert refer(network, call) == []  # nothing was begun


def test_a_notification_may_overtake_the_202() -> None:
    network, _, _, call, incoming = make_call()
    network.lose = lambda message: isinstance(message, Response)
    told = refer(network, call)
    fields = [("Event", "refer"), ("Subscription-State", "terminated"), ("Content-Type", "message/sipfrag")]
    notify = in_dialog(incoming, "NOTIFY", branch="z9hG4bKn", cseq=1, fields=fields, body=b"SIP/2.0 200 OK")
    network.inject(notify, to="10.0.0.1", source="10.0.0.2")
    assert told == [ReferResult(200, "OK")]


def test_a_peer_whose_202_was_lost_and_that_hangs_up_is_told_as_202() -> None:
    network, _, _, call, incoming = make_call()
    network.lose = lambda message: isinstance(message, Response)
    told = refer(network, call)
    fields = [("Event", "refer"), ("Subscription-State", "active"), ("Content-Type", "message/sipfrag")]
    notify = in_dialog(incoming, "NOTIFY", branch="z9hG4bKn", cseq=1, fields=fields, body=b"SIP/2.0 100 Trying")
    network.inject(notify, to="10.0.0.1", source="10.0.0.2")
    network.inject(in_dialog(incoming, "BYE", branch="z9hG4bKb", cseq=2), to="10.0.0.1", source="10.0.0.2")
    assert [result.status for result in told] == [202]


@pytest.mark.parametrize(("event", "body", "state", "status"), [
    ("message-summary", b"SIP/2.0 200 OK", "active", 481),
    ("refer;id=99", b"SIP/2.0 200 OK", "active", 481),
    ("refer;id=2", b"hello", "active", 400),
    ("refer;id=2", b"SIP/2.0 100 Trying", "active", 200),
    ("refer;id=2", b"SIP/2.0 100 Trying", "terminated;reason=timeout", 200),
])  # fmt: skip
def test_a_notification_is_answered_by_what_it_is(event: str, body: bytes, state: str, status: int) -> None:
    network, _, bob, call, incoming = make_call()
    told = refer(network, call)
    fields = [("Event", event), ("Subscription-State", state), ("Content-Type", "message/sipfrag")]
    notify = in_dialog(incoming, "NOTIFY", branch="z9hG4bKn", cseq=1, fields=fields, body=body)
    network.inject(notify, to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)
    assert (last_response(bob).status, last_response(bob).cseq_method) == (status, "NOTIFY")
    assert [result.status for result in told] == ([500] if state.startswith("terminated") else [])


@pytest.mark.parametrize("fields", [
    [],
    [("Refer-To", "<sip:a@b>"), ("Refer-To", "<sip:c@d>")],
    [("Refer-To", "<http://a>")],
    [("Refer-To", "<sip:a@b;method=SUBSCRIBE>")],
])  # fmt: skip
def test_a_malformed_refer_is_400(fields: list[tuple[str, str]]) -> None:
    network, alice, bob, call, incoming = make_call()
    bad = in_dialog(incoming, "REFER", branch="z9hG4bKr", cseq=1, fields=fields)
    network.inject(bad, to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)
    assert last_response(bob).status == 400
    assert not any(isinstance(event, ReferralReceived) for event in alice.events_of(call))


def test_the_target_of_a_refer_is_a_request_uri() -> None:
    network, alice, _, call, incoming = make_call()
    refer_to = (
        "Carol <sip:carol@10.0.0.3;transport=tcp;method=INVITE?Subject=hi&Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>"
    )
    fields = [("Refer-To", refer_to), ("b", "<sip:bob@10.0.0.2>")]
    request = in_dialog(incoming, "REFER", branch="z9hG4bKr", cseq=1, fields=fields)
    network.inject(request, to="10.0.0.1", source="10.0.0.2")
    referral = referral_of(alice, call)
    assert referral.target == "sip:carol@10.0.0.3;transport=tcp"
    assert (referral.replaces, referral.referred_by) == ("a@b;to-tag=1;from-tag=2", "<sip:bob@10.0.0.2>")


@pytest.mark.parametrize("status", [200, 100, 700])
def test_an_unusable_refusal_is_a_value_error_and_the_wish_stands(status: int) -> None:
    network, _, bob, call, incoming = make_call()
    refer(network, call)
    referral = referral_of(bob, incoming)
    with pytest.raises(ValueError, match="refusal"):
        referral.reject(status, network.now)
    referral.accept(network.now)
    network.run(0.1)
    assert "NOTIFY" in network.nodes["10.0.0.1"].summary()


def connect_three() -> tuple[Network, Node, Node, Node, OutgoingSession, OutgoingSession]:
    """Alice (10.0.0.1) has called Bob and Carol."""
    network, alice, bob = make_pair()
    carol = network.add("10.0.0.3")
    to_bob, _ = connect(network, alice, bob)
    to_carol = alice.dial(TARGET)
    network.run(0.1)
    carol.incoming[0].answer(ANSWER, network.now)
    network.run(0.1)
    return network, alice, bob, carol, to_bob, to_carol


def test_an_attended_transfer_replaces_the_consultation() -> None:
    network, alice, bob, carol, to_bob, to_carol = connect_three()
    told = refer(network, to_bob, replaces=to_carol.replaces().serialize())
    referral = referral_of(bob, bob.incoming[0])
    referral.accept(network.now)
    assert referral.replaces is not None
    new = bob.dial(referral.target, headers=[("Replaces", referral.replaces)])
    network.run(0.1)
    replacing = carol.incoming[1]
    assert replacing.replaced is carol.incoming[0]
    replacing.answer(ANSWER, network.now)
    carol.incoming[0].bye(network.now)
    network.run(0.1)
    referral.notify(200, "OK", network.now)
    network.run(0.1)
    assert alice.events_of(to_carol)[-1] == Ended("bye")
    assert told == [ReferResult(200, "OK")]
    assert bob.events_of(new)[-1] is not None


def test_an_incoming_call_can_be_named_for_replacement_too() -> None:
    network, alice, _, call, incoming = make_call()
    own, theirs = incoming.replaces(), call.replaces()
    assert own == Replaces(theirs.call_id, to_tag=theirs.from_tag, from_tag=theirs.to_tag)
    dialled = network.add("10.0.0.3").dial("sip:alice@10.0.0.1", headers=[("Replaces", own.serialize())])
    network.run(0.1)
    assert alice.incoming[0].replaced is call
    assert dialled.dialog is None


def test_a_call_that_is_not_answered_has_no_name() -> None:
    network, alice, bob = make_pair()
    call, _ = ring(network, alice, bob)
    with pytest.raises(ValueError, match="answered"):
        call.replaces()


@pytest.mark.parametrize(("change", "status"), [
    ("unknown-call", 481), ("wrong-tag", 481), ("early-only", 486), ("malformed", 400), ("twice", 400),
])  # fmt: skip
def test_a_replacement_that_does_not_fit_is_refused(change: str, status: int) -> None:
    network, alice, _, _, incoming = make_call()
    replaces = incoming.replaces()
    value = {
        "unknown-call": Replaces("other", replaces.to_tag, replaces.from_tag).serialize(),
        "wrong-tag": Replaces(replaces.call_id, replaces.to_tag, "other").serialize(),
        "early-only": f"{replaces.serialize()};early-only",
        "malformed": replaces.call_id,
        "twice": replaces.serialize(),
    }[change]
    headers = [("Replaces", value)] * (2 if change == "twice" else 1)
    carol = network.add("10.0.0.3")
    carol.dial("sip:alice@10.0.0.1", headers=headers)
    network.run(0.1)
    assert last_response(carol).status == status
    assert alice.incoming == []


def test_only_the_caller_of_an_early_dialog_can_be_taken_over() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    assert call.dialog is not None
    carol = network.add("10.0.0.3")
    at_bob = Replaces(call.dialog.call_id, call.dialog.remote_tag, call.dialog.local_tag)
    carol.dial("sip:bob@10.0.0.2", headers=[("Replaces", at_bob.serialize())])
    at_alice = Replaces(call.dialog.call_id, call.dialog.local_tag, call.dialog.remote_tag)
    carol.dial("sip:alice@10.0.0.1", headers=[("Replaces", at_alice.serialize())])
    network.run(0.1)
    assert last_response(carol).status in (100, 481)
    assert len(bob.incoming) == 1
    assert alice.incoming[0].replaced is call
    assert incoming.is_over is False


@pytest.mark.parametrize(("body", "expected"), [
    (b"SIP/2.0 200 OK\r\n", (200, "OK")),
    (b"SIP/2.0 486", (486, "")),
    (b"\r\nSIP/2.0 503 Service Unavailable\r\nVia: x\r\n", (503, "Service Unavailable")),
])  # fmt: skip
def test_a_fragment_is_read(body: bytes, expected: tuple[int, str]) -> None:
    assert parse_fragment(body) == expected


@pytest.mark.parametrize("body", [b"", b"200 OK", b"SIP/2.0 999 X", b"SIP/1.0 200 OK"])
def test_a_fragment_without_a_status_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="status"):
        parse_fragment(body)


@pytest.mark.parametrize(("status", "reason"), [(99, "x"), (700, "x"), (200, "OK\r\nVia: x")])
def test_a_status_that_cannot_be_written_is_a_value_error(status: int, reason: str) -> None:
    with pytest.raises(ValueError, match="status"):
        build_fragment(status, reason)


def test_a_transfer_answers_a_challenge() -> None:
    network, _, bob, call, _ = make_call()
    told = refer(network, call)
    request = [item for item in bob.received if isinstance(item, Request)][-1]
    pass_back(network, request, 407, tag="t", fields=[("Proxy-Authenticate", 'Digest realm="r", nonce="n"')])
    assert told == [ReferResult(407, "Proxy Authentication Required")]  # without credentials it is a refusal
