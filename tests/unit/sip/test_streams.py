"""Calls whose transport fails before anything came back: broken streams, refused datagrams."""

from ringdown.sip.events import TRANSPORT_FAILED, Answered, Rejected
from tests.unit.sip.network import Network, is_request, lose_first

ALICE, BOB = "10.0.0.1", "10.0.0.2"


def test_a_call_over_a_connection_that_the_peer_lost_is_placed_on_a_new_one() -> None:
    network = Network()
    alice, bob = network.add(ALICE), network.add(BOB)
    first = alice.dial(f"sip:bob@{BOB};transport=tcp")
    network.run(0.1)
    bob.incoming[0].reject(486, now=network.now)
    network.run(0.1)
    assert alice.events_of(first) == [Rejected(486, "Busy Here")]
    network.lose = lose_first([True], is_request("INVITE"))
    second = alice.dial(f"sip:bob@{BOB};transport=tcp")
    network.break_stream(ALICE, BOB)
    network.run(0.1)
    bob.incoming[1].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    assert alice.events_of(second) == [Answered(b"v=0\r\n")]


def test_a_call_over_a_new_connection_that_breaks_at_once_has_failed() -> None:
    network = Network()
    alice, _ = network.add(ALICE), network.add(BOB)
    network.lose = is_request("INVITE")
    call = alice.dial(f"sip:bob@{BOB};transport=tcp")
    network.break_stream(ALICE, BOB)
    assert alice.events_of(call) == [Rejected(503, TRANSPORT_FAILED, is_local=True)]


def test_a_refusal_ends_the_invite_that_it_quotes_up_to_its_branch() -> None:
    network = Network()
    alice = network.add(ALICE)
    call = alice.dial(f"sip:bob@{BOB}")
    quote = call.invite.serialize()
    end_of_branch = quote.index(b";rport")
    forged = quote.replace(call.invite.via.branch.encode(), b"z9hG4bKforged-1")
    for harmless in (b"", quote[:8], quote[: end_of_branch - 1], quote[:end_of_branch], forged, b"SIP/2.0 200 OK\r\n"):
        for _ in range(3):
            alice.agent.receive_refusal(harmless, network.now)
    network.pump()
    assert alice.events_of(call) == []
    for _ in range(3):
        alice.agent.receive_refusal(quote[: end_of_branch + 1], network.now)
    network.pump()
    assert alice.events_of(call) == [Rejected(503, TRANSPORT_FAILED, is_local=True)]
