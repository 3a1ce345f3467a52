"""The far ends of the media benchmark: sends G.711 packets of many calls and measures what comes back."""

import array
import select
import socket
import struct
import time
from multiprocessing.connection import Connection

from ringdown.media.srtp import Srtp
from ringdown.media.stream import SrtpKeys

_FRAME_S = 0.020
_SO_TIMESTAMPNS = 35  # Linux; the socket module does not name it
_HEADER = struct.Struct("!BBHII")  # of RTP; packed here, since two cores may be one to the caches and the arithmetic
_TIMESTAMP = struct.Struct("@qq")
_SUITE, _OUR_KEY, _THEIR_KEY = "AES_CM_128_HMAC_SHA1_80", bytes(range(30)), bytes(range(30, 60))
SUBJECT_KEYS = SrtpKeys(_SUITE, _THEIR_KEY, _OUR_KEY)
_PAYLOAD = bytes(range(128, 208)) * 2  # speech-like: neither silence nor one value


class _FarEnd:
    """One call's far end: its socket, its stream, and when packets came back."""

    def __init__(self, *, is_encrypted: bool) -> None:
        self._srtp = Srtp(SrtpKeys(_SUITE, _OUR_KEY, _THEIR_KEY)) if is_encrypted else None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.bind(("127.0.0.1", 0))
        self._ssrc = self.socket.fileno()
        self._count = 0
        self._arrived_ns = 0

    def send(self) -> None:
        """The next packet; one that the kernel refuses is lost, as on a network."""
        count = self._count
        self._count = count + 1
        datagram = _HEADER.pack(0x80, 0, count & 0xFFFF, count * 160 & 0xFFFFFFFF, self._ssrc) + _PAYLOAD
        try:
            self.socket.send(datagram if self._srtp is None else self._srtp.protect(datagram))
        except OSError:
            return

    def receive(self, gaps_us: "array.array[int]") -> None:
        """Reads one packet; the gap to the one before is taken from the kernel's clock, not from ours."""
        try:
            _, ancillary, _, _ = self.socket.recvmsg(256, 64)
        except OSError:
            return
        seconds, nanoseconds = _TIMESTAMP.unpack_from(ancillary[0][2])
        arrived_ns = seconds * 1_000_000_000 + nanoseconds
        if self._arrived_ns:
            gaps_us.append(max(0, arrived_ns - self._arrived_ns) // 1000)
        self._arrived_ns = arrived_ns


def run(connection: Connection, calls: int, *, is_encrypted: bool = False) -> None:
    """Sends its ports, gets the subject's ports and (begin, end) instants; sends what it measured.

    That is the gaps in microseconds, how many packets it sent, and how many of these it sent more than 20 ms late
    itself: a feeder that was held up by other programs says nothing about the subject.
    """
    far_ends = [_FarEnd(is_encrypted=is_encrypted) for _ in range(calls)]
    connection.send([far_end.socket.getsockname()[1] for far_end in far_ends])
    ports, begin_s, end_s = connection.recv()
    epoll = select.epoll()
    by_descriptor = {far_end.socket.fileno(): far_end for far_end in far_ends}
    for far_end, port in zip(far_ends, ports, strict=True):
        far_end.socket.connect(("127.0.0.1", port))
        epoll.register(far_end.socket.fileno(), select.EPOLLIN)
    gaps_us = array.array("I")
    slots = [far_ends[index::20] for index in range(20)]
    deadline_s, tick, is_measuring = time.monotonic(), 0, False
    sent = sent_late = 0
    while (now_s := time.monotonic()) < end_s:
        if now_s >= begin_s and not is_measuring:
            is_measuring = True
            del gaps_us[:]
            sent = sent_late = 0
        if now_s < deadline_s:
            # Not waiting in `poll`: there each packet of the subject would have to wake us, at the subject's cost.
            time.sleep(deadline_s - now_s)
            while ready := epoll.poll(0, calls):
                for descriptor, _ in ready:
                    by_descriptor[descriptor].receive(gaps_us)
            continue
        for far_end in slots[tick % 20]:
            far_end.send()
        sent += len(slots[tick % 20])
        if now_s - deadline_s > _FRAME_S:
            sent_late += len(slots[tick % 20])
        tick += 1
        deadline_s += _FRAME_S / 20
    connection.send((gaps_us.tobytes(), sent, sent_late))
