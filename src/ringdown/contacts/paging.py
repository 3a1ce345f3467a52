"""Pages of contacts in both documented styles: `page` and `limit`, or `limit` and `offset`."""

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AfterValidator

from ringdown import errors
from ringdown.web import openapi
from ringdown.web.pagination import DEFAULT_LIMIT, Limit, Offset, Page

_MAX_PAGE = 2**31 - 1


def _check_page(value: int) -> int:
    if not 1 <= value <= _MAX_PAGE:
        raise ValueError(f"must be a whole number from 1 to {_MAX_PAGE}")
    return value


PageNumber = Annotated[
    int | None,
    AfterValidator(lambda value: None if value is None else _check_page(value)),
    Query(description="Which page, instead of `offset`.", json_schema_extra={"minimum": 1, "maximum": _MAX_PAGE}),
]


async def _read_page(limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, page: PageNumber = None) -> Page:
    if page is None:
        return Page(limit=limit, offset=offset)
    if offset:
        raise errors.invalid("page", "must not be sent together with offset")
    return Page(limit=limit, offset=(page - 1) * limit)


ContactPage = Annotated[Page, Depends(_read_page)]


def describe_page(page: Page, *, total: int, returned: int) -> dict[str, Any]:
    """The `pagination` of an answer, with what clients of either style read."""
    described = page.describe(total=total, returned=returned)
    return {
        "total": described.total,
        "limit": described.limit,
        "offset": described.offset,
        "has_more": described.has_more,
        "page": page.offset // page.limit + 1,
        "pages": -(-total // page.limit),
    }


def describe_list(schema: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of a list with such a `pagination`."""
    described = openapi.describe_list(schema, description)
    wrapped = described[200]["content"]["application/json"]["schema"]
    paging = wrapped["properties"]["pagination"]
    counts = {"page": {"type": "integer"}, "pages": {"type": "integer"}}
    wrapped["properties"]["pagination"] = {**paging, "properties": {**paging["properties"], **counts}}
    return described
