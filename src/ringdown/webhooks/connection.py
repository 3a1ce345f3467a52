"""One HTTP/1.1 connection that posts and reads answers: what a thousand requests a second leave room for.

It knows nothing of addresses and of what is posted. Answers are parsed by httptools (llhttp); of a body the beginning
is kept.
"""

import asyncio
from dataclasses import dataclass

import httptools

#: So much of a body is kept; after `MAX_ANSWER` bytes nobody reads on.
KEPT_BODY, MAX_ANSWER = 16_384, 262_144


class ConnectionFailed(Exception):
    """No answer came, or none that is HTTP; `is_stale`: the connection was closed before this request reached it."""

    def __init__(self, *, is_stale: bool) -> None:
        super().__init__("no answer")
        self.is_stale = is_stale


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, the beginning of the body, and the header Retry-After if there is one."""

    status: int
    body: bytes
    retry_after: str | None


class Connection(asyncio.Protocol):
    """A connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._used = False
        self._retry_after: str | None = None
        self._reset()

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> Answer:
        """Send a request as it is and read its answer; cancelled, it closes. Raises `ConnectionFailed`."""
        if self._transport is None or not self.is_open:
            raise ConnectionFailed(is_stale=True)
        self._reset()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            if self._waiting.cancelled():
                self.close()
            self._waiting = None
            self._used = True

    def close(self) -> None:
        """Close without waiting for the peer."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio's: a part of an answer, or of something else."""
        if self._waiting is None or self._waiting.done():
            self.close()  # nobody asked
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail()
            return
        if self._size > MAX_ANSWER and not self._waiting.done():
            if self._has_headers:
                self._finish(self._parser.get_status_code(), keep=False)
            else:
                self._fail()

    def connection_lost(self, _error: Exception | None) -> None:
        """asyncio's: the end of an answer whose length nobody told, or of all hope."""
        if self._waiting is None or self._waiting.done():
            return
        if self._has_headers and not self._has_length and _error is None:
            self._finish(self._parser.get_status_code(), keep=False)
        else:
            self._fail()

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser's."""
        lowered = name.lower()
        if lowered == b"retry-after":
            self._retry_after = value.decode("latin-1")
        elif lowered in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        """The parser's."""
        self._has_headers = True

    def on_body(self, piece: bytes) -> None:
        """The parser's."""
        if len(self._body) < KEPT_BODY:
            self._body += piece[: KEPT_BODY - len(self._body)]

    def on_message_complete(self) -> None:
        """The parser's."""
        status = self._parser.get_status_code()
        if status >= 200:
            self._finish(status, keep=self._parser.should_keep_alive())
        else:  # an interim answer: the real one follows
            self._has_headers = self._has_length = False

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._retry_after = None
        self._has_headers = self._has_length = False
        self._size = 0

    def _finish(self, status: int, *, keep: bool) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(status, bytes(self._body), self._retry_after))
            if not keep:
                self.close()

    def _fail(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionFailed(is_stale=self._used and self._size == 0))
        self.close()
