"""What new requests are refused for before anybody is asked (RFC 3261 §8.2)."""

import pytest

from ringdown.sip.inspection import inspect
from ringdown.sip.message import Request


def write(method: str = "INVITE", uri: str = "sip:agent@10.0.0.1", body: bytes = b"", **fields: str) -> Request:
    mandatory = [
        ("Via", "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1"),
        ("From", "<sip:peer@10.0.0.2>;tag=p"),
        ("To", "<sip:agent@10.0.0.1>"),
        ("Call-ID", "call"),
        ("CSeq", f"1 {method}"),
    ]
    return Request.build(method, uri, [*mandatory, *((k.replace("_", "-"), v) for k, v in fields.items())], body)


@pytest.mark.parametrize("request_", [
    write(), write(body=b"v=0\r\n", Content_Type="application/sdp"), write(body=b"v=0\r\n"), write(uri="tel:+4930123"),
    write(body=b"v=0\r\n", Content_Type="Application/SDP ; charset=utf-8"), write(Accept="text/plain, application/sdp"),
    write(body=b"v=0\r\n", Content_Type="application/sdp", Content_Encoding="identity"), write(Accept="*/*;q=0.1"),
    write(body=b"x", Content_Type="text/plain", Content_Disposition="render; handling = optional"),
    write(body=b"v=0\r\n", Content_Type="multipart/mixed;boundary=b"), write(Proxy_Require="unknown"),
    write("OPTIONS", Accept="text/plain"), write("REGISTER", uri="http://x", Require="unknown"),
    write("BYE", Require="unknown"),
])  # fmt: skip
def test_what_is_in_order_goes_on(request_: Request) -> None:
    assert inspect(request_) is None


@pytest.mark.parametrize(("request_", "status", "field"), [
    (write(uri="sip:a@[2001:db8:::1]"), 400, ""), (write("REGISTER", uri="sip:2001:db8::1"), 400, ""),
    (write(uri="<sip:a@b>"), 400, ""), (write(uri="sip:a@b?Route=%3Csip:c%3E"), 400, ""),
    (write(uri="nonsense"), 400, ""),
    (write("FOO"), 501, "Allow"), (write("invite"), 501, "Allow"), (write(uri="http://x"), 416, ""),
    (write("OPTIONS", uri="soap.beep://192.0.2.103:3002"), 416, ""),
    (write(Require="unknown, other"), 420, "Unsupported"), (write("OPTIONS", Require="unknown"), 420, "Unsupported"),
    (write(body=b"x", Content_Type="text/plain"), 415, "Accept"),
    (write(body=b"--b\r\n\r\nx", Content_Type="multipart/mixed;boundary=b"), 415, "Accept"),
    (write(body=b"x", Content_Type="application/sdp", Content_Encoding="gzip"), 415, "Accept-Encoding"),
    (write(Accept="text/plain"), 406, "Warning"),
])  # fmt: skip
def test_what_is_not_gets_its_status_and_what_the_peer_must_know(request_: Request, status: int, field: str) -> None:
    refusal = inspect(request_)
    assert refusal is not None
    assert refusal.status == status
    assert [name for name, _ in refusal.fields] == ([field] if field else [])


def test_every_extension_that_is_unknown_is_named() -> None:
    refusal = inspect(write(Require="unknown, other"))
    assert refusal is not None
    assert refusal.fields == (("Unsupported", "unknown, other"),)
