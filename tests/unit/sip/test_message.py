"""Parsing and serializing of SIP messages, addresses and stream framing, with broken input."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.address import NameAddr, Uri, split_list
from ringdown.sip.framing import MAX_HEAD_BYTES, StreamFramer
from ringdown.sip.message import MAX_MESSAGE_BYTES, Headers, Request, Response, Via, parse_message

INVITE = (
    b"INVITE sip:bob@biloxi.example.com;transport=tcp SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP proxy.example.com:5070;branch=z9hG4bK2d4790.1;received=192.0.2.7\r\n"
    b"Via: SIP/2.0/TCP [2001:db8::9]:5060;branch=z9hG4bK74bf9;rport\r\n"
    b"Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n"
    b"Max-Forwards: 69\r\n"
    b'From: "Alice, \\"A\\"" <sip:alice@atlanta.example.com;x=1>;tag=9fxced76sl\r\n'
    b"To: Bob <sip:bob@biloxi.example.com>\r\n"
    b"Call-ID: 3848276298220188511@atlanta.example.com\r\n"
    b"CSeq: 2 INVITE\r\n"
    b"Contact: <sip:alice@client.atlanta.example.com;transport=tcp>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
    b"v=0\r\n"
)
RINGING = (
    b"SIP/2.0 180 Ringing\r\n"
    b"v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"f: sip:alice@192.0.2.1;tag=1\r\n"
    b"t: <sip:bob@192.0.2.2>;tag=2\r\n"
    b"i: abc\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"l: 0\r\n\r\n"
)


def test_a_request_parses_to_its_parts() -> None:
    request = parse_message(INVITE)
    assert isinstance(request, Request)
    assert (request.method, request.uri) == ("INVITE", "sip:bob@biloxi.example.com;transport=tcp")
    assert request.via.branch == "z9hG4bK2d4790.1"
    assert request.from_ == NameAddr("sip:alice@atlanta.example.com;x=1", 'Alice, "A"', {"tag": "9fxced76sl"})
    assert (request.to.display, request.to.tag) == ("Bob", None)
    assert (request.cseq, request.cseq_method) == (2, "INVITE")
    assert request.headers.get_all("Record-Route") == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]
    assert len(request.headers.get_all("Via")) == 2
    assert request.body == b"v=0\r\n"


def test_what_is_made_of_an_address_does_not_show_in_the_next_one_that_reads_the_same() -> None:
    value = "Bob <sip:bob@biloxi.example.com>;x=1"
    assert NameAddr.parse(value).with_tag("one").tag == "one"
    assert NameAddr.parse(value).tag is None
    long_value = f"Bob <sip:{'b' * 300}@biloxi.example.com>;x=1"
    assert NameAddr.parse(long_value).serialize() == NameAddr.parse(long_value).serialize()


def test_a_request_survives_the_round_trip() -> None:
    request = parse_message(INVITE)
    assert request.serialize() == INVITE
    assert parse_message(request.serialize()) == request


def test_compact_names_a_bare_address_and_the_status_are_understood() -> None:
    response = parse_message(RINGING)
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (180, "Ringing")
    assert response.from_ == NameAddr("sip:alice@192.0.2.1", None, {"tag": "1"})
    assert response.to.tag == "2"


def test_names_match_in_any_case_and_folded_lines_are_joined() -> None:
    text = RINGING.replace(b"i: abc", b"CALL-id  :  abc").replace(b"CSeq: 1 INVITE", b"cseq: 1\r\n \t INVITE")
    response = parse_message(text + b"garbage after the body")
    assert response.call_id == "abc"
    assert response.cseq_method == "INVITE"
    assert response.body == b""


@pytest.mark.parametrize(("written", "name"), [
    ("P-CALLED-PARTY-ID", "P-Called-Party-ID"), ("cseq", "CSeq"), ("K", "Supported"), ("x-my-HEADER", "X-My-Header"),
])  # fmt: skip
def test_a_name_has_one_spelling_whatever_was_written(written: str, name: str) -> None:
    assert [field for field, _ in Headers([(written, "x")])] == [name]


def test_an_escaped_nul_is_read_as_a_sign_that_nothing_behind_us_chokes_on() -> None:
    message = parse_message(INVITE.replace(b'\\"A\\"', b"\\\x00"))
    assert message.from_.display == "Alice, \ufffd"


def test_several_vias_in_one_line_are_split() -> None:
    text = RINGING.replace(b"branch=z9hG4bK1", b"branch=z9hG4bK1, SIP / 2.0 / TCP host:99;branch=z9hG4bK2")
    response = parse_message(text)
    assert response.via.branch == "z9hG4bK1"
    assert Via.parse(response.headers.get_all("Via")[1]) == Via("TCP", "host", 99, {"branch": "z9hG4bK2"})


@pytest.mark.parametrize(("old", "new"), [
    (b"Call-ID: 3848276298220188511@atlanta.example.com\r\n", b""),
    (b"CSeq: 2 INVITE", b"CSeq: 2 BYE"),
    (b"CSeq: 2 INVITE", b"CSeq: -2 INVITE"),
    (b"CSeq: 2 INVITE", b"CSeq: 4294967296 INVITE"),
    (b"CSeq: 2 INVITE", b"CSeq: 2 INVITE\r\nCSeq: 3 INVITE"),
    (b"Content-Length: 5", b"Content-Length: 50"),
    (b"Content-Length: 5", b"Content-Length: -5"),
    (b"Content-Length: 5", b"Content-Length: 1e1"),
    (b" SIP/2.0\r\nVia", b" SIP/7.0\r\nVia"),
    (b"INVITE sip", b"INV\x00ITE sip"),
    (b"SIP/2.0/UDP proxy.example.com:5070", b"SIP/2.0/UDP proxy.example.com:507000"),
    (b"SIP/2.0/TCP", b"SIP/2.0/TCP\x00"),
    (b"To: Bob <sip:bob@biloxi.example.com>", b"To: Bob <sip:bob@biloxi.example.com"),
    (b'From: "Alice, \\"A\\"" ', b'From: "Alice '),
    (b"Max-Forwards: 69", b"Max-Forwards"),
    (b"Max-Forwards: 69", b"Max Forwards: 69"),
    (b"Max-Forwards: 69", b"X: \r69"),
    (b"\r\n\r\nv=0", b"\r\nv=0"),
    (b"Content-Length: 5", b"Content-Length: 5\r\nl: 0"),
    (b"SIP/2.0\r\nVia", b"SIP/2.0\r\n Via"),
    (b";branch=z9hG4bK2d4790.1;", b";;branch=z9hG4bK2d4790.1;"),
])  # fmt: skip
def test_a_broken_message_is_a_value_error(old: bytes, new: bytes) -> None:
    assert old in INVITE
    with pytest.raises(ValueError, match=r".+"):
        parse_message(INVITE.replace(old, new))


def test_size_limits_hold() -> None:
    with pytest.raises(ValueError, match="too large"):
        parse_message(INVITE + bytes(MAX_MESSAGE_BYTES))
    with pytest.raises(ValueError, match="too many"):
        parse_message(INVITE.replace(b"Max-Forwards: 69", b"\r\n".join([b"X: y"] * 300)))
    for line in (b"X: " + b"y" * 17_000, b"X: y" + b"\r\n y" * 9_000):
        with pytest.raises(ValueError, match="too long"):
            parse_message(INVITE.replace(b"Max-Forwards: 69", line))
    assert parse_message(INVITE.replace(b"Max-Forwards: 69", b"Xx: " + b"y" * 16_000)).headers.get("Xx") == "y" * 16_000


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_random_bytes_raise_nothing_but_value_error(data: bytes) -> None:
    for candidate in (data, b"INVITE sip:x SIP/2.0\r\n" + data + b"\r\n\r\n"):
        try:
            parse_message(candidate)
        except ValueError:
            continue


@given(st.sampled_from([INVITE, RINGING]), st.integers(0, 700), st.integers(0, 12), st.binary(max_size=12))
@settings(max_examples=400, deadline=None)
def test_a_mutated_message_raises_nothing_but_value_error(base: bytes, at: int, cut: int, piece: bytes) -> None:
    at %= len(base)
    try:
        message = parse_message(base[:at] + piece + base[at + cut :])
    except ValueError:
        return
    assert parse_message(message.serialize()).cseq == message.cseq


@pytest.mark.parametrize("text", [
    "sip:bob@example.com",
    "sip:+4930123;phone-context=x@[2001:db8::1]:5070;transport=tcp;lr?subject=a",
    "sips:example.com:5061",
    "sip:user:pass@10.0.0.1",
    "sip:a%40b@example.com;maddr=10.0.0.9",
    "tel:+15551234;ext=9",
])  # fmt: skip
def test_a_uri_survives_the_round_trip(text: str) -> None:
    assert Uri.parse(text).serialize() == text


def test_the_parts_of_a_uri() -> None:
    uri = Uri.parse("sip:Bob:pw@[2001:DB8::1]:5070;Transport=TCP;lr")
    assert (uri.user, uri.password, uri.host, uri.port) == ("Bob", "pw", "2001:db8::1", 5070)
    assert uri.transport == "tcp"
    assert uri.params == {"transport": "TCP", "lr": None}


@pytest.mark.parametrize("text", [
    "", "sip:", "bob@example.com", "http://example.com", "sip:bob@", "sip:bob@host:", "sip:bob@host:99999",
    "sip:bob@[::1", "sip:bob@[zz]", "sip:bo b@host", "sip:bob@ho\r\nst", "sip:a@b@c d", "sip:bob@host:+5",
])  # fmt: skip
def test_a_broken_uri_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Uri.parse(text)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_addresses_raise_nothing_but_value_error(text: str) -> None:
    for parse in (Uri.parse, NameAddr.parse, Via.parse, split_list):
        for candidate in (text, f"sip:{text}", f'"{text}" <sip:{text}>;{text}', f"SIP/2.0/UDP {text}"):
            try:
                parse(candidate)
            except ValueError:
                continue


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_display_name_cannot_break_out_of_its_header(name: str) -> None:
    written = NameAddr("sip:a@b", name, {"tag": "t"}).serialize()
    assert "\r" not in written
    assert "\n" not in written
    parsed = NameAddr.parse(written)
    assert (parsed.uri, parsed.tag) == ("sip:a@b", "t")


def test_a_header_value_must_be_one_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        Headers().add("Subject", "x\r\nInjected: y")


def test_a_stream_is_cut_by_content_length_whatever_the_pieces() -> None:
    stream = b"\r\n\r\n" + INVITE + RINGING + b"\r\n" + INVITE
    for size in (1, 7, 100, len(stream)):
        framer = StreamFramer()
        messages: list[bytes] = []
        for start in range(0, len(stream), size):
            messages += framer.receive(stream[start : start + size])
        assert messages == [INVITE, RINGING, INVITE]
        assert not framer.is_inside_message


@pytest.mark.parametrize("data", [
    b"x" * (MAX_HEAD_BYTES + 1),
    b"INVITE sip:x SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
    b"INVITE sip:x SIP/2.0\r\nContent-Length: 65535\r\n\r\n",
    b"INVITE sip:x SIP/2.0\r\nl: -1\r\n\r\n",
    b"INVITE sip:x SIP/2.0\r\nl: 4\r\nContent-Length: 0\r\n\r\n",
    b"INVITE sip:x SIP/2.0\r\nl: \xff\r\n\r\n",
])  # fmt: skip
def test_a_stream_that_cannot_be_cut_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        StreamFramer().receive(data)
    framer = StreamFramer()
    assert framer.receive(INVITE + data) == [INVITE]
    with pytest.raises(ValueError, match=r".+"):
        framer.receive(b"")


@given(st.lists(st.binary(max_size=80), max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_stream_of_random_bytes_raises_nothing_but_value_error(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    try:
        for piece in pieces:
            framer.receive(piece)
    except ValueError:
        return
