"""The session description beside other things in one body, as carriers send it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.message import Request, parse_message
from ringdown.sip.multipart import find_sdp

SDP = b"v=0\r\nc=IN IP4 192.0.2.5\r\n"
ISUP = b"Content-Type: application/isup;version=itu-t92+\r\nContent-Disposition: signal\r\n\r\n\x01\x00--frontier"


def pack(*parts: bytes, boundary: bytes = b"frontier") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


@pytest.mark.parametrize("content_type", [
    "multipart/mixed;boundary=frontier", 'Multipart/Mixed; charset=x; Boundary = "frontier"',
    'multipart/related; boundary="fron\\tier"',
])  # fmt: skip
def test_the_description_is_found_beside_other_parts(content_type: str) -> None:
    part = b"content-type : application/SDP;charset=utf-8\r\n\r\n" + SDP
    for body in (pack(part), pack(ISUP, part), pack(part, ISUP), b"preamble\r\n" + pack(ISUP, part)):
        assert find_sdp(content_type, body) == SDP


@pytest.mark.parametrize(("content_type", "body"), [
    ("application/sdp", SDP), ("", SDP), ("multipart/mixed", pack(ISUP)),
    ("multipart/mixed;boundary=other", pack(ISUP)),
    ("multipart/mixed;boundary=frontier", pack(ISUP)), ("multipart/mixed;boundary=frontier", b"\x00"),
    ("multipart/mixed;boundary=", pack(ISUP)),
])  # fmt: skip
def test_any_other_body_stays_as_it_is(content_type: str, body: bytes) -> None:
    assert find_sdp(content_type, body) == body


def test_a_message_with_several_parts_has_the_description_for_its_body() -> None:
    body = pack(ISUP, b"Content-Type: application/sdp\r\n\r\n" + SDP)
    head = (
        "INVITE sip:agent@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\nFrom: <sip:p@q>;tag=1\r\n"
        "To: <sip:agent@10.0.0.1>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nc: multipart/mixed;boundary=frontier\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    message = parse_message(head + body)
    assert isinstance(message, Request)
    assert message.body == SDP


@given(st.text(max_size=40), st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_body_of_any_type_is_taken(text: str, body: bytes) -> None:
    for content_type in (text, f"multipart/mixed;boundary={text}"):
        assert isinstance(find_sdp(content_type, body), bytes)
