"""The query parameters of the list of calls, in all documented spellings."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema

from ringdown import errors, values
from ringdown.calls import cursor as cursors
from ringdown.calls.cursor import Place
from ringdown.calls.models import CallStatus, Direction, EndedReason
from ringdown.calls.store.listing import CallQuery, Sort
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

WireStatus = Literal[
    "queued", "ringing", "in_progress", "completed", "failed", "created", "in-progress", "ended", "cancelled"
]

# The guides' spellings; `cancelled` is an ending, not a state.
_STATUS_OF_SPELLING: dict[WireStatus, CallStatus] = {
    "created": "queued",
    "in-progress": "in_progress",
    "ended": "completed",
    "cancelled": "failed",
}


def _parse_time(value: object) -> int:
    try:
        instant_ms = values.parse_wire_time(str(value))
    except (ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 time such as 2026-04-05T10:00:00Z") from None
    return instant_ms


Time = Annotated[int, BeforeValidator(_parse_time), WithJsonSchema({"type": "string", "format": "date-time"})]


async def read_query(
    caller: AuthenticatedCaller,
    agent_id: Annotated[str | None, Query(description="Only calls of this agent.", min_length=1)] = None,
    status: Annotated[
        WireStatus | None,
        Query(
            description="Only calls in this state. Also accepted: `created` (queued), `in-progress` (in_progress), "
            "`ended` (completed), `cancelled` (failed with ended_reason cancelled)."
        ),
    ] = None,
    direction: Annotated[Direction | None, Query(description="Only calls in this direction.")] = None,
    batch_call_id: Annotated[str | None, Query(description="Only calls that this batch placed.", min_length=1)] = None,
    campaign_id: Annotated[
        str | None, Query(description="Another name of `batch_call_id`.", min_length=1, deprecated=True)
    ] = None,
    created_after: Annotated[Time | None, Query(description="Only calls created at this time or later.")] = None,
    created_before: Annotated[Time | None, Query(description="Only calls created before this time.")] = None,
    sort: Annotated[
        Sort, Query(description="The order. `-` is the greatest first; calls without the value come last.")
    ] = "-created_at",
) -> CallQuery:
    """The dependency that reads the filters; asynchronous, as FastAPI gives others a thread each."""
    if batch_call_id is not None and campaign_id not in (None, batch_call_id):
        raise errors.invalid("campaign_id", "is another name of batch_call_id, which says something else; send one")
    ended_reason: EndedReason | None = "cancelled" if status == "cancelled" else None
    return CallQuery(
        organization_id=caller.organization_id,
        agent_id=agent_id,
        status=None if status is None else _to_status(status),
        ended_reason=ended_reason,
        direction=direction,
        batch_call_id=batch_call_id or campaign_id,
        created_after=created_after,
        created_before=created_before,
        sort=sort,
    )


def _to_status(status: WireStatus) -> CallStatus:
    found: CallStatus = _STATUS_OF_SPELLING.get(status, status)  # type: ignore[arg-type]
    return found


def find_place(query: CallQuery, *, page: PageQuery, cursor: str | None) -> Place | None:
    """The place after which the page begins; None when it begins at the offset. Raises `ValidationFailed`."""
    if cursor is None:
        return None
    if page.offset:
        raise errors.invalid("offset", "cannot be combined with cursor, which is a place already")
    try:
        return cursors.parse_cursor(cursor, query)
    except ValueError as error:
        raise errors.invalid("cursor", str(error)) from error
