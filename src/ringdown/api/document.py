"""The OpenAPI 3.1 document of the public API, made from the routes and the schemas of all slices."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from ringdown.agents.schemas import AgentObject
from ringdown.calls.schemas import BulkDeleteObject, CallObject, RecordingObject, TranscriptObject
from ringdown.voices.api import VoiceObject
from ringdown.web import envelope, route

TITLE = "Ringdown API"
# Of the contract, not of the program.
VERSION = "1.0.0"
_DESCRIPTION = (
    "Places and answers AI phone calls. Send `Authorization: Bearer truedy_…` with every request. Times are ISO 8601 "
    "UTC, phone numbers E.164, durations strings such as `30s` or whole seconds. Unknown parameters and fields are "
    "refused."
)
_SECURITY_SCHEME = "BearerAuth"
# What answers are made of; routes refer to them by name because answers do not pass through pydantic.
_ANSWERS = (AgentObject, BulkDeleteObject, CallObject, RecordingObject, TranscriptObject, VoiceObject)

router = route.new_public_router(tag="Operation")


@router.get("/openapi.json", summary="This document", include_in_schema=False)
async def get_document(request: Request) -> Response:
    """The OpenAPI document; needs no key."""
    app: FastAPI = request.app
    return envelope.render(app.openapi())


def install(app: FastAPI) -> None:
    """Make `app.openapi()` return our document; it is made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _make_document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _make_document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=TITLE,
        version=VERSION,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        routes=app.routes,
        servers=[{"url": app.state.web.settings.base_url}],
    )
    _, answers = models_json_schema(
        [(answer, "serialization") for answer in _ANSWERS], ref_template="#/components/schemas/{model}"
    )
    document["components"]["schemas"].update(answers["$defs"])
    return document
