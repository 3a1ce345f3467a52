"""Two parties over real loopback sockets, on a clock that the tests move by hand."""

import socket
from dataclasses import replace
from typing import Any

from ringdown.media import rtp
from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings


class HandClock(MediaClock):
    """A media clock whose time passes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0
        super().__init__(now=lambda: self.now_s)

    def run(self, duration_ms: int) -> None:
        for _ in range(duration_ms):
            self.now_s += 0.001
            self.run_due()


class Call:
    """One session, what it heard, and what it says."""

    def __init__(self, session: MediaSession, *, says: bytes = b"") -> None:
        self.session = session
        self.heard: list[bytes] = []
        self.at_ms: list[int] = []
        self.digits: list[tuple[str, int]] = []
        self._says = says

    def exchange(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        self.heard.append(far_pcm)
        self.at_ms.append(at_ms)
        size = len(far_pcm)
        frame = self._says[at_ms // 20 * size : (at_ms // 20 + 1) * size]
        return frame if len(frame) == size else None

    def press(self, digit: str, at_ms: int) -> None:
        self.digits.append((digit, at_ms))

    def start(self, remote: tuple[str, int], *, sample_rate_hz: int | None = None, **changes: Any) -> "Call":
        stream = make_stream(remote, **changes)
        self.session.start(stream, exchange=self.exchange, on_digit=self.press, sample_rate_hz=sample_rate_hz)
        return self


def make_stream(remote: tuple[str, int], **changes: Any) -> StreamSettings:
    return replace(StreamSettings(remote=remote, encoding="PCMU", payload_type=0, dtmf_payload_type=101), **changes)


def connect(left: Call, right: Call, **changes: Any) -> None:
    left.start(("127.0.0.1", right.session.local_port), **changes)
    right.start(("127.0.0.1", left.session.local_port), **changes)


async def open_session(clock: MediaClock, opened: list[MediaSession], host: str = "127.0.0.1") -> MediaSession:
    session = await MediaSession.open(clock=clock, host=host, port_min=20000, port_max=29999)
    opened.append(session)
    return session


def read_packets(phone: socket.socket) -> list[rtp.RtpPacket]:
    phone.setblocking(False)
    packets = []
    while True:
        try:
            packets.append(rtp.parse(phone.recv(2048)))
        except BlockingIOError:
            return packets
