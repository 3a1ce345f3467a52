"""What browsers offer, and what they are answered."""

from pathlib import Path

import pytest
from aiortc import sdp as aiortc_sdp
from hypothesis import given
from hypothesis import strategies as st

from ringdown.gateway.webrtc_sdp import Answerer, Offer, build_answer, parse_offer, serialize_candidate

# As Chromium 156 sent it.
REAL_OFFER = Path(__file__).parents[2] / "data" / "chromium_offer.sdp"
FINGERPRINT = ":".join(["A1"] * 32)
CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlsX
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:- 9bd6a3b2-6a8a-4b8e-9a5c-1c4b3a2d1e0f
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=candidate:1 1 udp 2113937151 0d3c.local 51234 typ host generation 0
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=ice-ufrag:4ZcD
a=mid:1
a=sendrecv
a=rtpmap:96 VP8/90000
""".replace("\n", "\r\n")
OURS = Answerer(
    session_id=7,
    ufrag="abcd",
    password="p" * 22,
    fingerprints=[("sha-256", FINGERPRINT)],
    addresses=[("192.0.2.7", 20_000), ("2001:db8::7", 20_000)],
)


def test_an_offer_of_chromium_is_read() -> None:
    offer = parse_offer(CHROMIUM)
    assert (offer.mid, offer.index, offer.is_bundled) == ("0", 0, True)
    assert (offer.ufrag, offer.password) == ("4ZcD", "2/1muCWoOi3uLifh0NuRHlsX")
    assert offer.fingerprints == (("sha-256", FINGERPRINT),)
    assert (offer.opus, offer.dtmf) == (111, (110, 48_000))
    assert offer.candidates == ("1 1 udp 2113937151 0d3c.local 51234 typ host generation 0",)


def test_the_offer_that_a_chromium_sent_is_read_and_answered() -> None:
    offer = parse_offer(REAL_OFFER.read_bytes().decode())
    assert (offer.mid, offer.opus, offer.dtmf, offer.candidates) == ("0", 111, (110, 48_000), ())
    assert (offer.ufrag, offer.password) == ("KhBi", "JAKN1h6lkITD8gjQLC27fLRt")
    assert [algorithm for algorithm, _ in offer.fingerprints] == ["sha-256"]
    assert "m=audio 20000 UDP/TLS/RTP/SAVPF 111 110\r\n" in build_answer(offer, OURS)


def test_the_answer_takes_the_audio_and_refuses_the_rest() -> None:
    answer = build_answer(parse_offer(CHROMIUM), OURS)
    audio, video = answer.split("m=")[1:]
    assert audio.startswith("audio 20000 UDP/TLS/RTP/SAVPF 111 110\r\nc=IN IP4 192.0.2.7\r\n")
    assert "a=rtpmap:110 telephone-event/48000\r\n" in audio
    assert "a=setup:active\r\n" in audio
    assert "a=group:BUNDLE 0\r\n" in answer
    assert video == "video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r\n"


def test_another_implementation_reads_the_answer() -> None:
    read = aiortc_sdp.SessionDescription.parse(build_answer(parse_offer(CHROMIUM), OURS))
    audio = read.media[0]
    assert (audio.ice.usernameFragment, audio.ice.password) == (OURS.ufrag, OURS.password)
    assert [(each.ip, each.port) for each in audio.ice_candidates] == list(OURS.addresses)
    assert audio.ice_candidates_complete
    assert audio.dtls is not None
    assert (audio.dtls.role, audio.dtls.fingerprints[0].value) == ("client", FINGERPRINT)
    assert [codec.name for codec in audio.rtp.codecs] == ["opus", "telephone-event"]


def test_what_stands_before_the_media_holds_for_all_of_them() -> None:
    moved = (
        "a=setup:actpass\r\n",
        f"a=fingerprint:sha-256 {FINGERPRINT}\r\n",
        "a=ice-pwd:2/1muCWoOi3uLifh0NuRHlsX\r\n",
    )
    text = CHROMIUM
    for line in moved:
        text = text.replace(line, "").replace("t=0 0\r\n", f"t=0 0\r\n{line}")
    assert parse_offer(text) == parse_offer(CHROMIUM)


def test_candidates_that_we_prefer_come_first() -> None:
    first, second = (serialize_candidate("192.0.2.7", 9, preference=preference) for preference in (65_535, 65_534))
    assert first == "candidate:1 1 udp 2130706431 192.0.2.7 9 typ host"
    assert int(first.split()[3]) > int(second.split()[3])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("v=0", "v=1", "no SDP"),
        ("m=audio", "m=application", "no audio"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", "not DTLS-SRTP"),
        ("m=audio 9", "m=audio", "malformed media line|not DTLS-SRTP"),
        ("a=rtcp-mux\r\n", "", "no rtcp-mux"),
        ("a=setup:actpass", "a=setup:active", "not actpass"),
        ("a=sendrecv", "a=recvonly", "both ways"),
        ("opus/48000/2", "speex/16000", "no Opus"),
        ("a=rtpmap:111", "a=rtpmap:112", "no Opus"),
        ("a=ice-ufrag:4ZcD", "a=ice-ufrag:4", "no ICE credentials"),
        ("a=ice-pwd:", "a=other:", "no ICE credentials"),
        ("a=fingerprint:sha-256", "a=fingerprint:md5", "no certificate fingerprint"),
        (FINGERPRINT, "zz", "no certificate fingerprint"),
        ("a=mid:0", "a=mid:0 a", "malformed mid"),
    ],
)
def test_an_offer_that_cannot_be_answered_says_why(old: str, new: str, reason: str) -> None:
    assert old in CHROMIUM
    with pytest.raises(ValueError, match=reason):
        parse_offer(CHROMIUM.replace(old, new))


@given(st.text(max_size=300) | st.lists(st.sampled_from(CHROMIUM.split("\r\n")), max_size=60).map("\r\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    for tried in (text, f"v=0\r\n{text}"):
        try:
            offer = parse_offer(tried)
        except ValueError:
            continue
        assert isinstance(offer, Offer)
        assert build_answer(offer, OURS).count("m=") == len(offer.sections)
