"""Pages by `limit` and `offset`, as every list of the API takes them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AfterValidator

from ringdown.web.envelope import Pagination

MAX_LIMIT = 100
DEFAULT_LIMIT = 50
# The largest whole number every JSON client can hold.
_MAX_OFFSET = 2**53 - 1


def _check_limit(value: int) -> int:
    if not 1 <= value <= MAX_LIMIT:
        raise ValueError(f"must be a whole number from 1 to {MAX_LIMIT}")
    return value


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
