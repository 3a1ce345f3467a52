"""A speech vendor over WebSockets, as Pipecat's Cartesia services speak to it: words one way, audio the other."""

import asyncio
import audioop
import base64
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

_RATE_HZ = 24_000
_WORD_MS = 100


@dataclass
class FakeCartesiaServer:
    """Hears `transcript` in any sound; speaks each word for 100 ms. `stalls` sends one word and no more."""

    transcript: str = "yes please"
    stalls: bool = False
    url: str = ""
    connections: int = 0
    keys: list[str | None] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["FakeCartesiaServer"]:
        """Serve on a free port of the loopback address."""
        async with serve(self._serve, "127.0.0.1", 0) as server:
            self.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            yield self

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connections += 1
        self.keys.append(connection.request.headers.get("X-API-Key"))
        address = urlsplit(connection.request.path)
        self.queries.append(parse_qs(address.query))
        with contextlib.suppress(ConnectionClosed):
            await (self._hear(connection) if address.path.startswith("/stt") else self._speak(connection))

    async def _hear(self, connection: ServerConnection) -> None:
        loudest = 0
        async for message in connection:
            if isinstance(message, bytes):
                was_silent, loudest = loudest == 0, max(loudest, audioop.max(message, 2))
                if was_silent and loudest:
                    first = self.transcript.partition(" ")[0]
                    await connection.send(json.dumps({"type": "transcript", "text": first, "is_final": False}))
            elif message == "finalize" and loudest:
                told = {"type": "transcript", "text": self.transcript, "is_final": True, "language": "en"}
                await connection.send(json.dumps(told))
                loudest = 0

    async def _speak(self, connection: ServerConnection) -> None:
        async for message in connection:
            request = json.loads(message)
            if request.get("cancel"):
                self.cancelled.append(request["context_id"])
                continue
            self.requests.append(request)
            if not request["transcript"]:
                continue
            words = request["transcript"].split()[: 1 if self.stalls else None]
            for number, word in enumerate(words):
                times = {"words": [word], "start": [number * _WORD_MS / 1000], "end": [(number + 1) * _WORD_MS / 1000]}
                await self._tell(connection, request, type="timestamps", word_timestamps=times)
                pcm = struct.pack("<h", 1000) * (_RATE_HZ * _WORD_MS // 1000)
                await self._tell(connection, request, type="chunk", data=base64.b64encode(pcm).decode())
            if not self.stalls:
                await self._tell(connection, request, type="done")

    async def _tell(self, connection: ServerConnection, request: dict[str, Any], **fields: Any) -> None:
        await connection.send(json.dumps({"context_id": request["context_id"], **fields}))
        await asyncio.sleep(0)
