"""The success envelope of the API: `data`, `meta` and, on lists, `pagination`, as msgspec bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import Request, Response

from ringdown import values
from ringdown.web import context

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Pagination:
    """Where a page stands in its list."""

    total: int
    limit: int
    offset: int
    has_more: bool
    total_exact: bool = True


def get_meta(request: Request) -> dict[str, Any]:
    """The `meta` of this request's answer."""
    return {"request_id": context.get_request_id(request), "ts": values.to_wire_time(values.now_ms())}


def respond(request: Request, data: object, *, status: int = 200) -> Response:
    """One object, or an unpaged list; `data` is anything msgspec encodes (dicts, dataclasses, lists)."""
    return render({"data": data, "meta": get_meta(request)}, status=status)


def respond_created(request: Request, data: object) -> Response:
    """The answer of a POST that created or did something: 201."""
    return respond(request, data, status=201)


class SecretResponse(Response):
    """An answer that shows a secret this once; whatever keeps it for a repetition must seal it."""


def respond_secret(request: Request, data: object) -> Response:
    """The answer of a POST that made a secret: 201."""
    document = {"data": data, "meta": get_meta(request)}
    return SecretResponse(_encoder.encode(document), 201, media_type="application/json")


def respond_deleted(request: Request, resource_id: str) -> Response:
    """The answer of a DELETE."""
    return respond(request, {"id": resource_id, "deleted": True})


def respond_page(
    request: Request, data: Sequence[object], pagination: Pagination, *, next_cursor: str | None = None
) -> Response:
    """One page of a list; `next_cursor` is added only when paging goes by cursor."""
    paging: dict[str, object] = {
        "total": pagination.total,
        "limit": pagination.limit,
        "offset": pagination.offset,
        "has_more": pagination.has_more,
    }
    if not pagination.total_exact:
        paging["total_exact"] = False
    if next_cursor is not None:
        paging["next_cursor"] = next_cursor
    return render({"data": data, "meta": get_meta(request), "pagination": paging})


def render(document: object, *, status: int = 200) -> Response:
    """A JSON response of any document, without pydantic on the way."""
    return Response(_encoder.encode(document), status, media_type="application/json")
