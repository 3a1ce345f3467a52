"""Routes of webhook deliveries."""

from typing import Annotated

from fastapi import Query, Request, Response

from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery
from ringdown.webhooks import delivery_store, endpoint_store, event_store, rendering, service
from ringdown.webhooks.delivery_store import DeliveryQuery
from ringdown.webhooks.models import DeliveryStatus, EventType

_DELIVERY = {"$ref": "#/components/schemas/WebhookDeliveryObject"}
_DETAIL = {"$ref": "#/components/schemas/WebhookDeliveryDetailObject"}
# A delivery is tried for three days; this is more than that makes.
_MAX_ATTEMPTS_SHOWN = 100

router = route.new_router(prefix="/webhook-deliveries", tag="Webhooks")


@router.get("", summary="List webhook deliveries", responses=openapi.describe_list(_DELIVERY, "Deliveries."))
async def list_webhook_deliveries(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    endpoint_id: Annotated[str | None, Query(description="Only to this endpoint.", min_length=1)] = None,
    event: Annotated[EventType | None, Query(description="Only of this type.")] = None,
    event_id: Annotated[str | None, Query(description="Only of this event.", min_length=1)] = None,
    status: Annotated[DeliveryStatus | None, Query(description="Only in this state.")] = None,
    call_id: Annotated[str | None, Query(description="Only of this call.", min_length=1)] = None,
) -> Response:
    """What is and was owed to endpoints, newest event first."""
    query = DeliveryQuery(
        organization_id=caller.organization_id,
        endpoint_id=endpoint_id,
        event=event,
        event_id=event_id,
        status=status,
        subject_id=call_id,
    )
    async with context.get_database(request).read() as connection:
        found, total = await delivery_store.list_deliveries(connection, query, limit=page.limit, offset=page.offset)
        probe_times = await endpoint_store.list_probe_times(connection, caller.organization_id)
    rendered = [rendering.render_delivery(delivery, probe_times) for delivery in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


@router.get(
    "/{delivery_id}",
    summary="Get a webhook delivery",
    responses=openapi.describe_one(_DETAIL, "The delivery with its attempts."),
)
async def get_webhook_delivery(request: Request, caller: AuthenticatedCaller, delivery_id: str) -> Response:
    """One delivery with the body that is sent, and every attempt with status, time and what was answered."""
    owner = caller.organization_id
    async with context.get_database(request).read() as connection:
        delivery = await delivery_store.get_delivery(connection, owner, delivery_id)
        event = await event_store.get_event(connection, owner, delivery.event_id)
        attempts = await delivery_store.list_attempts(connection, owner, delivery_id, limit=_MAX_ATTEMPTS_SHOWN)
        probe_times = await endpoint_store.list_probe_times(connection, owner)
    return envelope.respond(request, rendering.render_with_attempts(delivery, event, attempts, probe_times))


@router.post(
    "/{delivery_id}/replay",
    summary="Replay a webhook delivery",
    status_code=201,
    responses=openapi.describe_one(_DELIVERY, "The delivery, due now.", status=201),
)
async def replay_webhook_delivery(request: Request, caller: AuthenticatedCaller, delivery_id: str) -> Response:
    """Make a delivery due again, whatever became of it."""
    delivery = await service.replay_delivery(
        context.get_database(request), organization_id=caller.organization_id, delivery_id=delivery_id
    )
    async with context.get_database(request).read() as connection:
        probe_times = await endpoint_store.list_probe_times(connection, caller.organization_id)
    return envelope.respond_created(request, rendering.render_delivery(delivery, probe_times))
