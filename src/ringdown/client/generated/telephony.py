"""Telephony. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Telephony(Resource):
    """Telephony of the API."""

    def search_numbers(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.SearchNumbers]
    ) -> Page[s.AvailableNumberObject]:
        """Search numbers for sale."""
        return self._transport.request_page(
            Operation(method="POST", path="/telephony/numbers/search", idempotency_key=idempotency_key, body={**body})
        )

    def purchase_number(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.PurchaseNumber]
    ) -> s.NumberObject:
        """Buy a number."""
        answer: s.NumberObject = self._transport.request_data(
            Operation(method="POST", path="/telephony/numbers/purchase", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get_webhook_url(self, agent_id: str) -> s.WebhookUrlObject:
        """Get the webhook URL of an agent."""
        answer: s.WebhookUrlObject = self._transport.request_data(
            Operation(method="GET", path=f"/telephony/agents/{quote(agent_id)}/webhook-url")
        )
        return answer

    def list_credentials(self, **query: Unpack[s.ListCredentialsQuery]) -> Page[s.CredentialObject]:
        """List carrier credentials."""
        return self._transport.request_page(Operation(method="GET", path="/telephony/credentials", query={**query}))

    def iterate_credentials(self, **query: Unpack[s.ListCredentialsQuery]) -> Iterator[s.CredentialObject]:
        """List carrier credentials: all pages."""
        return self._iterate(Operation(method="GET", path="/telephony/credentials", query={**query}))

    def create_credential(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateCredential]
    ) -> s.CredentialObject:
        """Store a carrier credential."""
        answer: s.CredentialObject = self._transport.request_data(
            Operation(method="POST", path="/telephony/credentials", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get_credential(self, credential_id: str) -> s.CredentialObject:
        """Get a carrier credential."""
        answer: s.CredentialObject = self._transport.request_data(
            Operation(method="GET", path=f"/telephony/credentials/{quote(credential_id)}")
        )
        return answer

    def delete_credential(self, credential_id: str) -> dict[str, Any]:
        """Delete a carrier credential."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/telephony/credentials/{quote(credential_id)}")
        )
        return answer

    def update_credential(self, credential_id: str, **body: Unpack[s.UpdateCredential]) -> s.CredentialObject:
        """Update a carrier credential."""
        answer: s.CredentialObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/telephony/credentials/{quote(credential_id)}", body={**body})
        )
        return answer

    def list_numbers(self, **query: Unpack[s.ListNumbersQuery]) -> Page[s.NumberObject]:
        """List phone numbers."""
        return self._transport.request_page(Operation(method="GET", path="/telephony/numbers", query={**query}))

    def iterate_numbers(self, **query: Unpack[s.ListNumbersQuery]) -> Iterator[s.NumberObject]:
        """List phone numbers: all pages."""
        return self._iterate(Operation(method="GET", path="/telephony/numbers", query={**query}))

    def import_number(self, *, idempotency_key: str | None = None, **body: Unpack[s.ImportNumber]) -> s.NumberObject:
        """Import a phone number."""
        answer: s.NumberObject = self._transport.request_data(
            Operation(method="POST", path="/telephony/numbers/import", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def assign_number(self, *, idempotency_key: str | None = None, **body: Unpack[s.AssignNumber]) -> s.NumberObject:
        """Assign a phone number."""
        answer: s.NumberObject = self._transport.request_data(
            Operation(method="POST", path="/telephony/numbers/assign", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def unassign_number(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.UnassignNumber]
    ) -> s.UnassignedNumberObject:
        """Unassign a phone number."""
        answer: s.UnassignedNumberObject = self._transport.request_data(
            Operation(method="POST", path="/telephony/numbers/unassign", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def list_agent_numbers(self, agent_id: str) -> s.AgentNumbersObject:
        """List the numbers of an agent."""
        answer: s.AgentNumbersObject = self._transport.request_data(
            Operation(method="GET", path=f"/telephony/agents/{quote(agent_id)}/numbers")
        )
        return answer

    def get_number(self, number_id: str) -> s.NumberObject:
        """Get a phone number."""
        answer: s.NumberObject = self._transport.request_data(
            Operation(method="GET", path=f"/telephony/numbers/{quote(number_id)}")
        )
        return answer

    def update_number(self, number_id: str, **body: Unpack[s.UpdateNumber]) -> s.NumberObject:
        """Update a phone number."""
        answer: s.NumberObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/telephony/numbers/{quote(number_id)}", body={**body})
        )
        return answer

    def delete_number(self, number_id: str) -> dict[str, Any]:
        """Delete a phone number."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/telephony/numbers/{quote(number_id)}")
        )
        return answer

    def list_trunks(self, **query: Unpack[s.ListTrunksQuery]) -> Page[s.TrunkObject]:
        """List trunks."""
        return self._transport.request_page(Operation(method="GET", path="/telephony/trunks", query={**query}))

    def iterate_trunks(self, **query: Unpack[s.ListTrunksQuery]) -> Iterator[s.TrunkObject]:
        """List trunks: all pages."""
        return self._iterate(Operation(method="GET", path="/telephony/trunks", query={**query}))

    def create_trunk(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateTrunk]) -> s.TrunkObject:
        """Create a trunk."""
        answer: s.TrunkObject = self._transport.request_data(
            Operation(method="POST", path="/telephony/trunks", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get_trunk(self, trunk_id: str) -> s.TrunkObject:
        """Get a trunk."""
        answer: s.TrunkObject = self._transport.request_data(
            Operation(method="GET", path=f"/telephony/trunks/{quote(trunk_id)}")
        )
        return answer

    def delete_trunk(self, trunk_id: str) -> dict[str, Any]:
        """Delete a trunk."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/telephony/trunks/{quote(trunk_id)}")
        )
        return answer

    def update_trunk(self, trunk_id: str, **body: Unpack[s.UpdateTrunk]) -> s.TrunkObject:
        """Update a trunk."""
        answer: s.TrunkObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/telephony/trunks/{quote(trunk_id)}", body={**body})
        )
        return answer


class AsyncTelephony(AsyncResource):
    """Telephony of the API, for asyncio."""

    async def search_numbers(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.SearchNumbers]
    ) -> Page[s.AvailableNumberObject]:
        """Search numbers for sale."""
        return await self._transport.request_page(
            Operation(method="POST", path="/telephony/numbers/search", idempotency_key=idempotency_key, body={**body})
        )

    async def purchase_number(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.PurchaseNumber]
    ) -> s.NumberObject:
        """Buy a number."""
        answer: s.NumberObject = await self._transport.request_data(
            Operation(method="POST", path="/telephony/numbers/purchase", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get_webhook_url(self, agent_id: str) -> s.WebhookUrlObject:
        """Get the webhook URL of an agent."""
        answer: s.WebhookUrlObject = await self._transport.request_data(
            Operation(method="GET", path=f"/telephony/agents/{quote(agent_id)}/webhook-url")
        )
        return answer

    async def list_credentials(self, **query: Unpack[s.ListCredentialsQuery]) -> Page[s.CredentialObject]:
        """List carrier credentials."""
        return await self._transport.request_page(
            Operation(method="GET", path="/telephony/credentials", query={**query})
        )

    def iterate_credentials(self, **query: Unpack[s.ListCredentialsQuery]) -> AsyncIterator[s.CredentialObject]:
        """List carrier credentials: all pages."""
        return self._iterate(Operation(method="GET", path="/telephony/credentials", query={**query}))

    async def create_credential(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateCredential]
    ) -> s.CredentialObject:
        """Store a carrier credential."""
        answer: s.CredentialObject = await self._transport.request_data(
            Operation(method="POST", path="/telephony/credentials", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get_credential(self, credential_id: str) -> s.CredentialObject:
        """Get a carrier credential."""
        answer: s.CredentialObject = await self._transport.request_data(
            Operation(method="GET", path=f"/telephony/credentials/{quote(credential_id)}")
        )
        return answer

    async def delete_credential(self, credential_id: str) -> dict[str, Any]:
        """Delete a carrier credential."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/telephony/credentials/{quote(credential_id)}")
        )
        return answer

    async def update_credential(self, credential_id: str, **body: Unpack[s.UpdateCredential]) -> s.CredentialObject:
        """Update a carrier credential."""
        answer: s.CredentialObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/telephony/credentials/{quote(credential_id)}", body={**body})
        )
        return answer

    async def list_numbers(self, **query: Unpack[s.ListNumbersQuery]) -> Page[s.NumberObject]:
        """List phone numbers."""
        return await self._transport.request_page(Operation(method="GET", path="/telephony/numbers", query={**query}))

    def iterate_numbers(self, **query: Unpack[s.ListNumbersQuery]) -> AsyncIterator[s.NumberObject]:
        """List phone numbers: all pages."""
        return self._iterate(Operation(method="GET", path="/telephony/numbers", query={**query}))

    async def import_number(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.ImportNumber]
    ) -> s.NumberObject:
        """Import a phone number."""
        answer: s.NumberObject = await self._transport.request_data(
            Operation(method="POST", path="/telephony/numbers/import", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def assign_number(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.AssignNumber]
    ) -> s.NumberObject:
        """Assign a phone number."""
        answer: s.NumberObject = await self._transport.request_data(
            Operation(method="POST", path="/telephony/numbers/assign", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def unassign_number(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.UnassignNumber]
    ) -> s.UnassignedNumberObject:
        """Unassign a phone number."""
        answer: s.UnassignedNumberObject = await self._transport.request_data(
            Operation(method="POST", path="/telephony/numbers/unassign", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def list_agent_numbers(self, agent_id: str) -> s.AgentNumbersObject:
        """List the numbers of an agent."""
        answer: s.AgentNumbersObject = await self._transport.request_data(
            Operation(method="GET", path=f"/telephony/agents/{quote(agent_id)}/numbers")
        )
        return answer

    async def get_number(self, number_id: str) -> s.NumberObject:
        """Get a phone number."""
        answer: s.NumberObject = await self._transport.request_data(
            Operation(method="GET", path=f"/telephony/numbers/{quote(number_id)}")
        )
        return answer

    async def update_number(self, number_id: str, **body: Unpack[s.UpdateNumber]) -> s.NumberObject:
        """Update a phone number."""
        answer: s.NumberObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/telephony/numbers/{quote(number_id)}", body={**body})
        )
        return answer

    async def delete_number(self, number_id: str) -> dict[str, Any]:
        """Delete a phone number."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/telephony/numbers/{quote(number_id)}")
        )
        return answer

    async def list_trunks(self, **query: Unpack[s.ListTrunksQuery]) -> Page[s.TrunkObject]:
        """List trunks."""
        return await self._transport.request_page(Operation(method="GET", path="/telephony/trunks", query={**query}))

    def iterate_trunks(self, **query: Unpack[s.ListTrunksQuery]) -> AsyncIterator[s.TrunkObject]:
        """List trunks: all pages."""
        return self._iterate(Operation(method="GET", path="/telephony/trunks", query={**query}))

    async def create_trunk(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateTrunk]) -> s.TrunkObject:
        """Create a trunk."""
        answer: s.TrunkObject = await self._transport.request_data(
            Operation(method="POST", path="/telephony/trunks", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get_trunk(self, trunk_id: str) -> s.TrunkObject:
        """Get a trunk."""
        answer: s.TrunkObject = await self._transport.request_data(
            Operation(method="GET", path=f"/telephony/trunks/{quote(trunk_id)}")
        )
        return answer

    async def delete_trunk(self, trunk_id: str) -> dict[str, Any]:
        """Delete a trunk."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/telephony/trunks/{quote(trunk_id)}")
        )
        return answer

    async def update_trunk(self, trunk_id: str, **body: Unpack[s.UpdateTrunk]) -> s.TrunkObject:
        """Update a trunk."""
        answer: s.TrunkObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/telephony/trunks/{quote(trunk_id)}", body={**body})
        )
        return answer
