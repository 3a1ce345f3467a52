"""The SDP of browsers: what an offer says about its audio, and our answer (RFC 8829, RFC 8839, RFC 8842); pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_MAX_CHARACTERS, _MAX_LINES = 64_000, 2000
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+")
_ICE_TEXT = re.compile(r"[A-Za-z0-9+/]{4,256}")
_MID = re.compile(r"[!#-+\-.0-9A-Z^-~]{1,64}")
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(slots=True)
class _Section:
    """One `m=` line with its attributes, in order."""

    kind: str
    profile: str
    formats: list[str]
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def find(self, name: str) -> str | None:
        return next((value for known, value in self.attributes if known == name), None)

    def list(self, name: str) -> list[str]:
        return [value for known, value in self.attributes if known == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a browser offers: its first audio stream, and the lines of its other streams, which are refused.

    `fingerprints` are algorithm and value; `candidates` the values of the `a=candidate` lines; `opus` is its payload
    type, `dtmf` that of telephone events and their clock.
    """

    mid: str
    index: int
    sections: tuple[tuple[str, str, str, str], ...]
    is_bundled: bool
    ufrag: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    opus: int
    dtmf: tuple[int, int] | None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """Our side: ICE credentials, certificate fingerprints, and the addresses that the browser can try."""

    session_id: int
    ufrag: str
    password: str = field(repr=False)
    fingerprints: Sequence[tuple[str, str]]
    addresses: Sequence[tuple[str, int]]


def parse_offer(text: str) -> Offer:
    """Read an offer. Raises `ValueError` with a sentence's end for the browser's developer."""
    session, sections = _split(text)
    index = next((place for place, section in enumerate(sections) if section.kind == "audio"), None)
    if index is None:
        raise ValueError("the offer has no audio")
    audio = sections[index]
    if "UDP/TLS/RTP/SAVP" not in audio.profile:
        raise ValueError("the audio is not DTLS-SRTP (UDP/TLS/RTP/SAVPF)")
    if audio.find("rtcp-mux") is None:
        raise ValueError("the audio has no rtcp-mux")
    if (audio.find("setup") or session.find("setup")) not in ("actpass", "passive"):
        raise ValueError("the offer's setup is not actpass")
    direction = next((name for name, _ in reversed(audio.attributes) if name in _DIRECTIONS), "sendrecv")
    if direction != "sendrecv":
        raise ValueError("the audio does not go both ways (sendrecv)")
    codecs = _read_codecs(audio)
    opus = next((number for number, encoding in codecs.items() if encoding == "OPUS/48000/2"), None)
    if opus is None:
        raise ValueError("the audio has no Opus")
    return Offer(
        mid=_read_mid(audio, index),
        index=index,
        sections=tuple(
            (section.kind, section.profile, section.formats[0], _read_mid(section, place))
            for place, section in enumerate(sections)
        ),
        is_bundled=any(value.startswith("BUNDLE") for value in session.list("group")),
        ufrag=_read_ice(audio.find("ice-ufrag") or session.find("ice-ufrag")),
        password=_read_ice(audio.find("ice-pwd") or session.find("ice-pwd")),
        fingerprints=_read_fingerprints(audio.list("fingerprint") or session.list("fingerprint")),
        opus=opus,
        dtmf=_find_dtmf(codecs),
        candidates=tuple(audio.list("candidate")),
    )


def build_answer(offer: Offer, ours: Answerer) -> str:
    """Our answer: Opus, and the browser's telephone events if it has any; all our candidates are in it."""
    lines = [
        "v=0",
        f"o=- {ours.session_id} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        *([f"a=group:BUNDLE {offer.mid}"] if offer.is_bundled else []),
        "a=msid-semantic:WMS *",
    ]
    for index, (kind, profile, first_format, mid) in enumerate(offer.sections):
        if index == offer.index:
            lines += _describe_audio(offer, ours, profile)
        else:
            lines += [f"m={kind} 0 {profile} {first_format}", "c=IN IP4 0.0.0.0", f"a=mid:{mid}", "a=inactive"]
    return "".join(f"{line}\r\n" for line in lines)


def serialize_candidate(host: str, port: int, *, preference: int) -> str:
    """A host candidate as `a=candidate` has it; `preference` orders ours, 65535 being the best (RFC 8445 §5.1.2.1)."""
    priority = (126 << 24) | (preference << 8) | 255
    return f"candidate:{65536 - preference} 1 udp {priority} {host} {port} typ host"


def _describe_audio(offer: Offer, ours: Answerer, profile: str) -> list[str]:
    host, port = ours.addresses[0]
    formats = [str(offer.opus), *([] if offer.dtmf is None else [str(offer.dtmf[0])])]
    dtmf = [] if offer.dtmf is None else [f"a=rtpmap:{offer.dtmf[0]} telephone-event/{offer.dtmf[1]}"]
    return [
        f"m=audio {port} {profile} {' '.join(formats)}",
        f"c=IN {'IP6' if ':' in host else 'IP4'} {host}",
        f"a=mid:{offer.mid}",
        "a=sendrecv",
        "a=rtcp-mux",
        f"a=rtpmap:{offer.opus} opus/48000/2",
        f"a=fmtp:{offer.opus} minptime=10;useinbandfec=1",
        *dtmf,
        f"a=ice-ufrag:{ours.ufrag}",
        f"a=ice-pwd:{ours.password}",
        *(f"a=fingerprint:{algorithm} {value}" for algorithm, value in ours.fingerprints),
        "a=setup:active",
        *(
            f"a={serialize_candidate(*address, preference=65535 - place)}"
            for place, address in enumerate(ours.addresses)
        ),
        "a=end-of-candidates",
    ]


def _split(text: str) -> tuple[_Section, list[_Section]]:
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0] != "v=0" or len(text) > _MAX_CHARACTERS or len(lines) > _MAX_LINES:
        raise ValueError("the offer is no SDP")
    session, sections = _Section("", "", []), list[_Section]()
    for line in lines[1:]:
        kind, _, value = line.partition("=")
        if kind == "m":
            sections.append(_read_section(value))
        elif kind == "a":
            name, _, text = value.partition(":")
            (sections[-1] if sections else session).attributes.append((name, text))
    return session, sections


def _read_section(value: str) -> _Section:
    fields = value.split()
    if len(fields) < 4 or not all(re.fullmatch(r"[\w./-]{1,64}", part) for part in fields):
        raise ValueError("the offer has a malformed media line")
    return _Section(fields[0], fields[2], fields[3:])


def _read_mid(section: _Section, index: int) -> str:
    mid = section.find("mid") or str(index)
    if _MID.fullmatch(mid) is None:
        raise ValueError("the offer has a malformed mid")
    return mid


def _read_ice(text: str | None) -> str:
    if text is None or _ICE_TEXT.fullmatch(text) is None:
        raise ValueError("the offer has no ICE credentials")
    return text


def _read_fingerprints(values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = [(algorithm.lower(), value) for algorithm, _, value in (text.partition(" ") for text in values)]
    found = tuple(pair for pair in pairs if _FINGERPRINT.fullmatch(pair[1]))
    if not any(algorithm in ("sha-256", "sha-384", "sha-512") for algorithm, _ in found):
        raise ValueError("the offer has no certificate fingerprint")
    return found


def _read_codecs(audio: _Section) -> dict[int, str]:
    codecs = {}
    for text in audio.list("rtpmap"):
        number, _, encoding = text.partition(" ")
        if number in audio.formats and number.isdecimal() and number.isascii() and int(number) < 128:
            codecs[int(number)] = encoding.strip().upper()
    return codecs


def _find_dtmf(codecs: dict[int, str]) -> tuple[int, int] | None:
    """Payload type and clock; the clock of the audio, where there is the choice (RFC 4733 §2.1)."""
    for clock_hz in (48_000, 8000):
        for number, encoding in codecs.items():
            if encoding == f"TELEPHONE-EVENT/{clock_hz}":
                return number, clock_hz
    return None
