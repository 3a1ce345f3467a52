"""Routes of imports and exports of contacts."""

import base64
import binascii
import io
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from ringdown import errors
from ringdown.contacts import exporting, folder_store, importing, models, region, rows
from ringdown.contacts.importing import ImportResult
from ringdown.contacts.rows import Row, RowError
from ringdown.contacts.schemas import ImportForm, ImportJson
from ringdown.web import context, envelope, forms, openapi, route
from ringdown.web.auth import AuthenticatedCaller

_Body = TypeVar("_Body", bound=BaseModel)

# What stands around a file in a form: boundaries, other fields.
_FORM_BYTES = 64 * 1024
# Files in base64 are read whole; larger ones come as forms.
_MAX_JSON_BYTES = 16 * 1024 * 1024
_IMPORT = openapi.describe_one({"$ref": "#/components/schemas/ImportObject"}, "What was imported.", status=201)
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The contacts.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


class FileRoute(route.ApiRoute):
    """A route that takes a CSV file, as a form or in base64."""

    max_form_bytes = models.MAX_FILE_BYTES + _FORM_BYTES
    max_body_bytes = _MAX_JSON_BYTES


router = route.new_router(prefix="/contacts", tag="Contacts")


def describe_file(form: type[BaseModel], document: type[BaseModel] | None) -> dict[str, Any]:
    """The OpenAPI of a body that is a form with `file` and the fields of `form`, or a JSON document."""
    schema = form.model_json_schema()
    file = {"type": "string", "contentMediaType": "application/octet-stream", "description": "The CSV file."}
    described = {**schema, "properties": {"file": file, **schema["properties"]}, "required": ["file"]}
    content = {"multipart/form-data": {"schema": described}}
    if document is not None:
        content["application/json"] = {"schema": document.model_json_schema()}
    return {"requestBody": {"required": True, "content": content}}


async def read_form(request: Request, form: type[_Body]) -> tuple[UploadFile, _Body]:
    """The file and the fields of a form. Raises `ValidationFailed` and `PayloadTooLarge`."""
    if not forms.is_multipart(request):
        raise errors.BadRequest("The request body must be a form (multipart/form-data) with the field file.")
    fields: dict[str, Any] = {}
    for name, value in (await request.form()).multi_items():
        if name in fields:
            raise errors.invalid(name, "may be given only once")
        fields[name] = value
    file = fields.pop("file", None)
    if not isinstance(file, UploadFile):
        raise errors.invalid("file", "is required, as a file" if file is None else "must be a file")
    if (file.size or 0) > models.MAX_FILE_BYTES:
        raise errors.PayloadTooLarge(
            f"The file is larger than {models.MAX_FILE_BYTES // 1024**2} MB.", {"limit_bytes": models.MAX_FILE_BYTES}
        )
    return file, validate(form, fields)


def validate(form: type[_Body], fields: Mapping[str, Any]) -> _Body:
    """The fields as FastAPI would read them. Raises `RequestValidationError`."""
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        found = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(found, body=fields) from None


async def import_contacts(request: Request, caller: AuthenticatedCaller) -> Response:
    """Import a CSV file of up to 50 MB: all good rows or, if the file breaks off, none.

    Rows that cannot be contacts are listed with the reason. A number stands in a folder once: rows whose number is
    there are skipped, or change the contact with `overwrite_existing`.
    """
    read: AsyncIterator[Row | RowError]
    body: ImportForm | ImportJson
    if forms.is_multipart(request):
        file, body = await read_form(request, ImportForm)
        read = rows.read_csv(file.file, field="file")
    else:
        body = validate(ImportJson, await request.json())
        read = _read_json(body)
    database = context.get_database(request)
    target = await importing.find_target(
        database,
        organization_id=caller.organization_id,
        folder_id=body.folder_id,
        region=await region.get_region(request, caller.organization_id, body.country),
    )
    result = await importing.import_contacts(database, read, target=target, overwrite_existing=body.overwrite_existing)
    return envelope.respond_created(request, _render(result))


router.add_api_route(
    "/import",
    import_contacts,
    methods=["POST"],
    summary="Import contacts",
    status_code=201,
    responses=_IMPORT,
    openapi_extra=describe_file(ImportForm, ImportJson),
    route_class_override=FileRoute,
)


@router.get("/export", summary="Export contacts", response_class=StreamingResponse, responses=_CSV)
async def export_contacts(
    request: Request,
    caller: AuthenticatedCaller,
    folder_id: Annotated[str | None, Query(description="Only contacts of this folder.")] = None,
) -> Response:
    """All contacts as CSV in UTF-8, oldest first; an import takes the file back."""
    database = context.get_database(request)
    if folder_id is not None:
        async with database.read() as connection:
            await folder_store.get_folder(connection, caller.organization_id, folder_id)
    pieces = exporting.export_contacts(database, organization_id=caller.organization_id, folder_id=folder_id)
    headers = {"Content-Disposition": 'attachment; filename="contacts.csv"'}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)


def _read_json(body: ImportJson) -> AsyncIterator[Row | RowError]:
    if (body.base64_file is None) == (body.contacts is None):
        raise errors.invalid("base64_file", "is required, or contacts, and not both")
    if body.contacts is not None:
        return rows.read_list(body.contacts)
    encoded = body.base64_file or ""
    try:
        content = base64.b64decode("".join(encoded.rpartition(",")[2].split()), validate=True)
    except (binascii.Error, ValueError):
        raise errors.invalid("base64_file", "must be base64") from None
    return rows.read_csv(io.BytesIO(content), field="base64_file", mapping=body.mapping_config)


def _render(result: ImportResult) -> dict[str, Any]:
    return {
        "imported": result.imported,
        "updated": result.updated,
        "skipped": result.skipped,
        "errors": result.errors,
        "successful": result.imported + result.updated,
        "failed": result.errors,
        "folder_id": result.folder_id,
        "error_details": rows.list_errors(result.listed),
        "error_details_limit": models.MAX_LISTED_ERRORS,
    }
