"""The receiver of `benchmarks.webhooks`: fails in four ways while it is told to, and keeps what it has accepted."""

import asyncio
import hashlib
import hmac
import json
import random
import socket
import struct
import time
from dataclasses import dataclass, field

_ACCEPTED = b"HTTP/1.1 204 No Content\r\n\r\n"
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nbad!"
_SLOW_S = 1.0
# Of a hundred requests while it fails: unanswered, 500, reset, slow (accepted after a second).
_SILENT, _ERRORS, _RESETS, _SLOW = 3, 13, 7, 7


@dataclass
class Receiver:
    """`is_failing` fails 30 of 100 requests, `is_dead` all of them."""

    secret: str
    is_failing: bool = False
    is_dead: bool = False
    accepted: list[tuple[bytes, bytes]] = field(default_factory=list)
    failed_count: int = 0
    #: Clock of the first and the last acceptance since `mark`.
    first_s: float = 0.0
    last_s: float = 0.0
    url: str = ""
    _chance: random.Random = field(default_factory=lambda: random.Random(6))

    async def listen(self) -> asyncio.Server:
        """Serve on a free port of this machine."""
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
        return server

    def mark(self) -> None:
        """Measure acceptances from now on."""
        self.first_s = self.last_s = 0.0

    def accept(self, head: bytes, body: bytes) -> None:
        """Keep what is accepted."""
        self.accepted.append((head, body))
        self.last_s = time.perf_counter()
        self.first_s = self.first_s or self.last_s

    def choose(self) -> str:
        """What becomes of the next request."""
        if self.is_dead:
            return "error"
        dice = self._chance.randrange(100) if self.is_failing else 99
        for fault, share in (("silent", _SILENT), ("error", _ERRORS), ("reset", _RESETS), ("slow", _SLOW)):
            if dice < share:
                return fault
            dice -= share
        return "none"

    def count_wrong_signatures(self) -> int:
        """How many of the accepted requests the documented sample would have refused."""
        wrong = 0
        for head, body in self.accepted:
            timestamp, signature = (_find(head, name) for name in (b"X-Truedy-Timestamp", b"X-Truedy-Signature"))
            expected = hmac.new(self.secret.encode(), timestamp + b"." + body, hashlib.sha256).hexdigest()
            wrong += not hmac.compare_digest(expected.encode(), signature)
        return wrong

    def list_events(self) -> list[tuple[str, str]]:
        """Call and id of each event in the order in which it first came."""
        events = [json.loads(body) for _, body in self.accepted]
        return list(dict.fromkeys((event["data"]["call_id"], event["id"]) for event in events))


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        whole = end + 4 + int(_find(head, b"Content-Length"))
        if len(self._buffer) < whole:
            return
        body, self._buffer = self._buffer[end + 4 : whole], b""
        fault = self._receiver.choose()
        self._receiver.failed_count += fault in ("silent", "error", "reset")
        if fault == "slow":
            asyncio.get_running_loop().call_later(_SLOW_S, self._accept, head, body)
        elif fault == "error":
            self._transport.write(_FAILED)
        elif fault == "reset":
            lingering = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            self._transport.abort()
        elif fault == "none":
            self._accept(head, body)

    def _accept(self, head: bytes, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ACCEPTED)
            self._receiver.accept(head, body)


def _find(head: bytes, name: bytes) -> bytes:
    _, _, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0]
