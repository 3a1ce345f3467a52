"""Session timers in both roles: who refreshes, by what, and how a dead peer is noticed (RFC 4028)."""

import pytest

from ringdown.sip.events import Ended, Event, Rejected
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.message import Request, Response
from ringdown.sip.outgoing import OutgoingSession
from ringdown.sip.refresh import Interval, SessionTimer, read_interval
from tests.unit.sip.calls import ANSWER, in_dialog, make_pair, pass_back, ring
from tests.unit.sip.network import Network, Node, is_request

REQUEST = SessionTimer(expires_s=600, mode="request")
OFF = SessionTimer(mode="off")


def connect(
    ours: SessionTimer | None, theirs: SessionTimer | None = None
) -> tuple[Network, Node, Node, OutgoingSession, IncomingSession]:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", session_timer=ours)
    network.run(0.1)
    bob.incoming[-1].answer(ANSWER, network.now, session_timer=theirs)
    network.run(0.1)
    return network, alice, bob, call, bob.incoming[-1]


def count(node: Node, method: str) -> int:
    return node.summary().count(method)


def last_event(node: Node, call: object) -> Event:
    return node.events_of(call)[-1]


def test_without_a_wish_no_timer_runs() -> None:
    network, alice, bob, call, _ = connect(None)
    network.run(100)
    assert alice.agent.next_timeout() is None
    assert alice.received[1].headers.get("Session-Expires") is None
    assert "timer" in bob.received[0].headers.get_all("Supported")
    assert not isinstance(last_event(alice, call), Ended)


def test_the_caller_that_asks_refreshes_by_update_at_half_time_and_the_call_goes_on() -> None:
    network, alice, bob, call, incoming = connect(REQUEST)
    answer = next(item for item in alice.received if isinstance(item, Response) and item.status == 200)
    assert (answer.headers.get("Session-Expires"), answer.headers.get("Require")) == ("600;refresher=uac", "timer")
    network.run(299)
    assert count(bob, "UPDATE") == 0
    network.run(2)
    assert count(bob, "UPDATE") == 1
    network.run(3000)
    assert count(bob, "UPDATE") == 11
    assert not isinstance(last_event(alice, call), Ended)
    assert not isinstance(last_event(bob, incoming), Ended)


def test_the_callee_that_asks_refreshes_itself() -> None:
    network, alice, bob, _, incoming = connect(None, REQUEST)
    network.run(700)
    assert count(alice, "UPDATE") == 2
    assert not isinstance(last_event(bob, incoming), Ended)


def test_a_peer_that_does_not_allow_update_gets_the_same_offer_again() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", session_timer=REQUEST)
    network.run(0.1)
    network.lose = lambda message: isinstance(message, Response)  # the peer's words are written by hand
    told: list[bytes] = []
    call.on_answer = told.append
    fields = [
        ("Contact", "<sip:bob@10.0.0.2>"),
        ("Allow", "INVITE, ACK, BYE"),
        ("Session-Expires", "90;refresher=uac"),
    ]
    pass_back(network, bob.incoming[0].invite, 200, fields=fields, body=ANSWER, tag="t")
    network.run(46)
    again = bob.received[-1]
    assert isinstance(again, Request)
    assert (again.method, again.body, again.headers.get("Session-Expires")) == (
        "INVITE",
        b"v=0\r\n",
        "90;refresher=uac",
    )
    pass_back(network, again, 200, fields=fields, body=b"v=0\r\nmoved")
    network.run(0.1)
    assert told == [b"v=0\r\nmoved"]


@pytest.mark.parametrize("refresher", ["caller", "callee"])
def test_a_dead_peer_is_hung_up_when_the_session_expires(refresher: str) -> None:
    ours, theirs = (REQUEST, None) if refresher == "caller" else (None, REQUEST)
    network, alice, bob, call, incoming = connect(ours, theirs)
    network.lose = lambda _message: True
    network.run(610)
    assert last_event(alice, call) == Ended("expired")
    assert last_event(bob, incoming) == Ended("expired")
    assert sum(line.startswith("BYE") for _, _, line in network.sent) >= 2
    network.run(100)
    assert alice.agent._stack.sessions == {}


def test_a_lost_refresh_is_repeated_before_anything_ends() -> None:
    network, alice, bob, call, _ = connect(REQUEST)
    lost: list[object] = []

    def lose_three(message: Request | Response) -> bool:
        if is_request("UPDATE")(message) and len(lost) < 3:
            lost.append(message)
            return True
        return False

    network.lose = lose_three
    network.run(700)
    assert len(lost) == 3
    assert not isinstance(last_event(alice, call), Ended)
    assert count(bob, "UPDATE") == 2


def test_a_peer_that_no_longer_knows_the_call_expires_it_at_once() -> None:
    network, alice, bob, call, _ = connect(REQUEST)
    bob.agent._stack.sessions.clear()
    network.run(301)
    assert last_event(alice, call) == Ended("expired")


def test_a_too_small_interval_is_422_and_the_caller_takes_the_larger_one_once() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", session_timer=SessionTimer(expires_s=100, mode="request"))
    network.run(0.1)
    bob.incoming[0].answer(ANSWER, network.now, session_timer=SessionTimer(expires_s=3600, min_se_s=1200))
    network.run(0.1)
    assert bob.events_of(bob.incoming[0]) == [Rejected(422, "Session Interval Too Small", is_local=True)]
    second = bob.incoming[1].invite
    assert (second.headers.get("Session-Expires"), second.headers.get("Min-SE")) == ("1200", "1200")
    bob.incoming[1].answer(ANSWER, network.now, session_timer=SessionTimer(expires_s=3600, min_se_s=3600))
    network.run(0.1)
    assert last_event(alice, call) == Rejected(422, "Session Interval Too Small")
    assert len(bob.incoming) == 2


def test_an_interval_below_90_seconds_never_rings() -> None:
    network, _, bob = make_pair()
    network.nodes["10.0.0.1"].dial("sip:bob@10.0.0.2", headers=[("Session-Expires", "30")])
    network.run(0.1)
    assert bob.incoming == []
    refusal = network.nodes["10.0.0.1"].received[0]
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.headers.get("Min-SE")) == (422, "90")


def test_a_required_timer_that_is_off_here_is_420() -> None:
    network, alice, bob = make_pair()
    alice.dial("sip:bob@10.0.0.2", headers=[("Require", "timer"), ("Session-Expires", "600")])
    network.run(0.1)
    bob.incoming[0].answer(ANSWER, network.now, session_timer=OFF)
    network.run(0.1)
    refusal = alice.received[-1]
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.headers.get("Unsupported")) == (420, "timer")


def test_off_neither_offers_nor_accepts() -> None:
    network, alice, bob, call, _ = connect(OFF, REQUEST)
    assert "timer" not in bob.received[0].headers.get_all("Supported")
    network.run(1000)
    assert count(bob, "UPDATE") == 0  # the callee refreshes for itself, and the answers hold it up
    assert not isinstance(last_event(alice, call), Ended)


def test_an_interval_that_a_proxy_wrote_for_a_caller_without_timers_is_refreshed_by_us() -> None:
    network, alice, bob = make_pair()
    alice.dial("sip:bob@10.0.0.2", session_timer=OFF, headers=[("Session-Expires", "600")])
    network.run(0.1)
    bob.incoming[0].answer(ANSWER, network.now)
    network.run(0.1)
    answer = next(item for item in alice.received if isinstance(item, Response) and item.status == 200)
    assert answer.headers.get("Session-Expires") == "600;refresher=uas"
    assert answer.headers.get("Require") is None


def test_a_peer_that_states_no_time_at_all_is_not_refreshed_without_pause() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", session_timer=REQUEST)
    network.run(0.1)
    network.lose = lambda message: isinstance(message, Response)
    fields = [("Contact", "<sip:bob@10.0.0.2>"), ("Session-Expires", "0;refresher=uac")]
    pass_back(network, bob.incoming[0].invite, 200, fields=fields, body=ANSWER, tag="t")
    network.run(14)
    assert bob.summary() == ["INVITE", "ACK"]
    assert not isinstance(last_event(alice, call), Ended)


def test_an_update_in_an_early_dialog_starts_no_timer() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    fields = [("Session-Expires", "90;refresher=uac"), ("Supported", "timer"), ("Contact", "<sip:bob@10.0.0.2>")]
    network.inject(
        in_dialog(incoming, "UPDATE", branch="z9hG4bKu", cseq=1, fields=fields), to="10.0.0.1", source="10.0.0.2"
    )
    network.run(100)
    assert bob.received[-1].headers.get("Session-Expires") is None
    assert not any(isinstance(event, Ended) for event in alice.events_of(call))


@pytest.mark.parametrize(("text", "expected"), [
    ("1800", Interval(1800)),
    ("90 ; refresher=UAS", Interval(90, "uas")),
    ("90;refresher=nobody", Interval(90)),
    ("", None),
    ("-5", None),
    ("1e3", None),
    ("99999999999", None),
])  # fmt: skip
def test_a_session_expires_is_read_or_ignored(text: str, expected: Interval | None) -> None:
    network, _, bob = make_pair()
    network.nodes["10.0.0.1"].dial("sip:bob@10.0.0.2", headers=[("Session-Expires", text)])
    network.run(0.1)
    assert read_interval(bob.received[0]) == expected


@pytest.mark.parametrize(("expires_s", "min_se_s"), [(1800, 60), (100, 200), (60, 60)])
def test_a_timer_that_no_peer_may_accept_is_a_value_error(expires_s: int, min_se_s: int) -> None:
    with pytest.raises(ValueError, match="min_se_s"):
        SessionTimer(expires_s=expires_s, min_se_s=min_se_s)


def test_a_call_that_ends_takes_its_timer_with_it() -> None:
    network, alice, bob, call, _ = connect(REQUEST)
    call.bye(network.now)
    network.run(70)
    assert alice.agent.next_timeout() is None
    assert bob.agent.next_timeout() is None
