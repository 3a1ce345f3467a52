"""Routes of folders."""

from typing import Annotated

from fastapi import Query, Request, Response

from ringdown.contacts import folder_store, rendering, schemas, service
from ringdown.contacts.models import FolderSort, SortOrder
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_FOLDER = {"$ref": "#/components/schemas/FolderObject"}
_ONE = openapi.describe_one(_FOLDER, "The folder.")
_MADE = openapi.describe_one(_FOLDER, "The folder.", status=201)

router = route.new_router(prefix="/contacts/folders", tag="Contacts")


@router.get("", summary="List folders", responses=openapi.describe_list(_FOLDER, "Folders."))
async def list_folders(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    sort_by: Annotated[FolderSort, Query(description="What they are ordered by.")] = "created_at",
    order: Annotated[SortOrder, Query(description="Which end comes first.")] = "desc",
) -> Response:
    """Folders with how many contacts each holds, newest first."""
    async with context.get_database(request).read() as connection:
        found, total = await folder_store.list_folders(
            connection,
            caller.organization_id,
            sort_by=sort_by,
            order=order,
            limit=page.limit,
            offset=page.offset,
        )
    rendered = [rendering.render_folder(folder) for folder in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


@router.post("", summary="Create a folder", status_code=201, responses=_MADE)
async def create_folder(request: Request, caller: AuthenticatedCaller, body: schemas.CreateFolder) -> Response:
    """Create a folder; two may have one name."""
    folder = await service.create_folder(
        context.get_database(request), organization_id=caller.organization_id, body=body
    )
    return envelope.respond_created(request, rendering.render_folder(folder))


@router.get("/{folder_id}", summary="Get a folder", responses=_ONE)
async def get_folder(request: Request, caller: AuthenticatedCaller, folder_id: str) -> Response:
    """One folder."""
    async with context.get_database(request).read() as connection:
        folder = await folder_store.get_folder(connection, caller.organization_id, folder_id)
    return envelope.respond(request, rendering.render_folder(folder))


@router.put("/{folder_id}", summary="Update a folder", responses=_ONE, operation_id="replace_folder")
@router.patch("/{folder_id}", summary="Update a folder", responses=_ONE)
async def update_folder(
    request: Request, caller: AuthenticatedCaller, folder_id: str, body: schemas.UpdateFolder
) -> Response:
    """Change name or description; PUT and PATCH do the same."""
    folder = await service.update_folder(
        context.get_database(request), organization_id=caller.organization_id, folder_id=folder_id, body=body
    )
    return envelope.respond(request, rendering.render_folder(folder))


@router.delete("/{folder_id}", summary="Delete a folder", responses=openapi.describe_deleted())
async def delete_folder(request: Request, caller: AuthenticatedCaller, folder_id: str) -> Response:
    """Delete a folder and all contacts in it, for good."""
    await service.delete_folder(
        context.get_database(request), organization_id=caller.organization_id, folder_id=folder_id
    )
    return envelope.respond_deleted(request, folder_id)
