"""Account. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Account(Resource):
    """Account of the API."""

    def list_api_keys(self, **query: Unpack[s.ListApiKeysQuery]) -> Page[s.ApiKeyObject]:
        """List API keys."""
        return self._transport.request_page(Operation(method="GET", path="/api-keys", query={**query}))

    def iterate_api_keys(self, **query: Unpack[s.ListApiKeysQuery]) -> Iterator[s.ApiKeyObject]:
        """List API keys: all pages."""
        return self._iterate(Operation(method="GET", path="/api-keys", query={**query}))

    def create_api_key(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateApiKey]
    ) -> s.NewApiKeyObject:
        """Create an API key."""
        answer: s.NewApiKeyObject = self._transport.request_data(
            Operation(method="POST", path="/api-keys", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get_api_key(self, key_id: str) -> s.ApiKeyObject:
        """Get an API key."""
        answer: s.ApiKeyObject = self._transport.request_data(
            Operation(method="GET", path=f"/api-keys/{quote(key_id)}")
        )
        return answer

    def update_api_key(self, key_id: str, **body: Unpack[s.UpdateApiKey]) -> s.ApiKeyObject:
        """Update an API key."""
        answer: s.ApiKeyObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/api-keys/{quote(key_id)}", body={**body})
        )
        return answer

    def delete_api_key(self, key_id: str) -> dict[str, Any]:
        """Revoke an API key."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/api-keys/{quote(key_id)}")
        )
        return answer

    def get_organization(self) -> s.OrganizationObject:
        """Get the organization."""
        answer: s.OrganizationObject = self._transport.request_data(Operation(method="GET", path="/organization"))
        return answer

    def update_organization(self, **body: Unpack[s.UpdateOrganization]) -> s.OrganizationObject:
        """Update the organization."""
        answer: s.OrganizationObject = self._transport.request_data(
            Operation(method="PATCH", path="/organization", body={**body})
        )
        return answer

    def get_credits(self) -> s.CreditsObject:
        """Get the credits."""
        answer: s.CreditsObject = self._transport.request_data(Operation(method="GET", path="/credits"))
        return answer

    def list_ledger(self, **query: Unpack[s.ListLedgerQuery]) -> Page[s.LedgerEntryObject]:
        """List ledger entries."""
        return self._transport.request_page(Operation(method="GET", path="/credits/ledger", query={**query}))

    def iterate_ledger(self, **query: Unpack[s.ListLedgerQuery]) -> Iterator[s.LedgerEntryObject]:
        """List ledger entries: all pages."""
        return self._iterate(Operation(method="GET", path="/credits/ledger", query={**query}))

    def list_usage(self, **query: Unpack[s.ListUsageQuery]) -> Page[s.UsageObject]:
        """List usage."""
        return self._transport.request_page(Operation(method="GET", path="/usage", query={**query}))

    def iterate_usage(self, **query: Unpack[s.ListUsageQuery]) -> Iterator[s.UsageObject]:
        """List usage: all pages."""
        return self._iterate(Operation(method="GET", path="/usage", query={**query}))


class AsyncAccount(AsyncResource):
    """Account of the API, for asyncio."""

    async def list_api_keys(self, **query: Unpack[s.ListApiKeysQuery]) -> Page[s.ApiKeyObject]:
        """List API keys."""
        return await self._transport.request_page(Operation(method="GET", path="/api-keys", query={**query}))

    def iterate_api_keys(self, **query: Unpack[s.ListApiKeysQuery]) -> AsyncIterator[s.ApiKeyObject]:
        """List API keys: all pages."""
        return self._iterate(Operation(method="GET", path="/api-keys", query={**query}))

    async def create_api_key(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateApiKey]
    ) -> s.NewApiKeyObject:
        """Create an API key."""
        answer: s.NewApiKeyObject = await self._transport.request_data(
            Operation(method="POST", path="/api-keys", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get_api_key(self, key_id: str) -> s.ApiKeyObject:
        """Get an API key."""
        answer: s.ApiKeyObject = await self._transport.request_data(
            Operation(method="GET", path=f"/api-keys/{quote(key_id)}")
        )
        return answer

    async def update_api_key(self, key_id: str, **body: Unpack[s.UpdateApiKey]) -> s.ApiKeyObject:
        """Update an API key."""
        answer: s.ApiKeyObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/api-keys/{quote(key_id)}", body={**body})
        )
        return answer

    async def delete_api_key(self, key_id: str) -> dict[str, Any]:
        """Revoke an API key."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/api-keys/{quote(key_id)}")
        )
        return answer

    async def get_organization(self) -> s.OrganizationObject:
        """Get the organization."""
        answer: s.OrganizationObject = await self._transport.request_data(Operation(method="GET", path="/organization"))
        return answer

    async def update_organization(self, **body: Unpack[s.UpdateOrganization]) -> s.OrganizationObject:
        """Update the organization."""
        answer: s.OrganizationObject = await self._transport.request_data(
            Operation(method="PATCH", path="/organization", body={**body})
        )
        return answer

    async def get_credits(self) -> s.CreditsObject:
        """Get the credits."""
        answer: s.CreditsObject = await self._transport.request_data(Operation(method="GET", path="/credits"))
        return answer

    async def list_ledger(self, **query: Unpack[s.ListLedgerQuery]) -> Page[s.LedgerEntryObject]:
        """List ledger entries."""
        return await self._transport.request_page(Operation(method="GET", path="/credits/ledger", query={**query}))

    def iterate_ledger(self, **query: Unpack[s.ListLedgerQuery]) -> AsyncIterator[s.LedgerEntryObject]:
        """List ledger entries: all pages."""
        return self._iterate(Operation(method="GET", path="/credits/ledger", query={**query}))

    async def list_usage(self, **query: Unpack[s.ListUsageQuery]) -> Page[s.UsageObject]:
        """List usage."""
        return await self._transport.request_page(Operation(method="GET", path="/usage", query={**query}))

    def iterate_usage(self, **query: Unpack[s.ListUsageQuery]) -> AsyncIterator[s.UsageObject]:
        """List usage: all pages."""
        return self._iterate(Operation(method="GET", path="/usage", query={**query}))
