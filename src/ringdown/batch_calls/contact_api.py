"""Routes of the contacts of a batch call."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ringdown.batch_calls import contact_store, rendering, schemas, service, store, zones
from ringdown.batch_calls.models import ContactStatus
from ringdown.web import context, envelope, openapi
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_CONTACT = {"$ref": "#/components/schemas/BatchContactObject"}
_ADDITIONS = {"$ref": "#/components/schemas/AdditionsObject"}


def add_routes(router: APIRouter) -> None:
    """Add the routes to those of batch calls."""
    path = "/{batch_call_id}/contacts"
    added = openapi.describe_one(_ADDITIONS, "How many were added, and what was left out.", status=201)
    listed = openapi.describe_list(_CONTACT, "Contacts.")
    router.post(path, summary="Add contacts to a batch call", status_code=201, responses=added)(add_batch_contacts)
    router.get(path, summary="List the contacts of a batch call", responses=listed)(list_batch_contacts)


async def add_batch_contacts(
    request: Request, caller: AuthenticatedCaller, batch_call_id: str, body: schemas.AddContacts
) -> Response:
    """Add contacts to a batch call that is not over. A number that it has already, or that is none, is left out."""
    _, additions = await service.add_contacts(
        context.get_database(request),
        organization_id=caller.organization_id,
        batch_call_id=batch_call_id,
        body=body,
    )
    return envelope.respond_created(request, rendering.render_additions(additions))


async def list_batch_contacts(
    request: Request,
    caller: AuthenticatedCaller,
    batch_call_id: str,
    page: PageQuery,
    status: Annotated[ContactStatus | None, Query(description="Only contacts in this state.")] = None,
) -> Response:
    """Contacts in the order in which they were added."""
    where = (caller.organization_id, batch_call_id)
    async with context.get_database(request).read() as connection:
        batch = await store.get_batch_call(connection, *where)
        total = batch.total_contacts
        if status is None:
            found = await contact_store.list_contacts(connection, *where, limit=page.limit, offset=page.offset)
        else:
            found, total = await contact_store.list_contacts_by_status(
                connection, *where, status=status, limit=page.limit, offset=page.offset
            )
    batch_zone = zones.get_zone(batch.timezone)
    rendered = [rendering.render_contact(contact, batch_zone=batch_zone) for contact in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))
