"""Routes of batch calls."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.batch_calls import contact_api, course, figure_store, rendering, retry, schemas, service, store
from ringdown.batch_calls.models import BatchCall
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_BATCH = {"$ref": "#/components/schemas/BatchCallObject"}
_CREATED = {"$ref": "#/components/schemas/CreatedBatchCallObject"}
_BULK_DELETED = {"$ref": "#/components/schemas/BatchBulkDeleteObject"}


# The documentation's samples call a batch call that is active `running`.
_StatusFilter = Literal["draft", "scheduled", "active", "running", "paused", "completed", "failed", "cancelled"]


def new_router() -> APIRouter:
    """The routes, those of the contacts of a batch call among them."""
    router = route.new_router(prefix="/batch-calls", tag="Batch calls")
    listed = openapi.describe_list(_BATCH, "Batch calls.")
    created = openapi.describe_one(_CREATED, "The batch call, and what was left out.", status=201)
    deleted = openapi.describe_one(_BULK_DELETED, "What was deleted.", status=201)
    one = openapi.describe_one(_BATCH, "The batch call.")
    acted = openapi.describe_one(_BATCH, "The batch call.", status=201)
    router.get("", summary="List batch calls", responses=listed)(list_batch_calls)
    router.post("", summary="Create a batch call", status_code=201, responses=created)(create_batch_call)
    router.post("/bulk-delete", summary="Delete batch calls", status_code=201, responses=deleted)(
        bulk_delete_batch_calls
    )
    path = "/{batch_call_id}"
    router.get(path, summary="Get a batch call", responses=one)(get_batch_call)
    router.put(path, summary="Update a batch call", responses=one, operation_id="replace_batch_call")(update_batch_call)
    router.patch(path, summary="Update a batch call", responses=one)(update_batch_call)
    router.delete(path, summary="Delete a batch call", responses=openapi.describe_deleted())(delete_batch_call)
    for name, summary, act in (
        ("schedule", "Schedule a batch call", schedule_batch_call),
        ("pause", "Pause a batch call", pause_batch_call),
        ("resume", "Resume a batch call", resume_batch_call),
        ("cancel", "Cancel a batch call", cancel_batch_call),
        ("retry", "Retry the failed contacts of a batch call", retry_batch_call),
    ):
        router.post(f"{path}/{name}", summary=summary, status_code=201, responses=acted)(act)
    contact_api.add_routes(router)
    return router


async def list_batch_calls(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    status: Annotated[
        _StatusFilter | None, Query(description="Only batch calls in this state; `running` is `active`.")
    ] = None,
) -> Response:
    """Batch calls, newest first."""
    wanted = "active" if status == "running" else status
    async with context.get_database(request).read() as connection:
        found, total = await store.list_batch_calls(
            connection, caller.organization_id, status=wanted, limit=page.limit, offset=page.offset
        )
        rendered = await _render_all(connection, caller.organization_id, found)
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


async def create_batch_call(request: Request, caller: AuthenticatedCaller, body: schemas.CreateBatchCall) -> Response:
    """Create a batch call. `immediate` (the default) with contacts starts at once, everything else is a draft."""
    batch, additions = await service.create_batch_call(
        context.get_database(request), organization_id=caller.organization_id, body=body
    )
    rendered = await _render(request, batch)
    return envelope.respond_created(request, rendered | rendering.render_additions(additions))


async def bulk_delete_batch_calls(
    request: Request, caller: AuthenticatedCaller, body: schemas.BulkDeleteBatchCalls
) -> Response:
    """Delete batch calls; those that are absent or may still call are listed in `failed_ids`."""
    deletion = await service.delete_batch_calls(
        context.get_database(request), organization_id=caller.organization_id, batch_call_ids=body.ids
    )
    counted = {
        "deleted_count": len(deletion.deleted_ids),
        "failed_count": len(deletion.failed_ids),
        "deleted_ids": deletion.deleted_ids,
        "failed_ids": deletion.failed_ids,
    }
    return envelope.respond_created(request, counted)


async def get_batch_call(request: Request, caller: AuthenticatedCaller, batch_call_id: str) -> Response:
    """One batch call with its counts."""
    async with context.get_database(request).read() as connection:
        batch = await store.get_batch_call(connection, caller.organization_id, batch_call_id)
    return envelope.respond(request, await _render(request, batch))


async def update_batch_call(
    request: Request, caller: AuthenticatedCaller, batch_call_id: str, body: schemas.UpdateBatchCall
) -> Response:
    """Change the fields that are sent; PUT and PATCH do the same.

    A changed schedule spreads the contacts that wait to be called anew; those that are being called or are done stay
    as they are.
    """
    batch = await service.update_batch_call(
        context.get_database(request),
        organization_id=caller.organization_id,
        batch_call_id=batch_call_id,
        body=body,
    )
    return envelope.respond(request, await _render(request, batch))


async def delete_batch_call(request: Request, caller: AuthenticatedCaller, batch_call_id: str) -> Response:
    """Delete a batch call that is a draft or over, with its contacts; its calls stay."""
    await service.delete_batch_call(
        context.get_database(request), organization_id=caller.organization_id, batch_call_id=batch_call_id
    )
    return envelope.respond_deleted(request, batch_call_id)


async def schedule_batch_call(
    request: Request, caller: AuthenticatedCaller, batch_call_id: str, body: schemas.ScheduleBatchCall | None = None
) -> Response:
    """Start a draft at the time that is sent; without one at the batch call's own `scheduled_at`, else now."""
    batch = await course.schedule_batch_call(
        context.get_database(request),
        organization_id=caller.organization_id,
        batch_call_id=batch_call_id,
        body=body or schemas.ScheduleBatchCall(),
    )
    return envelope.respond_created(request, await _render(request, batch))


async def pause_batch_call(request: Request, caller: AuthenticatedCaller, batch_call_id: str) -> Response:
    """Place no further calls until it is resumed; calls under way go on."""
    batch = await course.pause_batch_call(
        context.get_database(request), organization_id=caller.organization_id, batch_call_id=batch_call_id
    )
    return envelope.respond_created(request, await _render(request, batch))


async def resume_batch_call(request: Request, caller: AuthenticatedCaller, batch_call_id: str) -> Response:
    """Go on with a paused batch call: `active`, or `scheduled` while its time is still to come."""
    batch = await course.resume_batch_call(
        context.get_database(request), organization_id=caller.organization_id, batch_call_id=batch_call_id
    )
    return envelope.respond_created(request, await _render(request, batch))


async def cancel_batch_call(request: Request, caller: AuthenticatedCaller, batch_call_id: str) -> Response:
    """Never place another call; calls under way go on."""
    batch = await course.cancel_batch_call(
        context.get_database(request), organization_id=caller.organization_id, batch_call_id=batch_call_id
    )
    return envelope.respond_created(request, await _render(request, batch))


async def retry_batch_call(
    request: Request, caller: AuthenticatedCaller, batch_call_id: str, body: schemas.RetryBatchCall | None = None
) -> Response:
    """Call contacts that have failed once more, with all their attempts; a completed batch call is active again."""
    batch = await retry.retry_batch_call(
        context.get_database(request),
        organization_id=caller.organization_id,
        batch_call_id=batch_call_id,
        reasons=(body or schemas.RetryBatchCall()).reasons,
    )
    return envelope.respond_created(request, await _render(request, batch))


async def _render(request: Request, batch: BatchCall) -> dict[str, object]:
    async with context.get_database(request).read() as connection:
        [rendered] = await _render_all(connection, batch.organization_id, [batch])
    return rendered


async def _render_all(
    connection: AsyncConnection, organization_id: str, batches: Sequence[BatchCall]
) -> list[dict[str, object]]:
    now = values.now_ms()
    figures = await figure_store.count_figures(connection, organization_id, batches, now_ms=now)
    numbers = await store.list_numbers(
        connection,
        organization_id,
        number_ids={number_id for batch in batches for number_id in batch.phone_number_ids},
        agent_ids={batch.agent_id for batch in batches},
    )
    return [rendering.render_batch_call(batch, numbers, figures[batch.id], now_ms=now) for batch in batches]
