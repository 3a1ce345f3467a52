"""The audio of the fake carrier: a tone by RTP and reports by RTCP, plain or SRTP, with the faults of a real one."""

import asyncio
import audioop
import base64
import math
import os
import re
import socket
import struct
import time
from dataclasses import dataclass, field

import pylibsrtp

SUITE = "AES_CM_128_HMAC_SHA1_80"
PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8, "G729": 18}
_NAMES = {number: name for name, number in PAYLOAD_TYPES.items()}
_FRAME = 160  # samples of 20 ms
_TONE_HZ = 440
_REPORT_EVERY = 25  # frames
_NTP_OFFSET_S = 2_208_988_800
_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class MediaBehaviour:
    """What the carrier does with audio; each default is that of a healthy one."""

    encodings: tuple[str, ...] = ("PCMU", "PCMA")
    has_dtmf: bool = True
    is_srtp_required: bool = False
    is_rtp_sent: bool = True
    is_rtp_heard: bool = True
    rtp_host: str = _HOST
    """Where its packets come from; the SDP names 127.0.0.1."""
    sdp_host: str = _HOST
    clock_ppm: float = 0.0
    """How much slower than ours its clock runs."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an SDP offers: where to, the encodings in order, the telephone-event type, the SRTP key."""

    host: str
    port: int
    profile: str
    encodings: tuple[str, ...]
    dtmf_payload_type: int | None
    key: bytes | None


def read_offer(body: bytes) -> Offer:
    """The first audio stream; raises `ValueError` when there is none."""
    text = body.decode()
    media = re.search(r"^m=audio (\d+) (\S+) ([\d ]+)", text, re.MULTILINE)
    host = re.search(r"^c=IN IP[46] (\S+)", text, re.MULTILINE)
    if media is None or host is None:
        raise ValueError("no audio")
    names = dict(re.findall(r"^a=rtpmap:(\d+) ([\w-]+)", text, re.MULTILINE))
    types = [int(number) for number in media[3].split()]
    encodings = tuple(names.get(str(number), _NAMES.get(number, "")).upper() for number in types)
    dtmf = next((number for number in types if names.get(str(number)) == "telephone-event"), None)
    key = re.search(rf"^a=crypto:\d+ {SUITE} inline:([A-Za-z0-9+/=]+)", text, re.MULTILINE)
    return Offer(host[1], int(media[1]), media[2], encodings, dtmf, base64.b64decode(key[1]) if key else None)


@dataclass(slots=True)
class Heard:
    """What came from the caller."""

    ssrc: int = 0
    packets: int = 0
    highest_sequence: int = 0
    reports: int = 0
    digits: list[str] = field(default_factory=list)


class CarrierMedia:
    """One call's audio, from `answer` to `close`."""

    def __init__(self, behaviour: MediaBehaviour) -> None:
        self.heard = Heard()
        self._behaviour = behaviour
        self._rtp = _bind(_HOST)
        self._rtcp = _bind(_HOST, self._rtp.getsockname()[1] + 1)
        self._out = self._rtp if behaviour.rtp_host == _HOST else _bind(behaviour.rtp_host)
        self._ssrc = int.from_bytes(os.urandom(4), "big")
        self._protect: pylibsrtp.Session | None = None
        self._unprotect: pylibsrtp.Session | None = None
        self._task: asyncio.Task[None] | None = None

    def answer(self, body: bytes) -> bytes | None:
        """The SDP answer, or None when offer and behaviour have nothing in common."""
        behaviour, offer = self._behaviour, read_offer(body)
        encoding = next((name for name in offer.encodings if name in behaviour.encodings), None)
        is_srtp = behaviour.is_srtp_required
        if encoding is None or (offer.key is None if is_srtp else offer.profile == "RTP/SAVP"):
            return None
        self._offer, self._encoding = offer, encoding
        types = {PAYLOAD_TYPES[encoding]: f"{encoding}/8000"}
        if behaviour.has_dtmf and offer.dtmf_payload_type is not None:
            types[offer.dtmf_payload_type] = "telephone-event/8000"
        host, port = behaviour.sdp_host, self._rtp.getsockname()[1]
        lines = ["v=0", f"o=carrier 7 7 IN IP4 {host}", "s=call", f"c=IN IP4 {host}", "t=0 0"]
        lines.append(f"m=audio {port} {offer.profile} {' '.join(map(str, types))}")
        lines += [f"a=rtpmap:{number} {name}" for number, name in types.items()]
        if is_srtp and offer.key is not None:
            lines.append(self._make_keys(offer.key))
        return "\r\n".join([*lines, "a=ptime:20", "a=sendrecv", ""]).encode()

    def start(self) -> None:
        """Begin to send and to listen."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop and free the ports."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for opened in {self._rtp, self._rtcp, self._out}:
            opened.close()

    def _make_keys(self, remote_key: bytes) -> str:
        key = os.urandom(30)
        self._protect = _make_session(key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._unprotect = _make_session(remote_key, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        return f"a=crypto:1 {SUITE} inline:{base64.b64encode(key).decode()}"

    async def _run(self) -> None:
        loop, frames = asyncio.get_running_loop(), 0
        started_at = loop.time()
        interval_s = 0.02 * (1 + self._behaviour.clock_ppm / 1e6)
        while True:
            self._listen()
            if self._behaviour.is_rtp_sent:
                self._send_audio(frames)
                if frames % _REPORT_EVERY == _REPORT_EVERY - 1:
                    self._send_report(frames)
            frames += 1
            await asyncio.sleep(max(0.0, started_at + frames * interval_s - loop.time()))

    def _send_audio(self, frames: int) -> None:
        at = frames * _FRAME
        samples = [round(8000 * math.sin(2 * math.pi * _TONE_HZ * (at + n) / 8000)) for n in range(_FRAME)]
        encode = audioop.lin2ulaw if self._encoding == "PCMU" else audioop.lin2alaw
        payload_type = PAYLOAD_TYPES[self._encoding] | (0 if frames else 0x80)
        packet = struct.pack("!BBHII", 0x80, payload_type, frames & 0xFFFF, at & 0xFFFFFFFF, self._ssrc)
        packet += encode(struct.pack(f"<{_FRAME}h", *samples), 2)
        self._send(self._out, self._protect.protect(packet) if self._protect else packet, self._offer.port)

    def _send_report(self, frames: int) -> None:
        """SR with a block about the caller's packets when there were any, and SDES (RFC 3550 §6.4.1)."""
        seconds = time.time() + _NTP_OFFSET_S
        ntp = int(seconds) << 32 | int(seconds % 1 * 2**32)
        heard, count = self.heard, frames + 1
        blocks = struct.pack("!IIIIII", heard.ssrc, 0, heard.highest_sequence, 0, 0, 0) if heard.packets else b""
        body = struct.pack("!IQIII", self._ssrc, ntp, count * _FRAME & 0xFFFFFFFF, count, count * _FRAME) + blocks
        report = struct.pack("!BBH", 0x80 | bool(blocks), 200, len(body) // 4) + body
        description = struct.pack("!BBHI", 0x81, 202, 3, self._ssrc) + b"\x01\x05fake!\x00"
        packet = report + description
        self._send(self._rtcp, self._protect.protect_rtcp(packet) if self._protect else packet, self._offer.port + 1)

    def _send(self, opened: socket.socket, packet: bytes, port: int) -> None:
        try:
            opened.sendto(packet, (self._offer.host, port))
        except OSError:
            return

    def _listen(self) -> None:
        while (packet := _receive(self._rtp)) is not None:
            if self._behaviour.is_rtp_heard:
                self._hear(self._unprotect.unprotect(packet) if self._unprotect else packet)
        while _receive(self._rtcp) is not None:
            self.heard.reports += 1

    def _hear(self, packet: bytes) -> None:
        _, second, sequence, _, ssrc = struct.unpack_from("!BBHII", packet)
        heard = self.heard
        heard.ssrc, heard.packets, heard.highest_sequence = ssrc, heard.packets + 1, sequence
        if second & 0x7F == self._offer.dtmf_payload_type and second & 0x80:
            heard.digits.append("0123456789*#ABCD"[packet[12]])


def _make_session(key: bytes, direction: int) -> pylibsrtp.Session:
    profile = pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
    return pylibsrtp.Session(pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=profile))


def _receive(opened: socket.socket) -> bytes | None:
    try:
        return opened.recv(2048)
    except OSError:
        return None


def _bind(host: str, port: int = 0) -> socket.socket:
    """A UDP socket; without a port on an even one whose successor is free."""
    while True:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind((host, port))
        number = opened.getsockname()[1]
        if port or (number % 2 == 0 and _is_free(host, number + 1)):
            return opened
        opened.close()


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
