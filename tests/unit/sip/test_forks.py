"""Answers through proxies: several of them, over routes, with contacts that cannot be used."""

from ringdown.sip.events import Answered, Ended, Provisional
from ringdown.sip.message import Request, Response
from tests.unit.sip.calls import ANSWER, connect, make_pair, ring


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
