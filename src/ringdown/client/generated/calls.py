"""Calls. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Unpack

import httpx2

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Calls(Resource):
    """Calls of the API."""

    def export(self, **query: Unpack[s.ExportCallsQuery]) -> AbstractContextManager[httpx2.Response]:
        """Export calls."""
        return self._transport.stream(
            Operation(
                method="GET", path="/calls/export", media_types=("text/csv", "application/x-ndjson"), query={**query}
            )
        )

    def list(self, **query: Unpack[s.ListCallsQuery]) -> Page[s.CallObject]:
        """List calls."""
        return self._transport.request_page(Operation(method="GET", path="/calls", query={**query}))

    def iterate(self, **query: Unpack[s.ListCallsQuery]) -> Iterator[s.CallObject]:
        """List calls: all pages."""
        return self._iterate(Operation(method="GET", path="/calls", query={**query}))

    def create(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateCall]) -> s.CallObject:
        """Place a call."""
        answer: s.CallObject = self._transport.request_data(
            Operation(method="POST", path="/calls", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def bulk_delete(self, *, idempotency_key: str | None = None, **body: Unpack[s.BulkDelete]) -> s.BulkDeleteObject:
        """Delete calls."""
        answer: s.BulkDeleteObject = self._transport.request_data(
            Operation(method="POST", path="/calls/bulk-delete", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get(self, call_id: str) -> s.CallObject:
        """Get a call."""
        answer: s.CallObject = self._transport.request_data(Operation(method="GET", path=f"/calls/{quote(call_id)}"))
        return answer

    def update(self, call_id: str, **body: Unpack[s.UpdateCall]) -> s.CallObject:
        """Update a call."""
        answer: s.CallObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/calls/{quote(call_id)}", body={**body})
        )
        return answer

    def delete(self, call_id: str) -> dict[str, Any]:
        """Delete a call."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/calls/{quote(call_id)}")
        )
        return answer

    def hang_up(self, call_id: str, *, idempotency_key: str | None = None) -> s.CallObject:
        """Hang up a call."""
        answer: s.CallObject = self._transport.request_data(
            Operation(method="POST", path=f"/calls/{quote(call_id)}/hangup", idempotency_key=idempotency_key)
        )
        return answer

    def hold(self, call_id: str, *, idempotency_key: str | None = None) -> s.CallObject:
        """Hold a call."""
        answer: s.CallObject = self._transport.request_data(
            Operation(method="POST", path=f"/calls/{quote(call_id)}/hold", idempotency_key=idempotency_key)
        )
        return answer

    def resume(self, call_id: str, *, idempotency_key: str | None = None) -> s.CallObject:
        """Resume a call."""
        answer: s.CallObject = self._transport.request_data(
            Operation(method="POST", path=f"/calls/{quote(call_id)}/resume", idempotency_key=idempotency_key)
        )
        return answer

    def send_digits(
        self, call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.SendDigits]
    ) -> s.CallObject:
        """Send digits."""
        answer: s.CallObject = self._transport.request_data(
            Operation(
                method="POST", path=f"/calls/{quote(call_id)}/digits", idempotency_key=idempotency_key, body={**body}
            )
        )
        return answer

    def transfer(
        self, call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.TransferCall]
    ) -> s.CallObject:
        """Transfer a call."""
        answer: s.CallObject = self._transport.request_data(
            Operation(
                method="POST", path=f"/calls/{quote(call_id)}/transfer", idempotency_key=idempotency_key, body={**body}
            )
        )
        return answer

    def get_transcript(self, call_id: str) -> s.TranscriptObject:
        """Get a transcript."""
        answer: s.TranscriptObject = self._transport.request_data(
            Operation(method="GET", path=f"/calls/{quote(call_id)}/transcript")
        )
        return answer

    def list_events(self, call_id: str, **query: Unpack[s.ListEventsQuery]) -> Page[s.CallEventObject]:
        """List the events of a call."""
        return self._transport.request_page(
            Operation(method="GET", path=f"/calls/{quote(call_id)}/events", query={**query})
        )

    def iterate_events(self, call_id: str, **query: Unpack[s.ListEventsQuery]) -> Iterator[s.CallEventObject]:
        """List the events of a call: all pages."""
        return self._iterate(Operation(method="GET", path=f"/calls/{quote(call_id)}/events", query={**query}))

    def get_recording(self, call_id: str) -> s.RecordingObject:
        """Get a recording."""
        answer: s.RecordingObject = self._transport.request_data(
            Operation(method="GET", path=f"/calls/{quote(call_id)}/recording")
        )
        return answer


class AsyncCalls(AsyncResource):
    """Calls of the API, for asyncio."""

    def export(self, **query: Unpack[s.ExportCallsQuery]) -> AbstractAsyncContextManager[httpx2.Response]:
        """Export calls."""
        return self._transport.stream(
            Operation(
                method="GET", path="/calls/export", media_types=("text/csv", "application/x-ndjson"), query={**query}
            )
        )

    async def list(self, **query: Unpack[s.ListCallsQuery]) -> Page[s.CallObject]:
        """List calls."""
        return await self._transport.request_page(Operation(method="GET", path="/calls", query={**query}))

    def iterate(self, **query: Unpack[s.ListCallsQuery]) -> AsyncIterator[s.CallObject]:
        """List calls: all pages."""
        return self._iterate(Operation(method="GET", path="/calls", query={**query}))

    async def create(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateCall]) -> s.CallObject:
        """Place a call."""
        answer: s.CallObject = await self._transport.request_data(
            Operation(method="POST", path="/calls", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def bulk_delete(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.BulkDelete]
    ) -> s.BulkDeleteObject:
        """Delete calls."""
        answer: s.BulkDeleteObject = await self._transport.request_data(
            Operation(method="POST", path="/calls/bulk-delete", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get(self, call_id: str) -> s.CallObject:
        """Get a call."""
        answer: s.CallObject = await self._transport.request_data(
            Operation(method="GET", path=f"/calls/{quote(call_id)}")
        )
        return answer

    async def update(self, call_id: str, **body: Unpack[s.UpdateCall]) -> s.CallObject:
        """Update a call."""
        answer: s.CallObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/calls/{quote(call_id)}", body={**body})
        )
        return answer

    async def delete(self, call_id: str) -> dict[str, Any]:
        """Delete a call."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/calls/{quote(call_id)}")
        )
        return answer

    async def hang_up(self, call_id: str, *, idempotency_key: str | None = None) -> s.CallObject:
        """Hang up a call."""
        answer: s.CallObject = await self._transport.request_data(
            Operation(method="POST", path=f"/calls/{quote(call_id)}/hangup", idempotency_key=idempotency_key)
        )
        return answer

    async def hold(self, call_id: str, *, idempotency_key: str | None = None) -> s.CallObject:
        """Hold a call."""
        answer: s.CallObject = await self._transport.request_data(
            Operation(method="POST", path=f"/calls/{quote(call_id)}/hold", idempotency_key=idempotency_key)
        )
        return answer

    async def resume(self, call_id: str, *, idempotency_key: str | None = None) -> s.CallObject:
        """Resume a call."""
        answer: s.CallObject = await self._transport.request_data(
            Operation(method="POST", path=f"/calls/{quote(call_id)}/resume", idempotency_key=idempotency_key)
        )
        return answer

    async def send_digits(
        self, call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.SendDigits]
    ) -> s.CallObject:
        """Send digits."""
        answer: s.CallObject = await self._transport.request_data(
            Operation(
                method="POST", path=f"/calls/{quote(call_id)}/digits", idempotency_key=idempotency_key, body={**body}
            )
        )
        return answer

    async def transfer(
        self, call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.TransferCall]
    ) -> s.CallObject:
        """Transfer a call."""
        answer: s.CallObject = await self._transport.request_data(
            Operation(
                method="POST", path=f"/calls/{quote(call_id)}/transfer", idempotency_key=idempotency_key, body={**body}
            )
        )
        return answer

    async def get_transcript(self, call_id: str) -> s.TranscriptObject:
        """Get a transcript."""
        answer: s.TranscriptObject = await self._transport.request_data(
            Operation(method="GET", path=f"/calls/{quote(call_id)}/transcript")
        )
        return answer

    async def list_events(self, call_id: str, **query: Unpack[s.ListEventsQuery]) -> Page[s.CallEventObject]:
        """List the events of a call."""
        return await self._transport.request_page(
            Operation(method="GET", path=f"/calls/{quote(call_id)}/events", query={**query})
        )

    def iterate_events(self, call_id: str, **query: Unpack[s.ListEventsQuery]) -> AsyncIterator[s.CallEventObject]:
        """List the events of a call: all pages."""
        return self._iterate(Operation(method="GET", path=f"/calls/{quote(call_id)}/events", query={**query}))

    async def get_recording(self, call_id: str) -> s.RecordingObject:
        """Get a recording."""
        answer: s.RecordingObject = await self._transport.request_data(
            Operation(method="GET", path=f"/calls/{quote(call_id)}/recording")
        )
        return answer
