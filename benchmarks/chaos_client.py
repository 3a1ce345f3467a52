"""Speaks to the product's API as a careful client does: with idempotency keys, and again until it is answered."""

import asyncio
import random
import time
from typing import Any, Self

import httpx

from benchmarks.chaos_program import now_ms

_TIMEOUT_S = 20.0
_PAUSE_S = (0.1, 0.6)
_CONFLICT_PAUSE_S = 5.0
#: A key that a killed api left in flight is free again after a minute.
_PATIENCE_S = 180.0
_SERVER_ERROR = 500


class Refused(Exception):
    """The API said no, and would say so again."""


class Client:
    """One key's requests; `troubles` counts those that were lost on the way or met a 5xx, which stand in a list."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT_S, limits=limits)
        self.troubles = 0
        self.server_errors: list[tuple[int, str]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str, **parameters: object) -> dict[str, Any]:
        """The answer's JSON. Raises `Refused`."""
        return await self._ask("GET", path, params=parameters)

    async def post(self, path: str, body: object, *, key: str | None = None) -> Any:
        """The answer's `data`, of one request whatever happens if it has a key. Raises `Refused`."""
        headers = {} if key is None else {"X-Idempotency-Key": key}
        return (await self._ask("POST", path, json=body, headers=headers))["data"]

    async def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        until_s = time.monotonic() + _PATIENCE_S
        while True:
            pause_s = random.uniform(*_PAUSE_S)
            try:
                answer = await self._http.request(method, path, **request)
            except httpx.HTTPError as error:
                self.troubles += 1
                trouble = repr(error)
            else:
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    return found
                trouble = f"{answer.status_code} {answer.text[:500]}"
                if answer.status_code >= _SERVER_ERROR:
                    self.troubles += 1
                    self.server_errors.append((now_ms(), f"{method} {path}: {trouble}"))
                elif answer.status_code == httpx.codes.CONFLICT:
                    details = answer.json()["error"].get("details") or {}
                    if "resource_id" in details:
                        return {"data": {"id": details["resource_id"]}}
                    pause_s = _CONFLICT_PAUSE_S
                else:
                    raise Refused(f"{method} {path}: {trouble}")
            if time.monotonic() > until_s:
                raise TimeoutError(f"{method} {path} was not answered: {trouble}")
            await asyncio.sleep(pause_s)
