"""Digest on our side: right and wrong answers, stale nonces and replays, with our own client as the peer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.challenge import Algorithm, Challenger
from ringdown.sip.digest import Authenticator, Challenge, Credentials, build_authorization, parse_digest
from ringdown.sip.message import Request, Response

PASSWORDS = {"trunk": "s3cret", "näme": "pass wörd", "empty": ""}
URI = "sip:+4930123@agent.example.net"


def make_challenger(**options: float) -> Challenger:
    return Challenger("ringdown", b"k" * 32, **options)


def write(*fields: tuple[str, str], method: str = "INVITE", uri: str = URI) -> Request:
    mandatory = [
        ("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1"),
        ("From", "<sip:trunk@192.0.2.9>;tag=1"),
        ("To", f"<{URI}>"),
        ("Call-ID", "call"),
        ("CSeq", f"1 {method}"),
    ]
    return Request.build(method, uri, [*mandatory, *fields])


def answer(
    field: tuple[str, str],
    *,
    credentials: Credentials | None = None,
    count: int = 1,
    method: str = "INVITE",
    uri: str = URI,
) -> tuple[str, str]:
    value = build_authorization(
        Challenge.parse(field[1]),
        credentials=credentials or Credentials("trunk", "s3cret"),
        method=method,
        uri=uri,
        nonce_count=count,
        cnonce="c1",
    )
    return "Authorization", value


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("username", ["trunk", "näme"])
def test_the_answer_of_who_knows_the_password_is_taken(algorithm: Algorithm, username: str) -> None:
    challenger = make_challenger()
    field = challenger.challenge(100.0, algorithm=algorithm)
    credentials = Credentials(username, PASSWORDS[username])
    assert challenger.verify(write(answer(field, credentials=credentials)), PASSWORDS.get, 101.0) == "ok"


def test_our_own_client_gets_in_and_stays_in() -> None:
    challenger, client = make_challenger(nonce_lifetime_s=10), Authenticator(Credentials("trunk", "s3cret"))
    verdicts = []
    for now in (0.0, 5.0, 12.0):
        client.begin_request()
        request = write(*client.authorize("INVITE", URI))
        while (verdict := challenger.verify(request, PASSWORDS.get, now)) != "ok":
            verdicts.append(verdict)
            refusal = Response.build(request, 401, fields=[challenger.challenge(now, is_stale=verdict == "stale")])
            assert client.accept_challenge(refusal)
            request = write(*client.authorize("INVITE", URI))
    assert verdicts == ["missing", "stale"]


def test_a_challenge_names_the_realm_and_says_when_the_nonce_was_stale() -> None:
    name, value = make_challenger().challenge(1.0)
    assert name == "WWW-Authenticate"
    assert {**parse_digest(value), "nonce": ""} == {"realm": "ringdown", "nonce": "", "algorithm": "MD5", "qop": "auth"}
    assert parse_digest(make_challenger().challenge(1.0, is_stale=True)[1])["stale"] == "true"
    assert Challenge.parse(value).nonce != Challenge.parse(make_challenger().challenge(1.0)[1]).nonce


@pytest.mark.parametrize("fields", [
    [], [("Authorization", "Basic dHJ1bms6czNjcmV0")], [("Authorization", 'Digest realm="another", nonce="x"')],
    [("Proxy-Authorization", 'Digest realm="ringdown", nonce="x"')],
])  # fmt: skip
def test_an_answer_for_somebody_else_is_none(fields: list[tuple[str, str]]) -> None:
    assert make_challenger().verify(write(*fields), PASSWORDS.get, 1.0) == "missing"


def test_the_answer_for_our_realm_is_found_among_others() -> None:
    challenger = make_challenger()
    other = ("Authorization", 'Digest username="x", realm="another", nonce="1", uri="sip:x", response="0"')
    assert challenger.verify(write(other, answer(challenger.challenge(1.0))), PASSWORDS.get, 1.0) == "ok"


@pytest.mark.parametrize(("username", "password"), [
    ("trunk", "S3cret"), ("trunk", ""), ("nobody", "s3cret"), ("empty", ""), ("", ""),
])  # fmt: skip
def test_wrong_credentials_are_wrong(username: str, password: str) -> None:
    challenger = make_challenger()
    request = write(answer(challenger.challenge(1.0), credentials=Credentials(username, password)))
    assert challenger.verify(request, PASSWORDS.get, 1.0) == "wrong"


@pytest.mark.parametrize(("old", "new"), [
    ("algorithm=MD5", "algorithm=MD5-sess"), ("algorithm=MD5", "algorithm=SHA-256"), ("qop=auth", "qop=auth-int"),
    ("nc=00000001", "nc=00000002"), ("nc=00000001", "nc=zz"), ("nc=00000001", "nc=000000000001"), (", nc=00000001", ""),
    ('cnonce="c1"', 'cnonce="c2"'), ('uri="', 'uri="sip:x@y'), ('username="trunk", ', ""),
    ('response="', 'response="0'),
    ('nonce="', 'nonce="A'),
])  # fmt: skip
def test_an_answer_that_was_tampered_with_is_wrong(old: str, new: str) -> None:
    challenger = make_challenger()
    name, value = answer(challenger.challenge(1.0))
    assert old in value
    assert challenger.verify(write((name, value.replace(old, new, 1))), PASSWORDS.get, 1.0) == "wrong"


def test_an_answer_is_for_one_method_and_one_user() -> None:
    challenger = make_challenger()
    field = answer(challenger.challenge(1.0))
    assert challenger.verify(write(field, method="BYE"), PASSWORDS.get, 1.0) == "wrong"
    assert challenger.verify(write(field, uri="sip:+1900@agent.example.net"), PASSWORDS.get, 1.0) == "wrong"
    rewritten = "sip:+4930123@10.0.0.1:5060;transport=udp"  # by a proxy
    assert challenger.verify(write(field, uri=rewritten), PASSWORDS.get, 1.0) == "ok"


def test_a_nonce_holds_for_its_time_and_not_longer() -> None:
    challenger = make_challenger(nonce_lifetime_s=30)
    field = challenger.challenge(100.0)
    assert challenger.verify(write(answer(field, count=1)), PASSWORDS.get, 130.0) == "ok"
    assert challenger.verify(write(answer(field, count=2)), PASSWORDS.get, 130.1) == "stale"
    assert challenger.verify(write(answer(field, count=3)), PASSWORDS.get, 99.0) == "stale"


def test_a_nonce_of_another_secret_or_realm_or_none_is_stale_but_the_password_is_still_checked() -> None:
    foreign = [
        Challenger("ringdown", b"x" * 32).challenge(1.0),
        ("WWW-Authenticate", 'Digest realm="ringdown", nonce="AAAA", qop="auth"'),
        ("WWW-Authenticate", 'Digest realm="ringdown", nonce="", qop="auth"'),
        ("WWW-Authenticate", 'Digest realm="ringdown", nonce="ä!", qop="auth"'),
    ]
    for field in foreign:
        assert make_challenger().verify(write(answer(field)), PASSWORDS.get, 1.0) == "stale"
        wrong = answer(field, credentials=Credentials("trunk", "x"))
        assert make_challenger().verify(write(wrong), PASSWORDS.get, 1.0) == "wrong"
    other_realm = Challenger("other", b"k" * 32).challenge(1.0)
    renamed = (other_realm[0], other_realm[1].replace('"other"', '"ringdown"'))
    assert make_challenger().verify(write(answer(renamed)), PASSWORDS.get, 1.0) == "stale"


def test_the_same_answer_is_never_taken_twice_but_may_come_out_of_order() -> None:
    challenger = make_challenger()
    field = challenger.challenge(1.0)
    counts = [1, 1, 3, 2, 2, 3, 70, 7, 6, 70, 200, 137, 136]
    verdicts = [challenger.verify(write(answer(field, count=count)), PASSWORDS.get, 1.0) for count in counts]
    taken = [count for count, verdict in zip(counts, verdicts, strict=True) if verdict == "ok"]
    assert taken == [1, 3, 2, 70, 7, 200, 137]
    assert set(verdicts) == {"ok", "stale"}


def test_an_old_peer_without_quality_of_protection_answers_each_nonce_once() -> None:
    challenger = make_challenger()
    name, value = challenger.challenge(1.0)
    field = answer((name, value.replace(', qop="auth"', "")))
    assert challenger.verify(write(field), PASSWORDS.get, 1.0) == "ok"
    assert challenger.verify(write(field), PASSWORDS.get, 1.0) == "stale"
    counted = (field[0], f"{field[1]}, nc=00000002")  # which the answer does not cover
    assert challenger.verify(write(counted), PASSWORDS.get, 1.0) == "stale"


def test_what_is_remembered_is_bounded_and_nothing_forgotten_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringdown.sip.challenge._MAX_NONCES", 8)
    challenger = make_challenger()
    fields = [challenger.challenge(float(at)) for at in range(30)]
    for at, field in enumerate(fields):
        assert challenger.verify(write(answer(field)), PASSWORDS.get, float(at)) == "ok"
        assert len(challenger._used) <= 8
    for field in fields:
        assert challenger.verify(write(answer(field)), PASSWORDS.get, 30.0) == "stale"


@given(st.text(max_size=40), st.integers(0, 200), st.text(alphabet='",= \\nc0a', max_size=6))
@settings(max_examples=200, deadline=None)
def test_no_header_raises(text: str, at: int, piece: str) -> None:
    challenger = make_challenger()
    name, value = answer(challenger.challenge(1.0))
    for candidate in (f"Digest {text}", value[:at] + piece + value[at:]):
        line = candidate.replace("\r", " ").replace("\n", " ")
        assert challenger.verify(write((name, line)), PASSWORDS.get, 1.0) in ("ok", "missing", "stale", "wrong")
