"""SDP offer and answer for one audio stream: codecs, keypad events, hold, SRTP keys (RFC 3264, RFC 4733, RFC 4568)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ringdown.sip.sdp_crypto import (
    NO_COMMON_SUITE,
    CryptoKey,
    NegotiatedCrypto,
    accept_crypto,
    conclude_crypto,
    new_keys,
)
from ringdown.sip.sdp_description import REVERSED, Direction, MediaDescription, SessionDescription

__all__ = [
    "DEFAULT_ENCODINGS",
    "NO_COMMON_CODEC",
    "NO_COMMON_SUITE",
    "SRTP_REFUSED",
    "SRTP_REQUIRED",
    "CryptoKey",
    "Direction",
    "Encoding",
    "NegotiatedAudio",
    "NegotiatedCrypto",
    "SessionDescription",
    "Srtp",
    "answer_offer",
    "build_offer",
    "new_keys",
    "read_answer",
]

Encoding = Literal["PCMU", "PCMA", "G722", "OPUS"]
Srtp = Literal["off", "optional", "required"]

DEFAULT_ENCODINGS: tuple[Encoding, ...] = ("PCMU", "PCMA", "G722", "OPUS")
NO_COMMON_CODEC = "no common codec"
SRTP_REQUIRED = "the peer offers no SRTP, which is required here"
SRTP_REFUSED = "the peer requires SRTP"
_NAMES: dict[Encoding, str] = {
    "PCMU": "PCMU/8000",
    "PCMA": "PCMA/8000",
    "G722": "G722/8000",  # RFC 3551 §4.5.2: 8000 by mistake, though the sound has 16 kHz
    "OPUS": "opus/48000/2",  # RFC 7587 §7: always these figures
}
_TYPES: dict[Encoding, int] = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 111}
_COMFORT_NOISE_TYPE = 13
_DTMF_TYPES = {8000: 101, 48_000: 110}
_PLAIN = ("RTP/AVP", "RTP/AVPF")
_SECURE = ("RTP/SAVP", "RTP/SAVPF")
_DTLS = ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")
_SENDING = ("sendrecv", "sendonly")
_RECEIVING = ("sendrecv", "recvonly")
_HELD = ("0.0.0.0", "::")  # RFC 2543 hold


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiatedAudio:
    """What both sides agreed on: send RTP to `host`:`port`; `direction` is ours (`recvonly`: do not send).

    The clock rates are those of RTP timestamps (G.722: 8000). `ptime_ms` is what the peer wishes to receive,
    10 to 60 in whole tens, for Opus a length that a packet can have.
    """

    host: str
    port: int
    rtcp_host: str
    rtcp_port: int
    encoding: Encoding
    payload_type: int
    clock_rate_hz: int
    dtmf_payload_type: int | None
    dtmf_clock_hz: int
    comfort_noise_payload_type: int | None
    ptime_ms: int
    direction: Direction
    crypto: NegotiatedCrypto | None


def build_offer(
    host: str,
    port: int,
    *,
    encodings: Sequence[Encoding] = DEFAULT_ENCODINGS,
    session_id: int = 1,
    version: int = 1,
    direction: Direction = "sendrecv",
    srtp: Srtp = "off",
    keys: Sequence[CryptoKey] = (),
    ptime_ms: int = 20,
    has_dtmf: bool = True,
    has_comfort_noise: bool = True,
) -> bytes:
    """Our offer of one audio stream, received at `host`:`port`.

    With SRTP `optional` the keys go into an RTP/AVP line, which a peer without SRTP answers as it is; with `required`
    into an RTP/SAVP line. `keys` come from `new_keys` and are needed again to read the answer.
    """
    if srtp != "off" and not keys:
        raise ValueError("an offer of SRTP needs keys")
    types = {_TYPES[encoding]: _NAMES[encoding] for encoding in encodings}
    clock_rates = {_clock_rate(name) for name in types.values()}
    if has_comfort_noise and 8000 in clock_rates:
        types[_COMFORT_NOISE_TYPE] = "CN/8000"
    if has_dtmf:
        types |= {_DTMF_TYPES[clock_rate]: f"telephone-event/{clock_rate}" for clock_rate in sorted(clock_rates)}
    lines = _session_lines(host, session_id, version)
    lines.append(f"m=audio {port} {'RTP/SAVP' if srtp == 'required' else 'RTP/AVP'} {' '.join(map(str, types))}")
    lines += _audio_lines(types, direction, ptime_ms)
    lines += [f"a=crypto:{key.serialize()}" for key in keys if srtp != "off"]
    return "\r\n".join([*lines, ""]).encode()


def answer_offer(
    offer: bytes,
    host: str,
    port: int,
    *,
    encodings: Sequence[Encoding] = DEFAULT_ENCODINGS,
    session_id: int = 1,
    version: int = 1,
    srtp: Srtp = "off",
    keys: Sequence[CryptoKey] = (),
    direction: Direction | None = None,
    has_dtmf: bool = True,
) -> tuple[bytes, NegotiatedAudio]:
    """Our answer and what was agreed: the first offered codec that we speak, in the offer's payload types (§6.1).

    `direction` is the most we want (`sendonly`: we hold the peer). Of several audio streams the first usable one is
    taken, with SRTP before without if we may choose; the others are refused with port 0. `keys` are ours from before,
    so that a re-INVITE does not change them; else new ones are made. Raises `ValueError`: `NO_COMMON_CODEC`,
    `SRTP_REQUIRED`, `SRTP_REFUSED`, `NO_COMMON_SUITE`, or what is malformed.
    """
    session = SessionDescription.parse(offer)
    index, audio = _choose_audio(session, encodings, srtp)
    ours: CryptoKey | None = None
    crypto: NegotiatedCrypto | None = None
    if audio.crypto and srtp != "off":
        try:
            ours, crypto = accept_crypto(audio.crypto, keys)
        except ValueError:
            if srtp == "required" or audio.profile in _SECURE:
                raise
    agreed = _negotiate(
        session, audio, encodings=encodings, direction=direction or "sendrecv", has_dtmf=has_dtmf, crypto=crypto
    )
    types = {agreed.payload_type: _NAMES[agreed.encoding]}
    if agreed.comfort_noise_payload_type is not None:
        types[agreed.comfort_noise_payload_type] = "CN/8000"
    if agreed.dtmf_payload_type is not None:
        types[agreed.dtmf_payload_type] = f"telephone-event/{agreed.dtmf_clock_hz}"
    lines = _session_lines(host, session_id, version)
    for position, media in enumerate(session.media):
        if position == index:
            lines.append(f"m=audio {port} {audio.profile} {' '.join(map(str, types))}")
            lines += _audio_lines(types, agreed.direction, agreed.ptime_ms)
            lines += [] if ours is None else [f"a=crypto:{ours.serialize()}"]
        else:
            lines.append(f"m={media.kind} 0 {media.profile} {' '.join(media.formats)}")
    return "\r\n".join([*lines, ""]).encode(), agreed


def read_answer(
    answer: bytes,
    *,
    encodings: Sequence[Encoding] = DEFAULT_ENCODINGS,
    keys: Sequence[CryptoKey] = (),
    srtp: Srtp = "off",
    direction: Direction = "sendrecv",
    has_dtmf: bool = True,
) -> NegotiatedAudio:
    """What the peer's answer to our offer settles on (§7); give what the offer was built with.

    Raises `ValueError` as `answer_offer` does.
    """
    session = SessionDescription.parse(answer)
    _, audio = _choose_audio(session, encodings, srtp)
    crypto = conclude_crypto(audio.crypto, keys) if audio.crypto and srtp != "off" else None
    return _negotiate(session, audio, encodings=encodings, direction=direction, has_dtmf=has_dtmf, crypto=crypto)


def _choose_audio(
    session: SessionDescription, encodings: Sequence[Encoding], srtp: Srtp
) -> tuple[int, MediaDescription]:
    """The stream to use and its place; the error says what the best of the others lacks."""
    fault = NO_COMMON_CODEC
    fitting: list[tuple[int, MediaDescription]] = []
    for index, media in enumerate(session.media):
        if media.kind != "audio" or not media.port or _find_codec(media, encodings) is None:
            continue
        if media.profile in _DTLS or (media.profile in _SECURE and srtp == "off"):
            fault = SRTP_REFUSED if srtp == "off" else NO_COMMON_SUITE
        elif media.profile in _PLAIN and srtp == "required" and not media.crypto:
            fault = SRTP_REQUIRED
        elif media.profile in _SECURE and not media.crypto:
            fault = NO_COMMON_SUITE
        elif media.profile in (*_PLAIN, *_SECURE):
            fitting.append((index, media))
    if not fitting:
        raise ValueError(fault)
    return next((pair for pair in fitting if pair[1].crypto and srtp != "off"), fitting[0])


def _find_codec(media: MediaDescription, encodings: Sequence[Encoding]) -> tuple[int, Encoding] | None:
    ours = {_NAMES[encoding].upper(): encoding for encoding in encodings}
    return next(((number, ours[name]) for number, name in media.encodings.items() if name in ours), None)


def _negotiate(
    session: SessionDescription,
    audio: MediaDescription,
    *,
    encodings: Sequence[Encoding],
    direction: Direction,
    has_dtmf: bool,
    crypto: NegotiatedCrypto | None,
) -> NegotiatedAudio:
    host = audio.host or session.host
    chosen = _find_codec(audio, encodings)
    if host is None:
        raise ValueError("no address for the audio stream")
    if chosen is None:
        raise ValueError(NO_COMMON_CODEC)
    payload_type, encoding = chosen
    clock_rate_hz = _clock_rate(_NAMES[encoding])
    dtmf_payload_type, dtmf_clock_hz = _find_dtmf(audio, clock_rate_hz) if has_dtmf else (None, clock_rate_hz)
    rtcp_host, rtcp_port = audio.rtcp or (host, min(audio.port + 1, 65_535))
    return NegotiatedAudio(
        host=host,
        port=audio.port,
        rtcp_host=host if rtcp_host in ("", *_HELD) else rtcp_host,
        rtcp_port=rtcp_port,
        encoding=encoding,
        payload_type=payload_type,
        clock_rate_hz=clock_rate_hz,
        dtmf_payload_type=dtmf_payload_type,
        dtmf_clock_hz=dtmf_clock_hz,
        comfort_noise_payload_type=_find_type(audio, "CN/8000") if clock_rate_hz == 8000 else None,
        ptime_ms=_choose_ptime(audio, encoding),
        direction=_meet(direction, REVERSED[audio.direction or session.direction], is_held=host in _HELD),
        crypto=crypto,
    )


def _find_dtmf(audio: MediaDescription, clock_rate_hz: int) -> tuple[int | None, int]:
    """Payload type and clock of the events: the audio's clock (RFC 4733 §2.1), else 8000, which many send with Opus."""
    for rate in dict.fromkeys((clock_rate_hz, 8000)):
        if (payload_type := _find_type(audio, f"TELEPHONE-EVENT/{rate}")) is not None:
            return payload_type, rate
    return None, clock_rate_hz


def _find_type(audio: MediaDescription, name: str) -> int | None:
    return next((number for number, known in audio.encodings.items() if known == name), None)


def _choose_ptime(audio: MediaDescription, encoding: Encoding) -> int:
    wish_ms = min(audio.ptime_ms or 20, audio.max_ptime_ms or 60)
    ptime_ms = max(10, min(wish_ms, 60) // 10 * 10)
    return {30: 20, 50: 40}.get(ptime_ms, ptime_ms) if encoding == "OPUS" else ptime_ms  # RFC 6716 §2.1.4


def _meet(ours: Direction, theirs: Direction, *, is_held: bool) -> Direction:
    """The direction that both allow, seen from our side; a zero address means that the peer does not listen."""
    is_sending = ours in _SENDING and theirs in _SENDING and not is_held
    if ours in _RECEIVING and theirs in _RECEIVING:
        return "sendrecv" if is_sending else "recvonly"
    return "sendonly" if is_sending else "inactive"


def _clock_rate(name: str) -> int:
    return int(name.split("/")[1])


def _session_lines(host: str, session_id: int, version: int) -> list[str]:
    family = "IP6" if ":" in host else "IP4"
    return [
        "v=0",
        f"o=ringdown {session_id} {version} IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
    ]


def _audio_lines(types: dict[int, str], direction: Direction, ptime_ms: int) -> list[str]:
    lines = []
    for payload_type, name in types.items():
        lines.append(f"a=rtpmap:{payload_type} {name}")
        if name.startswith("telephone-event"):
            lines.append(f"a=fmtp:{payload_type} 0-16")
        elif name.startswith("opus"):
            lines.append(f"a=fmtp:{payload_type} useinbandfec=1")
    return [*lines, f"a=ptime:{ptime_ms}", f"a={direction}"]
