"""BatchCalls. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class BatchCalls(Resource):
    """BatchCalls of the API."""

    def list(self, **query: Unpack[s.ListBatchCallsQuery]) -> Page[s.BatchCallObject]:
        """List batch calls."""
        return self._transport.request_page(Operation(method="GET", path="/batch-calls", query={**query}))

    def iterate(self, **query: Unpack[s.ListBatchCallsQuery]) -> Iterator[s.BatchCallObject]:
        """List batch calls: all pages."""
        return self._iterate(Operation(method="GET", path="/batch-calls", query={**query}))

    def create(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateBatchCall]
    ) -> s.CreatedBatchCallObject:
        """Create a batch call."""
        answer: s.CreatedBatchCallObject = self._transport.request_data(
            Operation(method="POST", path="/batch-calls", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def bulk_delete(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.BulkDeleteBatchCalls]
    ) -> s.BatchBulkDeleteObject:
        """Delete batch calls."""
        answer: s.BatchBulkDeleteObject = self._transport.request_data(
            Operation(method="POST", path="/batch-calls/bulk-delete", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get(self, batch_call_id: str) -> s.BatchCallObject:
        """Get a batch call."""
        answer: s.BatchCallObject = self._transport.request_data(
            Operation(method="GET", path=f"/batch-calls/{quote(batch_call_id)}")
        )
        return answer

    def update(self, batch_call_id: str, **body: Unpack[s.UpdateBatchCall]) -> s.BatchCallObject:
        """Update a batch call."""
        answer: s.BatchCallObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/batch-calls/{quote(batch_call_id)}", body={**body})
        )
        return answer

    def delete(self, batch_call_id: str) -> dict[str, Any]:
        """Delete a batch call."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/batch-calls/{quote(batch_call_id)}")
        )
        return answer

    def schedule(
        self, batch_call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.ScheduleBatchCall]
    ) -> s.BatchCallObject:
        """Schedule a batch call."""
        answer: s.BatchCallObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/batch-calls/{quote(batch_call_id)}/schedule",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def pause(self, batch_call_id: str, *, idempotency_key: str | None = None) -> s.BatchCallObject:
        """Pause a batch call."""
        answer: s.BatchCallObject = self._transport.request_data(
            Operation(method="POST", path=f"/batch-calls/{quote(batch_call_id)}/pause", idempotency_key=idempotency_key)
        )
        return answer

    def resume(self, batch_call_id: str, *, idempotency_key: str | None = None) -> s.BatchCallObject:
        """Resume a batch call."""
        answer: s.BatchCallObject = self._transport.request_data(
            Operation(
                method="POST", path=f"/batch-calls/{quote(batch_call_id)}/resume", idempotency_key=idempotency_key
            )
        )
        return answer

    def cancel(self, batch_call_id: str, *, idempotency_key: str | None = None) -> s.BatchCallObject:
        """Cancel a batch call."""
        answer: s.BatchCallObject = self._transport.request_data(
            Operation(
                method="POST", path=f"/batch-calls/{quote(batch_call_id)}/cancel", idempotency_key=idempotency_key
            )
        )
        return answer

    def retry(
        self, batch_call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.RetryBatchCall]
    ) -> s.BatchCallObject:
        """Retry the failed contacts of a batch call."""
        answer: s.BatchCallObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/batch-calls/{quote(batch_call_id)}/retry",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def add_batch_contacts(
        self, batch_call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.AddContacts]
    ) -> s.AdditionsObject:
        """Add contacts to a batch call."""
        answer: s.AdditionsObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/batch-calls/{quote(batch_call_id)}/contacts",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def list_batch_contacts(
        self, batch_call_id: str, **query: Unpack[s.ListBatchContactsQuery]
    ) -> Page[s.BatchContactObject]:
        """List the contacts of a batch call."""
        return self._transport.request_page(
            Operation(method="GET", path=f"/batch-calls/{quote(batch_call_id)}/contacts", query={**query})
        )

    def iterate_batch_contacts(
        self, batch_call_id: str, **query: Unpack[s.ListBatchContactsQuery]
    ) -> Iterator[s.BatchContactObject]:
        """List the contacts of a batch call: all pages."""
        return self._iterate(
            Operation(method="GET", path=f"/batch-calls/{quote(batch_call_id)}/contacts", query={**query})
        )


class AsyncBatchCalls(AsyncResource):
    """BatchCalls of the API, for asyncio."""

    async def list(self, **query: Unpack[s.ListBatchCallsQuery]) -> Page[s.BatchCallObject]:
        """List batch calls."""
        return await self._transport.request_page(Operation(method="GET", path="/batch-calls", query={**query}))

    def iterate(self, **query: Unpack[s.ListBatchCallsQuery]) -> AsyncIterator[s.BatchCallObject]:
        """List batch calls: all pages."""
        return self._iterate(Operation(method="GET", path="/batch-calls", query={**query}))

    async def create(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateBatchCall]
    ) -> s.CreatedBatchCallObject:
        """Create a batch call."""
        answer: s.CreatedBatchCallObject = await self._transport.request_data(
            Operation(method="POST", path="/batch-calls", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def bulk_delete(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.BulkDeleteBatchCalls]
    ) -> s.BatchBulkDeleteObject:
        """Delete batch calls."""
        answer: s.BatchBulkDeleteObject = await self._transport.request_data(
            Operation(method="POST", path="/batch-calls/bulk-delete", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get(self, batch_call_id: str) -> s.BatchCallObject:
        """Get a batch call."""
        answer: s.BatchCallObject = await self._transport.request_data(
            Operation(method="GET", path=f"/batch-calls/{quote(batch_call_id)}")
        )
        return answer

    async def update(self, batch_call_id: str, **body: Unpack[s.UpdateBatchCall]) -> s.BatchCallObject:
        """Update a batch call."""
        answer: s.BatchCallObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/batch-calls/{quote(batch_call_id)}", body={**body})
        )
        return answer

    async def delete(self, batch_call_id: str) -> dict[str, Any]:
        """Delete a batch call."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/batch-calls/{quote(batch_call_id)}")
        )
        return answer

    async def schedule(
        self, batch_call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.ScheduleBatchCall]
    ) -> s.BatchCallObject:
        """Schedule a batch call."""
        answer: s.BatchCallObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/batch-calls/{quote(batch_call_id)}/schedule",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def pause(self, batch_call_id: str, *, idempotency_key: str | None = None) -> s.BatchCallObject:
        """Pause a batch call."""
        answer: s.BatchCallObject = await self._transport.request_data(
            Operation(method="POST", path=f"/batch-calls/{quote(batch_call_id)}/pause", idempotency_key=idempotency_key)
        )
        return answer

    async def resume(self, batch_call_id: str, *, idempotency_key: str | None = None) -> s.BatchCallObject:
        """Resume a batch call."""
        answer: s.BatchCallObject = await self._transport.request_data(
            Operation(
                method="POST", path=f"/batch-calls/{quote(batch_call_id)}/resume", idempotency_key=idempotency_key
            )
        )
        return answer

    async def cancel(self, batch_call_id: str, *, idempotency_key: str | None = None) -> s.BatchCallObject:
        """Cancel a batch call."""
        answer: s.BatchCallObject = await self._transport.request_data(
            Operation(
                method="POST", path=f"/batch-calls/{quote(batch_call_id)}/cancel", idempotency_key=idempotency_key
            )
        )
        return answer

    async def retry(
        self, batch_call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.RetryBatchCall]
    ) -> s.BatchCallObject:
        """Retry the failed contacts of a batch call."""
        answer: s.BatchCallObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/batch-calls/{quote(batch_call_id)}/retry",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def add_batch_contacts(
        self, batch_call_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.AddContacts]
    ) -> s.AdditionsObject:
        """Add contacts to a batch call."""
        answer: s.AdditionsObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/batch-calls/{quote(batch_call_id)}/contacts",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def list_batch_contacts(
        self, batch_call_id: str, **query: Unpack[s.ListBatchContactsQuery]
    ) -> Page[s.BatchContactObject]:
        """List the contacts of a batch call."""
        return await self._transport.request_page(
            Operation(method="GET", path=f"/batch-calls/{quote(batch_call_id)}/contacts", query={**query})
        )

    def iterate_batch_contacts(
        self, batch_call_id: str, **query: Unpack[s.ListBatchContactsQuery]
    ) -> AsyncIterator[s.BatchContactObject]:
        """List the contacts of a batch call: all pages."""
        return self._iterate(
            Operation(method="GET", path=f"/batch-calls/{quote(batch_call_id)}/contacts", query={**query})
        )
