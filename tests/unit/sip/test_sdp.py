"""Offer and answer for one audio stream, with the offers of real peers and broken ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.sdp import (
    DEFAULT_ENCODINGS,
    NO_COMMON_CODEC,
    Direction,
    Encoding,
    NegotiatedAudio,
    answer_offer,
    build_offer,
    read_answer,
)

AUDIO = "m=audio 4000 RTP/AVP 0"


def offer(media: str = "m=audio 4000 RTP/AVP 0 8 101", *attributes: str, connection: str = "IN IP4 192.0.2.5") -> bytes:
    lines = ["v=0", "o=x 1 1 IN IP4 192.0.2.5", "s=-", f"c={connection}", "t=0 0", media]
    lines += ["a=rtpmap:101 telephone-event/8000", *(f"a={attribute}" for attribute in attributes)]
    return "\r\n".join([*lines, ""]).encode()


def answer(offered: bytes) -> NegotiatedAudio:
    return answer_offer(offered, "192.0.2.2", 5000)[1]


def expected(host: str, port: int) -> NegotiatedAudio:
    return NegotiatedAudio(
        host=host,
        port=port,
        rtcp_host=host,
        rtcp_port=port + 1,
        encoding="PCMU",
        payload_type=0,
        clock_rate_hz=8000,
        dtmf_payload_type=101,
        dtmf_clock_hz=8000,
        comfort_noise_payload_type=13,
        ptime_ms=20,
        direction="sendrecv",
        crypto=None,
    )


def test_our_offer_and_answer_agree_on_both_sides() -> None:
    ours = build_offer("192.0.2.1", 3000)
    body, theirs = answer_offer(ours, "192.0.2.2", 4000)
    assert theirs == expected("192.0.2.1", 3000)
    assert read_answer(body) == expected("192.0.2.2", 4000)


def test_our_offer_names_every_codec_with_its_clock() -> None:
    lines = build_offer("192.0.2.1", 3000).decode().split("\r\n")
    assert lines[5:] == [
        "m=audio 3000 RTP/AVP 0 8 9 111 13 101 110",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 useinbandfec=1",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:110 0-16",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


@pytest.mark.parametrize(("encodings", "types"), [
    (("PCMA", "PCMU"), "8 0 13 101"), (("G722",), "9 13 101"), (("OPUS",), "111 110"),
    (("OPUS", "PCMU"), "111 0 13 101 110"),
])  # fmt: skip
def test_only_the_events_and_noise_that_fit_a_codec_are_offered(encodings: tuple[Encoding, ...], types: str) -> None:
    assert f"m=audio 3000 RTP/AVP {types}\r\n".encode() in build_offer("192.0.2.1", 3000, encodings=encodings)


def test_events_and_noise_can_be_left_out_and_the_packets_length_chosen() -> None:
    body = build_offer("192.0.2.1", 3000, encodings=("PCMU",), has_dtmf=False, has_comfort_noise=False, ptime_ms=40)
    assert b"m=audio 3000 RTP/AVP 0\r\n" in body
    assert b"a=ptime:40\r\n" in body
    taken, agreed = answer_offer(offer(), "192.0.2.2", 5000, has_dtmf=False)
    assert agreed.dtmf_payload_type is None
    assert b"telephone-event" not in taken


def test_a_session_name_may_hold_any_character_but_the_end_of_a_line() -> None:
    named = offer().replace(b"s=-", "s=a\u2028b\x0bc\x85d".encode())
    assert answer(named).encoding == "PCMU"
    assert answer(named.replace(b"\r\n", b"\n")).port == 4000


def test_ipv6_addresses_are_written_and_read() -> None:
    ours = build_offer("2001:db8::1", 3000)
    assert b"c=IN IP6 2001:db8::1\r\n" in ours
    assert answer(ours).host == "2001:db8::1"


@pytest.mark.parametrize(("media", "attributes", "encoding", "payload_type", "dtmf"), [
    ("m=audio 4000 RTP/AVP 8 0", [], "PCMA", 8, None),
    ("m=audio 4000 RTP/AVP 18 9 8", ["rtpmap:9 G722/8000", "rtpmap:18 G729/8000"], "G722", 9, None),
    ("m=audio 4000 RTP/AVP 9", [], "G722", 9, None),
    ("m=audio 4000 RTP/AVP 97 101", ["rtpmap:97 pcmu/8000/1"], "PCMU", 97, 101),
    ("m=audio 4000 RTP/AVP 0 96", ["rtpmap:96 telephone-event/8000"], "PCMU", 0, 96),
    ("m=audio 4000 RTP/AVP 0 96", ["rtpmap:96 telephone-event/48000"], "PCMU", 0, None),
    ("m=audio 4000 RTP/AVP 96 97 101", ["rtpmap:96 OPUS/48000/2", "rtpmap:97 telephone-event/48000"], "OPUS", 96, 97),
    ("m=audio 4000 RTP/AVP 96 101", ["rtpmap:96 opus/48000/2"], "OPUS", 96, 101),
    ("m=audio 4000 RTP/AVP 96 0", ["rtpmap:96 opus/48000"], "PCMU", 0, None),
    ("m=audio 4000/2 RTP/AVP 0", [], "PCMU", 0, None),
    ("m=audio 4000 RTP/AVPF 0", [], "PCMU", 0, None),
])  # fmt: skip
def test_the_first_codec_that_we_speak_is_taken_in_the_offers_numbers(
    media: str, attributes: list[str], encoding: str, payload_type: int, dtmf: int | None
) -> None:
    body, audio = answer_offer(offer(media, *attributes), "192.0.2.2", 5000)
    assert (audio.encoding, audio.payload_type, audio.dtmf_payload_type) == (encoding, payload_type, dtmf)
    types = f"{payload_type}" if dtmf is None else f"{payload_type} {dtmf}"
    profile = media.split()[2]
    assert f"m=audio 5000 {profile} {types}\r\n".encode() in body
    assert read_answer(body).payload_type == payload_type


@pytest.mark.parametrize(("types", "clock", "events"), [("96 97 101", 48_000, 48_000), ("96 101", 48_000, 8000)])
def test_events_follow_the_clock_of_opus_if_the_peer_offers_them_so(types: str, clock: int, events: int) -> None:
    attributes = ["rtpmap:96 opus/48000/2", "rtpmap:97 telephone-event/48000"]
    body, audio = answer_offer(offer(f"m=audio 4000 RTP/AVP {types}", *attributes), "192.0.2.2", 5000)
    assert (audio.clock_rate_hz, audio.dtmf_clock_hz) == (clock, events)
    assert f"telephone-event/{events}\r\n".encode() in body


def test_noise_is_agreed_only_beside_a_codec_of_its_clock() -> None:
    assert answer(offer("m=audio 4000 RTP/AVP 0 13")).comfort_noise_payload_type == 13
    assert answer(offer("m=audio 4000 RTP/AVP 0 98", "rtpmap:98 CN/8000")).comfort_noise_payload_type == 98
    assert answer(offer("m=audio 4000 RTP/AVP 96 13", "rtpmap:96 opus/48000/2")).comfort_noise_payload_type is None
    assert answer(offer()).comfort_noise_payload_type is None


def test_our_own_preference_can_be_narrowed() -> None:
    assert answer_offer(offer(), "192.0.2.2", 5000, encodings=("PCMA",))[1].encoding == "PCMA"


@pytest.mark.parametrize(("theirs", "ours"), [
    ("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive"),
])  # fmt: skip
def test_the_direction_is_turned_around(theirs: str, ours: str) -> None:
    body, audio = answer_offer(offer(AUDIO, theirs), "192.0.2.2", 5000)
    assert audio.direction == ours
    assert f"a={ours}\r\n".encode() in body


@pytest.mark.parametrize(("wanted", "theirs", "agreed"), [
    ("sendonly", "sendrecv", "sendonly"), ("sendonly", "sendonly", "inactive"), ("sendonly", "recvonly", "sendonly"),
    ("recvonly", "sendrecv", "recvonly"), ("recvonly", "recvonly", "inactive"), ("inactive", "sendrecv", "inactive"),
    ("sendrecv", "sendrecv", "sendrecv"),
])  # fmt: skip
def test_a_hold_of_ours_and_one_of_theirs_add_up(wanted: Direction, theirs: str, agreed: str) -> None:
    body, audio = answer_offer(offer(AUDIO, theirs), "192.0.2.2", 5000, direction=wanted)
    assert audio.direction == agreed
    assert f"a={agreed}\r\n".encode() in body
    assert read_answer(offer(AUDIO, theirs), direction=wanted).direction == agreed


def test_a_hold_and_the_resume_that_follows_it_are_read_on_both_sides() -> None:
    for ours, theirs in (("sendonly", "recvonly"), ("sendrecv", "sendrecv"), ("inactive", "inactive")):
        held = build_offer("192.0.2.1", 3000, direction=ours)  # type: ignore[arg-type]
        body, far = answer_offer(held, "192.0.2.2", 4000)
        assert far.direction == theirs
        assert read_answer(body, direction=ours).direction == ours  # type: ignore[arg-type]


def test_a_direction_of_the_session_counts_unless_the_stream_has_its_own() -> None:
    held = offer(AUDIO).replace(b"t=0 0\r\n", b"t=0 0\r\na=sendonly\r\n")
    assert answer(held).direction == "recvonly"
    assert answer(held + b"a=sendrecv\r\n").direction == "sendrecv"


@pytest.mark.parametrize("connection", ["IN IP4 0.0.0.0", "IN IP6 ::"])
def test_the_old_hold_by_a_zero_address_stops_our_sending(connection: str) -> None:
    assert answer(offer(connection=connection)).direction == "recvonly"


def test_a_media_level_address_wins() -> None:
    text = offer(AUDIO, "ptime:30").replace(b"a=ptime", b"c=IN IP4 192.0.2.99\r\na=ptime")
    assert answer(text).host == "192.0.2.99"


@pytest.mark.parametrize(("attributes", "ptime_ms"), [
    ([], 20), (["ptime:30"], 30), (["ptime:20.0"], 20), (["ptime:25"], 20), (["ptime:5"], 10), (["ptime:200"], 60),
    (["ptime:0"], 20), (["maxptime:10"], 10), (["ptime:60", "maxptime:40"], 40), (["maxptime:100"], 20),
    (["ptime:x"], 20), (["ptime"], 20),
])  # fmt: skip
def test_the_length_of_packets_is_the_peers_wish_within_bounds(attributes: list[str], ptime_ms: int) -> None:
    body, audio = answer_offer(offer(AUDIO, *attributes), "192.0.2.2", 5000)
    assert audio.ptime_ms == ptime_ms
    assert f"a=ptime:{ptime_ms}\r\n".encode() in body


@pytest.mark.parametrize(("wish", "ptime_ms"), [(10, 10), (30, 20), (40, 40), (50, 40), (60, 60)])
def test_an_opus_packet_has_a_length_that_opus_knows(wish: int, ptime_ms: int) -> None:
    assert answer(offer("m=audio 4000 RTP/AVP 96", "rtpmap:96 opus/48000/2", f"ptime:{wish}")).ptime_ms == ptime_ms


@pytest.mark.parametrize(("attributes", "host", "port"), [
    ([], "192.0.2.5", 4001), (["rtcp:53020"], "192.0.2.5", 53020),
    (["rtcp:53020 IN IP4 192.0.2.6"], "192.0.2.6", 53020),
    (["rtcp:9 IN IP4 0.0.0.0"], "192.0.2.5", 9), (["rtcp:x"], "192.0.2.5", 4001), (["rtcp"], "192.0.2.5", 4001),
    (["rtcp:1 IN IP4 a b"], "192.0.2.5", 4001),
])  # fmt: skip
def test_reports_go_where_the_peer_says_else_to_the_next_port(attributes: list[str], host: str, port: int) -> None:
    audio = answer(offer(AUDIO, *attributes))
    assert (audio.rtcp_host, audio.rtcp_port) == (host, port)


def test_the_last_port_has_no_next_one() -> None:
    assert answer(offer("m=audio 65535 RTP/AVP 0")).rtcp_port == 65_535


def test_other_streams_are_refused_in_their_place() -> None:
    text = offer().replace(b"m=audio", b"m=video 6000 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=audio")
    text += b"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nm=audio 4002 RTP/AVP 8\r\nm=image 4004 udptl t38\r\n"
    body, audio = answer_offer(text, "192.0.2.2", 5000)
    assert [line for line in body.decode().split("\r\n") if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31",
        "m=audio 0 RTP/AVP 0",
        "m=audio 5000 RTP/AVP 0 101",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        "m=audio 0 RTP/AVP 8",
        "m=image 0 udptl t38",
    ]
    assert audio.port == 4000


def test_a_later_stream_is_taken_when_the_first_has_no_codec_of_ours() -> None:
    text = offer("m=audio 4000 RTP/AVP 18") + b"m=audio 4002 RTP/AVP 8\r\n"
    body, audio = answer_offer(text, "192.0.2.2", 5000)
    assert (audio.port, audio.encoding) == (4002, "PCMA")
    assert b"m=audio 0 RTP/AVP 18\r\nm=audio 5000 RTP/AVP 8\r\n" in body


@pytest.mark.parametrize("media", [
    "m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 18", "m=audio 4000 udp 0", "m=video 4000 RTP/AVP 31",
    "m=audio 4000 RTP/AVP 96",
])  # fmt: skip
def test_nothing_in_common_is_said_so(media: str) -> None:
    with pytest.raises(ValueError, match=NO_COMMON_CODEC):
        answer_offer(offer(media), "192.0.2.2", 5000)
    with pytest.raises(ValueError, match=NO_COMMON_CODEC):
        read_answer(offer(media))


def test_an_answer_with_a_codec_that_was_not_offered_is_refused() -> None:
    with pytest.raises(ValueError, match=NO_COMMON_CODEC):
        read_answer(offer("m=audio 4000 RTP/AVP 9"), encodings=("PCMU", "PCMA"))


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
@settings(max_examples=200, deadline=None)
def test_a_mutated_offer_raises_nothing_but_value_error(at: int, cut: int, piece: bytes) -> None:
    base = offer("m=audio 4000 RTP/AVP 0 8 101", "ptime:20", "sendonly", "fmtp:101 0-15", "rtcp:4001 IN IP4 192.0.2.5")
    at %= len(base)
    for candidate in (base[:at] + piece + base[at + cut :], piece):
        try:
            body, _ = answer_offer(candidate, "192.0.2.2", 5000)
        except ValueError:
            continue
        read_answer(body)


@given(st.permutations(DEFAULT_ENCODINGS), st.permutations(DEFAULT_ENCODINGS), st.sampled_from([10, 20, 40, 60]))
@settings(max_examples=50, deadline=None)
def test_both_sides_always_agree(ours: list[Encoding], theirs: list[Encoding], ptime_ms: int) -> None:
    offered = build_offer("192.0.2.1", 3000, encodings=ours[:3], ptime_ms=ptime_ms)
    body, far = answer_offer(offered, "192.0.2.2", 4000, encodings=theirs[:2])
    near = read_answer(body, encodings=ours[:3])
    assert (near.encoding, near.payload_type, near.dtmf_payload_type, near.dtmf_clock_hz, near.ptime_ms) == (
        far.encoding, far.payload_type, far.dtmf_payload_type, far.dtmf_clock_hz, far.ptime_ms
    )  # fmt: skip
    assert far.encoding == next(encoding for encoding in ours[:3] if encoding in theirs[:2])
