"""Routes of the do-not-call list."""

from typing import Annotated

from fastapi import Query, Request, Response

from ringdown import errors
from ringdown.contacts import dnc_service, dnc_store, file_api, models, numbers, region, rendering, rows, schemas
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_ENTRY = {"$ref": "#/components/schemas/DncEntryObject"}
_ONE = openapi.describe_one(_ENTRY, "The entry.")
_UPDATE = "Update a do-not-call entry"
_ADDED = openapi.describe_one({"$ref": "#/components/schemas/DncAddedObject"}, "What was added.", status=201)
_CHECKED = openapi.describe_one({"$ref": "#/components/schemas/DncCheckObject"}, "Which are listed.", status=201)
_IMPORT = openapi.describe_one({"$ref": "#/components/schemas/DncImportObject"}, "What was imported.", status=201)

router = route.new_router(prefix="/contacts/dnc", tag="Contacts")


@router.get("", summary="List the do-not-call list", responses=openapi.describe_list(_ENTRY, "Numbers, newest first."))
async def list_dnc_entries(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    search: Annotated[
        str | None, Query(description="Only numbers that hold these digits.", min_length=1, max_length=20)
    ] = None,
) -> Response:
    """Numbers that are never dialled, newest first."""
    async with context.get_database(request).read() as connection:
        found, total = await dnc_store.list_entries(
            connection, caller.organization_id, search=search, limit=page.limit, offset=page.offset
        )
    rendered = [rendering.render_entry(entry) for entry in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


@router.post("", summary="Add to the do-not-call list", status_code=201, responses=_ADDED)
async def add_dnc_entries(request: Request, caller: AuthenticatedCaller, body: schemas.AddDncEntries) -> Response:
    """Add a number, or up to 1000; those that are listed stay as they are."""
    added = await dnc_service.add_entries(
        context.get_database(request),
        region=await region.get_region(request, caller.organization_id, body.country),
        organization_id=caller.organization_id,
        body=body,
    )
    counted = {
        "added_count": added.added,
        "existing_count": len(added.phone_numbers) - added.added,
        "phone_numbers": added.phone_numbers,
    }
    return envelope.respond_created(request, counted)


@router.post("/check", summary="Check numbers", status_code=201, responses=_CHECKED)
async def check_dnc_numbers(request: Request, caller: AuthenticatedCaller, body: schemas.CheckDncNumbers) -> Response:
    """Which of the numbers must not be dialled, in E.164."""
    country = await region.get_region(request, caller.organization_id, body.country)
    read = dict.fromkeys(dnc_service.read_numbers(body.phone_numbers, region=country))
    async with context.get_database(request).read() as connection:
        blocked = await dnc_store.find_blocked(connection, caller.organization_id, read)
    checked = {
        "blocked": [number for number in read if number in blocked],
        "allowed": [number for number in read if number not in blocked],
    }
    return envelope.respond_created(request, checked)


async def import_dnc_entries(request: Request, caller: AuthenticatedCaller) -> Response:
    """Import a CSV file with a column `phone` and, if you like, `reason`: all good rows or none."""
    file, form = await file_api.read_form(request, schemas.DncImportForm)
    result = await dnc_service.import_entries(
        context.get_database(request),
        rows.read_csv(file.file, field="file"),
        organization_id=caller.organization_id,
        region=await region.get_region(request, caller.organization_id, form.country),
    )
    counted = {
        "imported": result.imported,
        "skipped": result.skipped,
        "errors": result.errors,
        "error_details": rows.list_errors(result.listed),
        "error_details_limit": models.MAX_LISTED_ERRORS,
    }
    return envelope.respond_created(request, counted)


router.add_api_route(
    "/import",
    import_dnc_entries,
    methods=["POST"],
    summary="Import into the do-not-call list",
    status_code=201,
    responses=_IMPORT,
    openapi_extra=file_api.describe_file(schemas.DncImportForm, None),
    route_class_override=file_api.FileRoute,
)


@router.get("/{phone_number}", summary="Look a number up", responses=_ONE)
async def get_dnc_entry(request: Request, caller: AuthenticatedCaller, phone_number: str) -> Response:
    """The entry of a number; 404 when it may be dialled."""
    number = await _read_number(request, caller, phone_number)
    async with context.get_database(request).read() as connection:
        entry = await dnc_store.find_entry(connection, caller.organization_id, number)
    if entry is None:
        raise errors.NotFound("Do-not-call entry", phone_number)
    return envelope.respond(request, rendering.render_entry(entry))


@router.put("/{phone_number}", summary=_UPDATE, responses=_ONE, operation_id="replace_dnc_entry")
@router.patch("/{phone_number}", summary=_UPDATE, responses=_ONE)
async def update_dnc_entry(
    request: Request, caller: AuthenticatedCaller, phone_number: str, body: schemas.UpdateDncEntry
) -> Response:
    """Change why a number is listed; PUT and PATCH do the same. 404 when it may be dialled."""
    number = await _read_number(request, caller, phone_number)
    async with context.get_database(request).write() as connection:
        if "reason" in body.model_fields_set:
            await dnc_store.update_reason(connection, caller.organization_id, number, body.reason)
        entry = await dnc_store.find_entry(connection, caller.organization_id, number)
    if entry is None:
        raise errors.NotFound("Do-not-call entry", phone_number)
    return envelope.respond(request, rendering.render_entry(entry))


@router.delete("/{phone_number}", summary="Remove from the do-not-call list", responses=openapi.describe_deleted())
async def delete_dnc_entry(request: Request, caller: AuthenticatedCaller, phone_number: str) -> Response:
    """Let a number be dialled again."""
    number = await _read_number(request, caller, phone_number)
    async with context.get_database(request).write() as connection:
        if not await dnc_store.delete_entry(connection, caller.organization_id, number):
            raise errors.NotFound("Do-not-call entry", phone_number)
    return envelope.respond_deleted(request, number)


async def _read_number(request: Request, caller: AuthenticatedCaller, text: str) -> str:
    country = await region.get_region(request, caller.organization_id)
    try:
        return numbers.parse_number(text, region=country)
    except ValueError:
        raise errors.NotFound("Do-not-call entry", text) from None
