"""Privacy. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Unpack

import httpx2

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Privacy(Resource):
    """Privacy of the API."""

    def export_person(self, **query: Unpack[s.ExportPersonQuery]) -> AbstractContextManager[httpx2.Response]:
        """Export a person's data."""
        return self._transport.stream(
            Operation(method="GET", path="/privacy/export", media_types=("application/x-ndjson",), query={**query})
        )

    def erase_person(self, *, idempotency_key: str | None = None, **body: Unpack[s.ErasePerson]) -> s.ErasureObject:
        """Erase a person's data."""
        answer: s.ErasureObject = self._transport.request_data(
            Operation(method="POST", path="/privacy/erasures", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def list_erasures(self, **query: Unpack[s.ListErasuresQuery]) -> Page[s.ErasureObject]:
        """List erasures."""
        return self._transport.request_page(Operation(method="GET", path="/privacy/erasures", query={**query}))

    def iterate_erasures(self, **query: Unpack[s.ListErasuresQuery]) -> Iterator[s.ErasureObject]:
        """List erasures: all pages."""
        return self._iterate(Operation(method="GET", path="/privacy/erasures", query={**query}))

    def get_erasure(self, erasure_id: str) -> s.ErasureObject:
        """Get an erasure."""
        answer: s.ErasureObject = self._transport.request_data(
            Operation(method="GET", path=f"/privacy/erasures/{quote(erasure_id)}")
        )
        return answer


class AsyncPrivacy(AsyncResource):
    """Privacy of the API, for asyncio."""

    def export_person(self, **query: Unpack[s.ExportPersonQuery]) -> AbstractAsyncContextManager[httpx2.Response]:
        """Export a person's data."""
        return self._transport.stream(
            Operation(method="GET", path="/privacy/export", media_types=("application/x-ndjson",), query={**query})
        )

    async def erase_person(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.ErasePerson]
    ) -> s.ErasureObject:
        """Erase a person's data."""
        answer: s.ErasureObject = await self._transport.request_data(
            Operation(method="POST", path="/privacy/erasures", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def list_erasures(self, **query: Unpack[s.ListErasuresQuery]) -> Page[s.ErasureObject]:
        """List erasures."""
        return await self._transport.request_page(Operation(method="GET", path="/privacy/erasures", query={**query}))

    def iterate_erasures(self, **query: Unpack[s.ListErasuresQuery]) -> AsyncIterator[s.ErasureObject]:
        """List erasures: all pages."""
        return self._iterate(Operation(method="GET", path="/privacy/erasures", query={**query}))

    async def get_erasure(self, erasure_id: str) -> s.ErasureObject:
        """Get an erasure."""
        answer: s.ErasureObject = await self._transport.request_data(
            Operation(method="GET", path=f"/privacy/erasures/{quote(erasure_id)}")
        )
        return answer
