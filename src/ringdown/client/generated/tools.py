"""Tools. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Tools(Resource):
    """Tools of the API."""

    def list(self, **query: Unpack[s.ListToolsQuery]) -> Page[s.ToolObject]:
        """List tools."""
        return self._transport.request_page(Operation(method="GET", path="/tools", query={**query}))

    def iterate(self, **query: Unpack[s.ListToolsQuery]) -> Iterator[s.ToolObject]:
        """List tools: all pages."""
        return self._iterate(Operation(method="GET", path="/tools", query={**query}))

    def create(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateTool]) -> s.ToolObject:
        """Create a tool."""
        answer: s.ToolObject = self._transport.request_data(
            Operation(method="POST", path="/tools", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get(self, tool_id: str) -> s.ToolObject:
        """Get a tool."""
        answer: s.ToolObject = self._transport.request_data(Operation(method="GET", path=f"/tools/{quote(tool_id)}"))
        return answer

    def delete(self, tool_id: str) -> dict[str, Any]:
        """Delete a tool."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/tools/{quote(tool_id)}")
        )
        return answer

    def update(self, tool_id: str, **body: Unpack[s.UpdateTool]) -> s.ToolObject:
        """Update a tool."""
        answer: s.ToolObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/tools/{quote(tool_id)}", body={**body})
        )
        return answer

    def test(
        self, tool_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.ToolTrial]
    ) -> s.ToolTestObject:
        """Try a tool."""
        answer: s.ToolTestObject = self._transport.request_data(
            Operation(
                method="POST", path=f"/tools/{quote(tool_id)}/test", idempotency_key=idempotency_key, body={**body}
            )
        )
        return answer


class AsyncTools(AsyncResource):
    """Tools of the API, for asyncio."""

    async def list(self, **query: Unpack[s.ListToolsQuery]) -> Page[s.ToolObject]:
        """List tools."""
        return await self._transport.request_page(Operation(method="GET", path="/tools", query={**query}))

    def iterate(self, **query: Unpack[s.ListToolsQuery]) -> AsyncIterator[s.ToolObject]:
        """List tools: all pages."""
        return self._iterate(Operation(method="GET", path="/tools", query={**query}))

    async def create(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateTool]) -> s.ToolObject:
        """Create a tool."""
        answer: s.ToolObject = await self._transport.request_data(
            Operation(method="POST", path="/tools", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get(self, tool_id: str) -> s.ToolObject:
        """Get a tool."""
        answer: s.ToolObject = await self._transport.request_data(
            Operation(method="GET", path=f"/tools/{quote(tool_id)}")
        )
        return answer

    async def delete(self, tool_id: str) -> dict[str, Any]:
        """Delete a tool."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/tools/{quote(tool_id)}")
        )
        return answer

    async def update(self, tool_id: str, **body: Unpack[s.UpdateTool]) -> s.ToolObject:
        """Update a tool."""
        answer: s.ToolObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/tools/{quote(tool_id)}", body={**body})
        )
        return answer

    async def test(
        self, tool_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.ToolTrial]
    ) -> s.ToolTestObject:
        """Try a tool."""
        answer: s.ToolTestObject = await self._transport.request_data(
            Operation(
                method="POST", path=f"/tools/{quote(tool_id)}/test", idempotency_key=idempotency_key, body={**body}
            )
        )
        return answer
