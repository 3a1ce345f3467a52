"""Agents. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Agents(Resource):
    """Agents of the API."""

    def list(self, **query: Unpack[s.ListAgentsQuery]) -> Page[s.AgentObject]:
        """List agents."""
        return self._transport.request_page(Operation(method="GET", path="/agents", query={**query}))

    def iterate(self, **query: Unpack[s.ListAgentsQuery]) -> Iterator[s.AgentObject]:
        """List agents: all pages."""
        return self._iterate(Operation(method="GET", path="/agents", query={**query}))

    def create(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateAgent]) -> s.AgentObject:
        """Create an agent."""
        answer: s.AgentObject = self._transport.request_data(
            Operation(method="POST", path="/agents", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get(self, agent_id: str) -> s.AgentObject:
        """Get an agent."""
        answer: s.AgentObject = self._transport.request_data(Operation(method="GET", path=f"/agents/{quote(agent_id)}"))
        return answer

    def update(self, agent_id: str, **body: Unpack[s.UpdateAgent]) -> s.AgentObject:
        """Update an agent."""
        answer: s.AgentObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/agents/{quote(agent_id)}", body={**body})
        )
        return answer

    def delete(self, agent_id: str) -> dict[str, Any]:
        """Delete an agent."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/agents/{quote(agent_id)}")
        )
        return answer

    def publish(self, agent_id: str, *, idempotency_key: str | None = None) -> s.AgentObject:
        """Publish an agent."""
        answer: s.AgentObject = self._transport.request_data(
            Operation(method="POST", path=f"/agents/{quote(agent_id)}/publish", idempotency_key=idempotency_key)
        )
        return answer

    def list_agent_templates(self, **query: Unpack[s.ListAgentTemplatesQuery]) -> Page[s.AgentTemplateObject]:
        """List agent templates."""
        return self._transport.request_page(Operation(method="GET", path="/agent-templates", query={**query}))

    def iterate_agent_templates(self, **query: Unpack[s.ListAgentTemplatesQuery]) -> Iterator[s.AgentTemplateObject]:
        """List agent templates: all pages."""
        return self._iterate(Operation(method="GET", path="/agent-templates", query={**query}))

    def list_agent_versions(
        self, agent_id: str, **query: Unpack[s.ListAgentVersionsQuery]
    ) -> Page[s.AgentVersionObject]:
        """List agent versions."""
        return self._transport.request_page(
            Operation(method="GET", path=f"/agents/{quote(agent_id)}/versions", query={**query})
        )

    def iterate_agent_versions(
        self, agent_id: str, **query: Unpack[s.ListAgentVersionsQuery]
    ) -> Iterator[s.AgentVersionObject]:
        """List agent versions: all pages."""
        return self._iterate(Operation(method="GET", path=f"/agents/{quote(agent_id)}/versions", query={**query}))

    def get_agent_version(self, agent_id: str, number: str) -> s.AgentVersionDetailObject:
        """Get an agent version."""
        answer: s.AgentVersionDetailObject = self._transport.request_data(
            Operation(method="GET", path=f"/agents/{quote(agent_id)}/versions/{quote(number)}")
        )
        return answer

    def restore_agent_version(self, agent_id: str, number: str, *, idempotency_key: str | None = None) -> s.AgentObject:
        """Restore an agent version."""
        answer: s.AgentObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/agents/{quote(agent_id)}/versions/{quote(number)}/restore",
                idempotency_key=idempotency_key,
            )
        )
        return answer

    def create_test_call(
        self, agent_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.TestCall]
    ) -> s.TestCallObject:
        """Try an agent."""
        answer: s.TestCallObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/agents/{quote(agent_id)}/test-call",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer


class AsyncAgents(AsyncResource):
    """Agents of the API, for asyncio."""

    async def list(self, **query: Unpack[s.ListAgentsQuery]) -> Page[s.AgentObject]:
        """List agents."""
        return await self._transport.request_page(Operation(method="GET", path="/agents", query={**query}))

    def iterate(self, **query: Unpack[s.ListAgentsQuery]) -> AsyncIterator[s.AgentObject]:
        """List agents: all pages."""
        return self._iterate(Operation(method="GET", path="/agents", query={**query}))

    async def create(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateAgent]) -> s.AgentObject:
        """Create an agent."""
        answer: s.AgentObject = await self._transport.request_data(
            Operation(method="POST", path="/agents", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get(self, agent_id: str) -> s.AgentObject:
        """Get an agent."""
        answer: s.AgentObject = await self._transport.request_data(
            Operation(method="GET", path=f"/agents/{quote(agent_id)}")
        )
        return answer

    async def update(self, agent_id: str, **body: Unpack[s.UpdateAgent]) -> s.AgentObject:
        """Update an agent."""
        answer: s.AgentObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/agents/{quote(agent_id)}", body={**body})
        )
        return answer

    async def delete(self, agent_id: str) -> dict[str, Any]:
        """Delete an agent."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/agents/{quote(agent_id)}")
        )
        return answer

    async def publish(self, agent_id: str, *, idempotency_key: str | None = None) -> s.AgentObject:
        """Publish an agent."""
        answer: s.AgentObject = await self._transport.request_data(
            Operation(method="POST", path=f"/agents/{quote(agent_id)}/publish", idempotency_key=idempotency_key)
        )
        return answer

    async def list_agent_templates(self, **query: Unpack[s.ListAgentTemplatesQuery]) -> Page[s.AgentTemplateObject]:
        """List agent templates."""
        return await self._transport.request_page(Operation(method="GET", path="/agent-templates", query={**query}))

    def iterate_agent_templates(
        self, **query: Unpack[s.ListAgentTemplatesQuery]
    ) -> AsyncIterator[s.AgentTemplateObject]:
        """List agent templates: all pages."""
        return self._iterate(Operation(method="GET", path="/agent-templates", query={**query}))

    async def list_agent_versions(
        self, agent_id: str, **query: Unpack[s.ListAgentVersionsQuery]
    ) -> Page[s.AgentVersionObject]:
        """List agent versions."""
        return await self._transport.request_page(
            Operation(method="GET", path=f"/agents/{quote(agent_id)}/versions", query={**query})
        )

    def iterate_agent_versions(
        self, agent_id: str, **query: Unpack[s.ListAgentVersionsQuery]
    ) -> AsyncIterator[s.AgentVersionObject]:
        """List agent versions: all pages."""
        return self._iterate(Operation(method="GET", path=f"/agents/{quote(agent_id)}/versions", query={**query}))

    async def get_agent_version(self, agent_id: str, number: str) -> s.AgentVersionDetailObject:
        """Get an agent version."""
        answer: s.AgentVersionDetailObject = await self._transport.request_data(
            Operation(method="GET", path=f"/agents/{quote(agent_id)}/versions/{quote(number)}")
        )
        return answer

    async def restore_agent_version(
        self, agent_id: str, number: str, *, idempotency_key: str | None = None
    ) -> s.AgentObject:
        """Restore an agent version."""
        answer: s.AgentObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/agents/{quote(agent_id)}/versions/{quote(number)}/restore",
                idempotency_key=idempotency_key,
            )
        )
        return answer

    async def create_test_call(
        self, agent_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.TestCall]
    ) -> s.TestCallObject:
        """Try an agent."""
        answer: s.TestCallObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/agents/{quote(agent_id)}/test-call",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer
