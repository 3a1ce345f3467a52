"""SRTP keys in offers and answers: who insists on what, lines of real peers, and broken ones (RFC 4568)."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.sdp import (
    NO_COMMON_SUITE,
    SRTP_REFUSED,
    SRTP_REQUIRED,
    CryptoKey,
    NegotiatedCrypto,
    Srtp,
    answer_offer,
    build_offer,
    new_keys,
    read_answer,
)
from tests.unit.sip.test_sdp import offer

LONG, SHORT = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
NEAR = (CryptoKey(1, LONG, bytes(range(30))), CryptoKey(2, SHORT, bytes(range(30, 60))))
FAR = (CryptoKey(1, LONG, b"L" * 30), CryptoKey(2, SHORT, b"S" * 30))
INLINE = base64.b64encode(b"P" * 30).decode()
SECURE = "m=audio 4000 RTP/SAVP 0"


def line(suite: str = LONG, key: str = f"inline:{INLINE}", *, tag: str = "7", rest: str = "") -> str:
    return f"crypto:{tag} {suite} {key}{rest}"


def test_fresh_keys_are_of_both_suites_and_never_the_same() -> None:
    first, second = new_keys(), new_keys()
    assert [(key.tag, key.suite, len(key.key)) for key in first] == [(1, LONG, 30), (2, SHORT, 30)]
    assert len({key.key for key in (*first, *second)}) == 4


def test_a_key_is_written_as_it_is_read_and_never_shown() -> None:
    text = NEAR[0].serialize()
    assert text == f"1 {LONG} inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
    assert CryptoKey.parse(text) == NEAR[0]
    crypto = NegotiatedCrypto(LONG, NEAR[0].key, FAR[0].key)
    assert "key" not in repr(NEAR[0]).replace("Key", "") and "key" not in repr(crypto)


@pytest.mark.parametrize(("near", "far", "profile", "is_secure"), [
    ("off", "off", "RTP/AVP", False), ("off", "optional", "RTP/AVP", False),
    ("optional", "off", "RTP/AVP", False), ("optional", "optional", "RTP/AVP", True),
    ("optional", "required", "RTP/AVP", True), ("required", "optional", "RTP/SAVP", True),
    ("required", "required", "RTP/SAVP", True),
])  # fmt: skip
def test_both_sides_agree_on_srtp_where_both_can(near: Srtp, far: Srtp, profile: str, is_secure: bool) -> None:
    offered = build_offer("192.0.2.1", 3000, srtp=near, keys=NEAR)
    assert f"m=audio 3000 {profile} ".encode() in offered
    assert (b"a=crypto" in offered) == (near != "off")
    body, theirs = answer_offer(offered, "192.0.2.2", 4000, srtp=far, keys=FAR)
    assert f"m=audio 4000 {profile} ".encode() in body
    ours = read_answer(body, srtp=near, keys=NEAR)
    assert theirs.crypto == (NegotiatedCrypto(LONG, FAR[0].key, NEAR[0].key) if is_secure else None)
    assert ours.crypto == (NegotiatedCrypto(LONG, NEAR[0].key, FAR[0].key) if is_secure else None)


@pytest.mark.parametrize(("near", "far", "fault"), [
    ("off", "required", SRTP_REQUIRED), ("required", "off", SRTP_REFUSED),
])  # fmt: skip
def test_one_side_that_insists_alone_is_told_apart_from_a_codec(near: Srtp, far: Srtp, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        answer_offer(build_offer("192.0.2.1", 3000, srtp=near, keys=NEAR), "192.0.2.2", 4000, srtp=far, keys=FAR)


def test_an_answer_without_srtp_to_an_offer_that_requires_it_is_refused() -> None:
    with pytest.raises(ValueError, match=SRTP_REQUIRED):
        read_answer(offer("m=audio 4000 RTP/AVP 0"), srtp="required", keys=NEAR)
    with pytest.raises(ValueError, match=NO_COMMON_SUITE):
        read_answer(offer(SECURE), srtp="required", keys=NEAR)
    assert read_answer(offer("m=audio 4000 RTP/AVP 0"), srtp="optional", keys=NEAR).crypto is None


def test_the_short_tag_is_taken_when_the_peer_prefers_it_and_its_number_is_kept() -> None:
    body, audio = answer_offer(
        offer(SECURE, line("F8_128_HMAC_SHA1_80", tag="1"), line(SHORT, tag="9"), line(LONG, tag="10")),
        "192.0.2.2", 5000, srtp="optional", keys=FAR,
    )  # fmt: skip
    assert audio.crypto == NegotiatedCrypto(SHORT, FAR[1].key, b"P" * 30)
    assert body.count(b"a=crypto:") == 1
    assert f"a=crypto:9 {SHORT} inline:".encode() in body


def test_an_answer_makes_its_own_key_when_it_is_given_none() -> None:
    answers = [answer_offer(offer(SECURE, line()), "192.0.2.2", 5000, srtp="required")[1].crypto for _ in range(2)]
    assert answers[0] is not None and answers[1] is not None
    assert answers[0].local_key != answers[1].local_key


@pytest.mark.parametrize("rest", ["|2^31", "|1048576", "|2^31 WSH=64", " -EXTRA=1", " WSH=128"])
def test_lifetimes_and_hints_are_read_over(rest: str) -> None:
    crypto = answer_offer(offer(SECURE, line(rest=rest)), "192.0.2.2", 5000, srtp="required")[1].crypto
    assert crypto is not None and crypto.remote_key == b"P" * 30


@pytest.mark.parametrize("attribute", [
    line("AES_256_CM_HMAC_SHA1_80"), line(rest="|2^31|1:4"), line(rest="|1:4"), line(rest=f"|2^31;inline:{INLINE}"),
    line(rest=" UNENCRYPTED_SRTP"), line(rest=" KDR=1"), line(rest=" FEC_ORDER=FEC_SRTP"), line(key="inline:!!!!"),
    line(key="inline:AAAA"), line(key=f"uri:{INLINE}"), line(tag="x"), "crypto:", "crypto:1", f"crypto:1 {LONG}",
    "crypto", line(tag="1234567890"),
])  # fmt: skip
def test_a_key_that_we_cannot_use_is_no_key(attribute: str) -> None:
    with pytest.raises(ValueError, match=NO_COMMON_SUITE):
        answer_offer(offer(SECURE, attribute), "192.0.2.2", 5000, srtp="required")
    plain = offer("m=audio 4000 RTP/AVP 0", attribute)
    assert answer_offer(plain, "192.0.2.2", 5000, srtp="optional")[1].crypto is None


@pytest.mark.parametrize("attributes", [
    [line(tag="1"), line(tag="2")],  # two of one
    [line(tag="3")], [line(SHORT, tag="1")],  # not what was offered
    [line(tag="1", rest="|2^31|1:4")],
])  # fmt: skip
def test_an_answer_that_chooses_none_of_our_keys_is_refused(attributes: list[str]) -> None:
    with pytest.raises(ValueError, match=r"SRTP"):
        read_answer(offer(SECURE, *attributes), srtp="required", keys=NEAR)


def test_of_two_streams_the_one_with_srtp_is_taken_unless_it_is_off() -> None:
    both = offer("m=audio 4000 RTP/AVP 0") + f"m=audio 4002 RTP/SAVP 0\r\na={line()}\r\n".encode()
    taken: dict[Srtp, int] = {"off": 4000, "optional": 4002, "required": 4002}
    for srtp, port in taken.items():
        body, audio = answer_offer(both, "192.0.2.2", 5000, srtp=srtp, keys=FAR)
        assert audio.port == port
        assert (b"m=audio 0 RTP/AVP 0\r\n" in body) == (srtp != "off")


def test_dtls_is_another_protocol() -> None:
    offered = offer("m=audio 4000 UDP/TLS/RTP/SAVPF 0", "fingerprint:sha-256 AA")
    for srtp, fault in (("off", SRTP_REFUSED), ("optional", NO_COMMON_SUITE), ("required", NO_COMMON_SUITE)):
        with pytest.raises(ValueError, match=fault):
            answer_offer(offered, "192.0.2.2", 5000, srtp=srtp)  # type: ignore[arg-type]


def test_savpf_is_answered_with_savpf() -> None:
    body, audio = answer_offer(offer("m=audio 4000 RTP/SAVPF 0", line()), "192.0.2.2", 5000, srtp="optional", keys=FAR)
    assert b"m=audio 5000 RTP/SAVPF 0\r\n" in body
    assert audio.crypto is not None


def test_srtp_is_not_offered_without_keys() -> None:
    with pytest.raises(ValueError, match="keys"):
        build_offer("192.0.2.1", 3000, srtp="optional")


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_key_or_a_value_error(text: str) -> None:
    for value in (text, f"1 {LONG} inline:{text}", f"1 {LONG} inline:{INLINE}{text}"):
        try:
            key = CryptoKey.parse(value)
        except ValueError:
            continue
        assert len(key.key) == 30
