"""Answers through proxies: several of them, over routes, with contacts that cannot be used."""

from typing import Any

from ringdown.sip.events import Answered, Ended, Provisional
from ringdown.sip.incoming import IncomingSession
from ringdown.sip.message import Request, Response
from tests.unit.sip.calls import ANSWER, connect, last_response, make_pair, pass_back, ring
from tests.unit.sip.network import Network


def test_a_second_answer_of_a_fork_is_acknowledged_and_hung_up() -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    fork = network.add("10.0.0.3")
    other = Response.build(
        incoming.invite, 200, tag="other-fork", fields=[("Contact", "<sip:fork@10.0.0.3>")], body=ANSWER
    )
    network.inject(other.serialize(), to="10.0.0.1")
    network.inject(other.serialize(), to="10.0.0.1")
    network.run(0.1)
    assert fork.summary() == ["ACK", "BYE", "ACK"]
    assert alice.events_of(call)[-1] == Answered(ANSWER)
    call.bye(network.now)
    network.run(0.1)
    assert bob.events_of(incoming)[-1] == Ended("bye")


def test_early_dialogs_of_several_forks_do_not_disturb_the_answer() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    early = Response.build(incoming.invite, 183, tag="fork-2", fields=[("Contact", "<sip:fork@10.0.0.3>")], body=b"x")
    network.inject(early.serialize(), to="10.0.0.1")
    incoming.answer(ANSWER, network.now)
    network.run(0.1)
    call.bye(network.now)
    network.run(0.1)
    assert alice.events_of(call) == [
        Provisional(180, "Ringing", b""),
        Provisional(183, "Session Progress", b"x"),
        Answered(ANSWER),
        Ended("local"),
    ]
    assert bob.events_of(incoming)[-1] == Ended("bye")


def test_an_answer_with_an_unusable_contact_is_still_acknowledged() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    answer = Response.build(incoming.invite, 200, tag="t", fields=[("Contact", "<tel:123>")], body=ANSWER)
    network.inject(answer.serialize(), to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)
    assert alice.events_of(call)[-1] == Answered(ANSWER)
    assert bob.summary()[-1] == "ACK"


def test_record_routes_are_followed_in_reverse_by_the_caller() -> None:
    network, alice, bob = make_pair()
    proxy = network.add("10.0.0.8")
    call, incoming = ring(network, alice, bob)
    routes = [("Record-Route", "<sip:10.0.0.9;lr>, <sip:10.0.0.8;lr>"), ("Contact", "<sip:bob@10.0.0.2>")]
    network.inject(Response.build(incoming.invite, 200, tag="t", fields=routes).serialize(), to="10.0.0.1")
    network.run(0.1)
    call.bye(network.now)
    network.run(0.1)
    assert proxy.summary()[:2] == ["ACK", "BYE"]
    bye = proxy.received[1]
    assert isinstance(bye, Request)
    assert bye.uri == "sip:bob@10.0.0.2"
    assert bye.headers.get_all("Route") == ["<sip:10.0.0.8;lr>", "<sip:10.0.0.9;lr>"]


def early(network: Network, incoming: IncomingSession, tag: str, **options: Any) -> None:
    fields = [("Contact", f"<sip:{tag}@10.0.0.3>"), *options.pop("fields", [])]
    pass_back(network, incoming.invite, 183, tag=tag, fields=fields, **options)


def test_early_dialogs_are_told_apart_by_their_tag() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    early(network, incoming, "one", body=b"1")
    early(network, incoming, "two", body=b"2")
    early(network, incoming, "one", body=b"1")
    told = [(event.tag, event.body) for event in alice.events_of(call)[1:] if isinstance(event, Provisional)]
    assert told == [("one", b"1"), ("two", b"2"), ("one", b"1")]


def test_a_request_in_an_early_dialog_is_heard_whichever_fork_spoke_last() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    fork = network.add("10.0.0.3")
    early(network, incoming, "one", fields=[("Require", "100rel"), ("RSeq", "1")], body=b"1")
    early(network, incoming, "two", body=b"2")
    call.on_reoffer = lambda offer: b"answer to " + offer
    for tag, status in (("one", 200), ("two", 491), ("three", 481)):
        update = Request.build(
            "UPDATE",
            "sip:alice@10.0.0.1",
            [
                ("Via", f"SIP/2.0/UDP 10.0.0.3;branch=z9hG4bK{tag};rport"),
                ("From", f"<sip:bob@10.0.0.2>;tag={tag}"),
                ("To", f"<sip:alice@10.0.0.1>;tag={call.invite.from_.tag}"),
                ("Call-ID", call.invite.call_id),
                ("CSeq", "1 UPDATE"),
            ],
            b"offer",
        )
        network.inject(update.serialize(), to="10.0.0.1", source="10.0.0.3")
        network.run(0.1)
        assert last_response(fork).status == status
        assert last_response(fork).body == (b"answer to offer" if status == 200 else b"")


def test_the_answer_of_one_fork_has_its_own_early_description() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    early(network, incoming, "one", body=b"1")
    early(network, incoming, "two", body=b"2")
    pass_back(network, incoming.invite, 200, tag="one", fields=[("Contact", "<sip:one@10.0.0.3>")])
    assert alice.events_of(call)[-1] == Answered(b"1")


def test_countless_forks_fill_no_memory() -> None:
    network, alice, bob = make_pair()
    call, incoming = ring(network, alice, bob)
    for number in range(100):
        early(network, incoming, f"t{number}")
    assert len(call._early) <= 16
    incoming.answer(ANSWER, network.now)
    network.run(0.1)
    assert alice.events_of(call)[-1] == Answered(ANSWER)
