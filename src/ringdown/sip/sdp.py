"""SDP offer and answer for one audio stream: PCMU, PCMA, telephone-event (RFC 3264, RFC 8866, RFC 4733)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringdown.sip.address import is_host, parse_number

Encoding = Literal["PCMU", "PCMA"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

DEFAULT_ENCODINGS: tuple[Encoding, ...] = ("PCMU", "PCMA")
NO_COMMON_CODEC = "no common codec"
_STATIC: dict[Encoding, int] = {"PCMU": 0, "PCMA": 8}  # RFC 3551 §6
_ASSUMED = {0: "PCMU/8000", 8: "PCMA/8000"}
_DTMF_TYPE = 101
_REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_HELD = ("0.0.0.0", "::")  # RFC 2543 hold
_MAX_LINES = 500


@dataclass(frozen=True, slots=True)
class NegotiatedAudio:
    """What both sides agreed on: send RTP to `host`:`port`; `direction` is ours (`recvonly`: do not send)."""

    host: str
    port: int
    encoding: Encoding
    payload_type: int
    dtmf_payload_type: int | None
    ptime_ms: int
    direction: Direction


@dataclass(slots=True)
class MediaDescription:
    """One `m=` line with what belongs to it; `encodings` maps payload type to `NAME/8000` in the offered order."""

    kind: str
    port: int
    profile: str
    formats: list[str]
    host: str | None = None
    encodings: dict[int, str] = field(default_factory=dict)
    direction: Direction | None = None
    ptime_ms: int | None = None


@dataclass(slots=True)
class SessionDescription:
    """The parts of an SDP that matter to one audio stream."""

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


def build_offer(
    host: str,
    port: int,
    *,
    encodings: Sequence[Encoding] = DEFAULT_ENCODINGS,
    session_id: int = 1,
    version: int = 1,
    direction: Direction = "sendrecv",
) -> bytes:
    """Our offer of one audio stream with keypad events, received at `host`:`port`."""
    types = {_STATIC[encoding]: f"{encoding}/8000" for encoding in encodings}
    types[_DTMF_TYPE] = "telephone-event/8000"
    return "\r\n".join(
        [*_session_lines(host, session_id, version), *_audio_lines(port, types, direction, 20), ""]
    ).encode()


def answer_offer(
    offer: bytes,
    host: str,
    port: int,
    *,
    encodings: Sequence[Encoding] = DEFAULT_ENCODINGS,
    session_id: int = 1,
    version: int = 1,
) -> tuple[bytes, NegotiatedAudio]:
    """Our answer and what was agreed: the first offered codec that we speak, in the offer's payload types (§6.1).

    Further streams are refused with port 0. Raises `ValueError` ("no common codec", or what is malformed).
    """
    session = SessionDescription.parse(offer)
    index, audio = _choose_audio(session)
    agreed = _negotiate(session, audio, encodings=encodings)
    types = {agreed.payload_type: f"{agreed.encoding}/8000"}
    if agreed.dtmf_payload_type is not None:
        types[agreed.dtmf_payload_type] = "telephone-event/8000"
    lines = _session_lines(host, session_id, version)
    for position, media in enumerate(session.media):
        if position == index:
            lines += _audio_lines(port, types, agreed.direction, agreed.ptime_ms)
        else:
            lines.append(f"m={media.kind} 0 {media.profile} {' '.join(media.formats)}")
    return "\r\n".join([*lines, ""]).encode(), agreed


def read_answer(answer: bytes, *, encodings: Sequence[Encoding] = DEFAULT_ENCODINGS) -> NegotiatedAudio:
    """What the peer's answer to our offer settles on; raises `ValueError` as `answer_offer` does (§7)."""
    session = SessionDescription.parse(answer)
    _, audio = _choose_audio(session)
    return _negotiate(session, audio, encodings=encodings)


def _choose_audio(session: SessionDescription) -> tuple[int, MediaDescription]:
    for index, media in enumerate(session.media):
        if media.kind == "audio" and media.port and media.profile == "RTP/AVP":
            return index, media
    raise ValueError(NO_COMMON_CODEC)


def _negotiate(
    session: SessionDescription, audio: MediaDescription, *, encodings: Sequence[Encoding]
) -> NegotiatedAudio:
    host = audio.host or session.host
    if host is None:
        raise ValueError("no address for the audio stream")
    chosen: tuple[int, Encoding] | None = None
    dtmf: int | None = None
    for payload_type, name in audio.encodings.items():
        if chosen is None:
            match = [encoding for encoding in encodings if name == f"{encoding}/8000"]
            chosen = (payload_type, match[0]) if match else None
        if dtmf is None and name == "TELEPHONE-EVENT/8000":
            dtmf = payload_type
    if chosen is None:
        raise ValueError(NO_COMMON_CODEC)
    direction = _REVERSED[audio.direction or session.direction]
    if host in _HELD:
        direction = "recvonly" if direction in ("sendrecv", "recvonly") else "inactive"
    return NegotiatedAudio(
        host=host,
        port=audio.port,
        encoding=chosen[1],
        payload_type=chosen[0],
        dtmf_payload_type=dtmf,
        ptime_ms=audio.ptime_ms or 20,
        direction=direction,
    )


def _session_lines(host: str, session_id: int, version: int) -> list[str]:
    family = "IP6" if ":" in host else "IP4"
    return [
        "v=0",
        f"o=- {session_id} {version} IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
    ]


def _audio_lines(port: int, types: dict[int, str], direction: Direction, ptime_ms: int) -> list[str]:
    lines = [f"m=audio {port} RTP/AVP {' '.join(map(str, types))}"]
    for payload_type, name in types.items():
        lines.append(f"a=rtpmap:{payload_type} {name}")
        if name.startswith("telephone-event"):
            lines.append(f"a=fmtp:{payload_type} 0-16")
    return [*lines, f"a=ptime:{ptime_ms}", f"a={direction}"]


def _parse_media(value: str) -> MediaDescription:
    fields = value.split()
    if len(fields) < 4:
        raise ValueError("malformed media line")
    kind, port, profile, *formats = fields
    media = MediaDescription(kind, parse_number(port.partition("/")[0], maximum=65_535), profile, formats)
    if kind == "audio":
        for text in formats:
            payload_type = parse_number(text, maximum=127)
            media.encodings[payload_type] = _ASSUMED.get(payload_type, "")
    return media


def _take_connection(session: SessionDescription, value: str) -> None:
    fields = value.split()
    if len(fields) != 3 or fields[0] != "IN" or fields[1] not in ("IP4", "IP6"):
        raise ValueError("malformed connection line")
    host = fields[2].partition("/")[0]
    if not is_host(host):
        raise ValueError("malformed connection address")
    if session.media:
        session.media[-1].host = host
    else:
        session.host = host


def _take_attribute(session: SessionDescription, value: str) -> None:
    name, _, text = value.partition(":")
    media = session.media[-1] if session.media else None
    if name in _REVERSED:
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
        milliseconds = parse_number(text.strip().partition(".")[0], maximum=1000)
        media.ptime_ms = milliseconds or None
