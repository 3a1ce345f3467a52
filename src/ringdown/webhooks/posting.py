"""Posting to one URL over connections that are kept: resolves, checks, connects, and says in a sentence what failed.

A name is resolved once per connection, every address it has is checked (see `outbound`), and the connection goes to a
checked address. Redirects are answers like others, and not followed.
"""

import asyncio
import re
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence

import httpx2

from ringdown import outbound
from ringdown.outbound import OutboundError, Resolve
from ringdown.webhooks.connection import Answer, Connection, ConnectionFailed

TIMEOUT_S = 10.0
#: Shorter than most servers keep a connection that nobody uses.
IDLE_S = 30.0
_UNSENDABLE = re.compile(rb"[^!-~]")


class PostFailed(Exception):
    """No answer; the text is one sentence for the customer."""


class Poster:
    """Posts to one URL; any number of requests at once, each with a connection to itself."""

    def __init__(self, url: str, *, private_allowed: bool, resolve: Resolve = outbound.resolve) -> None:
        self._private_allowed = private_allowed
        self._resolve = resolve
        self._url = url
        self._target: httpx2.URL | None = None
        self._head = b""
        self._idle: deque[tuple[float, Connection]] = deque()
        self._resolving: asyncio.Task[Sequence[str]] | None = None

    async def post(self, headers: Mapping[str, str], body: bytes, *, timeout_s: float) -> Answer:
        """Post JSON and read the whole answer within `timeout_s`. Raises `PostFailed`."""
        target = self._prepare()
        lines = [self._head, *(f"{name}: {value}\r\n".encode() for name, value in headers.items())]
        request = b"".join((*lines, b"Content-Length: %d\r\n\r\n" % len(body), body))
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(target, request)
        except TimeoutError:
            raise PostFailed(f"{target.host} did not answer completely within {timeout_s:.3g} seconds.") from None
        except outbound.AddressRefused:
            raise PostFailed(f"{target.host} is not a public address, and private ones are not allowed.") from None
        except ssl.SSLCertVerificationError as error:
            raise PostFailed(f"The certificate of {target.host} is not valid: {error.verify_message}.") from None
        except ssl.SSLError:
            raise PostFailed(f"{target.host} does not speak TLS as it should.") from None
        except (OSError, httpx2.ConnectError):
            raise PostFailed(f"{target.host} could not be reached.") from None
        except ConnectionFailed:
            raise PostFailed(f"{target.host} answered wrongly or not to the end.") from None

    def close_idle(self, *, unused_s: float = IDLE_S) -> None:
        """Close the connections that nobody has used for so long."""
        latest = time.monotonic() - unused_s
        while self._idle and (self._idle[0][0] <= latest or not self._idle[0][1].is_open):
            self._idle.popleft()[1].close()

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.close_idle(unused_s=0)
        if self._resolving is not None:
            self._resolving.cancel()

    def _prepare(self) -> httpx2.URL:
        if self._target is not None:
            return self._target
        try:
            target = outbound.parse_url(self._url)
        except OutboundError as error:
            raise PostFailed(str(error)) from None
        if target.scheme != "https" and not self._private_allowed:
            raise PostFailed("The URL must begin with https:// unless private addresses are allowed.")
        path, host = target.raw_path or b"/", target.netloc
        if _UNSENDABLE.search(path) or _UNSENDABLE.search(host):
            raise PostFailed("The URL is malformed.")
        self._head = (
            b"POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nContent-Type: application/json\r\n"
            b"Accept: */*\r\nAccept-Encoding: identity\r\n" % (path, host, outbound.USER_AGENT.encode())
        )
        self._target = target
        return target

    async def _exchange(self, target: httpx2.URL, request: bytes) -> Answer:
        while self._idle:
            _, connection = self._idle.pop()
            try:
                return await self._use(connection, request)
            except ConnectionFailed as failure:
                if not failure.is_stale:
                    raise
        return await self._use(await self._connect(target), request)

    async def _use(self, connection: Connection, request: bytes) -> Answer:
        answer = await connection.exchange(request)
        if connection.is_open:
            self._idle.append((time.monotonic(), connection))
        return answer

    async def _connect(self, target: httpx2.URL) -> Connection:
        port = target.port or (443 if target.scheme == "https" else 80)
        addresses = await self._find_addresses(target.host, port)
        tls = outbound.open_tls() if target.scheme == "https" else None
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(outbound.NEXT_ADDRESS_S):
                    return await _open(address, port, tls=tls, host=target.host)
            except (OSError, TimeoutError):
                continue
        return await _open(addresses[-1], port, tls=tls, host=target.host)

    async def _find_addresses(self, host: str, port: int) -> Sequence[str]:
        # Those that connect at once share the answer: a slow name server must not hold a thread for each of them.
        if self._resolving is None:
            self._resolving = asyncio.create_task(
                outbound.find_addresses(host, port, private_allowed=self._private_allowed, resolve=self._resolve)
            )
            self._resolving.add_done_callback(self._forget_resolving)
        return await asyncio.shield(self._resolving)

    def _forget_resolving(self, resolving: asyncio.Task[Sequence[str]]) -> None:
        self._resolving = None
        if not resolving.cancelled():
            resolving.exception()  # whoever asked may have given up


async def _open(address: str, port: int, *, tls: ssl.SSLContext | None, host: str) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, address, port, ssl=tls, server_hostname=host if tls else None
    )
    return connection
