"""What can still be answered of a request that does not parse; accepts nothing (RFC 3261 §8.2, RFC 4475)."""

import re

from ringdown.sip.address import NameAddr, parse_params, split_host_port
from ringdown.sip.message import MAX_HEADER_LINES, Headers, Request, Via, is_token

_FOLD = re.compile(r"\r\n[ \t]+")
_VIA = re.compile(r"SIP\s*/\s*[\d.]+\s*/\s*(?P<transport>\w+)\s+(?P<sent_by>[^;,]+)(?P<params>[^,]*)", re.IGNORECASE)
_CSEQ = re.compile(r"(?P<number>[0-9]{1,32})\s+(?P<method>\S+)")
_BRACKETED = re.compile(r"<[^<>]*>[^<>]*$")
_VERSION = re.compile(r"SIP/(?!2\.0\s*$)[0-9]+\.[0-9]+\s*$")


def salvage(data: bytes) -> tuple[Request, int] | None:
    """The request to refuse and the status: 505 for another version of SIP, else 400.

    `None` when the bytes are no request, are an ACK, or do not say who is to be answered. Of the request only what
    goes into a response is good: Via, From, To, Call-ID and CSeq, mended as far as a response needs to be well formed.
    """
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    start_line, *lines = _FOLD.sub(" ", head.decode(errors="replace").replace("\x00", "\ufffd")).split("\r\n")
    method, _, uri = start_line.partition(" ")
    if method == "ACK" or not is_token(method):
        return None
    try:
        return _salvage(method, uri, Headers(_fields(lines[:MAX_HEADER_LINES]))), _status(start_line)
    except ValueError:
        return None


def _salvage(method: str, uri: str, headers: Headers) -> Request:
    cseq = _CSEQ.fullmatch(headers.get("CSeq") or "")
    call_id = headers.get("Call-ID")
    if cseq is None or not is_token(cseq["method"]) or not call_id:
        raise ValueError("nothing to answer")
    return Request(
        headers=headers,
        via=_mend_via(headers),
        from_=_mend_address(headers, "From"),
        to=_mend_address(headers, "To"),
        call_id=call_id,
        cseq=int(cseq["number"]),
        cseq_method=cseq["method"],
        body=b"",
        method=method,
        uri=uri,
    )


def _status(start_line: str) -> int:
    return 505 if _VERSION.search(start_line) else 400


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    split = [line.partition(":") for line in lines]
    return [
        (name.strip(), value.strip())
        for name, _, value in split
        if is_token(name.strip()) and not {"\r", "\n"} & set(value)
    ]


def _mend_via(headers: Headers) -> Via:
    text = headers.get("Via") or ""
    found = _VIA.match(text)
    if found is None:
        raise ValueError("nobody to answer")
    host, port = split_host_port(found["sent_by"])
    via = Via(found["transport"].upper(), host, port, parse_params(found["params"]))
    headers.replace_first("Via", via.serialize() + text[found.end() :])
    return via


def _mend_address(headers: Headers, name: str) -> NameAddr:
    """The address, without its display name if that is what is wrong."""
    text = headers.get(name) or ""
    try:
        return NameAddr.parse(text)
    except ValueError:
        address = NameAddr.parse(found[0] if (found := _BRACKETED.search(text)) else "")
        headers.replace_first(name, address.serialize())
        return address
