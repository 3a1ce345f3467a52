"""Voices. Generated from the OpenAPI document by `make client`; not edited by hand."""

from __future__ import annotations

from collections.abc import Sequence

from ringdown.client.generated import schemas as s
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Voices(Resource):
    """Voices of the API."""

    def list(self) -> Sequence[s.VoiceObject]:
        """List voices."""
        answer: Sequence[s.VoiceObject] = self._transport.request(Operation(method="GET", path="/voices"))["data"]
        return answer

    def get(self, voice_id: str) -> s.VoiceObject:
        """Get a voice."""
        answer: s.VoiceObject = self._transport.request(Operation(method="GET", path=f"/voices/{quote(voice_id)}"))[
            "data"
        ]
        return answer


class AsyncVoices(AsyncResource):
    """Voices of the API, for asyncio."""

    async def list(self) -> Sequence[s.VoiceObject]:
        """List voices."""
        answer: Sequence[s.VoiceObject] = (await self._transport.request(Operation(method="GET", path="/voices")))[
            "data"
        ]
        return answer

    async def get(self, voice_id: str) -> s.VoiceObject:
        """Get a voice."""
        answer: s.VoiceObject = (
            await self._transport.request(Operation(method="GET", path=f"/voices/{quote(voice_id)}"))
        )["data"]
        return answer
