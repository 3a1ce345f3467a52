"""Digest answers against the examples of the RFCs, and the rules for repeated challenges."""

import pytest

from ringdown.sip import digest
from ringdown.sip.digest import Authenticator, Challenge, Credentials
from ringdown.sip.message import Response, parse_message
from tests.unit.sip.network import is_authorized
from tests.unit.sip.test_message import RINGING

# RFC 7616 §3.9.1 prints both answers to this challenge.
_REALM = "http-auth@example.org"
_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(("algorithm", "expected"), [
    ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
])  # fmt: skip
def test_the_answers_of_rfc_7616_are_reproduced(algorithm: str, expected: str) -> None:
    answer = digest.compute_digest(
        Challenge(_REALM, _NONCE, algorithm, has_qop=True),
        credentials=Credentials("Mufasa", "Circle of Life"),
        method="GET",
        uri="/dir/index.html",
        nonce_count="00000001",
        cnonce=_CNONCE,
    )
    assert answer == expected


def test_without_qop_the_answer_is_that_of_rfc_2069() -> None:
    # The corrected value of RFC 2069 §2.4 (errata 749).
    answer = digest.compute_digest(
        Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093"),
        credentials=Credentials("Mufasa", "CircleOfLife"),
        method="GET",
        uri="/dir/index.html",
        nonce_count="",
        cnonce="",
    )
    assert answer == "1949323746fe6a43ef61f9606e7febea"


def challenge(*values: str, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    lines = "".join(f"{name}: {value}\r\n" for value in values)
    text = RINGING.replace(b"180 Ringing", str(status).encode() + b" X").replace(
        b"l: 0\r\n", lines.encode() + b"l: 0\r\n"
    )
    message = parse_message(text)
    assert isinstance(message, Response)
    return message


def test_a_realm_is_answered_once() -> None:
    authenticator = Authenticator(Credentials("u", "p"))
    assert authenticator.accept_challenge(challenge('Digest realm="r", nonce="1"'))
    assert not authenticator.accept_challenge(challenge('Digest realm="r", nonce="2"'))


def test_a_realm_whose_nonces_hold_for_one_request_is_answered_once_in_each() -> None:
    authenticator = Authenticator(Credentials("u", "p"))
    assert authenticator.accept_challenge(challenge('Digest realm="r", nonce="1"'))
    authenticator.begin_request()
    assert authenticator.accept_challenge(challenge('Digest realm="r", nonce="2", qop="auth"'))
    assert 'nonce="2"' in authenticator.authorize("BYE", "sip:x")[0][1]
    assert not authenticator.accept_challenge(challenge('Digest realm="r", nonce="3"'))


def test_a_stale_nonce_is_answered_again_but_not_for_ever() -> None:
    authenticator = Authenticator(Credentials("u", "p"))
    assert authenticator.accept_challenge(challenge('Digest realm="r", nonce="1"'))
    assert not authenticator.accept_challenge(challenge('Digest realm="r", nonce="1", stale=true'))
    assert authenticator.accept_challenge(challenge('Digest realm="r", nonce="2", stale=TRUE'))
    assert authenticator.accept_challenge(challenge('Digest realm="r", nonce="3", stale=true'))
    assert not authenticator.accept_challenge(challenge('Digest realm="r", nonce="4", stale=true'))
    assert 'nonce="3"' in authenticator.authorize("INVITE", "sip:x")[0][1]


def test_proxy_and_server_are_answered_side_by_side() -> None:
    authenticator = Authenticator(Credentials("u", "p"))
    assert authenticator.accept_challenge(challenge('Digest realm="proxy", nonce="1"', status=407))
    assert authenticator.accept_challenge(challenge('Digest realm="server", nonce="2"'))
    assert [name for name, _ in authenticator.authorize("INVITE", "sip:x")] == ["Proxy-Authorization", "Authorization"]


def test_the_strongest_algorithm_is_taken_and_the_count_grows() -> None:
    authenticator = Authenticator(Credentials("u", "p"))
    offered = challenge(
        'Digest realm="r", nonce="m", algorithm=MD5, qop="auth"',
        'Digest realm="r", nonce="s", algorithm=SHA-256, qop="auth,auth-int", opaque="o\\"q"',
        'Digest realm="r", nonce="x", algorithm=FUTURE',
    )
    assert authenticator.accept_challenge(offered)
    first = digest.parse_digest(authenticator.authorize("INVITE", "sip:x")[0][1])
    second = digest.parse_digest(authenticator.authorize("BYE", "sip:x")[0][1])
    assert (first["algorithm"], first["nonce"], first["qop"], first["opaque"]) == ("SHA-256", "s", "auth", 'o"q')
    assert (first["nc"], second["nc"]) == ("00000001", "00000002")


@pytest.mark.parametrize("value", [
    "Basic realm=x", 'Digest realm="r"', 'Digest nonce="n"', 'Digest realm="r", nonce="n", qop="auth-int"',
    'Digest realm="r", nonce="n", algorithm=AKAv1-MD5', "Digest", "",
])  # fmt: skip
def test_a_challenge_that_cannot_be_answered_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Challenge.parse(value)
    assert not Authenticator(Credentials("u", "p")).accept_challenge(challenge(value))


def test_a_written_answer_holds_what_was_computed() -> None:
    asked, credentials = Challenge("r", "n", has_qop=True), Credentials("u", 'p"w')
    answer = digest.build_authorization(
        asked, credentials=credentials, method="INVITE", uri="sip:x", nonce_count=1, cnonce="c"
    )
    assert is_authorized(answer, challenge=asked, credentials=credentials, method="INVITE")
    assert not is_authorized(answer, challenge=asked, credentials=credentials, method="BYE")
    assert not is_authorized(answer, challenge=asked, credentials=Credentials("u", "x"), method="INVITE")


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Credentials("u", "hunter2"))
