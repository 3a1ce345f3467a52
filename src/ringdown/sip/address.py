"""SIP addresses: URIs, name-addr header values and their parameters; knows no message and no socket."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

_HOST = re.compile(r"[A-Za-z0-9._-]+")
_NOT_IN_URI = re.compile(r'[\x00-\x20\x7f<>"]')
_DISPLAY_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_SCHEMES = ("sip", "sips")

# The messages of a call repeat its addresses: what was parsed is kept, as many values and no longer ones.
KEPT = 1024
MAX_KEPT_CHARS = 256

Params = Mapping[str, str | None]


class UnsupportedScheme(ValueError):
    """A URI of a scheme that is none of ours, maybe well formed."""


@dataclass(frozen=True, slots=True)
class Uri:
    """A `sip:`, `sips:` or `tel:` URI (RFC 3261 §19.1); the host is without brackets, escapes are kept as written."""

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    params: Params = field(default_factory=dict)
    password: str | None = None
    headers: str = ""

    @staticmethod
    def parse(text: str) -> "Uri":
        """Parse one URI without angle brackets; raises `ValueError`."""
        return _find_uri(text) if len(text) <= MAX_KEPT_CHARS else _parse_uri(text)

    def serialize(self) -> str:
        """The URI as it is written in a message, an IPv6 host in brackets."""
        if self.scheme == "tel":
            return f"tel:{self.user}{serialize_params(self.params)}"
        user = "" if self.user is None else f"{self.user}@"
        if self.password is not None:
            user = f"{self.user}:{self.password}@"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{join_host_port(self.host, self.port)}{serialize_params(self.params)}{headers}"

    @property
    def transport(self) -> str:
        """The transport to use, in lower case; `udp` when the URI names none (RFC 3263 without NAPTR)."""
        if self.scheme == "sips":
            return "tls"
        return (self.params.get("transport") or "udp").lower()


@dataclass(frozen=True, slots=True)
class NameAddr:
    """The value of From, To, Contact, Route or Record-Route: display name, URI text, header parameters."""

    uri: str
    display: str | None = None
    params: Params = field(default_factory=dict)

    @staticmethod
    def parse(value: str) -> "NameAddr":
        """Parse one value (no comma list); raises `ValueError`."""
        return _find_name_addr(value) if len(value) <= MAX_KEPT_CHARS else _parse_name_addr(value)

    def serialize(self) -> str:
        """The value as it is written in a message; always with angle brackets."""
        display = "" if self.display is None else f"{quote(self.display)} "
        return f"{display}<{self.uri}>{serialize_params(self.params)}"

    @property
    def tag(self) -> str | None:
        """The dialog tag of a From or To."""
        return self.params.get("tag")

    def with_tag(self, tag: str) -> "NameAddr":
        """The same address with this tag."""
        return NameAddr(self.uri, self.display, {**self.params, "tag": tag})


def _parse_uri(text: str) -> Uri:
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or not rest or not rest.isprintable() or _NOT_IN_URI.search(rest):
        raise ValueError("malformed URI")
    if scheme == "tel":
        number, _, params_text = rest.partition(";")
        return Uri(scheme, number, "", params=parse_params(params_text))
    if scheme not in _SCHEMES:
        raise UnsupportedScheme("unsupported URI scheme")
    userinfo, at, hostpart = rest.rpartition("@")
    hostpart, _, headers = hostpart.partition("?")
    hostport, _, params_text = hostpart.partition(";")
    host, port = split_host_port(hostport)
    user, colon, password = userinfo.partition(":")
    return Uri(
        scheme=scheme,
        user=user if at else None,
        host=host,
        port=port,
        params=parse_params(params_text) if params_text else {},
        password=password if colon else None,
        headers=headers,
    )


def _parse_name_addr(value: str) -> NameAddr:
    value = value.strip()
    display: str | None = None
    if value.startswith('"'):
        end = _end_of_quoted(value)
        display = unquote(value[: end + 1])
        value = value[end + 1 :].lstrip()
        if not value.startswith("<"):
            raise ValueError("no address after the display name")
    opening = value.find("<")
    if opening < 0:
        uri, _, params_text = value.partition(";")
        uri = uri.rstrip()
    else:
        closing = value.find(">", opening)
        if closing < 0:
            raise ValueError("unclosed angle bracket")
        display = display if opening == 0 else value[:opening].strip()
        uri = value[opening + 1 : closing].strip()
        params_text = value[closing + 1 :].strip()
        if params_text and not params_text.startswith(";"):
            raise ValueError("unexpected text after the address")
        params_text = params_text[1:]
    if ":" not in uri or _NOT_IN_URI.search(uri):
        raise ValueError("malformed address")
    return NameAddr(uri, display or None, parse_params(params_text) if params_text else {})


_find_uri = lru_cache(KEPT)(_parse_uri)
_find_name_addr = lru_cache(KEPT)(_parse_name_addr)


def split_host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port` or `[v6]:port` as host and port; raises `ValueError`."""
    return _find_host_port(text) if len(text) <= MAX_KEPT_CHARS else _split_host_port(text)


def _split_host_port(text: str) -> tuple[str, int | None]:
    text = text.strip()
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise ValueError("unclosed bracket in host")
        host = str(ipaddress.IPv6Address(host))
        colon, port = rest[:1], rest[1:]
        if rest and colon != ":":
            raise ValueError("malformed host")
    else:
        host, colon, port = text.partition(":")
        host = host.strip()
        if not _HOST.fullmatch(host):
            raise ValueError("malformed host")
    return host, parse_number(port.strip(), maximum=65_535) if colon else None


_find_host_port = lru_cache(KEPT)(_split_host_port)


def is_host(text: str) -> bool:
    """Whether the text is a host name or an address without brackets."""
    if ":" not in text:
        return _HOST.fullmatch(text) is not None
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def join_host_port(host: str, port: int | None) -> str:
    """Host and port as written in a URI or Via: brackets around an IPv6 address."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def parse_number(text: str, *, maximum: int) -> int:
    """A plain decimal number up to `maximum`; raises `ValueError` for a sign, a blank, or other digits."""
    if text.isdigit() and text.isascii() and len(text) <= 10 and (number := int(text)) <= maximum:
        return number
    raise ValueError("malformed number")


def parse_params(text: str) -> dict[str, str | None]:
    """`a=1;b;c="x;y"` as a dict with lower-case names; a value without `=` is `None`. Raises `ValueError`."""
    params: dict[str, str | None] = {}
    for part in text.split(";") if '"' not in text else split_quoted(text, ";"):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if name:
            params[name] = value.strip() if equals else None
    return params


def serialize_params(params: Params) -> str:
    """Parameters as they follow a URI or header value, each with its leading semicolon."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params.items())


def split_list(value: str) -> list[str]:
    """The values of a comma-separated header; commas in quotes and angle brackets do not count."""
    if "," not in value:
        return [value.strip()]
    return [part.strip() for part in split_quoted(value, ",") if part.strip()]


def split_quoted(text: str, separator: str) -> list[str]:
    """Split at a separator outside double quotes and angle brackets; raises `ValueError` on an open quote."""
    parts, start, index, depth, length = [], 0, 0, 0, len(text)
    while index < length:
        char = text[index]
        if char == '"':
            index = _end_of_quoted(text, index)
        elif char == "<":
            depth += 1
        elif char == ">":
            depth = max(0, depth - 1)
        elif char == separator and depth == 0:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    parts.append(text[start:])
    return parts


def quote(text: str) -> str:
    """A quoted-string (RFC 3261 §25.1); control characters become blanks, since they could end the header."""
    cleaned = _DISPLAY_CONTROLS.sub(" ", text)
    return '"' + cleaned.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The content of a quoted-string; other text is returned as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _end_of_quoted(text: str, start: int = 0) -> int:
    index = start + 1
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == '"':
            return index
        index += 1
    raise ValueError("unclosed quote")
