"""What an SDP says about its streams (RFC 8866); knows nothing of offers, answers or codecs of ours."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from ringdown.sip.address import is_host, parse_number

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
STATIC_ENCODINGS = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 13: "CN/8000"}  # RFC 3551 §6
_MAX_LINES = 500


@dataclass(slots=True)
class MediaDescription:
    """One `m=` line with what belongs to it.

    `encodings` maps payload type to `NAME/8000` in the given order; `crypto` holds the values of its `a=crypto` lines
    as written; `rtcp` is host (empty: not named) and port of RFC 3605.
    """

    kind: str
    port: int
    profile: str
    formats: list[str]
    host: str | None = None
    encodings: dict[int, str] = field(default_factory=dict)
    direction: Direction | None = None
    ptime_ms: int | None = None
    max_ptime_ms: int | None = None
    rtcp: tuple[str, int] | None = None
    crypto: list[str] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class SessionDescription:
    """The parts of an SDP that matter to audio streams."""

    host: str | None = None
    direction: Direction = "sendrecv"
    media: list[MediaDescription] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes) -> "SessionDescription":
        """Parse a body; unknown lines are skipped. Raises `ValueError`."""
        # Not `splitlines`: a session name may hold the other line separators of Unicode.
        lines = data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if lines[0].strip() != "v=0" or len(lines) > _MAX_LINES:
            raise ValueError("not an SDP")
        session = cls()
        for line in lines[1:]:
            kind, equals, value = line.partition("=")
            if not equals:
                if line.strip():
                    raise ValueError("malformed SDP line")
            elif kind == "m":
                session.media.append(_parse_media(value))
            elif kind == "c":
                _take_connection(session, value)
            elif kind == "a":
                _take_attribute(session, value.strip())
        return session


def _parse_media(value: str) -> MediaDescription:
    fields = value.split()
    if len(fields) < 4:
        raise ValueError("malformed media line")
    kind, port, profile, *formats = fields
    media = MediaDescription(kind, parse_number(port.partition("/")[0], maximum=65_535), profile, formats)
    if kind == "audio" and "RTP/" in profile:
        for text in formats:
            payload_type = parse_number(text, maximum=127)
            media.encodings[payload_type] = STATIC_ENCODINGS.get(payload_type, "")
    return media


def _take_connection(session: SessionDescription, value: str) -> None:
    host = _parse_connection(value.split())
    if session.media:
        session.media[-1].host = host
    else:
        session.host = host


def _parse_connection(fields: list[str]) -> str:
    if len(fields) != 3 or fields[0] != "IN" or fields[1] not in ("IP4", "IP6"):
        raise ValueError("malformed connection line")
    host = fields[2].partition("/")[0]
    if not is_host(host):
        raise ValueError("malformed connection address")
    return host


def _take_attribute(session: SessionDescription, value: str) -> None:
    name, _, text = value.partition(":")
    media = session.media[-1] if session.media else None
    if name in REVERSED:
        if media is None:
            session.direction = name
        else:
            media.direction = name
    elif media is None or media.kind != "audio":
        return
    elif name == "rtpmap":
        number, _, encoding = text.strip().partition(" ")
        payload_type = parse_number(number, maximum=127)
        if payload_type in media.encodings:
            media.encodings[payload_type] = encoding.strip().upper().removesuffix("/1")
    elif name == "ptime":
        media.ptime_ms = _parse_milliseconds(text)
    elif name == "maxptime":
        media.max_ptime_ms = _parse_milliseconds(text)
    elif name == "crypto":
        media.crypto.append(text.strip())
    elif name == "rtcp":
        port, *connection = text.split() or [""]
        with suppress(ValueError):  # no reason to refuse a call
            media.rtcp = (_parse_connection(connection) if connection else "", parse_number(port, maximum=65_535))


def _parse_milliseconds(text: str) -> int | None:
    """A wish that is no number is no reason to refuse a call."""
    with suppress(ValueError):
        return parse_number(text.strip().partition(".")[0], maximum=10_000) or None
    return None
