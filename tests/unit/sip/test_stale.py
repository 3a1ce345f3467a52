"""Ending the calls that a dead process left behind, in every state it may have died in."""

import json
from typing import Any

import pytest

from ringdown.sip.admission import admit_all
from ringdown.sip.digest import Credentials
from ringdown.sip.events import Answered, Ended
from ringdown.sip.message import Request, Response
from ringdown.sip.stale import StaleEnding
from ringdown.sip.useragent import UserAgent
from tests.unit.sip.network import Network, Node, is_request, is_status, lose_first

BOB = "10.0.0.2"


def make_pair() -> tuple[Network, Node, Node]:
    network = Network()
    return network, network.add("10.0.0.1"), network.add(BOB)


def end_stale(network: Network, state: dict[str, Any], *, seconds: float = 4.5) -> tuple[StaleEnding, Node]:
    """Kill 10.0.0.1 and let a new process at the same address end the call of this state."""
    heir = network.add("10.0.0.1")
    ending = heir.agent.end_stale(json.loads(json.dumps(state)), now=network.now)
    network.run(seconds)
    assert heir.events_of(ending) == [Ended("local")]
    return ending, heir


def requests_of(node: Node, method: str) -> list[Request]:
    return [item for item in node.received if isinstance(item, Request) and item.method == method]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_invite_without_any_response_is_cancelled_as_it_was_sent(transport: str) -> None:
    network, alice, bob = make_pair()
    call = alice.prepare(
        f"sip:bob@{BOB};transport={transport}", headers={"Route": f"<sip:{BOB};lr;transport={transport}>"}
    )
    state = call.state()
    call.send(network.now)
    network.pump()
    network.lose = is_status(100)
    network.run(0.05)
    ending, heir = end_stale(network, state)
    assert ending.method == "cancel"
    invite, cancel = requests_of(bob, "INVITE")[0], requests_of(bob, "CANCEL")[0]
    assert cancel.headers.get_lines("Via") == invite.headers.get_lines("Via")
    assert cancel.via.branch == invite.via.branch
    assert (cancel.via.host, cancel.via.port) == (invite.via.host, invite.via.port)
    assert (cancel.uri, cancel.cseq, cancel.call_id) == (invite.uri, invite.cseq, invite.call_id)
    for name in ("Route", "From", "To"):
        assert cancel.headers.get(name) == invite.headers.get(name)
    assert bob.events_of(bob.incoming[0]) == [Ended("cancelled")]
    assert bob.summary() == ["INVITE", "CANCEL", "ACK"]
    assert sorted(heir.summary()) == ["200", "487"]


def test_a_ringing_call_is_cancelled_and_its_487_acknowledged() -> None:
    network, alice, bob = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    bob.incoming[0].ring(network.now)
    network.run(0.1)
    ending, _ = end_stale(network, call.state())
    assert ending.method == "cancel"
    assert bob.summary() == ["INVITE", "CANCEL", "ACK"]


def test_an_answer_that_the_dead_process_missed_is_acknowledged_and_hung_up() -> None:
    network, alice, bob = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    state = call.state()
    network.lose = is_status(200)
    bob.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    network.lose = lambda _message: False
    _, heir = end_stale(network, state)
    assert bob.events_of(bob.incoming[0]) == [Answered(b""), Ended("bye")]
    assert [entry for entry in bob.summary() if entry != "INVITE"] == ["CANCEL", "ACK", "BYE"]
    assert "200" in heir.summary()


def test_an_answer_between_the_stored_ringing_and_the_crash_is_hung_up() -> None:
    network, alice, bob = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    bob.incoming[0].ring(network.now)
    network.run(0.1)
    state = call.state()
    bob.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(40)
    end_stale(network, state)
    assert bob.events_of(bob.incoming[0]) == [Answered(b""), Ended("bye")]


def ring_then_answer(network: Network, alice: Node, bob: Node, *, settle: float) -> dict[str, Any]:
    """A call that is answered and whose answer is ACKed, and the state that was stored while it rang."""
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    bob.incoming[0].ring(network.now)
    network.run(0.1)
    state = call.state()
    bob.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(settle)
    return state


def test_a_cancel_that_an_answered_call_ignores_is_followed_by_one_bye() -> None:
    network, alice, bob = make_pair()
    state = ring_then_answer(network, alice, bob, settle=0.1)
    begun = network.now
    ending, heir = end_stale(network, state)
    assert ending.method == "cancel"
    assert bob.events_of(bob.incoming[0]) == [Answered(b""), Ended("bye")]
    assert bob.summary() == ["INVITE", "ACK", "CANCEL", "BYE"]
    assert heir.summary() == ["200", "200"]
    sent = [when for when, _, line in network.sent if line.startswith("BYE")]
    assert sent[0] - begun < 0.6
    network.run(40)
    assert len(requests_of(bob, "BYE")) == 1


def test_a_silent_cancel_of_an_answered_call_is_followed_by_a_bye_in_time() -> None:
    network, alice, bob = make_pair()
    state = ring_then_answer(network, alice, bob, settle=0.1)
    network.lose = is_request("CANCEL")
    end_stale(network, state)
    assert bob.events_of(bob.incoming[0]) == [Answered(b""), Ended("bye")]
    assert len(requests_of(bob, "BYE")) == 1


def test_a_call_that_is_gone_gets_one_bye_and_no_more_when_the_cancel_times_out() -> None:
    network, alice, bob = make_pair()
    state = ring_then_answer(network, alice, bob, settle=0.1)
    bob.incoming[0].bye(network.now)
    network.run(0.1)
    network.lose = is_request("CANCEL")
    end_stale(network, state)
    network.run(60)
    assert len(requests_of(bob, "BYE")) == 1


def test_an_answer_without_a_stored_tag_is_hung_up_with_the_tag_of_the_cancel() -> None:
    network, alice, bob = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    state = call.state()
    network.run(0.1)
    bob.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    end_stale(network, state)
    assert bob.events_of(bob.incoming[0]) == [Answered(b""), Ended("bye")]
    assert len(requests_of(bob, "BYE")) == 1


@pytest.mark.parametrize("lost", ["CANCEL", "200", "487"])
def test_a_ringing_call_ends_whatever_message_is_lost(lost: str) -> None:
    network, alice, bob = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    bob.incoming[0].ring(network.now)
    network.run(0.1)
    matches = {"CANCEL": is_request("CANCEL"), "200": is_status(200, "CANCEL"), "487": is_status(487)}[lost]
    network.lose = lose_first([True], matches)
    end_stale(network, call.state())
    assert bob.events_of(bob.incoming[0]) == [Ended("cancelled")]
    network.run(40)
    assert len(requests_of(bob, "BYE")) <= 1
    assert requests_of(bob, "ACK")


def test_an_answer_after_the_bye_of_the_ringing_call_is_acknowledged_without_another_bye() -> None:
    network, alice, bob = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    bob.incoming[0].ring(network.now)
    network.run(0.1)
    state = call.state()
    bob.incoming[0].answer(b"v=0\r\n", network.now)
    network.lose = is_status(200)
    network.run(0.05)
    heir = network.add("10.0.0.1")
    heir.agent.end_stale(state, now=network.now)
    network.run(1.0)
    assert requests_of(bob, "BYE")
    network.lose = lambda _message: False
    answer = Response.build(call.invite, 200, tag=bob.incoming[0].dialog.local_tag)
    network.inject(answer.serialize(), to="10.0.0.1")
    network.run(5)
    assert requests_of(bob, "ACK")
    assert len(requests_of(bob, "BYE")) == 1


def test_a_peer_that_knows_no_early_dialog_gets_its_bye_with_its_late_answer() -> None:
    network, alice, _ = make_pair()
    network.nodes.pop(BOB)
    call = alice.dial(f"sip:bob@{BOB}")
    ringing = Response.build(call.invite, 180, tag="far", fields=[("Contact", f"<sip:{BOB}>")])
    network.inject(ringing.serialize(), to="10.0.0.1")
    heir = network.add("10.0.0.1")
    heir.agent.end_stale(call.state(), now=network.now)
    network.pump()

    def answer_last(method: str, status: int) -> None:
        network.run(1.0)
        [*_, request] = [item for item in taken if item.method == method]
        network.inject(Response.build(request, status, tag="far").serialize(), to="10.0.0.1")

    taken: list[Request] = []

    def keep(message: Request | Response) -> bool:
        if isinstance(message, Request):
            taken.append(message)
        return False

    network.lose = keep
    answer_last("CANCEL", 200)
    answer_last("BYE", 481)
    answered = Response.build(call.invite, 200, tag="far", fields=[("Contact", f"<sip:{BOB}>")])
    for _ in range(2):
        network.inject(answered.serialize(), to="10.0.0.1")
    answer_last("BYE", 200)
    network.run(40)
    byes = [item for item in taken if item.method == "BYE"]
    assert len({bye.cseq for bye in byes}) == 2
    assert [item.method for item in taken].count("ACK") == 2


def test_a_challenge_between_storing_and_the_crash_is_followed() -> None:
    network, alice, bob = make_pair()
    call = alice.prepare(f"sip:bob@{BOB}", credentials=Credentials("a", "b"))
    state = call.state()
    call.send(network.now)
    network.run(0.1)
    bob.incoming[0].reject(401, fields=[("WWW-Authenticate", 'Digest realm="r", nonce="n"')], now=network.now)
    network.run(40)
    bob.incoming[1].ring(network.now)
    end_stale(network, state)
    assert bob.events_of(bob.incoming[1]) == [Ended("cancelled")]


def test_an_answered_call_is_hung_up() -> None:
    network, alice, bob = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    bob.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    ending, _ = end_stale(network, call.state())
    assert ending.method == "bye"
    assert bob.events_of(bob.incoming[0])[-1] == Ended("bye")


def test_an_answered_incoming_call_is_hung_up() -> None:
    network, alice, bob = make_pair()
    call = bob.dial("sip:agent@10.0.0.1")
    network.run(0.1)
    alice.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    ending, _ = end_stale(network, alice.incoming[0].state())
    assert ending.method == "bye"
    assert bob.events_of(call)[-1] == Ended("bye")


def test_a_ringing_incoming_call_is_refused() -> None:
    network, alice, bob = make_pair()
    call = bob.dial("sip:agent@10.0.0.1")
    network.run(0.1)
    alice.incoming[0].ring(network.now)
    network.run(0.1)
    ending, _ = end_stale(network, alice.incoming[0].state())
    assert ending.method == "reject"
    assert getattr(bob.events_of(call)[-1], "status", None) == 480


def test_an_incoming_call_that_was_answered_after_it_was_stored_is_hung_up() -> None:
    network, alice, bob = make_pair()
    call = bob.dial("sip:agent@10.0.0.1")
    network.run(0.1)
    state = alice.incoming[0].state()
    alice.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    end_stale(network, state)
    assert bob.events_of(call)[-1] == Ended("bye")


def test_a_call_that_had_ended_needs_nothing() -> None:
    network, alice, bob = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    bob.incoming[0].reject(486, now=network.now)
    network.run(0.1)
    before = len(bob.received)
    ending, _ = end_stale(network, call.state())
    assert ending.method == "none"
    assert len(bob.received) == before


def test_a_dead_far_end_is_given_up() -> None:
    network, alice, _ = make_pair()
    call = alice.dial(f"sip:bob@{BOB}")
    network.run(0.1)
    network.lose = is_request("CANCEL")
    end_stale(network, call.state())


@pytest.mark.parametrize("state", [
    {},
    {"role": "caller"},
    {"role": "caller", "phase": "early", "invite": 5, "transport": "udp", "host": "h", "port": 1, "dialog": None},
    {"role": "caller", "phase": "early", "invite": "x", "transport": "udp", "host": "h", "port": 1, "dialog": None},
    {"role": "caller", "phase": "early", "invite": "x", "transport": "udp", "host": "h", "port": 1, "dialog": {"a": 1}},
])  # fmt: skip
def test_a_state_that_is_not_ours_is_a_value_error(state: dict[str, object]) -> None:
    agent = UserAgent(locate=lambda _: ("10.0.0.1", 5060), admit=admit_all, user_agent="Test")
    with pytest.raises(ValueError, match=r".+"):
        agent.end_stale(state, now=0.0)
