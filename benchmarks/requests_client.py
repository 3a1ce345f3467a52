"""A client of one HTTP connection that costs little: it reads no more of an answer than its status and length."""

import asyncio
import re
from typing import Self

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_TIMEOUT_S = 30.0


class Client:
    """A kept connection with a key; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f" HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

    @classmethod
    async def connect(cls, host: str, port: int, key: str) -> Self:
        """Open the connection."""
        return cls(*await asyncio.open_connection(host, port, limit=1 << 20), key)

    async def get(self, path: str) -> bytes:
        """The body of a 200; raises `RuntimeError` on any other answer."""
        self._writer.write(b"GET " + path.encode() + self._head)
        async with asyncio.timeout(_TIMEOUT_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await self._reader.readexactly(int(length[1]) if length else 0)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path}: {head[:40]!r} {body[:300]!r}")
        return body

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()
