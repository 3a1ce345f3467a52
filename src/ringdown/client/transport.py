"""Requests as they go over HTTP, and answers as they come back; both clients share everything but the waiting."""

import asyncio
import json
import random
import time
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import httpx2

from ringdown.client.errors import ApiError, ClientError, ConnectionFailed, read_error
from ringdown.client.pages import Page
from ringdown.client.retrying import Failure, find_delay_s

BASE_PATH = "/api/public/v1"
_KEY_HEADER = "X-Idempotency-Key"
# The API answers an import when all rows of the file are stored, up to 250,000.
_UPLOAD_TIMEOUT_S = 600.0

#: What a file is sent from.
File = bytes | BinaryIO


def quote(name: str) -> str:
    """An id as one segment of a path."""
    return urllib.parse.quote(name, safe="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request of the API. A mapping in `query` becomes `name.key=value`; a stream is of `media_types`.

    An answer without one of the `members` is not the API's.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    form: Mapping[str, Any] | None = None
    files: Mapping[str, File] | None = None
    idempotency_key: str | None = None
    media_types: Sequence[str] = ()
    members: Sequence[str] = ()


class _Requests:
    """How operations become requests of one key, and failures become errors or another try."""

    def __init__(self, base_url: str, *, key: str, tries: int, timeout_s: float) -> None:
        self._root = base_url.rstrip("/").removesuffix(BASE_PATH) + BASE_PATH
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, */*"}
        self._tries = tries
        self._upload_timeout = httpx2.Timeout(timeout_s, read=max(timeout_s, _UPLOAD_TIMEOUT_S))

    def _prepare(self, operation: Operation) -> dict[str, Any]:
        headers = dict(self._headers)
        if operation.method == "POST":
            headers[_KEY_HEADER] = operation.idempotency_key or str(uuid.uuid4())
        request: dict[str, Any] = {
            "method": operation.method,
            "url": self._root + operation.path,
            "params": list(_flatten(operation.query)),
            "headers": headers,
        }
        if operation.body is not None:
            request["content"] = json.dumps(operation.body).encode()
            headers["Content-Type"] = "application/json"
        if operation.files is not None:
            request["files"] = dict(operation.files)
            request["data"] = {name: _to_text(value) for name, value in (operation.form or {}).items()}
            request["timeout"] = self._upload_timeout
        return request

    def _begin(self, operation: Operation) -> "_Attempts":
        # A file was read to its end by the first try.
        return _Attempts(self._prepare(operation), 1 if operation.files is not None else self._tries)


class _Attempts:
    """The tries of one request: what failed, and how long to wait before the next."""

    def __init__(self, request: dict[str, Any], max_tries: int) -> None:
        self.request = request
        self._max_tries = max_tries
        self._tries = 0

    def break_off(self, broken: httpx2.TransportError) -> float:
        """Seconds to wait after a connection that broke; raises `ConnectionFailed` when it was the last try."""
        return self._fail(_explain(broken), Failure(None, {}, {}))

    def refuse(self, response: httpx2.Response) -> float:
        """Seconds to wait after a refusal; raises `ApiError` when it is final."""
        error = _read_refusal(response)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return self._fail(error, Failure(response.status_code, error.details, headers))

    def _fail(self, error: ClientError, failure: Failure) -> float:
        self._tries += 1
        delay_s = find_delay_s(
            failure,
            method=self.request["method"],
            tries=self._tries,
            max_tries=self._max_tries,
            chance=random.random(),
        )
        if delay_s is None:
            raise error
        return delay_s


class Transport(_Requests):
    """Sends operations and waits for their answers."""

    def __init__(self, base_url: str, *, key: str, tries: int, timeout_s: float) -> None:
        super().__init__(base_url, key=key, tries=tries, timeout_s=timeout_s)
        self._http = httpx2.Client(timeout=timeout_s)

    def request(self, operation: Operation) -> Any:
        """The parsed answer. Raises `ApiError` or `ConnectionFailed`."""
        attempts = self._begin(operation)
        while True:
            try:
                response = self._http.request(**attempts.request)
            except httpx2.TransportError as broken:
                delay_s = attempts.break_off(broken)
            else:
                if response.is_success:
                    return _read_success(response, operation.members)
                delay_s = attempts.refuse(response)
            time.sleep(delay_s)

    def request_data(self, operation: Operation) -> Any:
        """What stands in the envelope of the answer."""
        return self.request(replace(operation, members=("data",)))["data"]

    def request_page(self, operation: Operation) -> Page[Any]:
        """A page of a list."""
        answer = self.request(replace(operation, members=("data", "pagination")))
        return Page(answer["data"], answer["pagination"])

    @contextmanager
    def stream(self, operation: Operation) -> Iterator[httpx2.Response]:
        """The answer as it comes; one that breaks off raises `ConnectionFailed`."""
        response = self._open(self._begin(operation))
        try:
            _check_type(response, operation.media_types)
            yield response
        except httpx2.TransportError as broken:
            raise _explain(broken) from broken
        finally:
            response.close()

    def _open(self, attempts: _Attempts) -> httpx2.Response:
        while True:
            try:
                response = self._http.send(self._http.build_request(**attempts.request), stream=True)
                if response.is_success:
                    return response
                response.read()
            except httpx2.TransportError as broken:
                delay_s = attempts.break_off(broken)
            else:
                delay_s = attempts.refuse(response)
            time.sleep(delay_s)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()


class AsyncTransport(_Requests):
    """`Transport` for asyncio."""

    def __init__(self, base_url: str, *, key: str, tries: int, timeout_s: float) -> None:
        super().__init__(base_url, key=key, tries=tries, timeout_s=timeout_s)
        self._http = httpx2.AsyncClient(timeout=timeout_s)

    async def request(self, operation: Operation) -> Any:
        """The parsed answer. Raises `ApiError` or `ConnectionFailed`."""
        attempts = self._begin(operation)
        while True:
            try:
                response = await self._http.request(**attempts.request)
            except httpx2.TransportError as broken:
                delay_s = attempts.break_off(broken)
            else:
                if response.is_success:
                    return _read_success(response, operation.members)
                delay_s = attempts.refuse(response)
            await asyncio.sleep(delay_s)

    async def request_data(self, operation: Operation) -> Any:
        """What stands in the envelope of the answer."""
        return (await self.request(replace(operation, members=("data",))))["data"]

    async def request_page(self, operation: Operation) -> Page[Any]:
        """A page of a list."""
        answer = await self.request(replace(operation, members=("data", "pagination")))
        return Page(answer["data"], answer["pagination"])

    @asynccontextmanager
    async def stream(self, operation: Operation) -> AsyncIterator[httpx2.Response]:
        """The answer as it comes; one that breaks off raises `ConnectionFailed`."""
        response = await self._open(self._begin(operation))
        try:
            _check_type(response, operation.media_types)
            yield response
        except httpx2.TransportError as broken:
            raise _explain(broken) from broken
        finally:
            await response.aclose()

    async def _open(self, attempts: _Attempts) -> httpx2.Response:
        while True:
            try:
                response = await self._http.send(self._http.build_request(**attempts.request), stream=True)
                if response.is_success:
                    return response
                await response.aread()
            except httpx2.TransportError as broken:
                delay_s = attempts.break_off(broken)
            else:
                delay_s = attempts.refuse(response)
            await asyncio.sleep(delay_s)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def _read_success(response: httpx2.Response, members: Sequence[str]) -> dict[str, Any]:
    document = _parse(response)
    if not isinstance(document, dict) or any(name not in document for name in members):
        raise read_error(response.status_code, None, response.headers)
    return document


def _read_refusal(response: httpx2.Response) -> ApiError:
    return read_error(response.status_code, _parse(response), response.headers)


def _check_type(response: httpx2.Response, expected: Sequence[str]) -> None:
    """Raise `ApiError` for an answer of another type; what a proxy says instead must not pass for the file."""
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in expected:
        raise read_error(response.status_code, None, response.headers)


def _parse(response: httpx2.Response) -> object:
    """The JSON document; None for what is none."""
    try:
        document: object = response.json()
    except ValueError:
        return None
    return document


def _explain(broken: httpx2.TransportError) -> ConnectionFailed:
    return ConnectionFailed(f"{type(broken).__name__}: {broken}" if str(broken) else type(broken).__name__)


def _flatten(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        if isinstance(value, Mapping):
            for key, member in value.items():
                yield f"{name}.{key}", _to_text(member)
        elif isinstance(value, list | tuple):
            for member in value:
                yield name, _to_text(member)
        elif value is not None:
            yield name, _to_text(value)


def _to_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
