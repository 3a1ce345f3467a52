"""Messages that are too large: how far a stream reads them, and what is answered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip import oversize
from ringdown.sip.framing import MessageTooLarge, StreamFramer
from ringdown.sip.message import Response, parse_message

HEAD = (
    b"INVITE sip:bob@host SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKbig\r\nFrom: <sip:a@b>;tag=f\r\n"
    b"To: <sip:bob@host>\r\nCall-ID: big\r\nCSeq: 3 INVITE\r\n%s"
)


@pytest.mark.parametrize("field", [b"Content-Length: 65536", b"l:70000", b"CONTENT-LENGTH : 4000000000"])
def test_a_body_that_is_too_large_is_known_by_its_length_alone_and_refused(field: bytes) -> None:
    head = HEAD % field
    with pytest.raises(MessageTooLarge) as error:
        StreamFramer().receive(head + b"\r\n\r\n")
    assert error.value.head == head
    request = oversize.read_head(head)
    assert request is not None
    refusal = parse_message(oversize.build_refusal(request, server="Test"))
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.call_id, refusal.cseq, refusal.via.branch) == (513, "big", 3, "z9hG4bKbig")
    assert refusal.to.tag


@pytest.mark.parametrize("head", [
    b"nonsense", HEAD.replace(b"INVITE", b"ACK") % b"l: 70000",
    b"SIP/2.0 200 OK\r\n" + HEAD.partition(b"\r\n")[2] % b"l: 70000",
])  # fmt: skip
def test_nothing_but_a_request_is_answered(head: bytes) -> None:
    assert oversize.read_head(head) is None


@settings(max_examples=150)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_header_section_breaks_the_reading(noise: bytes, at: int) -> None:
    head = HEAD % b"l: 70000"
    oversize.read_head(noise)
    oversize.read_head(head[:at] + noise + head[at:])
