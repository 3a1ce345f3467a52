"""Pieces of the OpenAPI document: how answers are wrapped, and the refusals every endpoint shares."""

from typing import Any

_META = {"$ref": "#/components/schemas/Meta"}
#: Schemas that all endpoints' answers refer to; written out in each they would be most of the document.
SCHEMAS: dict[str, dict[str, Any]] = {
    "Meta": {
        "type": "object",
        "required": ["request_id", "ts"],
        "properties": {
            "request_id": {"type": "string", "description": "Equal to the header `X-Request-Id`."},
            "ts": {"type": "string", "format": "date-time"},
        },
    }
}
_PAGINATION = {
    "type": "object",
    "required": ["total", "limit", "offset", "has_more"],
    "properties": {
        "total": {"type": "integer"},
        "limit": {"type": "integer"},
        "offset": {"type": "integer"},
        "has_more": {"type": "boolean"},
        "next_cursor": {"type": "string"},
        "total_exact": {
            "type": "boolean",
            "const": False,
            "description": "There when more match than are counted.",
        },
    },
}
_DELETED = {
    "type": "object",
    "required": ["id", "deleted"],
    "properties": {"id": {"type": "string"}, "deleted": {"type": "boolean", "const": True}},
}


def describe_one(schema: dict[str, Any], description: str, *, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of an endpoint that answers with one object of `schema`."""
    return {status: _describe(description, _wrap(schema))}


def describe_list(schema: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of an endpoint that answers with a page of objects of `schema`."""
    wrapped = _wrap({"type": "array", "items": schema})
    wrapped["required"].append("pagination")
    wrapped["properties"]["pagination"] = _PAGINATION
    return {200: _describe(description, wrapped)}


def describe_deleted() -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of a DELETE."""
    return describe_one(_DELETED, "Deleted.")


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["data", "meta"], "properties": {"data": schema, "meta": _META}}


def _describe(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refuse(code: str, description: str) -> dict[str, Any]:
    error = {
        "type": "object",
        "required": ["code", "message", "details"],
        "properties": {
            "code": {"type": "string", "const": code},
            "message": {"type": "string"},
            "details": {"type": "object"},
        },
    }
    envelope = {"type": "object", "required": ["error", "meta"], "properties": {"error": error, "meta": _META}}
    name = "".join(part.capitalize() for part in code.split("_")) + "Refusal"
    SCHEMAS[name] = envelope
    return _describe(description, {"$ref": f"#/components/schemas/{name}"})


#: Refusals of endpoints that need no key.
PUBLIC_REFUSALS: dict[int | str, dict[str, Any]] = {
    404: _refuse("not_found", "Absent."),
    422: _refuse("validation_error", "A bad or unknown value; `details` names the field."),
    500: _refuse("internal_error", "A bug."),
    503: _refuse("unavailable", "The database is away for the moment; see `Retry-After`."),
}
#: Refusals of endpoints that need a key; add 402 or 502 where they can occur.
REFUSALS: dict[int | str, dict[str, Any]] = {
    **PUBLIC_REFUSALS,
    400: _refuse("bad_request", "The body is not JSON, or is not an object."),
    401: _refuse("unauthorized", "No key, or one that is malformed, unknown or revoked."),
    403: _refuse("forbidden", "The caller's address is not on the key's allow list."),
    404: _refuse("not_found", "Absent, or in another organization."),
    409: _refuse("conflict", "A name is taken, or an idempotency key was used for another request."),
    413: _refuse("payload_too_large", "The body is larger than 1 MB."),
    429: _refuse("rate_limit_exceeded", "Too many requests in this minute; see `Retry-After`."),
}
PAYMENT_REQUIRED: dict[int | str, dict[str, Any]] = {
    402: _refuse("payment_required", "Credits are enforced and there are not enough."),
}
PROVIDER_FAILED: dict[int | str, dict[str, Any]] = {
    502: _refuse("provider_error", "A speech, model or carrier provider failed; see `details.retryable`."),
}
