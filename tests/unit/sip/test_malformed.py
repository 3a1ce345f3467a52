"""Requests that do not parse: which can be answered, with what, and that every answer is well formed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.malformed import salvage
from ringdown.sip.message import Response, parse_message

GOOD = (
    b"OPTIONS sip:agent@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5062;branch=z9hG4bK1;rport\r\n"
    b'Via: SIP/2.0/TCP far;branch=z9hG4bK0\r\nFrom: "Peer" <sip:peer@10.0.0.2>;tag=p\r\nTo: <sip:agent@10.0.0.1>\r\n'
    b"Call-ID: call\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def refuse(data: bytes) -> Response:
    """The refusal as the peer reads it."""
    salvaged = salvage(data)
    assert salvaged is not None
    request, status = salvaged
    response = parse_message(Response.build(request, status, tag="ours").serialize())
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize(("old", "new", "status"), [
    (b" SIP/2.0\r\nVia", b"  SIP/2.0\r\nVia", 400), (b" SIP/2.0\r\nVia", b" SIP/3.0\r\nVia", 505),
    (b" SIP/2.0\r\nVia", b"\r\nVia", 400), (b" SIP/2.0\r\nVia", b" HTTP/1.1\r\nVia", 400),
    (b"Content-Length: 0", b"Content-Length: -1", 400), (b"Content-Length: 0", b"no header", 400),
    (b"Content-Length: 0", b"Bad Name: x", 400), (b"Content-Length: 0", b"X: \x00", 400),
    (b"\r\n\r\n", b"\r\n", 400), (b'"Peer" <', b'"Peer <', 400), (b"7 OPTIONS", b"7 INVITE", 400),
    (b"Content-Length: 0", b"CSeq: 8 OPTIONS", 400), (b"rport", b"rport;;x", 400),
])  # fmt: skip
def test_what_can_be_answered_gets_its_status_back_on_the_way_it_came(old: bytes, new: bytes, status: int) -> None:
    response = refuse(GOOD.replace(old, new, 1))
    assert response.status == status
    assert (response.via.host, response.via.port, response.via.branch) == ("10.0.0.2", 5062, "z9hG4bK1")
    assert len(response.headers.get_all("Via")) == 2
    assert (response.call_id, response.cseq) == ("call", 7)
    assert (response.from_.uri, response.from_.tag) == ("sip:peer@10.0.0.2", "p")
    assert response.to.tag == "ours"


@pytest.mark.parametrize(("old", "new"), [
    (b"OPTIONS sip", b"ACK sip"),  # nobody answers an ACK
    (b"OPTIONS sip", b"SIP/2.0 200"), (b"OPTIONS sip", b"OP(IONS sip"), (b"OPTIONS sip", b" sip"),
    (b"Via: SIP/2.0/UDP 10.0.0.2:5062;branch=z9hG4bK1;rport\r\nVia: SIP/2.0/TCP far;branch=z9hG4bK0\r\n", b""),
    (b"10.0.0.2:5062", b"10.0.0.2:99999"), (b"10.0.0.2:5062", b"[::::]"), (b"/UDP 10", b"/UDP10"),
    (b"CSeq: 7 OPTIONS", b"CSeq: x OPTIONS"), (b"CSeq: 7 OPTIONS", b"CSeq: 7"), (b"CSeq: 7 OPTIONS", b"CSeq: 7 (x)"),
    (b"Call-ID: call", b"Call-ID:"), (b"From: ", b"Form: "), (b"To: <sip:agent@10.0.0.1>", b"To: agent"),
])  # fmt: skip
def test_what_cannot_be_answered_is_dropped(old: bytes, new: bytes) -> None:
    assert old in GOOD
    assert salvage(GOOD.replace(old, new, 1)) is None


def test_a_line_break_in_a_header_never_comes_back() -> None:
    response = refuse(GOOD.replace(b"Call-ID: call", b"Call-ID: a\nContact: <sip:evil@x>\r\nCall-ID: call"))
    assert response.call_id == "call"
    assert response.headers.get("Contact") is None


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 6), st.binary(max_size=8))
@settings(max_examples=200, deadline=None)
def test_every_answer_to_a_mutation_is_well_formed(at: int, cut: int, piece: bytes) -> None:
    data = GOOD[:at] + piece + GOOD[at + cut :]
    try:
        parse_message(data)
    except ValueError:
        if (salvaged := salvage(data)) is not None and salvaged[0].cseq < 2**31:
            refuse(data)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_salvaged_or_not_but_never_raise(data: bytes) -> None:
    salvage(data)
    salvage(b"OPTIONS sip:x SIP/2.0\r\n" + data)
