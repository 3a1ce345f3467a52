"""Requests as they go over HTTP, and answers as they come back; both clients share everything but the waiting."""

import asyncio
import json
import random
import time
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import httpx2

from ringdown.client.errors import ApiError, ConnectionFailed, read_error
from ringdown.client.pages import Page
from ringdown.client.retrying import Failure, find_delay_s

BASE_PATH = "/api/public/v1"
_KEY_HEADER = "X-Idempotency-Key"

#: What a file is sent from.
File = bytes | BinaryIO


def quote(name: str) -> str:
    """An id as one segment of a path."""
    return urllib.parse.quote(name, safe="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request of the API. A mapping in `query` becomes `name.key=value`."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    form: Mapping[str, Any] | None = None
    files: Mapping[str, File] | None = None
    idempotency_key: str | None = None


class _Requests:
    """How operations become requests of one key, and failures become errors or another try."""

    def __init__(self, base_url: str, *, key: str, tries: int, timeout_s: float) -> None:
        self._root = base_url.rstrip("/").removesuffix(BASE_PATH) + BASE_PATH
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, */*"}
        self._tries = tries
        self._options: dict[str, Any] = {"timeout": timeout_s}

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
        return request

    def _find_delay_s(self, failure: Failure, operation: Operation, tries: int) -> float | None:
        # A file was read to its end by the first try.
        max_tries = 1 if operation.files is not None else self._tries
        return find_delay_s(failure, method=operation.method, tries=tries, max_tries=max_tries, chance=random.random())


class Transport(_Requests):
    """Sends operations and waits for their answers."""

    def __init__(self, base_url: str, *, key: str, tries: int, timeout_s: float) -> None:
        super().__init__(base_url, key=key, tries=tries, timeout_s=timeout_s)
        self._http = httpx2.Client(**self._options)

    def request(self, operation: Operation) -> Any:
        """The parsed answer. Raises `ApiError` or `ConnectionFailed`."""
        with self.stream(operation) as response:
            response.read()
            return response.json()

    def request_page(self, operation: Operation) -> Page[Any]:
        """A page of a list."""
        answer = self.request(operation)
        return Page(answer["data"], answer["pagination"])

    @contextmanager
    def stream(self, operation: Operation) -> Iterator[httpx2.Response]:
        """The answer as it comes."""
        request, tries = self._prepare(operation), 0
        while True:
            tries += 1
            try:
                with self._http.stream(**request) as response:
                    if response.is_success:
                        yield response
                        return
                    response.read()
                    error: ApiError | ConnectionFailed = _read_refusal(response)
                    failure = _describe(response, error)
            except httpx2.TransportError as broken:
                error, failure = ConnectionFailed(_explain(broken)), Failure(None, {}, {})
            delay_s = self._find_delay_s(failure, operation, tries)
            if delay_s is None:
                raise error
            time.sleep(delay_s)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()


class AsyncTransport(_Requests):
    """`Transport` for asyncio."""

    def __init__(self, base_url: str, *, key: str, tries: int, timeout_s: float) -> None:
        super().__init__(base_url, key=key, tries=tries, timeout_s=timeout_s)
        self._http = httpx2.AsyncClient(**self._options)

    async def request(self, operation: Operation) -> Any:
        """The parsed answer. Raises `ApiError` or `ConnectionFailed`."""
        async with self.stream(operation) as response:
            await response.aread()
            return response.json()

    async def request_page(self, operation: Operation) -> Page[Any]:
        """A page of a list."""
        answer = await self.request(operation)
        return Page(answer["data"], answer["pagination"])

    @asynccontextmanager
    async def stream(self, operation: Operation) -> AsyncIterator[httpx2.Response]:
        """The answer as it comes."""
        request, tries = self._prepare(operation), 0
        while True:
            tries += 1
            try:
                async with self._http.stream(**request) as response:
                    if response.is_success:
                        yield response
                        return
                    await response.aread()
                    error: ApiError | ConnectionFailed = _read_refusal(response)
                    failure = _describe(response, error)
            except httpx2.TransportError as broken:
                error, failure = ConnectionFailed(_explain(broken)), Failure(None, {}, {})
            delay_s = self._find_delay_s(failure, operation, tries)
            if delay_s is None:
                raise error
            await asyncio.sleep(delay_s)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def _read_refusal(response: httpx2.Response) -> ApiError:
    try:
        document = response.json()
    except ValueError:
        document = None
    return read_error(response.status_code, document, response.headers.get("x-request-id"))


def _describe(response: httpx2.Response, error: ApiError | ConnectionFailed) -> Failure:
    details = error.details if isinstance(error, ApiError) else {}
    return Failure(response.status_code, details, {name.lower(): value for name, value in response.headers.items()})


def _explain(error: httpx2.TransportError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


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
