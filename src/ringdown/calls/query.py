"""The query parameters of the list of calls, in all documented spellings."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import BeforeValidator, WithJsonSchema

from ringdown import errors, values
from ringdown.calls import cursor as cursors
from ringdown.calls import words
from ringdown.calls.cursor import Place
from ringdown.calls.models import CallStatus, Direction, EndedReason, Outcome
from ringdown.calls.store.asked import CallQuery, Sort
from ringdown.web import query as parameters
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery
from ringdown.web.query import Number

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


def _parse_seconds(value: object) -> float:
    text = str(value)
    try:
        return values.parse_duration_ms(int(text) if text.isdecimal() else text) / 1000
    except ValueError:
        raise ValueError('must be a duration such as "30s", "500ms" or whole seconds') from None


Time = Annotated[int, BeforeValidator(_parse_time), WithJsonSchema({"type": "string", "format": "date-time"})]
Duration = Annotated[
    float, BeforeValidator(_parse_seconds), WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}(ms|s)?$"})
]

_MAX_PAIRS = 10
_MAX_WORDS_LENGTH = 200
_METADATA: dict[str, Any] = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "style": "deepObject",
    "explode": True,
    "description": "Only calls whose metadata has these values: `metadata.<key>=value`, or `metadata[<key>]=value`. A "
    "member of an object has a path as its key (`metadata.order.id`), a list matches by any of its entries, and a "
    "value that is no string is written as JSON (`7`, `true`).",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": _MAX_PAIRS},
    # Else the reference at `/docs` (RapiDoc) sends a made-up pair.
    "x-fill-example": "no",
}
#: What routes with `read_query` add to their description: the parameters whose names only the client knows.
OPENAPI: dict[str, Any] = {"parameters": [_METADATA]}


async def read_query(
    request: Request,
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
    contact_id: Annotated[str | None, Query(description="Only calls to this contact.", min_length=1)] = None,
    from_number: Annotated[Number | None, Query(description="Only calls from this number.", min_length=1)] = None,
    to_number: Annotated[Number | None, Query(description="Only calls to this number.", min_length=1)] = None,
    ended_reason: Annotated[EndedReason | None, Query(description="Only calls that ended like this.")] = None,
    outcome: Annotated[Outcome | None, Query(description="Only calls that achieved this.")] = None,
    created_after: Annotated[Time | None, Query(description="Only calls created at this time or later.")] = None,
    created_before: Annotated[Time | None, Query(description="Only calls created before this time.")] = None,
    min_duration: Annotated[
        Duration | None, Query(description="Only calls that took this long or longer: `90s`, or seconds.")
    ] = None,
    max_duration: Annotated[Duration | None, Query(description="Only calls that took no longer than this.")] = None,
    q: Annotated[
        str | None,
        Query(
            description="Only ended calls with all these words in transcript or summary, whatever their case and "
            'accents; words in quotes (`"call me back"`) must stand next to each other.',
            min_length=1,
            max_length=_MAX_WORDS_LENGTH,
        ),
    ] = None,
    sort: Annotated[
        Sort, Query(description="The order. `-` is the greatest first; calls without the value come last.")
    ] = "-created_at",
) -> CallQuery:
    """The dependency that reads the filters; asynchronous, as FastAPI gives others a thread each."""
    if batch_call_id is not None and campaign_id not in (None, batch_call_id):
        raise errors.invalid("campaign_id", "is another name of batch_call_id, which says something else; send one")
    if status == "cancelled" and ended_reason not in (None, "cancelled"):
        raise errors.invalid("ended_reason", "must be cancelled, as the status says, or be left out")
    return CallQuery(
        organization_id=caller.organization_id,
        agent_id=agent_id,
        status=None if status is None else _to_status(status),
        ended_reason="cancelled" if status == "cancelled" else ended_reason,
        direction=direction,
        batch_call_id=batch_call_id or campaign_id,
        contact_id=contact_id,
        from_number=from_number,
        to_number=to_number,
        outcome=outcome,
        created_after=created_after,
        created_before=created_before,
        # Calls last whole seconds.
        min_duration=None if min_duration is None else math.ceil(min_duration),
        max_duration=None if max_duration is None else math.floor(max_duration),
        metadata=_read_metadata(parameters.read_members(request, "metadata")),
        phrases=() if q is None else words.parse_query(q),
        sort=sort,
    )


def _read_metadata(pairs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if len(pairs) > _MAX_PAIRS:
        raise errors.invalid("metadata", f"may have at most {_MAX_PAIRS} keys")
    return tuple(sorted(pairs.items()))


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
