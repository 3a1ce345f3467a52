"""Routes of webhook endpoints."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ringdown import values
from ringdown.secret import SecretBox
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery
from ringdown.webhooks import delivery_store, endpoint_store, rendering, schemas, service
from ringdown.webhooks.delivery_store import Again
from ringdown.webhooks.models import Owed, WebhookEndpoint
from ringdown.webhooks.service import RequireAgent

_ENDPOINT = {"$ref": "#/components/schemas/WebhookEndpointObject"}
_WITH_SECRET = {"$ref": "#/components/schemas/WebhookEndpointSecretObject"}
_DELIVERY = {"$ref": "#/components/schemas/WebhookDeliveryObject"}
_REPLAY = {"$ref": "#/components/schemas/ReplayObject"}
_PATH = "/{endpoint_id}"


def new_router(box: SecretBox, require_agent: RequireAgent) -> APIRouter:
    """The routes; `box` seals the endpoints' secrets, `require_agent` knows the agents."""
    router = route.new_router(prefix="/webhook-endpoints", tag="Webhooks")
    one = openapi.describe_one(_ENDPOINT, "The endpoint.")
    owed = openapi.describe_one(_DELIVERY, "What is owed now.", status=201)
    replayed = openapi.describe_one(_REPLAY, "What was made due.", status=201)
    listed = openapi.describe_list(_ENDPOINT, "Endpoints.")
    router.get("", summary="List webhook endpoints", responses=listed)(list_webhook_endpoints)
    router.get(_PATH, summary="Get a webhook endpoint", responses=one)(get_webhook_endpoint)
    _add_update(router, require_agent)
    router.delete(_PATH, summary="Delete a webhook endpoint", responses=openapi.describe_deleted())(
        delete_webhook_endpoint
    )
    router.post(f"{_PATH}/test", summary="Test a webhook endpoint", status_code=201, responses=owed)(
        test_webhook_endpoint
    )
    router.post(f"{_PATH}/replay", summary="Replay events", status_code=201, responses=replayed)(replay_events)
    _add_secrets(router, box, require_agent)
    return router


def _add_update(router: APIRouter, require_agent: RequireAgent) -> None:
    async def update_webhook_endpoint(
        request: Request, caller: AuthenticatedCaller, endpoint_id: str, body: schemas.UpdateWebhookEndpoint
    ) -> Response:
        """Change the fields that are sent; PUT and PATCH do the same."""
        endpoint = await service.update_endpoint(
            context.get_database(request),
            settings=context.get_settings(request),
            organization_id=caller.organization_id,
            endpoint_id=endpoint_id,
            body=body,
            require_agent=require_agent,
        )
        [rendered] = await _render(request, caller.organization_id, [endpoint])
        return envelope.respond(request, rendered)

    summary, one = "Update a webhook endpoint", openapi.describe_one(_ENDPOINT, "The endpoint.")
    router.put(_PATH, summary=summary, responses=one, operation_id="replace_webhook_endpoint")(update_webhook_endpoint)
    router.patch(_PATH, summary=summary, responses=one)(update_webhook_endpoint)


def _add_secrets(router: APIRouter, box: SecretBox, require_agent: RequireAgent) -> None:
    made = openapi.describe_one(_WITH_SECRET, "The endpoint with its secret.", status=201)

    @router.post("", summary="Create a webhook endpoint", status_code=201, responses=made)
    async def create_webhook_endpoint(
        request: Request, caller: AuthenticatedCaller, body: schemas.CreateWebhookEndpoint
    ) -> Response:
        """Have a URL told of events. The secret that signs them is shown now and never again."""
        endpoint, secret = await service.create_endpoint(
            context.get_database(request),
            settings=context.get_settings(request),
            box=box,
            organization_id=caller.organization_id,
            body=body,
            require_agent=require_agent,
        )
        return envelope.respond_secret(request, {**rendering.render_endpoint(endpoint, Owed()), "secret": secret})

    @router.post(f"{_PATH}/rotate-secret", summary="Rotate a webhook secret", status_code=201, responses=made)
    async def rotate_webhook_secret(
        request: Request, caller: AuthenticatedCaller, endpoint_id: str, body: schemas.RotateSecret | None = None
    ) -> Response:
        """Give the endpoint a new secret, shown now and never again; the one before stays good for the overlap."""
        endpoint, secret = await service.rotate_secret(
            context.get_database(request),
            box=box,
            organization_id=caller.organization_id,
            endpoint_id=endpoint_id,
            body=body or schemas.RotateSecret(),
        )
        [rendered] = await _render(request, caller.organization_id, [endpoint])
        return envelope.respond_secret(request, {**rendered, "secret": secret})


async def list_webhook_endpoints(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    enabled: Annotated[bool | None, Query(description="Only those that are, or are not, enabled.")] = None,
) -> Response:
    """Endpoints, newest first, without their secrets."""
    async with context.get_database(request).read() as connection:
        endpoints, total = await endpoint_store.list_endpoints(
            connection, caller.organization_id, enabled=enabled, limit=page.limit, offset=page.offset
        )
    rendered = await _render(request, caller.organization_id, endpoints)
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


async def get_webhook_endpoint(request: Request, caller: AuthenticatedCaller, endpoint_id: str) -> Response:
    """One endpoint, without its secret."""
    async with context.get_database(request).read() as connection:
        endpoint = await endpoint_store.get_endpoint(connection, caller.organization_id, endpoint_id)
    [rendered] = await _render(request, caller.organization_id, [endpoint])
    return envelope.respond(request, rendered)


async def delete_webhook_endpoint(request: Request, caller: AuthenticatedCaller, endpoint_id: str) -> Response:
    """Delete an endpoint, with what is owed to it and the record of what it got."""
    await service.delete_endpoint(
        context.get_database(request), organization_id=caller.organization_id, endpoint_id=endpoint_id
    )
    return envelope.respond_deleted(request, endpoint_id)


async def test_webhook_endpoint(
    request: Request, caller: AuthenticatedCaller, endpoint_id: str, body: schemas.TestWebhookEndpoint | None = None
) -> Response:
    """Owe the endpoint a sample event (`data.test` is true), even while it is disabled."""
    database, owner = context.get_database(request), caller.organization_id
    delivery = await service.test_endpoint(
        database,
        organization_id=owner,
        endpoint_id=endpoint_id,
        event=(body or schemas.TestWebhookEndpoint()).event,
    )
    async with database.read() as connection:
        probe_times = await endpoint_store.list_probe_times(connection, owner)
    return envelope.respond_created(request, rendering.render_delivery(delivery, probe_times))


async def replay_events(
    request: Request, caller: AuthenticatedCaller, endpoint_id: str, body: schemas.ReplayEvents
) -> Response:
    """Make events due to this endpoint again, in order.

    With `since` alone all events since then that it has chosen, whether or not it got them; with `status`, what it is
    owed in that state; with `delivery_ids`, just these.
    """
    database, owner = context.get_database(request), caller.organization_id
    if body.delivery_ids is None and body.status is None:
        replay = await service.replay_events(
            database, organization_id=owner, endpoint_id=endpoint_id, since=body.since or 0
        )
    else:
        which = Again(ids=body.delivery_ids, status=body.status, since=body.since)
        replay = await service.replay_deliveries(database, organization_id=owner, endpoint_id=endpoint_id, which=which)
    answer = {
        "id": endpoint_id,
        "replayed_count": replay.count,
        "has_more": replay.next_since is not None,
        "next_since": values.to_wire_time(replay.next_since),
    }
    return envelope.respond_created(request, answer)


async def _render(
    request: Request, organization_id: str, endpoints: Sequence[WebhookEndpoint]
) -> list[dict[str, object]]:
    """Endpoints with what they are owed."""
    async with context.get_database(request).read() as connection:
        owed = await delivery_store.count_owed(connection, organization_id, [endpoint.id for endpoint in endpoints])
    return [rendering.render_endpoint(endpoint, owed[endpoint.id]) for endpoint in endpoints]
