"""Webhooks. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class Webhooks(Resource):
    """Webhooks of the API."""

    def list_webhook_endpoints(self, **query: Unpack[s.ListWebhookEndpointsQuery]) -> Page[s.WebhookEndpointObject]:
        """List webhook endpoints."""
        return self._transport.request_page(Operation(method="GET", path="/webhook-endpoints", query={**query}))

    def iterate_webhook_endpoints(
        self, **query: Unpack[s.ListWebhookEndpointsQuery]
    ) -> Iterator[s.WebhookEndpointObject]:
        """List webhook endpoints: all pages."""
        return self._iterate(Operation(method="GET", path="/webhook-endpoints", query={**query}))

    def create_webhook_endpoint(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateWebhookEndpoint]
    ) -> s.WebhookEndpointSecretObject:
        """Create a webhook endpoint."""
        answer: s.WebhookEndpointSecretObject = self._transport.request_data(
            Operation(method="POST", path="/webhook-endpoints", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get_webhook_endpoint(self, endpoint_id: str) -> s.WebhookEndpointObject:
        """Get a webhook endpoint."""
        answer: s.WebhookEndpointObject = self._transport.request_data(
            Operation(method="GET", path=f"/webhook-endpoints/{quote(endpoint_id)}")
        )
        return answer

    def update_webhook_endpoint(
        self, endpoint_id: str, **body: Unpack[s.UpdateWebhookEndpoint]
    ) -> s.WebhookEndpointObject:
        """Update a webhook endpoint."""
        answer: s.WebhookEndpointObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/webhook-endpoints/{quote(endpoint_id)}", body={**body})
        )
        return answer

    def delete_webhook_endpoint(self, endpoint_id: str) -> dict[str, Any]:
        """Delete a webhook endpoint."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/webhook-endpoints/{quote(endpoint_id)}")
        )
        return answer

    def test_webhook_endpoint(
        self, endpoint_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.TestWebhookEndpoint]
    ) -> s.WebhookDeliveryObject:
        """Test a webhook endpoint."""
        answer: s.WebhookDeliveryObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/webhook-endpoints/{quote(endpoint_id)}/test",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def replay_events(
        self, endpoint_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.ReplayEvents]
    ) -> s.ReplayObject:
        """Replay events."""
        answer: s.ReplayObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/webhook-endpoints/{quote(endpoint_id)}/replay",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def rotate_webhook_secret(
        self, endpoint_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.RotateSecret]
    ) -> s.WebhookEndpointSecretObject:
        """Rotate a webhook secret."""
        answer: s.WebhookEndpointSecretObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/webhook-endpoints/{quote(endpoint_id)}/rotate-secret",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def list_webhook_deliveries(self, **query: Unpack[s.ListWebhookDeliveriesQuery]) -> Page[s.WebhookDeliveryObject]:
        """List webhook deliveries."""
        return self._transport.request_page(Operation(method="GET", path="/webhook-deliveries", query={**query}))

    def iterate_webhook_deliveries(
        self, **query: Unpack[s.ListWebhookDeliveriesQuery]
    ) -> Iterator[s.WebhookDeliveryObject]:
        """List webhook deliveries: all pages."""
        return self._iterate(Operation(method="GET", path="/webhook-deliveries", query={**query}))

    def get_webhook_delivery(self, delivery_id: str) -> s.WebhookDeliveryDetailObject:
        """Get a webhook delivery."""
        answer: s.WebhookDeliveryDetailObject = self._transport.request_data(
            Operation(method="GET", path=f"/webhook-deliveries/{quote(delivery_id)}")
        )
        return answer

    def replay_webhook_delivery(
        self, delivery_id: str, *, idempotency_key: str | None = None
    ) -> s.WebhookDeliveryObject:
        """Replay a webhook delivery."""
        answer: s.WebhookDeliveryObject = self._transport.request_data(
            Operation(
                method="POST", path=f"/webhook-deliveries/{quote(delivery_id)}/replay", idempotency_key=idempotency_key
            )
        )
        return answer

    def list_all_events(self, **query: Unpack[s.ListAllEventsQuery]) -> Page[s.EventObject]:
        """List events."""
        return self._transport.request_page(Operation(method="GET", path="/events", query={**query}))

    def iterate_all_events(self, **query: Unpack[s.ListAllEventsQuery]) -> Iterator[s.EventObject]:
        """List events: all pages."""
        return self._iterate(Operation(method="GET", path="/events", query={**query}))


class AsyncWebhooks(AsyncResource):
    """Webhooks of the API, for asyncio."""

    async def list_webhook_endpoints(
        self, **query: Unpack[s.ListWebhookEndpointsQuery]
    ) -> Page[s.WebhookEndpointObject]:
        """List webhook endpoints."""
        return await self._transport.request_page(Operation(method="GET", path="/webhook-endpoints", query={**query}))

    def iterate_webhook_endpoints(
        self, **query: Unpack[s.ListWebhookEndpointsQuery]
    ) -> AsyncIterator[s.WebhookEndpointObject]:
        """List webhook endpoints: all pages."""
        return self._iterate(Operation(method="GET", path="/webhook-endpoints", query={**query}))

    async def create_webhook_endpoint(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateWebhookEndpoint]
    ) -> s.WebhookEndpointSecretObject:
        """Create a webhook endpoint."""
        answer: s.WebhookEndpointSecretObject = await self._transport.request_data(
            Operation(method="POST", path="/webhook-endpoints", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get_webhook_endpoint(self, endpoint_id: str) -> s.WebhookEndpointObject:
        """Get a webhook endpoint."""
        answer: s.WebhookEndpointObject = await self._transport.request_data(
            Operation(method="GET", path=f"/webhook-endpoints/{quote(endpoint_id)}")
        )
        return answer

    async def update_webhook_endpoint(
        self, endpoint_id: str, **body: Unpack[s.UpdateWebhookEndpoint]
    ) -> s.WebhookEndpointObject:
        """Update a webhook endpoint."""
        answer: s.WebhookEndpointObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/webhook-endpoints/{quote(endpoint_id)}", body={**body})
        )
        return answer

    async def delete_webhook_endpoint(self, endpoint_id: str) -> dict[str, Any]:
        """Delete a webhook endpoint."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/webhook-endpoints/{quote(endpoint_id)}")
        )
        return answer

    async def test_webhook_endpoint(
        self, endpoint_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.TestWebhookEndpoint]
    ) -> s.WebhookDeliveryObject:
        """Test a webhook endpoint."""
        answer: s.WebhookDeliveryObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/webhook-endpoints/{quote(endpoint_id)}/test",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def replay_events(
        self, endpoint_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.ReplayEvents]
    ) -> s.ReplayObject:
        """Replay events."""
        answer: s.ReplayObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/webhook-endpoints/{quote(endpoint_id)}/replay",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def rotate_webhook_secret(
        self, endpoint_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.RotateSecret]
    ) -> s.WebhookEndpointSecretObject:
        """Rotate a webhook secret."""
        answer: s.WebhookEndpointSecretObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/webhook-endpoints/{quote(endpoint_id)}/rotate-secret",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def list_webhook_deliveries(
        self, **query: Unpack[s.ListWebhookDeliveriesQuery]
    ) -> Page[s.WebhookDeliveryObject]:
        """List webhook deliveries."""
        return await self._transport.request_page(Operation(method="GET", path="/webhook-deliveries", query={**query}))

    def iterate_webhook_deliveries(
        self, **query: Unpack[s.ListWebhookDeliveriesQuery]
    ) -> AsyncIterator[s.WebhookDeliveryObject]:
        """List webhook deliveries: all pages."""
        return self._iterate(Operation(method="GET", path="/webhook-deliveries", query={**query}))

    async def get_webhook_delivery(self, delivery_id: str) -> s.WebhookDeliveryDetailObject:
        """Get a webhook delivery."""
        answer: s.WebhookDeliveryDetailObject = await self._transport.request_data(
            Operation(method="GET", path=f"/webhook-deliveries/{quote(delivery_id)}")
        )
        return answer

    async def replay_webhook_delivery(
        self, delivery_id: str, *, idempotency_key: str | None = None
    ) -> s.WebhookDeliveryObject:
        """Replay a webhook delivery."""
        answer: s.WebhookDeliveryObject = await self._transport.request_data(
            Operation(
                method="POST", path=f"/webhook-deliveries/{quote(delivery_id)}/replay", idempotency_key=idempotency_key
            )
        )
        return answer

    async def list_all_events(self, **query: Unpack[s.ListAllEventsQuery]) -> Page[s.EventObject]:
        """List events."""
        return await self._transport.request_page(Operation(method="GET", path="/events", query={**query}))

    def iterate_all_events(self, **query: Unpack[s.ListAllEventsQuery]) -> AsyncIterator[s.EventObject]:
        """List events: all pages."""
        return self._iterate(Operation(method="GET", path="/events", query={**query}))
