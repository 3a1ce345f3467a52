"""Peers that ask for credentials: each request is challenged at most once in vain."""

import pytest

from ringdown.sip.digest import Challenge, Credentials
from ringdown.sip.events import Ended, Rejected
from ringdown.sip.message import Request, Response
from tests.unit.sip.calls import ANSWER, make_pair
from tests.unit.sip.network import is_authorized


@pytest.mark.parametrize(("status", "challenge_header", "answer_header"), [
    (401, "WWW-Authenticate", "Authorization"),
    (407, "Proxy-Authenticate", "Proxy-Authorization"),
])  # fmt: skip
def test_a_challenge_is_answered_once_with_a_new_number(status: int, challenge_header: str, answer_header: str) -> None:
    network, alice, bob = make_pair()
    credentials = Credentials("alice", "secret")
    call = alice.dial("sip:bob@10.0.0.2", credentials=credentials)
    network.run(0.1)
    first = bob.incoming[0]
    first.reject(status, fields=[(challenge_header, 'Digest realm="r", nonce="n", qop="auth"')], now=network.now)
    network.run(0.1)
    second = bob.incoming[1]
    answer = second.invite.headers.get(answer_header) or ""
    assert is_authorized(answer, challenge=Challenge("r", "n", has_qop=True), credentials=credentials, method="INVITE")
    assert second.invite.cseq == first.invite.cseq + 1
    assert second.invite.call_id == first.invite.call_id
    assert second.invite.via.branch != first.invite.via.branch
    second.reject(status, fields=[(challenge_header, 'Digest realm="r", nonce="m", qop="auth"')], now=network.now)
    network.run(0.1)
    assert [event for event in alice.events_of(call) if isinstance(event, Rejected)] == [
        Rejected(status, "Unauthorized" if status == 401 else "Proxy Authentication Required")
    ]


def test_a_challenge_without_credentials_is_a_refusal() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2")
    network.run(0.1)
    bob.incoming[0].reject(401, fields=[("WWW-Authenticate", 'Digest realm="r", nonce="n"')], now=network.now)
    network.run(0.1)
    assert alice.events_of(call) == [Rejected(401, "Unauthorized")]


def test_a_challenged_bye_is_repeated_with_credentials() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", credentials=Credentials("alice", "secret"))
    network.run(0.1)
    bob.incoming[0].answer(ANSWER, network.now)
    network.run(0.1)
    byes: list[Request] = []

    def lose_first_bye(message: Request | Response) -> bool:
        if isinstance(message, Request) and message.method == "BYE":
            byes.append(message)
        return message in byes[:1]

    network.lose = lose_first_bye
    call.bye(network.now)
    network.pump()
    challenge = [("Proxy-Authenticate", 'Digest realm="r", nonce="n"')]
    network.inject(Response.build(byes[0], 407, fields=challenge).serialize(), to="10.0.0.1")
    network.run(0.1)
    assert byes[1].cseq == byes[0].cseq + 1
    assert "Digest" in (byes[1].headers.get("Proxy-Authorization") or "")
    assert bob.events_of(bob.incoming[0])[-1] == Ended("bye")


def test_a_bye_is_answered_again_when_the_nonce_of_the_invite_holds_no_more() -> None:
    network, alice, bob = make_pair()
    call = alice.dial("sip:bob@10.0.0.2", credentials=Credentials("alice", "secret"))
    network.run(0.1)
    bob.incoming[0].reject(401, fields=[("WWW-Authenticate", 'Digest realm="r", nonce="1"')], now=network.now)
    network.run(0.1)
    bob.incoming[1].answer(ANSWER, network.now)
    network.run(0.1)
    byes: list[Request] = []

    def keep(message: Request | Response) -> bool:
        if isinstance(message, Request) and message.method == "BYE":
            byes.append(message)
        return message in byes

    network.lose = keep
    call.bye(network.now)
    network.pump()
    for nonce in ("2", "3"):
        challenge = [("WWW-Authenticate", f'Digest realm="r", nonce="{nonce}"')]
        network.inject(Response.build(byes[-1], 401, fields=challenge).serialize(), to="10.0.0.1")
    nonces = [(bye.headers.get("Authorization") or "").partition('nonce="')[2][0] for bye in byes]
    assert nonces == ["1", "2"]
    assert alice.events_of(call)[-1] == Ended("local")
