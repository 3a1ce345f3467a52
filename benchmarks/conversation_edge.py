"""The RTP side of the peers in the conversation benchmark: 20 ms of G.711 in and out, as little as that takes.

There is no jitter buffer, no order and no RTCP, which our own engine pays for: what it costs is in the peers' favour.
"""

import asyncio
import audioop
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from benchmarks import pair
from benchmarks.conversation_stubs import Cost

_HEADER = struct.Struct("!BBHII")
_HEADER_BYTES = 12
_DATAGRAM_BYTES = 2048
FRAME_BYTES = 320
FRAME_S = 0.020


class RtpPort:
    """One call's socket: `on_frame` gets the 20 ms PCM of each packet, `send` sends as much."""

    def __init__(self, remote_port: int) -> None:
        self.on_frame: Callable[[bytes], None] = lambda _pcm: None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", remote_port))
        self.local_port: int = self._socket.getsockname()[1]
        self._count = 0
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def send(self, pcm: bytes) -> None:
        """Send a frame; one that the system refuses is lost."""
        self._count += 1
        header = _HEADER.pack(0x80, 0, self._count & 0xFFFF, self._count * 160 & 0xFFFFFFFF, self.local_port)
        with suppress(OSError):
            self._socket.send(header + audioop.lin2ulaw(pcm, 2))

    def close(self) -> None:
        """Free the port."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        try:
            datagram = self._socket.recv(_DATAGRAM_BYTES)
        except OSError:
            return
        self.on_frame(audioop.ulaw2lin(datagram[_HEADER_BYTES:], 2))


class Pacer:
    """Lets frames leave 20 ms after each other, the first at once."""

    def __init__(self) -> None:
        self._due_s = 0.0

    async def wait(self) -> None:
        """Until the next frame is due."""
        now_s = time.monotonic()
        if self._due_s <= now_s:
            self._due_s = now_s
        else:
            await asyncio.sleep(self._due_s - now_s)
        self._due_s += FRAME_S


async def report_cost(connection: Connection, *, ports: list[int], rss_before: int) -> None:
    """Tell the ports, measure from begin to end, tell the cost."""
    connection.send(ports)
    begin_s, end_s = connection.recv()
    await asyncio.sleep(begin_s - time.monotonic())
    cpu_s, lost_s = pair.read_cpu_s(), pair.read_core_wait_s()
    await asyncio.sleep(end_s - time.monotonic())
    cpu_s, lost_s = pair.read_cpu_s() - cpu_s, pair.read_core_wait_s() - lost_s
    connection.send(Cost(cpu_s, lost_s, pair.read_rss_bytes() - rss_before))
