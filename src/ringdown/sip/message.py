"""SIP messages: parses and serializes requests and responses; knows nothing of transactions."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypedDict

from ringdown.sip.address import (
    KEPT,
    MAX_KEPT_CHARS,
    NameAddr,
    Params,
    join_host_port,
    parse_number,
    parse_params,
    serialize_params,
    split_host_port,
    split_list,
)
from ringdown.sip.multipart import find_sdp
from ringdown.sip.vocabulary import KNOWN_NAMES, REASONS

MAX_MESSAGE_BYTES = 65_535  # what a UDP datagram can hold; the same bound keeps a stream peer from filling memory
MAX_HEADER_LINES = 200
MAX_LINE_CHARS = 16_384  # of one header field with its folded lines; a signed identity is the longest in use
BRANCH_COOKIE = "z9hG4bK"  # RFC 3261 §8.1.1.7
_MAX_CSEQ = 2**31 - 1

_COLLECTED = frozenset(("Via", "From", "To", "Call-ID", "CSeq", "Content-Length"))
_FOLD = re.compile(r"[ \t]*\r\n[ \t]+")
_TOKEN_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")


class _Mandatory(TypedDict):
    via: "Via"
    from_: NameAddr
    to: NameAddr
    call_id: str
    cseq: int
    cseq_method: str


class Headers:
    """Header fields in their order; names are matched in any case and in compact form."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = [(_canonical(name), value) for name, value in fields]

    @classmethod
    def of_canonical(cls, fields: list[tuple[str, str]]) -> "Headers":
        """From fields whose names are canonical already; keeps the list."""
        headers = cls.__new__(cls)
        headers._fields = fields
        return headers

    @classmethod
    def of_lines(cls, fields: Iterable[tuple[str, str]]) -> "Headers":
        """From fields whose values must be single lines; raises `ValueError`."""
        lines = [(KNOWN_NAMES.get(name) or _canonical(name), value) for name, value in fields]
        text = "".join([value for _, value in lines])
        if "\r" in text or "\n" in text:
            raise ValueError("a header value must be one line")
        return cls.of_canonical(lines)

    def add(self, name: str, value: str) -> None:
        """Append one field; the value must be a single line."""
        if "\r" in value or "\n" in value:
            raise ValueError("a header value must be one line")
        self._fields.append((_canonical(name), value))

    def replace_first(self, name: str, value: str) -> None:
        """Set the value of the first field of this canonical name, which must exist."""
        for index, (field_name, _) in enumerate(self._fields):
            if field_name == name:
                self._fields[index] = (name, value)
                return
        raise KeyError(name)

    def get(self, name: str) -> str | None:
        """The first value of this canonical name."""
        for field_name, value in self._fields:
            if field_name == name:
                return value
        return None

    def get_all(self, name: str) -> list[str]:
        """All values, comma lists split. Not for headers with commas of their own (dates, challenges)."""
        return [part for field_name, value in self._fields if field_name == name for part in split_list(value)]

    def get_lines(self, name: str) -> list[str]:
        """All values as written, one per field."""
        return [value for field_name, value in self._fields if field_name == name]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __repr__(self) -> str:
        return f"Headers({self._fields!r})"


@dataclass(frozen=True, slots=True)
class Via:
    """One hop: transport, sent-by, parameters (RFC 3261 §20.42)."""

    transport: str
    host: str
    port: int | None
    params: Params = field(default_factory=dict)

    @staticmethod
    def parse(value: str) -> "Via":
        """Parse one value; raises `ValueError`."""
        return _find_via(value) if len(value) <= MAX_KEPT_CHARS else _parse_via(value)

    def serialize(self) -> str:
        """The value as it is written in a message."""
        return f"SIP/2.0/{self.transport} {join_host_port(self.host, self.port)}{serialize_params(self.params)}"

    @property
    def branch(self) -> str:
        """The transaction's id, or an empty string from a peer older than RFC 3261."""
        return self.params.get("branch") or ""


@dataclass(slots=True)
class Message:
    """What requests and responses share; the five mandatory fields are parsed, the rest stays text."""

    headers: Headers
    via: Via
    from_: NameAddr
    to: NameAddr
    call_id: str
    cseq: int
    cseq_method: str
    body: bytes

    def _serialize(self, start_line: str) -> bytes:
        lines = [start_line]
        lines += [f"{name}: {value}" for name, value in self.headers if name != "Content-Length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode() + self.body


@dataclass(slots=True)
class Request(Message):
    """A request: `method`, Request-URI as text, and the fields of `Message`."""

    method: str
    uri: str

    @classmethod
    def build(cls, method: str, uri: str, fields: Iterable[tuple[str, str]], body: bytes = b"") -> "Request":
        """A request of ours from its header fields, which must hold the mandatory five; raises `ValueError`."""
        headers = Headers.of_lines(fields)
        if not uri or not uri.isprintable() or " " in uri:
            raise ValueError("malformed Request-URI")
        return cls(**_mandatory(headers), headers=headers, body=body, method=method, uri=uri)

    def serialize(self) -> bytes:
        """The bytes for the wire."""
        return self._serialize(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(Message):
    """A response: `status` 100-699, `reason` as text, and the fields of `Message`."""

    status: int
    reason: str

    @classmethod
    def build(
        cls,
        request: Request,
        status: int,
        *,
        reason: str | None = None,
        tag: str | None = None,
        fields: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> "Response":
        """The response to a request (RFC 3261 §8.2.6); `tag` goes into To unless it has one.

        Raises `ValueError` for a reason or header value that is not one line.
        """
        if reason is not None and not reason.isprintable():
            raise ValueError("a reason must be one line")
        to = request.to if tag is None or request.to.tag is not None else request.to.with_tag(tag)
        headers = Headers([("Via", value) for value in request.headers.get_lines("Via")])
        if status < 300 and to.tag is not None:
            for value in request.headers.get_lines("Record-Route"):
                headers.add("Record-Route", value)
        headers.add("From", request.headers.get("From") or "")
        headers.add("To", to.serialize() if to is not request.to else request.headers.get("To") or "")
        headers.add("Call-ID", request.call_id)
        headers.add("CSeq", f"{request.cseq} {request.cseq_method}")
        for name, value in fields:
            headers.add(name, value)
        return cls(
            headers=headers,
            via=request.via,
            from_=request.from_,
            to=to,
            call_id=request.call_id,
            cseq=request.cseq,
            cseq_method=request.cseq_method,
            body=body,
            status=status,
            reason=reason or REASONS.get(status, "Unknown"),
        )

    def serialize(self) -> bytes:
        """The bytes for the wire."""
        return self._serialize(f"SIP/2.0 {self.status} {self.reason}")


def parse_message(data: bytes) -> Request | Response:
    """Parse one whole message; raises nothing but `ValueError` (RFC 3261 §7).

    Bytes after `Content-Length` are ignored, fewer are an error; without the header the body is the rest. Of a
    multipart body only the session description is kept, if it holds one.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise ValueError("message too large")
    head, separator, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise ValueError("no end of headers")
    text = head.decode(errors="replace")
    if "\x00" in text:
        # Only a quoted-string may hold one, escaped (§25.1); nothing behind us is made for it.
        text = text.replace("\\\x00", "\\\ufffd")
        if "\x00" in text:
            raise ValueError("NUL in headers")
    start_line, _, rest = text.partition("\r\n")
    headers = _parse_headers(rest)
    length_text = headers.get("Content-Length")
    if length_text is not None:
        length = parse_number(length_text.strip(), maximum=MAX_MESSAGE_BYTES)
        if length > len(body):
            raise ValueError("body shorter than Content-Length")
        body = body[:length]
    if body:
        body = find_sdp(headers.get("Content-Type") or "", body)
    mandatory = _mandatory(headers)
    if start_line.startswith("SIP/"):
        version, _, rest = start_line.partition(" ")
        status_text, _, reason = rest.partition(" ")
        status = parse_number(status_text, maximum=699)
        if version != "SIP/2.0" or status < 100:
            raise ValueError("malformed status line")
        return Response(**mandatory, headers=headers, body=body, status=status, reason=reason.strip())
    method, _, rest = start_line.partition(" ")
    uri, _, version = rest.partition(" ")
    if version != "SIP/2.0" or not uri or not is_token(method):
        raise ValueError("malformed request line")
    if mandatory["cseq_method"] != method:
        raise ValueError("CSeq does not name the method")
    return Request(**mandatory, headers=headers, body=body, method=method, uri=uri)


def is_token(text: str) -> bool:
    """Whether the text is a token (RFC 3261 §25.1): a method or header name."""
    return bool(text) and _TOKEN_CHARS.issuperset(text)


def _parse_headers(text: str) -> Headers:
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)  # §7.3.1
    lines = text.split("\r\n") if text else []
    breaks = len(lines) - 1 if lines else 0
    if len(lines) > MAX_HEADER_LINES:
        raise ValueError("too many header lines")
    if text.count("\n") != breaks or text.count("\r") != breaks:
        raise ValueError("malformed line end")
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        known = KNOWN_NAMES.get(name)
        if known is None:
            name = name.rstrip()
            known = _canonical(name) if is_token(name) else ""
        if not colon or not known:
            raise ValueError("malformed header line")
        fields.append((known, value.strip()))
    if len(text) > MAX_LINE_CHARS and any(len(value) > MAX_LINE_CHARS for _, value in fields):
        raise ValueError("header line too long")
    return Headers.of_canonical(fields)


def _mandatory(headers: Headers) -> _Mandatory:
    found: dict[str, str] = {}
    for name, value in headers:
        if name in _COLLECTED:
            if name not in found:
                found[name] = value
            elif name != "Via":  # two of the others would be read in two ways
                raise ValueError(f"more than one {name}")
    if len(found) - ("Content-Length" in found) != 5:
        raise ValueError("a mandatory header is missing")
    number, *method = found["CSeq"].split()
    if len(method) != 1 or not is_token(method[0]) or not found["Call-ID"]:
        raise ValueError("malformed CSeq or Call-ID")
    return {
        "via": Via.parse(split_list(found["Via"])[0]),
        "from_": NameAddr.parse(found["From"]),
        "to": NameAddr.parse(found["To"]),
        "call_id": found["Call-ID"],
        "cseq": parse_number(number, maximum=_MAX_CSEQ),
        "cseq_method": method[0],
    }


def _parse_via(value: str) -> Via:
    protocol, _, rest = value.strip().partition(" ")
    if "/" in rest.partition(";")[0]:  # blanks around the slashes are allowed
        head, _, tail = value.partition(";")
        *pieces, last = head.split("/")
        transport, _, sent_by = last.strip().partition(" ")
        protocol, rest = "/".join([*(piece.strip() for piece in pieces), transport]), f"{sent_by};{tail}"
    name, version, transport = [*protocol.split("/"), "", ""][:3]
    if name.upper() != "SIP" or version != "2.0" or not transport or ";;" in rest:
        raise ValueError("malformed Via")
    sent_by, _, params_text = rest.strip().partition(";")
    host, port = split_host_port(sent_by)
    return Via(transport.upper(), host, port, parse_params(params_text))


_find_via = lru_cache(KEPT)(_parse_via)


def _canonical(name: str) -> str:
    known = KNOWN_NAMES.get(name) or KNOWN_NAMES.get(name.lower())
    return known or "-".join(part.capitalize() for part in name.split("-"))
