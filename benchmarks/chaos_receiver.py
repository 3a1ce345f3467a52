"""The customer's webhook receiver of a chaos run: answers badly three times in ten, checks every signature."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.chaos_program import now_ms

Answer = Literal["200", "slow", "500", "reset", "timeout"]

#: Out of a hundred requests; the rest is answered well at once.
_FAULTS: tuple[tuple[int, Answer], ...] = ((10, "500"), (18, "reset"), (27, "slow"), (30, "timeout"))
_SLOW_S = (0.5, 3.0)
_TIMEOUT_S = 12.0
_SECRET_AGE_S = 300
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Received:
    """One request: the event, when it came, how it was answered, and when a 2xx had been written."""

    event_id: str
    event: str
    at: int
    answer: Answer
    is_signed: bool
    acknowledged_at: int | None


@dataclass(slots=True)
class Receiver:
    """A server on loopback; `secret` is set when the endpoint has been created, `is_healed` when faults shall end."""

    seed: int
    port: int = 0
    secret: str = ""
    is_healed: bool = False
    received: list[Received] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    _chance: random.Random = field(default_factory=random.Random)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where the product shall send to."""
        return f"http://{_HOST}:{self.port}/hooks"

    @asynccontextmanager
    async def run(self) -> AsyncIterator["Receiver"]:
        """Serve for the block."""
        self._chance = random.Random(f"{self.seed}/receiver")
        server = await asyncio.start_server(self._serve, _HOST, 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._open):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while await self._serve_one(reader, writer):
                    pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        at, answer = now_ms(), self._choose()
        self.answers[answer] += 1
        is_signed = self._check(headers, body, at)
        acknowledged_at = None
        if answer == "reset":
            writer.transport.abort()
        elif answer == "timeout":
            await asyncio.sleep(_TIMEOUT_S)
        else:
            if answer == "slow":
                await asyncio.sleep(self._chance.uniform(*_SLOW_S))
            status = "500 Internal Server Error" if answer == "500" else "200 OK"
            acknowledged_at = None if answer == "500" else now_ms()
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())
            await writer.drain()
        with contextlib.suppress(ValueError, KeyError):
            event = json.loads(body)
            self.received.append(Received(event["id"], event["event"], at, answer, is_signed, acknowledged_at))
        return answer not in ("reset", "timeout")

    def _choose(self) -> Answer:
        if self.is_healed:
            return "200"
        chance = self._chance.randrange(100)
        return next((answer for end, answer in _FAULTS if chance < end), "200")

    def _check(self, headers: dict[str, str], body: bytes, at: int) -> bool:
        """As the documentation tells a receiver to verify."""
        stamp = headers.get("x-truedy-timestamp", "")
        signed = hmac.new(self.secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        is_fresh = stamp.isdigit() and abs(at // 1000 - int(stamp)) < _SECRET_AGE_S
        return is_fresh and hmac.compare_digest(signed, headers.get("x-truedy-signature", ""))
