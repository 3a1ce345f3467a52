"""A few requests to our own API, for the demonstration call."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

_TIMEOUT_S = 10.0


class ApiClient:
    """Speaks JSON to the public API with one key."""

    def __init__(self, base_url: str, key: str) -> None:
        self._root = f"{base_url}/api/public/v1"
        self._key = key

    async def get(self, path: str) -> Any:
        """The parsed answer. Raises `ApiRefused` or `OSError`."""
        return await asyncio.to_thread(self._send, "GET", path, None)

    async def post(self, path: str, body: dict[str, object]) -> Any:
        """The parsed answer. Raises `ApiRefused` or `OSError`."""
        return await asyncio.to_thread(self._send, "POST", path, body)

    def _send(self, method: str, path: str, body: dict[str, object] | None) -> Any:
        request = urllib.request.Request(
            self._root + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise ApiRefused(json.load(error)["error"]["message"]) from error


class ApiRefused(Exception):
    """The API answered with an error; the message is its own."""
