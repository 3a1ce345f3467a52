"""Webrtc. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from typing import Unpack

from ringdown.client.generated import schemas as s
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation


class Webrtc(Resource):
    """Webrtc of the API."""

    def create_browser_call(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateBrowserCall]
    ) -> s.BrowserCallObject:
        """Let a browser call an agent."""
        answer: s.BrowserCallObject = self._transport.request(
            Operation(method="POST", path="/webrtc/call", idempotency_key=idempotency_key, body={**body})
        )
        return answer


class AsyncWebrtc(AsyncResource):
    """Webrtc of the API, for asyncio."""

    async def create_browser_call(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateBrowserCall]
    ) -> s.BrowserCallObject:
        """Let a browser call an agent."""
        answer: s.BrowserCallObject = await self._transport.request(
            Operation(method="POST", path="/webrtc/call", idempotency_key=idempotency_key, body={**body})
        )
        return answer
