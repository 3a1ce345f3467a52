"""The route of events: for those who were away, or do not want to be called."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from ringdown import errors
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.envelope import Pagination
from ringdown.web.pagination import PageQuery
from ringdown.webhooks import event_store, payload, service
from ringdown.webhooks.event_store import EventQuery
from ringdown.webhooks.models import EventType
from ringdown.webhooks.schemas import Instant

_EVENT = {"$ref": "#/components/schemas/EventObject"}

router = route.new_router(prefix="/events", tag="Webhooks")


@router.get("", summary="List events", responses=openapi.describe_list(_EVENT, "Events."))
async def list_all_events(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    event: Annotated[EventType | None, Query(description="Only of this type.")] = None,
    call_id: Annotated[str | None, Query(description="Only of this call.", min_length=1)] = None,
    since: Annotated[Instant | None, Query(description="Only of this time or later.")] = None,
    sort: Annotated[
        Literal["-created_at", "created_at"] | None,
        Query(description="Newest first by default; oldest first, `created_at`, with `after` or `cursor`."),
    ] = None,
    after: Annotated[
        str | None, Query(description="The id of an event: what came after it, oldest first.", min_length=1)
    ] = None,
    cursor: Annotated[str | None, Query(description="`pagination.next_cursor` of the page before.")] = None,
) -> Response:
    """Events as webhooks tell them. Oldest first, none is missed or doubled by whoever goes on after the last one."""
    owner = caller.organization_id
    place = cursor or after
    if cursor and after not in (None, cursor):
        raise errors.invalid("cursor", "cannot be combined with after; send one of them")
    query = EventQuery(organization_id=owner, event=event, subject_id=call_id, since=since)
    if place is None and sort != "created_at":
        async with context.get_database(request).read() as connection:
            found, total = await event_store.list_newest(connection, query, limit=page.limit, offset=page.offset)
        rendered = [payload.render_event(one) for one in found]
        return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(found)))
    if sort == "-created_at":
        raise errors.invalid("sort", "must be created_at, or be left out, with after or cursor")
    if place is not None and page.offset:
        raise errors.invalid("offset", "cannot be combined with after or cursor, which is a place already")
    await service.number_events(context.get_database(request), organization_id=owner)
    async with context.get_database(request).read() as connection:
        after_seq = 0
        if place is not None:
            known = await event_store.find_seq(connection, owner, place)
            if known is None:
                raise errors.invalid("after" if cursor is None else "cursor", "is not the id of an event")
            after_seq = known
        found, total = await event_store.list_in_order(
            connection, query, after_seq=after_seq, limit=page.limit, offset=page.offset
        )
    rendered = [payload.render_event(one) for one in found]
    pagination = Pagination(
        total=total, limit=page.limit, offset=page.offset, has_more=page.offset + len(found) < total
    )
    return envelope.respond_page(request, rendered, pagination, next_cursor=found[-1].id if found else place)
