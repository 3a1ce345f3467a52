"""Transactions of RFC 3261 §17 and RFC 6026, each timer at its instant."""

import pytest

from ringdown.sip import hop
from ringdown.sip.destination import Destination
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.timers import Timers
from ringdown.sip.transaction import ClientTransaction, ServerTransaction, Timing, Transactions, response_destination
from ringdown.sip.transmission import Transmission

UDP = Destination("udp", "192.0.2.2", 5060)
TCP = Destination("tcp", "192.0.2.2", 5060)


def make_request(method: str, *, via: str = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx;rport") -> Request:
    return Request.build(
        method,
        "sip:bob@192.0.2.2",
        [
            ("Via", via),
            ("Route", "<sip:proxy;lr>"),
            ("From", "<sip:a@b>;tag=f"),
            ("To", "<sip:b@c>"),
            ("Call-ID", "c"),
            ("CSeq", f"7 {method}"),
        ],
    )


class Bench:
    """A transaction layer with a hand-turned clock; also the user of its client transactions."""

    def __init__(self) -> None:
        self.layer = Transactions(Timing())
        self.now = 0.0
        self.sent: list[tuple[float, str]] = []
        self.told: list[object] = []

    def on_response(self, response: Response, _now: float) -> None:
        self.told.append(response.status)

    def on_failure(self, failure: str, _now: float) -> None:
        self.told.append((failure, self.now))

    def request(self, method: str, destination: Destination = UDP) -> ClientTransaction:
        client = self.layer.request(make_request(method), destination=destination, user=self, now=self.now)
        self.drain()
        return client

    def serve(self, method: str, source: Destination = UDP) -> ServerTransaction:
        return self.layer.serve(make_request(method), source=source)

    def answer(self, client: ClientTransaction, status: int, tag: str = "t") -> None:
        self.layer.receive_response(Response.build(client.request, status, tag=tag), self.now)
        self.drain()

    def respond(self, server: ServerTransaction, status: int) -> None:
        server.respond(Response.build(server.request, status, tag="t"), self.now)
        self.drain()

    def run_to(self, instant: float) -> None:
        while (due := self.layer.timers.next_timeout()) is not None and due <= instant:
            self.now = due
            self.layer.timers.run_due(due)
            self.drain()
        self.now = instant

    def drain(self) -> None:
        for transmission in self.layer.data_to_send():
            line = transmission.data.split(b"\r\n")[0].decode()
            self.sent.append((self.now, line.split()[1] if line.startswith("SIP/2.0") else line.split()[0]))

    def instants(self, what: str) -> list[float]:
        return [instant for instant, name in self.sent if name == what]


def test_an_invite_is_repeated_by_timer_a_and_given_up_by_timer_b() -> None:
    bench = Bench()
    bench.request("INVITE")
    bench.run_to(100)
    assert bench.instants("INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.told == [("timeout", 32.0)]
    assert bench.layer.count() == 0


def test_another_request_is_repeated_by_timer_e_and_given_up_by_timer_f() -> None:
    bench = Bench()
    bench.request("BYE")
    bench.run_to(100)
    assert bench.instants("BYE") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.told == [("timeout", 32.0)]


def test_a_provisional_response_slows_timer_e_to_t2() -> None:
    bench = Bench()
    client = bench.request("OPTIONS")
    bench.answer(client, 100)
    bench.run_to(9)
    assert bench.instants("OPTIONS") == [0, 0.5, 4.5, 8.5]


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_nothing_is_repeated_over_tcp(method: str) -> None:
    bench = Bench()
    bench.request(method, TCP)
    bench.run_to(100)
    assert bench.instants(method) == [0]
    assert bench.told == [("timeout", 32.0)]


def test_a_provisional_response_stops_timers_a_and_b() -> None:
    bench = Bench()
    client = bench.request("INVITE")
    bench.answer(client, 180)
    bench.run_to(300)
    assert bench.instants("INVITE") == [0]
    assert bench.told == [180]
    bench.answer(client, 180)
    assert bench.told == [180, 180]


def test_a_refusal_is_acknowledged_each_time_until_timer_d() -> None:
    bench = Bench()
    client = bench.request("INVITE")
    bench.answer(client, 486)
    bench.run_to(5)
    bench.answer(client, 486)
    bench.answer(client, 200)
    assert bench.instants("ACK") == [0, 5]
    assert bench.told == [486]
    bench.run_to(31.9)
    assert bench.layer.count() == 1
    bench.run_to(32)
    assert bench.layer.count() == 0


def test_over_tcp_a_refused_invite_is_done_at_once() -> None:
    bench = Bench()
    bench.answer(bench.request("INVITE", TCP), 486)
    assert bench.instants("ACK") == [0]
    assert bench.layer.count() == 0


def test_every_answer_within_timer_m_is_passed_on_and_refusals_are_not() -> None:
    bench = Bench()
    client = bench.request("INVITE")
    bench.answer(client, 200, "fork-1")
    bench.answer(client, 200, "fork-2")
    bench.answer(client, 487)
    assert bench.told == [200, 200]
    assert bench.instants("ACK") == []
    bench.run_to(32)
    assert bench.layer.count() == 0


def test_a_late_response_is_stray() -> None:
    bench = Bench()
    client = bench.request("BYE", TCP)
    bench.answer(client, 200)
    assert not bench.layer.receive_response(Response.build(client.request, 200, tag="t"), bench.now)


def test_a_bye_over_udp_absorbs_repeated_responses_until_timer_k() -> None:
    bench = Bench()
    client = bench.request("BYE")
    bench.answer(client, 200)
    bench.answer(client, 200)
    assert bench.told == [200]
    bench.run_to(4.9)
    assert bench.layer.count() == 1
    bench.run_to(5)
    assert bench.layer.count() == 0


def test_a_transport_failure_is_told_once() -> None:
    bench = Bench()
    client = bench.layer.request(make_request("INVITE"), destination=TCP, user=bench, now=0)
    for transmission in bench.layer.data_to_send():
        assert transmission.on_failure is not None
        transmission.on_failure(0)
        transmission.on_failure(0)
    assert bench.told == [("transport", 0.0)]
    assert client.state == "terminated"


def make_waiting(bench: Bench, branch: str) -> ClientTransaction:
    request = make_request("BYE", via=f"SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{branch}")
    return bench.layer.request(request, destination=TCP, user=bench, now=0)


def test_a_broken_connection_fails_only_what_was_sent_on_it_and_never_answered() -> None:
    bench = Bench()
    ringing = bench.request("INVITE", TCP)
    ringing.note_sent(1, False)
    bench.answer(ringing, 180)
    waiting, elsewhere, connecting = (make_waiting(bench, branch) for branch in "abc")
    waiting.note_sent(1, False)
    elsewhere.note_sent(2, False)
    bench.layer.lose_connection(1, 0)
    assert bench.told == [180, ("transport", 0.0)]
    assert [item.state for item in (ringing, elsewhere, connecting)] == ["proceeding", "trying", "trying"]


def test_a_request_on_a_reused_connection_that_breaks_is_sent_once_more() -> None:
    bench = Bench()
    waiting = make_waiting(bench, "a")
    for connection in (1, 2):
        [transmission] = bench.layer.data_to_send()
        assert transmission.data == waiting.request.serialize()
        assert transmission.on_sent is not None
        transmission.on_sent(connection, True)
        assert bench.told == []
        bench.layer.lose_connection(connection, 0)
    assert bench.layer.data_to_send() == []
    assert bench.told == [("transport", 0.0)]


def test_an_invite_is_believed_refused_at_the_third_time_but_not_once_it_was_answered() -> None:
    bench = Bench()
    client = bench.request("INVITE")
    for told in ([], [], [("transport", 0.0)]):
        client.receive_refusal(0)
        assert bench.told == told
    assert client.state == "terminated"
    ringing = bench.request("INVITE")
    bench.answer(ringing, 180)
    for _ in range(5):
        ringing.receive_refusal(0)
    assert ringing.state == "proceeding"


def test_a_refused_invite_is_repeated_by_timer_g_until_timer_h() -> None:
    bench = Bench()
    bench.respond(bench.serve("INVITE"), 486)
    bench.run_to(100)
    assert bench.instants("486") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.layer.count() == 0


def test_the_ack_stops_timer_g_and_timer_i_absorbs_more_of_them() -> None:
    bench = Bench()
    server = bench.serve("INVITE")
    bench.respond(server, 486)
    assert server.receive_ack(0)
    assert server.receive_ack(0)
    bench.run_to(4.9)
    assert (bench.instants("486"), bench.layer.count()) == ([0], 1)
    bench.run_to(5)
    assert bench.layer.count() == 0


def test_over_tcp_a_refusal_is_sent_once_and_the_ack_ends_it() -> None:
    bench = Bench()
    server = bench.serve("INVITE", TCP)
    bench.respond(server, 486)
    bench.run_to(20)
    assert bench.instants("486") == [0]
    server.receive_ack(20)
    assert bench.layer.count() == 0


def test_a_repeated_invite_gets_the_last_response_but_never_an_answer() -> None:
    bench = Bench()
    server = bench.serve("INVITE")
    server.receive_again()
    bench.respond(server, 180)
    server.receive_again()
    bench.respond(server, 200)
    server.receive_again()
    bench.drain()
    assert [name for _, name in bench.sent] == ["180", "180", "200"]
    assert not server.receive_ack(0)
    bench.run_to(32)
    assert bench.layer.count() == 0


def test_a_repeated_bye_gets_its_response_again_until_timer_j() -> None:
    bench = Bench()
    server = bench.serve("BYE")
    bench.respond(server, 200)
    bench.respond(server, 500)
    server.receive_again()
    bench.drain()
    assert [name for _, name in bench.sent] == ["200", "200"]
    bench.run_to(32)
    assert bench.layer.count() == 0


@pytest.mark.parametrize(("via", "same"), [
    ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx;rport", True),
    ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother", False),
    ("SIP/2.0/UDP 192.0.2.1:5099;branch=z9hG4bKx", False),
    ("SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx", False),
])  # fmt: skip
def test_a_request_matches_by_branch_and_sent_by(via: str, same: bool) -> None:
    bench = Bench()
    server = bench.serve("INVITE")
    assert (bench.layer.find_server(make_request("INVITE", via=via)) is server) is same
    assert (bench.layer.find_server(make_request("ACK", via=via)) is server) is same
    assert (bench.layer.find_server(make_request("CANCEL", via=via), method="INVITE") is server) is same
    assert bench.layer.find_server(make_request("CANCEL", via=via)) is None


def test_a_peer_without_the_magic_cookie_still_matches() -> None:
    bench = Bench()
    server = bench.layer.serve(make_request("INVITE", via="SIP/2.0/UDP 192.0.2.1;branch=1"), source=UDP)
    assert bench.layer.find_server(make_request("ACK", via="SIP/2.0/UDP 192.0.2.1;branch=1")) is server
    assert bench.layer.find_server(make_request("ACK", via="SIP/2.0/UDP 192.0.2.1;branch=2")) is None


@pytest.mark.parametrize(("via", "source", "expected"), [
    ("SIP/2.0/UDP 10.0.0.1:5070;branch=b;rport", UDP, UDP),
    ("SIP/2.0/UDP 10.0.0.1:5070;branch=b", UDP, Destination("udp", "192.0.2.2", 5070)),
    ("SIP/2.0/UDP 10.0.0.1;branch=b", Destination("udp", "192.0.2.2", 40_000), UDP),
    ("SIP/2.0/TCP 10.0.0.1:5070;branch=b", TCP, Destination("tcp", "192.0.2.2", 5070)),
])  # fmt: skip
def test_a_response_goes_to_the_source(via: str, source: Destination, expected: Destination) -> None:
    assert response_destination(make_request("INVITE", via=via), source) == expected


def test_a_cancel_is_the_invite_but_for_its_method() -> None:
    invite = make_request("INVITE")
    cancel = hop.build_cancel(invite)
    assert (cancel.uri, cancel.cseq, cancel.call_id, cancel.via) == (invite.uri, 7, "c", invite.via)
    assert cancel.headers.get("Route") == "<sip:proxy;lr>"
    assert cancel.to.tag is None


def test_timers_run_in_order_and_not_after_they_were_cancelled() -> None:
    timers, ran = Timers(), list[str]()
    timers.start(2.0, lambda _: ran.append("late"))

    def chain(now: float) -> None:
        ran.append("early")
        timers.start(now, lambda _: ran.append("chained"))

    timers.start(1.0, chain)
    cancelled = timers.start(0.5, lambda _: ran.append("never"))
    cancelled.cancel()
    assert timers.next_timeout() == 1.0
    timers.run_due(1.5)
    assert ran == ["early", "chained"]
    timers.run_due(2.0)
    assert ran == ["early", "chained", "late"]
    assert timers.next_timeout() is None


class LargeBench(Bench):
    """A bench whose requests are too large for UDP; keeps what was sent as messages with their destinations."""

    def __init__(self) -> None:
        super().__init__()
        self.transmissions: list[Transmission] = []

    def request(self, method: str, destination: Destination = UDP, *, size: int = 1301) -> ClientTransaction:
        request = make_request(method)
        request.body = b"x" * 1000
        request.body = b"x" * (1000 + size - len(request.serialize()))
        client = self.layer.request(request, destination=destination, user=self, now=self.now)
        self.drain()
        return client

    def drain(self) -> None:
        self.transmissions += (taken := self.layer.data_to_send())
        self.sent += [(self.now, one.destination.transport) for one in taken]

    def fail(self) -> None:
        on_failure = self.transmissions[-1].on_failure
        assert on_failure is not None
        on_failure(self.now)
        self.drain()

    def via_transports(self) -> list[str]:
        return [parse_message(one.data).via.transport for one in self.transmissions]


def test_a_request_over_1300_bytes_goes_over_tcp_and_its_via_says_so() -> None:
    bench = LargeBench()
    bench.request("INVITE")
    bench.run_to(31)
    assert (bench.via_transports(), bench.sent) == (["TCP"], [(0, "tcp")])
    assert bench.transmissions[0].connect_timeout_s == 1.5


def test_a_request_of_1300_bytes_or_to_a_named_stream_stays_where_it_is() -> None:
    bench = LargeBench()
    bench.request("INVITE", size=1300)
    bench.request("BYE", TCP)
    assert [transport for _, transport in bench.sent] == ["udp", "tcp"]
    bench.fail()
    assert bench.told == [("transport", 0)]


def test_a_large_request_falls_back_to_udp_when_tcp_fails_and_the_next_one_does_not_try_again() -> None:
    bench = LargeBench()
    bench.request("INVITE")
    bench.now = 1.5
    bench.fail()
    assert (bench.via_transports(), bench.told) == (["TCP", "UDP"], [])
    bench.run_to(3)
    assert bench.sent == [(0, "tcp"), (1.5, "udp"), (2.0, "udp"), (3.0, "udp")]
    bench.request("BYE")
    assert bench.sent[-1] == (3.0, "udp")
    bench.run_to(32)
    assert bench.told[0] == ("timeout", 32.0)


def test_a_large_request_whose_stream_breaks_unanswered_falls_back_to_udp() -> None:
    bench = LargeBench()
    client = bench.request("INVITE")
    client.note_sent(7, False)
    bench.layer.lose_connection(7, 0.1)
    bench.drain()
    assert bench.via_transports() == ["TCP", "UDP"]


def test_the_cancel_and_the_ack_of_a_large_invite_take_its_way() -> None:
    bench = LargeBench()
    invite = bench.request("INVITE")
    bench.layer.request(hop.build_cancel(invite.request), destination=UDP, user=bench, now=0)
    bench.layer.receive_response(Response.build(invite.request, 487, tag="t"), 0)
    bench.drain()
    assert [transport for _, transport in bench.sent] == ["tcp"] * 3
    assert bench.via_transports() == ["TCP"] * 3


def test_a_failed_transaction_knows_the_fault_that_was_noted_and_an_answer_clears_it() -> None:
    bench = Bench()
    client = bench.request("OPTIONS", TCP)
    bench.layer.reach.note_fault(TCP, "connection refused")
    client.fail_transport(0)
    assert client.fault == bench.layer.reach.find_fault(TCP) == "connection refused"
    bench.answer(bench.request("OPTIONS", TCP), 200)
    assert bench.layer.reach.find_fault(TCP) is None


def test_a_timeout_and_a_refusing_host_are_faults() -> None:
    bench = Bench()
    timed_out, refused = bench.request("OPTIONS"), bench.request("BYE")
    for _ in range(3):
        refused.receive_refusal(0)
    assert (refused.fault, bench.layer.reach.find_fault(UDP)) == ("connection refused", "connection refused")
    bench.run_to(40)
    assert (timed_out.fault, bench.layer.reach.find_fault(UDP)) == ("timed out", "timed out")


@pytest.mark.parametrize(("params", "observed"), [
    (";received=203.0.113.7;rport=61000", ("203.0.113.7", 61000)),
    (";rport=5060", ("192.0.2.1", 5060)),
    (";rport", None),
    (";rport=-1", None),
    (";received=203.0.113.7", None),
])  # fmt: skip
def test_our_address_as_a_peer_saw_it_is_kept(params: str, observed: tuple[str, int] | None) -> None:
    layer = Transactions(Timing())
    request = make_request("OPTIONS", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKy")
    layer.request(request, destination=UDP, user=Bench(), now=0)
    answered = make_request("OPTIONS", via=f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKy{params}")
    layer.receive_response(Response.build(answered, 200, tag="t"), 0, UDP)
    assert layer.reach.observed.get("192.0.2.2") == observed


def test_a_response_over_tls_goes_to_the_tls_port_when_via_names_none() -> None:
    source = Destination("tls", "192.0.2.2", 40000, 3)
    request = make_request("OPTIONS", via="SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKy;rport")
    assert response_destination(request, source) == Destination("tls", "192.0.2.2", 5061)
