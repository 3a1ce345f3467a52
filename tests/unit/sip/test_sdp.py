"""Offer and answer for one audio stream, with the offers of real peers and broken ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.sdp import NO_COMMON_CODEC, NegotiatedAudio, answer_offer, build_offer, read_answer


def offer(media: str = "m=audio 4000 RTP/AVP 0 8 101", *attributes: str, connection: str = "IN IP4 192.0.2.5") -> bytes:
    lines = ["v=0", "o=x 1 1 IN IP4 192.0.2.5", "s=-", f"c={connection}", "t=0 0", media]
    lines += ["a=rtpmap:101 telephone-event/8000", *(f"a={attribute}" for attribute in attributes)]
    return "\r\n".join([*lines, ""]).encode()


def test_our_offer_and_answer_agree_on_both_sides() -> None:
    ours = build_offer("192.0.2.1", 3000)
    answer, theirs = answer_offer(ours, "192.0.2.2", 4000)
    mine = read_answer(answer)
    assert theirs == NegotiatedAudio("192.0.2.1", 3000, "PCMU", 0, 101, 20, "sendrecv")
    assert mine == NegotiatedAudio("192.0.2.2", 4000, "PCMU", 0, 101, 20, "sendrecv")


def test_a_session_name_may_hold_any_character_but_the_end_of_a_line() -> None:
    named = offer().replace(b"s=-", "s=a\u2028b\x0bc\x85d".encode())
    assert answer_offer(named, "192.0.2.2", 4000)[1].encoding == "PCMU"
    assert answer_offer(named.replace(b"\r\n", b"\n"), "192.0.2.2", 4000)[1].port == 4000


def test_ipv6_addresses_are_written_and_read() -> None:
    ours = build_offer("2001:db8::1", 3000)
    assert b"c=IN IP6 2001:db8::1\r\n" in ours
    assert answer_offer(ours, "2001:db8::2", 4000)[1].host == "2001:db8::1"


@pytest.mark.parametrize(("media", "attributes", "encoding", "payload_type", "dtmf"), [
    ("m=audio 4000 RTP/AVP 8 0", [], "PCMA", 8, None),
    ("m=audio 4000 RTP/AVP 9 18 8", ["rtpmap:9 G722/8000", "rtpmap:18 G729/8000"], "PCMA", 8, None),
    ("m=audio 4000 RTP/AVP 97 101", ["rtpmap:97 pcmu/8000/1"], "PCMU", 97, 101),
    ("m=audio 4000 RTP/AVP 0 96", ["rtpmap:96 telephone-event/8000"], "PCMU", 0, 96),
    ("m=audio 4000 RTP/AVP 0 96", ["rtpmap:96 telephone-event/48000"], "PCMU", 0, None),
    ("m=audio 4000/2 RTP/AVP 0", [], "PCMU", 0, None),
])  # fmt: skip
def test_the_first_codec_that_we_speak_is_taken_in_the_offers_numbers(
    media: str, attributes: list[str], encoding: str, payload_type: int, dtmf: int | None
) -> None:
    answer, audio = answer_offer(offer(media, *attributes), "192.0.2.2", 5000)
    assert (audio.encoding, audio.payload_type, audio.dtmf_payload_type) == (encoding, payload_type, dtmf)
    types = f"{payload_type}" if dtmf is None else f"{payload_type} {dtmf}"
    assert f"m=audio 5000 RTP/AVP {types}\r\n".encode() in answer
    assert read_answer(answer).payload_type == payload_type


def test_our_own_preference_can_be_narrowed() -> None:
    assert answer_offer(offer(), "192.0.2.2", 5000, encodings=("PCMA",))[1].encoding == "PCMA"


@pytest.mark.parametrize(("theirs", "ours"), [
    ("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive"),
])  # fmt: skip
def test_the_direction_is_turned_around(theirs: str, ours: str) -> None:
    answer, audio = answer_offer(offer("m=audio 4000 RTP/AVP 0", theirs), "192.0.2.2", 5000)
    assert audio.direction == ours
    assert f"a={ours}\r\n".encode() in answer


def test_the_old_hold_by_a_zero_address_stops_our_sending() -> None:
    assert answer_offer(offer(connection="IN IP4 0.0.0.0"), "192.0.2.2", 5000)[1].direction == "recvonly"


def test_a_media_level_address_and_ptime_win() -> None:
    text = offer("m=audio 4000 RTP/AVP 0", "ptime:30").replace(b"a=ptime", b"c=IN IP4 192.0.2.99\r\na=ptime")
    audio = answer_offer(text, "192.0.2.2", 5000)[1]
    assert (audio.host, audio.ptime_ms) == ("192.0.2.99", 30)


def test_other_streams_are_refused_in_their_place() -> None:
    text = offer().replace(b"m=audio", b"m=video 6000 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=audio")
    answer, audio = answer_offer(text, "192.0.2.2", 5000)
    lines = [line for line in answer.decode().split("\r\n") if line.startswith("m=")]
    assert lines == ["m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "m=audio 5000 RTP/AVP 0 101"]
    assert audio.port == 4000


@pytest.mark.parametrize("media", [
    "m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 9 18", "m=audio 4000 RTP/SAVP 0", "m=video 4000 RTP/AVP 31",
])  # fmt: skip
def test_nothing_in_common_is_said_so(media: str) -> None:
    with pytest.raises(ValueError, match=NO_COMMON_CODEC):
        answer_offer(offer(media), "192.0.2.2", 5000)
    with pytest.raises(ValueError, match=NO_COMMON_CODEC):
        read_answer(offer(media))


@pytest.mark.parametrize(("old", "new"), [
    (b"v=0", b"v=1"), (b"c=IN IP4 192.0.2.5", b"c=IN IP4"), (b"c=IN IP4 192.0.2.5", b"c=IN IP4 a b"),
    (b"c=IN IP4 192.0.2.5\r\n", b""), (b"4000", b"99999"), (b"4000", b"x"), (b"0 8 101", b"0 8 1000"),
    (b"m=audio 4000 RTP/AVP 0 8 101", b"m=audio"), (b"rtpmap:101", b"rtpmap:-1"), (b"s=-", b"nonsense"),
    (b"c=IN IP4 192.0.2.5", b"c=IN IP6 :::"),
])  # fmt: skip
def test_a_broken_offer_is_a_value_error(old: bytes, new: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        answer_offer(offer().replace(old, new), "192.0.2.2", 5000)


@given(st.integers(0, 300), st.integers(0, 10), st.binary(max_size=10))
@settings(max_examples=300, deadline=None)
def test_a_mutated_offer_raises_nothing_but_value_error(at: int, cut: int, piece: bytes) -> None:
    base = offer("m=audio 4000 RTP/AVP 0 8 101", "ptime:20", "sendonly", "fmtp:101 0-15")
    at %= len(base)
    for candidate in (base[:at] + piece + base[at + cut :], piece):
        try:
            answer, _ = answer_offer(candidate, "192.0.2.2", 5000)
        except ValueError:
            continue
        read_answer(answer)
