"""Requests outside of dialogs: numbering, challenges, deadlines and what is told of them."""

from ringdown.sip.destination import Destination
from ringdown.sip.digest import Credentials
from ringdown.sip.events import NO_RESPONSE, TRANSPORT_FAILED
from ringdown.sip.inquiry import Inquirer, Reply
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.stack import Stack

HOP = Destination("udp", "192.0.2.2", 5060)


class Bench:
    """An inquirer, what it sent, and what it was told."""

    def __init__(self, *, credentials: Credentials | None = None) -> None:
        self.stack = Stack(locate=lambda _: ("192.0.2.1", 5070), user_agent="Test")
        self.inquirer = Inquirer(
            self.stack, target="sip:example.net", from_uri="sip:alice@example.net", credentials=credentials
        )
        self.now = 100.0
        self.replies: list[Reply] = []

    def ask(self, *headers: tuple[str, str], timeout_s: float = 32.0) -> Request:
        self.inquirer.ask(
            "OPTIONS", hop=HOP, now=self.now, timeout_s=timeout_s, on_reply=self.replies.append, headers=headers
        )
        return self.take()

    def take(self) -> Request:
        [transmission] = self.stack.transactions.data_to_send()
        request = parse_message(transmission.data)
        assert isinstance(request, Request)
        return request

    def answer(self, request: Request, status: int, *fields: tuple[str, str]) -> None:
        response = Response.build(request, status, tag="t", fields=fields)
        self.stack.transactions.receive_response(response, self.now, HOP)

    def run(self, seconds: float) -> None:
        self.now += seconds
        self.stack.transactions.timers.run_due(self.now)


def test_a_request_has_what_it_needs_and_the_reply_its_round_trip() -> None:
    bench = Bench()
    request = bench.ask(("Accept", "application/sdp"))
    assert (request.uri, request.from_.uri, request.to.uri) == (
        "sip:example.net", "sip:alice@example.net", "sip:example.net",
    )  # fmt: skip
    assert (request.via.host, request.via.port, request.headers.get("Max-Forwards")) == ("192.0.2.1", 5070, "70")
    assert request.headers.get("Accept") == "application/sdp"
    bench.now += 0.25
    bench.answer(request, 100)
    assert bench.replies == []
    bench.answer(request, 486)
    [reply] = bench.replies
    assert (reply.status, reply.reason, reply.round_trip_ms, reply.source) == (
        486,
        "Busy Here",
        250,
        ("192.0.2.2", 5060),
    )


def test_requests_of_one_inquirer_share_the_call_and_count_up() -> None:
    bench = Bench()
    first, second = bench.ask(), bench.ask()
    assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
    assert (first.cseq, second.cseq) == (1, 2)
    assert first.via.branch != second.via.branch


def test_a_challenge_is_answered_once_and_a_second_one_is_the_reply() -> None:
    bench = Bench(credentials=Credentials("alice", "secret"))
    challenge = ("WWW-Authenticate", 'Digest realm="r", nonce="n"')
    bench.answer(bench.ask(), 401, challenge)
    again = bench.take()
    assert again.cseq == 2
    assert 'username="alice"' in (again.headers.get("Authorization") or "")
    bench.answer(again, 401, challenge)
    assert [reply.status for reply in bench.replies] == [401]
    later = bench.ask()
    assert 'username="alice"' in (later.headers.get("Authorization") or "")


def test_without_credentials_a_challenge_is_the_reply() -> None:
    bench = Bench()
    bench.answer(bench.ask(), 407, ("Proxy-Authenticate", 'Digest realm="r", nonce="n"'))
    assert [(reply.status, reply.is_local) for reply in bench.replies] == [(407, False)]


def test_silence_ends_at_the_deadline_also_after_a_challenge() -> None:
    bench = Bench(credentials=Credentials("alice", "secret"))
    request = bench.ask(timeout_s=8)
    bench.run(5)
    bench.stack.transactions.data_to_send()
    bench.answer(request, 401, ("WWW-Authenticate", 'Digest realm="r", nonce="n"'))
    bench.run(2.9)
    assert bench.replies == []
    bench.run(0.2)
    assert bench.replies == [Reply(status=408, reason=NO_RESPONSE, is_local=True, hop=HOP, fault="timed out")]


def test_a_request_that_cannot_be_sent_is_told_with_the_fault() -> None:
    bench = Bench()
    request = bench.ask()
    bench.stack.transactions.reach.note_fault(HOP, "network unreachable")
    client = bench.stack.transactions.find_client(request.via.branch, "OPTIONS")
    assert client is not None
    client.fail_transport(bench.now)
    assert bench.replies == [
        Reply(status=503, reason=TRANSPORT_FAILED, is_local=True, hop=HOP, fault="network unreachable")
    ]
