"""The OpenAPI 3.1 document of the public API, made from the routes and the schemas of all slices."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from ringdown.accounts.schemas import ApiKeyObject, NewApiKeyObject, OrganizationObject
from ringdown.agents.schemas import AgentObject, AgentTemplateObject
from ringdown.agents.version_api import AgentVersionDetailObject, AgentVersionObject
from ringdown.api import links
from ringdown.batch_calls.answers import (
    AdditionsObject,
    BatchBulkDeleteObject,
    BatchCallObject,
    BatchContactObject,
    CreatedBatchCallObject,
)
from ringdown.billing.schemas import CreditsObject, LedgerEntryObject, UsageObject
from ringdown.calls.browser_api import BrowserCallObject
from ringdown.calls.schemas import BulkDeleteObject, CallEventObject, CallObject, RecordingObject, TranscriptObject
from ringdown.calls.trial_api import TestCallObject
from ringdown.contacts.schemas import (
    ContactObject,
    DeletedContactsObject,
    DncAddedObject,
    DncCheckObject,
    DncEntryObject,
    DncImportObject,
    FolderObject,
    ImportObject,
)
from ringdown.knowledge.schemas import KnowledgeBaseObject, PassagesObject, SourceObject
from ringdown.privacy.schemas import ErasureObject
from ringdown.telephony.carrier_schemas import AvailableNumberObject, CredentialObject, WebhookUrlObject
from ringdown.telephony.number_schemas import AgentNumbersObject, NumberObject, UnassignedNumberObject
from ringdown.telephony.schemas import TrunkObject
from ringdown.tools.schemas import ToolObject, ToolTestObject
from ringdown.voices.schemas import VoiceObject
from ringdown.web import auth, envelope, idempotency, openapi, route
from ringdown.webhooks.schemas import (
    EventObject,
    ReplayObject,
    WebhookDeliveryDetailObject,
    WebhookDeliveryObject,
    WebhookEndpointObject,
    WebhookEndpointSecretObject,
)

TITLE = "Ringdown API"
# Of the contract, not of the program.
VERSION = "1.0.0"
_DESCRIPTION = (
    "Places and answers AI phone calls. Send `Authorization: Bearer truedy_…` with every request. Times are ISO 8601 "
    "UTC, phone numbers E.164, durations strings such as `30s` or whole seconds. Unknown parameters and fields are "
    "refused."
)
_IDEMPOTENCY_KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": False,
    "description": "Repeating a request with the same key returns the first answer and creates nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_REQUEST_ID = {"description": "Equal to `meta.request_id`.", "required": True, "schema": {"type": "string"}}
# What answers are made of; routes refer to them by name because answers do not pass through pydantic.
_ANSWERS = (
    AdditionsObject,
    BatchBulkDeleteObject,
    BatchCallObject,
    BatchContactObject,
    CreatedBatchCallObject,
    AgentNumbersObject,
    AgentObject,
    AgentTemplateObject,
    BrowserCallObject,
    BulkDeleteObject,
    CallObject,
    KnowledgeBaseObject,
    NumberObject,
    PassagesObject,
    RecordingObject,
    SourceObject,
    TranscriptObject,
    CallEventObject,
    ContactObject,
    DeletedContactsObject,
    DncAddedObject,
    DncCheckObject,
    DncEntryObject,
    DncImportObject,
    FolderObject,
    ImportObject,
    ToolObject,
    ToolTestObject,
    TrunkObject,
    UnassignedNumberObject,
    VoiceObject,
    AgentVersionDetailObject,
    AgentVersionObject,
    ApiKeyObject,
    CreditsObject,
    ErasureObject,
    EventObject,
    LedgerEntryObject,
    NewApiKeyObject,
    OrganizationObject,
    ReplayObject,
    TestCallObject,
    UsageObject,
    WebhookDeliveryDetailObject,
    WebhookDeliveryObject,
    WebhookEndpointObject,
    WebhookEndpointSecretObject,
    AvailableNumberObject,
    CredentialObject,
    WebhookUrlObject,
)

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
    document["components"]["schemas"].update(answers["$defs"] | openapi.SCHEMAS)
    for operations in document["paths"].values():
        for method, operation in operations.items():
            _describe(operation, method)
    links.add_links(document)
    return document


def _describe(operation: dict[str, Any], method: str) -> None:
    needs_key = "401" in operation["responses"]
    operation["security"] = [{auth.SECURITY_SCHEME: []}] if needs_key else []
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        parameter["schema"] = _without_null(parameter["schema"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["schema"] = _without_null(content["schema"])
    if needs_key and method == "post":
        operation["parameters"] = [*parameters, _IDEMPOTENCY_KEY]
    for response in operation["responses"].values():
        response["headers"] = {"X-Request-Id": _REQUEST_ID}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    # FastAPI writes "or null" for what may be absent; null cannot be sent in a URL, and is no body (400).
    kept = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(kept) != 1:
        return schema
    return {**kept[0], **{name: value for name, value in schema.items() if name != "anyOf"}}
