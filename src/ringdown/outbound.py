"""The one HTTP client for addresses that customers name: tools, web sources, webhooks; guarded against SSRF.

A name is resolved once per connection, every address it has is checked, and the connection goes to a checked address:
a name whose answer changes between check and use (DNS rebinding) gains nothing. Proxies of the environment are not
used, because they would resolve the name themselves.
"""

import asyncio
import os
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from urllib.parse import urlencode

import httpcore2
import httpx2

from ringdown.public_address import is_public as is_public

Reason = Literal["refused_address", "timeout", "connection", "too_large", "bad_url", "redirect"]
#: `resolve(host, port)` gives the addresses of a host as texts; raises `OSError`.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

USER_AGENT = "Ringdown/0.1"
_MAX_URL_LENGTH = 8192
# One of several addresses of a name may be dead: how long it may hold up the next one.
NEXT_ADDRESS_S = 3.0
_MAX_ADDRESSES = 4
_REDIRECTS = (301, 302, 303, 307, 308)
# Idle connections are kept per host, so that the next request to it needs no handshake.
_MAX_CONNECTIONS, _MAX_IDLE_CONNECTIONS, _IDLE_S = 200, 50, 30.0


class OutboundError(Exception):
    """A request that could not be made or answered; the text is one sentence without path, query or header.

    `is_sent` is False when the request surely never reached the server.
    """

    def __init__(self, reason: Reason, message: str, *, is_sent: bool = True) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.is_sent = is_sent


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status: names of headers in lower case, and the URL that answered after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


def parse_url(url: str) -> httpx2.URL:
    """The URL of a request. Raises `OutboundError` unless it is http or https, with a host and without a login."""
    if len(url) > _MAX_URL_LENGTH:
        raise OutboundError("bad_url", f"The URL is longer than {_MAX_URL_LENGTH} characters.", is_sent=False)
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        raise OutboundError("bad_url", "The URL is malformed.", is_sent=False) from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise OutboundError("bad_url", "The URL must begin with http:// or https:// and a host.", is_sent=False)
    if re.fullmatch(rb"[A-Za-z0-9._:-]{1,253}", parsed.raw_host) is None or not 1 <= (parsed.port or 80) <= 65535:
        raise OutboundError("bad_url", "The host or port of the URL is malformed.", is_sent=False)
    if parsed.userinfo:
        raise OutboundError("bad_url", "The URL must not hold a user name or password.", is_sent=False)
    return parsed


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, best first. Raises `OSError`."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("the name is malformed") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AddressRefused(httpx2.ConnectError):
    """The host has an address that is not public."""


async def find_addresses(host: str, port: int, *, private_allowed: bool, resolve: Resolve = resolve) -> Sequence[str]:
    """The addresses of a host that may be connected to. Raises `AddressRefused` and `httpx2.ConnectError`."""
    try:
        addresses = (await resolve(host, port))[:_MAX_ADDRESSES]
    except OSError:
        raise httpx2.ConnectError(f"{host} cannot be resolved") from None
    if not addresses:
        raise httpx2.ConnectError(f"{host} has no address")
    # One private address among public ones is no accident.
    if not private_allowed and not all(is_public(address) for address in addresses):
        raise AddressRefused(f"{host} is not a public address")
    return addresses


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, *, private_allowed: bool, resolve: Resolve) -> None:
        self._private_allowed = private_allowed
        self._resolve = resolve
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, check, connect. Raises `AddressRefused` and what httpcore raises."""
        addresses = await find_addresses(host, port, private_allowed=self._private_allowed, resolve=self._resolve)
        for address in addresses[:-1]:
            try:
                return await self._backend.connect_tcp(
                    address, port, NEXT_ADDRESS_S, local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(
            addresses[-1], port, timeout, local_address, socket_options=socket_options
        )


class _BoundedStream(httpx2.AsyncByteStream):
    """A body that ends with an error when it grows over `max_bytes`."""

    def __init__(self, stream: Any, max_bytes: int | None) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for piece in self._stream:
                size += len(piece)
                if self._max_bytes is not None and size > self._max_bytes:
                    raise httpx2.ReadError(f"the answer is larger than {self._max_bytes} bytes")
                yield piece
        except _HTTPCORE_ERRORS as error:
            raise _translate(error) from error

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._stream.aclose()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """What an `httpx2.AsyncClient` of a library (MCP) must be given to be as guarded as `OutboundClient`.

    Answers that are compressed although nobody asked for it are refused where `max_bytes` bounds a body.
    """

    def __init__(
        self, *, private_allowed: bool, tls: ssl.SSLContext, resolve: Resolve, max_bytes: int | None = None
    ) -> None:
        self._max_bytes = max_bytes
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_S,
            network_backend=_GuardedBackend(private_allowed=private_allowed, resolve=resolve),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request. Raises `httpx2.HTTPError`."""
        url = request.url
        asked = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path or b"/"),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = await self._pool.handle_async_request(asked)
        except _HTTPCORE_ERRORS as error:
            raise _translate(error) from error
        response = httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_BoundedStream(answer.stream, self._max_bytes),
            extensions=answer.extensions,
        )
        if self._max_bytes is not None and response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("the answer is compressed although that was not asked for")
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


@cache
def _make_tls(*_environment: str | None) -> ssl.SSLContext:
    # Reading the authorities takes a tenth of a second, which a call's media clock has not: once per process.
    return httpx2.create_ssl_context()


def open_tls() -> ssl.SSLContext:
    """Trusts the authorities of the environment, which httpx reads itself."""
    return _make_tls(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


class OutboundClient:
    """Sends requests to addresses that customers named. Keeps no cookies, and follows redirects only when told to."""

    def __init__(self, *, private_allowed: bool, user_agent: str = USER_AGENT, resolve: Resolve = resolve) -> None:
        self._private_allowed = private_allowed
        self._resolve = resolve
        self._user_agent = user_agent
        self._tls = open_tls()
        self._transport = self.open_transport()

    def open_transport(self, *, max_bytes: int | None = None) -> GuardedTransport:
        """A transport with the same guard for a library's own client, which closes it; bodies up to `max_bytes`."""
        return GuardedTransport(
            private_allowed=self._private_allowed, tls=self._tls, resolve=self._resolve, max_bytes=max_bytes
        )

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        timeout_s: float,
        max_bytes: int,
        max_redirects: int = 0,
    ) -> Response:
        """Send a request and read the whole answer within `timeout_s` and `max_bytes` (of the plain body).

        `query` is added to the URL's own. Raises `OutboundError`, also for a redirect beyond `max_redirects`.
        Headers stay behind when a redirect leads to another origin, because any of them may be a secret.
        """
        target = parse_url(_add_query(url, query))
        request = httpx2.Request(method, target, headers=self._make_headers(headers or {}), content=body)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._send(request, max_bytes=max_bytes, max_redirects=max_redirects)
        except TimeoutError:
            raise OutboundError(
                "timeout", f"{target.host} did not answer completely within {timeout_s:.3g} seconds."
            ) from None
        except AddressRefused:
            raise OutboundError(
                "refused_address",
                f"{target.host}, or what it redirects to, is not a public address, and private ones are not allowed.",
                is_sent=False,
            ) from None
        except httpx2.LocalProtocolError:
            raise OutboundError(
                "bad_url", "The request holds characters that HTTP does not allow.", is_sent=False
            ) from None
        except httpx2.TransportError as error:
            is_sent = not isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout))
            verb = "answered wrongly or not to the end" if is_sent else "could not be reached"
            raise OutboundError("connection", f"{target.host} {verb}.", is_sent=is_sent) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    def _make_headers(self, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
        own = {"user-agent": self._user_agent, "accept": "*/*"}
        given = {name.lower(): value for name, value in headers.items()}
        # Whoever compresses all the same is inflated within bounds.
        wanted = own | given | {"accept-encoding": "identity"}
        return [(name.encode(), value.encode()) for name, value in wanted.items()]

    async def _send(self, request: httpx2.Request, *, max_bytes: int, max_redirects: int) -> Response:
        for redirects in range(max_redirects + 1):
            response = await self._transport.handle_async_request(request)
            try:
                if not _is_redirect(response):
                    return await _read(response, url=request.url, max_bytes=max_bytes)
            finally:
                await response.aclose()
            if redirects < max_redirects:
                request = self._redirect(request, response)
        raise OutboundError(
            "redirect",
            f"{request.url.host} redirects elsewhere (status {response.status_code}), which is not followed.",
        )

    def _redirect(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Request:
        try:
            target = parse_url(str(request.url.join(response.headers["location"])))
        except (httpx2.InvalidURL, UnicodeError, ValueError):
            raise OutboundError("redirect", f"{request.url.host} redirects to a malformed URL.") from None
        if (request.url.scheme, target.scheme) == ("https", "http"):
            raise OutboundError("redirect", f"{request.url.host} redirects from https to http.")
        is_same_origin = _get_origin(target) == _get_origin(request.url)
        names = ("host", "content-length", "transfer-encoding")
        headers = [(name, value) for name, value in request.headers.raw if name.lower().decode() not in names]
        if response.status_code in (307, 308):
            if not is_same_origin and request.content:
                raise OutboundError("redirect", f"{request.url.host} redirects the request's body elsewhere.")
            method, content = request.method, request.content
        else:
            # What every browser does (RFC 9110 §15.4.2, 15.4.3).
            method, content = ("HEAD" if request.method == "HEAD" else "GET"), b""
            headers = [(name, value) for name, value in headers if name.lower() != b"content-type"]
        if not is_same_origin:
            headers = self._make_headers({})
        return httpx2.Request(method, target, headers=headers, content=content or None)


def _get_origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _add_query(url: str, query: Sequence[tuple[str, str]]) -> str:
    before = url.partition("#")[0]
    return f"{before}{'&' if '?' in before else '?'}{urlencode(query)}" if query else before


def _is_redirect(response: httpx2.Response) -> bool:
    return response.status_code in _REDIRECTS and "location" in response.headers


async def _read(response: httpx2.Response, *, url: httpx2.URL, max_bytes: int) -> Response:
    pieces, size = [], 0
    async for piece in response.stream:  # type: ignore[union-attr]
        size += len(piece)
        if size > max_bytes:
            raise _too_large(url, max_bytes)
        pieces.append(piece)
    body = b"".join(pieces)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if body and encoding != "identity":
        body = _inflate(body, encoding, url=url, max_bytes=max_bytes)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status_code, headers, body, str(url))


def _inflate(body: bytes, encoding: str, *, url: httpx2.URL, max_bytes: int) -> bytes:
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise OutboundError("connection", f"{url.host} answered in a compression that was not asked for.")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, whichever it is
    try:
        plain = inflater.decompress(body, max_bytes + 1)
    except zlib.error:
        raise OutboundError("connection", f"{url.host} answered with a broken compression.") from None
    if len(plain) > max_bytes:
        raise _too_large(url, max_bytes)
    return plain


def _too_large(url: httpx2.URL, max_bytes: int) -> OutboundError:
    return OutboundError("too_large", f"{url.host} answered with more than {max_bytes} bytes.")


_HTTPCORE_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
    httpcore2.ProtocolError,
)


def _translate(error: Exception) -> httpx2.TransportError:
    """httpcore's error as httpx's of the same name."""
    translated: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__, httpx2.TransportError)
    return translated(str(error))
