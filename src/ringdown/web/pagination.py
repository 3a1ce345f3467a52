"""Pages by `limit` and `offset`, as every list of the API takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query
from pydantic import AfterValidator

from ringdown.web.envelope import Pagination

MAX_LIMIT = 100
DEFAULT_LIMIT = 50
_Row = TypeVar("_Row")
# The largest whole number every JSON client can hold.
_MAX_OFFSET = 2**53 - 1


def _check_limit(value: int) -> int:
    if not 1 <= value <= MAX_LIMIT:
        raise ValueError(f"must be a whole number from 1 to {MAX_LIMIT}")
    return value


def _check_optional_limit(value: int | None) -> int | None:
    return None if value is None else _check_limit(value)


def _check_offset(value: int) -> int:
    if not 0 <= value <= _MAX_OFFSET:
        raise ValueError(f"must be a whole number from 0 to {_MAX_OFFSET}")
    return value


Limit = Annotated[
    int,
    AfterValidator(_check_limit),
    Query(description="How many to return.", json_schema_extra={"minimum": 1, "maximum": MAX_LIMIT}),
]
Offset = Annotated[
    int,
    AfterValidator(_check_offset),
    Query(description="How many to skip.", json_schema_extra={"minimum": 0, "maximum": _MAX_OFFSET}),
]


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that was asked for."""

    limit: int
    offset: int

    def describe(self, *, total: int, returned: int) -> Pagination:
        """The `pagination` of an answer with `returned` of `total` rows."""
        return Pagination(total=total, limit=self.limit, offset=self.offset, has_more=self.offset + returned < total)


async def get_page(limit: Limit = DEFAULT_LIMIT, offset: Offset = 0) -> Page:
    """The dependency that reads `limit` and `offset`; asynchronous, as FastAPI gives others a thread each."""
    return Page(limit=limit, offset=offset)


PageQuery = Annotated[Page, Depends(get_page)]


@dataclass(frozen=True, slots=True)
class ShortPage:
    """The part of a short list that was asked for; without a `limit` it is everything from `offset` on."""

    limit: int | None
    offset: int

    def cut(self, rows: Sequence[_Row]) -> tuple[Sequence[_Row], Pagination]:
        """The page of a whole list, and the `pagination` of the answer."""
        limit = max(1, len(rows)) if self.limit is None else self.limit
        found = rows[self.offset : self.offset + limit]
        return found, Page(limit, self.offset).describe(total=len(rows), returned=len(found))


_ShortLimit = Annotated[
    int | None,
    AfterValidator(_check_optional_limit),
    Query(description="How many to return; by default all.", json_schema_extra={"minimum": 1, "maximum": MAX_LIMIT}),
]


async def get_short_page(limit: _ShortLimit = None, offset: Offset = 0) -> ShortPage:
    """The dependency of lists that clients expect whole."""
    return ShortPage(limit=limit, offset=offset)


ShortPageQuery = Annotated[ShortPage, Depends(get_short_page)]
