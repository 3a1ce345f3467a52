"""Routes of one person's data."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from ringdown import values
from ringdown.calls.api import Links
from ringdown.contacts import fields
from ringdown.contacts.region import get_region
from ringdown.contacts.schemas import Region
from ringdown.privacy import erasing, exporting, schemas, store
from ringdown.privacy.models import Erasure
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery
from ringdown.web.query import Number

_ERASURE = {"$ref": "#/components/schemas/ErasureObject"}
_MEDIA_TYPE = "application/x-ndjson"
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JSON object a line.", "content": {_MEDIA_TYPE: {"schema": {"type": "string"}}}}
}

router = route.new_router(prefix="/privacy", tag="Privacy")


@router.get("/export", summary="Export a person's data", responses=_FILE, response_class=Response)
async def export_person(
    request: Request,
    caller: AuthenticatedCaller,
    links: Links,
    phone_number: Annotated[Number, Query(description="Whose; any spelling of the number.", max_length=64)],
    country: Annotated[Region, Query(description="How a number without country code is read.")] = None,
) -> Response:
    """Everything that is known of the person with this number, as JSON lines of `type` and `data`.

    `person` comes first, then `contact`, `dnc_entry`, `batch_contact`, and each `call` with its transcript, events and
    recording link, behind it its `webhook_event`s. The file is written while it is read.
    """
    number = await _read_number(request, caller, phone_number, country)
    lines = exporting.export_person(
        context.get_database(request), organization_id=caller.organization_id, number=number, links=links
    )
    head = await anext(lines)
    return StreamingResponse(
        _stream(head, lines),
        media_type=_MEDIA_TYPE,
        headers={"Content-Disposition": 'attachment; filename="person.ndjson"'},
    )


@router.post(
    "/erasures",
    summary="Erase a person's data",
    status_code=201,
    responses=openapi.describe_one(_ERASURE, "The erasure, which has begun.", status=201),
)
async def erase_person(request: Request, caller: AuthenticatedCaller, body: schemas.ErasePerson) -> Response:
    """Delete everything of the person with this number, but a place on the do-not-call list. It cannot be undone.

    422 while a call with the person has not ended.
    """
    erasure = await erasing.request_erasure(
        context.get_database(request),
        organization_id=caller.organization_id,
        number=await _read_number(request, caller, body.phone_number, body.country),
    )
    return envelope.respond_created(request, _render(erasure))


@router.get("/erasures", summary="List erasures", responses=openapi.describe_list(_ERASURE, "Erasures, newest first."))
async def list_erasures(request: Request, caller: AuthenticatedCaller, page: PageQuery) -> Response:
    """Erasures, newest first. Those that are completed do not tell whose they were."""
    async with context.get_database(request).read() as connection:
        found, total = await store.list_erasures(
            connection, caller.organization_id, limit=page.limit, offset=page.offset
        )
    rendered = [_render(erasure) for erasure in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


@router.get(
    "/erasures/{erasure_id}", summary="Get an erasure", responses=openapi.describe_one(_ERASURE, "The erasure.")
)
async def get_erasure(request: Request, caller: AuthenticatedCaller, erasure_id: str) -> Response:
    """How far an erasure is."""
    async with context.get_database(request).read() as connection:
        erasure = await store.get_erasure(connection, caller.organization_id, erasure_id)
    return envelope.respond(request, _render(erasure))


async def _stream(head: bytes, lines: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(lines):
        yield head
        async for line in lines:
            yield line


async def _read_number(request: Request, caller: AuthenticatedCaller, text: str, country: str | None) -> str:
    region = await get_region(request, caller.organization_id, country)
    return fields.read_number(text, field="phone_number", region=region)


def _render(erasure: Erasure) -> dict[str, object]:
    return {
        "id": erasure.id,
        "status": "running" if erasure.completed_at is None else "completed",
        "phone_number": erasure.phone_number,
        "deleted_contacts": erasure.contacts,
        "deleted_batch_contacts": erasure.batch_contacts,
        "deleted_calls": erasure.calls,
        "deleted_recordings": erasure.recordings,
        "created_at": values.to_wire_time(erasure.created_at),
        "completed_at": values.to_wire_time(erasure.completed_at),
    }
