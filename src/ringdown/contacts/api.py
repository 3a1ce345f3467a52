"""Routes of contacts; those of folders, files and the do-not-call list stand beside it."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import AfterValidator

from ringdown import errors
from ringdown.contacts import dnc_api, file_api, folder_api, paging, region, rendering, schemas, service, store
from ringdown.contacts.models import ContactFilter, Outcome
from ringdown.contacts.paging import ContactPage
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller

_CONTACT = {"$ref": "#/components/schemas/ContactObject"}
_ONE = openapi.describe_one(_CONTACT, "The contact.")
_MADE = openapi.describe_one(_CONTACT, "The contact.", status=201)
_BULK = openapi.describe_one({"$ref": "#/components/schemas/DeletedContactsObject"}, "What was deleted.", status=201)
_MAX_SEARCH_LENGTH = 200

router = route.new_router(prefix="/contacts", tag="Contacts")
#: In the order in which they must be asked: `/contacts/folders` is no contact.
routers = (folder_api.router, dnc_api.router, file_api.router, router)


def _check_search(text: str | None) -> str | None:
    if text is not None and not 1 <= len(text.strip()) <= _MAX_SEARCH_LENGTH:
        raise ValueError(f"must have from 1 to {_MAX_SEARCH_LENGTH} characters")
    return text


@router.get("", summary="List contacts", responses=paging.describe_list(_CONTACT, "Contacts, newest first."))
async def list_contacts(
    request: Request,
    caller: AuthenticatedCaller,
    page: ContactPage,
    folder_id: Annotated[str | None, Query(description="Only contacts of this folder.")] = None,
    search: Annotated[
        str | None,
        AfterValidator(_check_search),
        Query(description="Only contacts whose name, number or e-mail address holds each of these words, in any case."),
    ] = None,
    last_call_outcome: Annotated[Outcome | None, Query(description="Only contacts whose last call ended so.")] = None,
) -> Response:
    """Contacts, newest first; `total` is exact. Pages go by `page` or by `offset`."""
    kept = ContactFilter(folder_id=folder_id, search=search, last_call_outcome=last_call_outcome)
    async with context.get_database(request).read() as connection:
        found, total = await store.list_contacts(
            connection, caller.organization_id, kept, limit=page.limit, offset=page.offset
        )
    return envelope.render(
        {
            "data": [rendering.render_contact(contact) for contact in found],
            "meta": envelope.get_meta(request),
            "pagination": paging.describe_page(page, total=total, returned=len(found)),
        }
    )


@router.post("", summary="Create a contact", status_code=201, responses=_MADE)
async def create_contact(request: Request, caller: AuthenticatedCaller, body: schemas.CreateContact) -> Response:
    """Create a contact; without a folder it goes to the default one."""
    contact = await service.create_contact(
        context.get_database(request),
        region=await region.get_region(request, caller.organization_id, body.country),
        organization_id=caller.organization_id,
        body=body,
    )
    return envelope.respond_created(request, rendering.render_contact(contact))


@router.post("/bulk-delete", summary="Delete contacts", status_code=201, responses=_BULK)
async def bulk_delete_contacts(
    request: Request, caller: AuthenticatedCaller, body: schemas.BulkDeleteContacts
) -> Response:
    """Delete up to 1000 contacts; those that are absent are listed in `failed_ids`."""
    if (body.ids is None) == (body.contact_ids is None):
        raise errors.invalid("ids", "is required")
    ids = list(dict.fromkeys(body.ids or body.contact_ids or []))
    gone = await service.delete_contacts(context.get_database(request), organization_id=caller.organization_id, ids=ids)
    deleted = [contact_id for contact_id in ids if contact_id in gone]
    failed = [contact_id for contact_id in ids if contact_id not in gone]
    counted = {
        "deleted_count": len(deleted),
        "failed_count": len(failed),
        "deleted_ids": deleted,
        "failed_ids": failed,
    }
    return envelope.respond_created(request, counted)


@router.get("/{contact_id}", summary="Get a contact", responses=_ONE)
async def get_contact(request: Request, caller: AuthenticatedCaller, contact_id: str) -> Response:
    """One contact."""
    async with context.get_database(request).read() as connection:
        contact = await store.get_contact(connection, caller.organization_id, contact_id)
    return envelope.respond(request, rendering.render_contact(contact))


@router.put("/{contact_id}", summary="Update a contact", responses=_ONE, operation_id="replace_contact")
@router.patch("/{contact_id}", summary="Update a contact", responses=_ONE)
async def update_contact(
    request: Request, caller: AuthenticatedCaller, contact_id: str, body: schemas.UpdateContact
) -> Response:
    """Change the fields that are sent; PUT and PATCH do the same. Another `folder_id` moves the contact."""
    contact = await service.update_contact(
        context.get_database(request),
        region=await region.get_region(request, caller.organization_id, body.country),
        organization_id=caller.organization_id,
        contact_id=contact_id,
        body=body,
    )
    return envelope.respond(request, rendering.render_contact(contact))


@router.delete("/{contact_id}", summary="Delete a contact", responses=openapi.describe_deleted())
async def delete_contact(request: Request, caller: AuthenticatedCaller, contact_id: str) -> Response:
    """Delete a contact; calls to it stay."""
    gone = await service.delete_contacts(
        context.get_database(request), organization_id=caller.organization_id, ids=[contact_id]
    )
    if not gone:
        raise errors.NotFound("Contact", contact_id)
    return envelope.respond_deleted(request, contact_id)
