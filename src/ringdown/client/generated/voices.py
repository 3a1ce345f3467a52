"""Voices. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Unpack

import httpx2

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Voices(Resource):
    """Voices of the API."""

    def list(self, **query: Unpack[s.ListVoicesQuery]) -> Page[s.VoiceObject]:
        """List voices."""
        return self._transport.request_page(Operation(method="GET", path="/voices", query={**query}))

    def iterate(self, **query: Unpack[s.ListVoicesQuery]) -> Iterator[s.VoiceObject]:
        """List voices: all pages."""
        return self._iterate(Operation(method="GET", path="/voices", query={**query}))

    def import_voice(self, *, idempotency_key: str | None = None, **body: Unpack[s.ImportVoice]) -> s.VoiceObject:
        """Import a voice."""
        answer: s.VoiceObject = self._transport.request_data(
            Operation(method="POST", path="/voices", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def clone(self, *, idempotency_key: str | None = None, **body: Unpack[s.CloneVoice]) -> s.VoiceObject:
        """Clone a voice."""
        answer: s.VoiceObject = self._transport.request_data(
            Operation(method="POST", path="/voices/clone", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get(self, voice_id: str) -> s.VoiceObject:
        """Get a voice."""
        answer: s.VoiceObject = self._transport.request_data(Operation(method="GET", path=f"/voices/{quote(voice_id)}"))
        return answer

    def update(self, voice_id: str, **body: Unpack[s.UpdateVoice]) -> s.VoiceObject:
        """Update a voice."""
        answer: s.VoiceObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/voices/{quote(voice_id)}", body={**body})
        )
        return answer

    def delete(self, voice_id: str) -> dict[str, Any]:
        """Delete a voice."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/voices/{quote(voice_id)}")
        )
        return answer

    def preview(self, voice_id: str) -> AbstractContextManager[httpx2.Response]:
        """Hear a voice."""
        return self._transport.stream(
            Operation(method="GET", path=f"/voices/{quote(voice_id)}/preview", media_types=("audio/mpeg",))
        )


class AsyncVoices(AsyncResource):
    """Voices of the API, for asyncio."""

    async def list(self, **query: Unpack[s.ListVoicesQuery]) -> Page[s.VoiceObject]:
        """List voices."""
        return await self._transport.request_page(Operation(method="GET", path="/voices", query={**query}))

    def iterate(self, **query: Unpack[s.ListVoicesQuery]) -> AsyncIterator[s.VoiceObject]:
        """List voices: all pages."""
        return self._iterate(Operation(method="GET", path="/voices", query={**query}))

    async def import_voice(self, *, idempotency_key: str | None = None, **body: Unpack[s.ImportVoice]) -> s.VoiceObject:
        """Import a voice."""
        answer: s.VoiceObject = await self._transport.request_data(
            Operation(method="POST", path="/voices", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def clone(self, *, idempotency_key: str | None = None, **body: Unpack[s.CloneVoice]) -> s.VoiceObject:
        """Clone a voice."""
        answer: s.VoiceObject = await self._transport.request_data(
            Operation(method="POST", path="/voices/clone", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get(self, voice_id: str) -> s.VoiceObject:
        """Get a voice."""
        answer: s.VoiceObject = await self._transport.request_data(
            Operation(method="GET", path=f"/voices/{quote(voice_id)}")
        )
        return answer

    async def update(self, voice_id: str, **body: Unpack[s.UpdateVoice]) -> s.VoiceObject:
        """Update a voice."""
        answer: s.VoiceObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/voices/{quote(voice_id)}", body={**body})
        )
        return answer

    async def delete(self, voice_id: str) -> dict[str, Any]:
        """Delete a voice."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/voices/{quote(voice_id)}")
        )
        return answer

    def preview(self, voice_id: str) -> AbstractAsyncContextManager[httpx2.Response]:
        """Hear a voice."""
        return self._transport.stream(
            Operation(method="GET", path=f"/voices/{quote(voice_id)}/preview", media_types=("audio/mpeg",))
        )
