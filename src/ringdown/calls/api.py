"""Routes of calls."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from ringdown import errors, values
from ringdown.calls import cursor as cursors
from ringdown.calls import live, record, rendering, schemas, service
from ringdown.calls import query as queries
from ringdown.calls.cursor import Place
from ringdown.calls.known_query import KnownList, KnownQueries
from ringdown.calls.models import Call, CallSettings, PlaceCall
from ringdown.calls.recording import RecordingLinks, RecordingStore
from ringdown.calls.rendering import CallLinks
from ringdown.calls.store import calls as store
from ringdown.calls.store import events, listing, shown, turns
from ringdown.calls.store.listing import CallPage, CallQuery
from ringdown.calls.store.shown import ShownPage
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.envelope import Pagination
from ringdown.web.pagination import Page, PageQuery
from ringdown.web.shortcut import Answer

_CALL = {"$ref": "#/components/schemas/CallObject"}
_TRANSCRIPT = openapi.describe_one({"$ref": "#/components/schemas/TranscriptObject"}, "What was said.")
_RECORDING = openapi.describe_one({"$ref": "#/components/schemas/RecordingObject"}, "Where the recording is.")
_EVENTS = openapi.describe_list({"$ref": "#/components/schemas/CallEventObject"}, "What happened in the call.")
_BULK_DELETE = openapi.describe_one({"$ref": "#/components/schemas/BulkDeleteObject"}, "What was deleted.", status=201)
_ONE = openapi.describe_one(_CALL, "The call.")
_MADE = openapi.describe_one(_CALL, "The call.", status=201)

router = route.new_router(prefix="/calls", tag="Calls")
#: `transcript_url` lies beside the API's base path, as documented.
transcript_router = route.new_router(prefix="/calls", tag="Calls")

_known_queries = KnownQueries()
# Links of one minute are the same, signed at its end.
_SIGNED_TOGETHER_SECONDS = 60


async def get_links(request: Request) -> CallLinks:
    """Where this application's call documents are; the dependency of every answer that shows a call."""
    now_seconds = values.now_ms() // 1000
    signed_at = now_seconds - now_seconds % -_SIGNED_TOGETHER_SECONDS
    state = request.app.state
    kept: CallLinks | None = getattr(state, "call_links", None)
    if kept is None or kept.signed_at != signed_at:
        links: RecordingLinks = state.recording_links
        kept = state.call_links = CallLinks(await links.get_signer(), signed_at=signed_at)
    return kept


async def get_recordings(request: Request) -> RecordingStore:
    """This application's recordings; asynchronous, as FastAPI gives others a thread each."""
    recordings: RecordingStore = request.app.state.recordings
    return recordings


Links = Annotated[CallLinks, Depends(get_links)]
Recordings = Annotated[RecordingStore, Depends(get_recordings)]


def find_known_list(request: Request) -> Answer | None:
    """The shortcut of lists whose filters were read before."""
    known = _known_queries.find(request.scope["query_string"])
    return None if known is None else partial(_list_known, known)


async def _list_known(known: KnownList, request: Request) -> Response:
    query = known.find_query(request.state.caller.organization_id)
    return await _respond_list(request, query, known.page, await get_links(request), known.cursor)


@router.get(
    "",
    summary="List calls",
    responses=openapi.describe_list(_CALL, "Calls, newest first."),
    openapi_extra=queries.OPENAPI,
)
async def list_calls(
    request: Request,
    query: Annotated[CallQuery, Depends(queries.read_query)],
    page: PageQuery,
    links: Links,
    cursor: Annotated[
        str | None, Query(description="`pagination.next_cursor` of the page before; needs the same filters.")
    ] = None,
    include: Annotated[Literal["transcript"] | None, Query(description="Adds `transcript` to each call.")] = None,
) -> Response:
    """Calls in the order of `sort`, newest first by default.

    `total` is exact, but for words, metadata and durations only up to 100,000; beyond that `pagination.total_exact` is
    false. Paging by cursor neither misses nor doubles a call.
    """
    if include is None:
        _known_queries.learn(request.scope["query_string"], query)
        return await _respond_list(request, query, page, links, cursor)
    after = queries.find_place(query, page=page, cursor=cursor)
    async with context.get_database(request).read() as connection:
        found = await listing.list_calls(connection, query, limit=page.limit, offset=page.offset, after=after)
        ids = [call.id for call in found.calls]
        spoken = await turns.list_turns(connection, query.organization_id, ids)
    rendered = [rendering.render_with_transcript(call, spoken[call.id], links) for call in found.calls]
    last = listing.find_place(found.calls[-1], query.sort) if found.calls else None
    return _respond_page(request, rendered, found, page=page, query=query, last=last)


async def _respond_list(
    request: Request, query: CallQuery, page: Page, links: CallLinks, cursor: str | None
) -> Response:
    after = queries.find_place(query, page=page, cursor=cursor)
    database = context.get_database(request)
    async with database.read_direct() if listing.is_quick(query) else database.read() as connection:
        found = await shown.find_shown(connection, query, limit=page.limit, offset=page.offset, after=after)
    rendered = [links.render_shown(row, query.organization_id) for row in found.calls]
    last = listing.find_place(found.calls[-1], query.sort) if found.calls else None
    return _respond_page(request, rendered, found, page=page, query=query, last=last)


def _respond_page(
    request: Request,
    rendered: Sequence[object],
    found: ShownPage | CallPage,
    *,
    page: Page,
    query: CallQuery,
    last: Place | None,
) -> Response:
    next_cursor = cursors.serialize_cursor(last, query) if found.has_more and last is not None else None
    pagination = Pagination(
        total=found.total,
        limit=page.limit,
        offset=found.offset,
        has_more=found.has_more,
        total_exact=found.total_exact,
    )
    return envelope.respond_page(request, rendered, pagination, next_cursor=next_cursor)


@router.post("", summary="Place a call", status_code=201, responses=_MADE | openapi.PAYMENT_REQUIRED)
async def create_call(
    request: Request, caller: AuthenticatedCaller, body: schemas.CreateCall, links: Links
) -> Response:
    """Place a call. An agent without an outbound number gets a call that has `failed` at once."""
    settings = body.call_settings
    placed = PlaceCall(
        agent_id=body.agent_id,
        phone_number=body.phone_number,
        from_number=body.from_number,
        settings=CallSettings() if settings is None else settings.to_settings(CallSettings()),
        variables=body.variables or {},
        metadata=body.metadata or {},
    )
    call = await service.place_call(
        context.get_database(request),
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        request=placed,
    )
    return envelope.respond_created(request, rendering.render_call(call, links))


@router.post("/bulk-delete", summary="Delete calls", status_code=201, responses=_BULK_DELETE)
async def bulk_delete_calls(
    request: Request, caller: AuthenticatedCaller, body: schemas.BulkDelete, recordings: Recordings
) -> Response:
    """Delete calls that have ended; those that are absent or have not ended are listed in `failed_ids`."""
    deletion = await record.delete_calls(
        context.get_database(request),
        recordings=recordings,
        organization_id=caller.organization_id,
        call_ids=body.ids,
    )
    counted = {
        "deleted_count": len(deletion.deleted_ids),
        "failed_count": len(deletion.failed_ids),
        "deleted_ids": deletion.deleted_ids,
        "failed_ids": deletion.failed_ids,
    }
    return envelope.respond_created(request, counted)


@router.get("/{call_id}", summary="Get a call", responses=_ONE)
async def get_call(request: Request, caller: AuthenticatedCaller, call_id: str, links: Links) -> Response:
    """One call with its transcript so far."""
    async with context.get_database(request).read() as connection:
        call = await store.get_call(connection, caller.organization_id, call_id)
        spoken = await turns.list_turns(connection, caller.organization_id, [call_id])
    return envelope.respond(request, rendering.render_with_transcript(call, spoken[call_id], links))


@router.patch("/{call_id}", summary="Update a call", responses=_ONE)
async def update_call(
    request: Request, caller: AuthenticatedCaller, call_id: str, body: schemas.UpdateCall, links: Links
) -> Response:
    """Change settings of a queued call, or the variables and metadata of any call."""
    call = await record.update_call(
        context.get_database(request), organization_id=caller.organization_id, call_id=call_id, body=body
    )
    return envelope.respond(request, rendering.render_call(call, links))


@router.delete("/{call_id}", summary="Delete a call", responses=openapi.describe_deleted())
async def delete_call(request: Request, caller: AuthenticatedCaller, call_id: str, recordings: Recordings) -> Response:
    """Delete a call that has ended, with its transcript and recording."""
    await record.delete_call(
        context.get_database(request),
        recordings=recordings,
        organization_id=caller.organization_id,
        call_id=call_id,
    )
    return envelope.respond_deleted(request, call_id)


@router.post("/{call_id}/hangup", summary="Hang up a call", status_code=201, responses=_MADE)
async def hang_up_call(request: Request, caller: AuthenticatedCaller, call_id: str, links: Links) -> Response:
    """End a call. A queued call is cancelled at once; one that rings or talks ends a moment later."""
    call = await live.hang_up_call(
        context.get_database(request),
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        call_id=call_id,
    )
    return envelope.respond_created(request, rendering.render_call(call, links))


@router.post("/{call_id}/hold", summary="Hold a call", status_code=201, responses=_MADE)
async def hold_call(request: Request, caller: AuthenticatedCaller, call_id: str, links: Links) -> Response:
    """Put the far party on hold: it hears music, and the agent rests. Needs a call that is `in_progress`."""
    return await _hold(request, caller, call_id, links, is_held=True)


@router.post("/{call_id}/resume", summary="Resume a call", status_code=201, responses=_MADE)
async def resume_call(request: Request, caller: AuthenticatedCaller, call_id: str, links: Links) -> Response:
    """Take a call off hold."""
    return await _hold(request, caller, call_id, links, is_held=False)


async def _hold(
    request: Request, caller: AuthenticatedCaller, call_id: str, links: CallLinks, *, is_held: bool
) -> Response:
    call = await live.hold_call(
        context.get_database(request), organization_id=caller.organization_id, call_id=call_id, is_held=is_held
    )
    return envelope.respond_created(request, rendering.render_call(call, links))


@router.post("/{call_id}/digits", summary="Send digits", status_code=201, responses=_MADE)
async def send_digits(
    request: Request, caller: AuthenticatedCaller, call_id: str, body: schemas.SendDigits, links: Links
) -> Response:
    """Play keypad digits to the far party of a call that is `in_progress`."""
    call = await live.send_digits(
        context.get_database(request),
        organization_id=caller.organization_id,
        call_id=call_id,
        digits=body.digits,
    )
    return envelope.respond_created(request, rendering.render_call(call, links))


@router.post("/{call_id}/transfer", summary="Transfer a call", status_code=201, responses=_MADE)
async def transfer_call(
    request: Request, caller: AuthenticatedCaller, call_id: str, body: schemas.TransferCall, links: Links
) -> Response:
    """Hand the far party over to another number; the call's `transfer` tells how far that is.

    `blind` hands it over at once. `attended` asks the other person first, while the far party hears music, and
    returns to the agent when that person declines or cannot be reached.
    """
    call = await live.transfer_call(
        context.get_database(request),
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        call_id=call_id,
        transfer=body.to_transfer(),
    )
    return envelope.respond_created(request, rendering.render_call(call, links))


@transcript_router.get(
    "/{call_id}/transcript", summary="Get a transcript", responses=_TRANSCRIPT, operation_id="get_linked_transcript"
)
@router.get("/{call_id}/transcript", summary="Get a transcript", responses=_TRANSCRIPT)
async def get_transcript(request: Request, caller: AuthenticatedCaller, call_id: str) -> Response:
    """What was said so far."""
    async with context.get_database(request).read() as connection:
        call = await store.get_call(connection, caller.organization_id, call_id)
        spoken = await turns.list_turns(connection, caller.organization_id, [call_id])
    transcript = {
        "call_id": call.id,
        "transcript": rendering.render_turns(spoken[call_id]),
        "summary": call.summary,
    }
    return envelope.respond(request, transcript)


@router.get("/{call_id}/events", summary="List the events of a call", responses=_EVENTS)
async def list_events(request: Request, caller: AuthenticatedCaller, call_id: str, page: PageQuery) -> Response:
    """What happened in the call besides its turns, in order: tools, knowledge, providers that failed, machines."""
    async with context.get_database(request).read() as connection:
        await store.get_call(connection, caller.organization_id, call_id)
        total, found = await events.list_events(
            connection, caller.organization_id, call_id, limit=page.limit, offset=page.offset
        )
    rendered = [rendering.render_event(event) for event in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(found)))


@router.get("/{call_id}/recording", summary="Get a recording", responses=_RECORDING)
async def get_recording(request: Request, caller: AuthenticatedCaller, call_id: str, links: Links) -> Response:
    """The link to the recording; 404 when there is none, or not yet."""
    async with context.get_database(request).read() as connection:
        call: Call = await store.get_call(connection, caller.organization_id, call_id)
    url = links.find_recording(call)
    if url is None:
        raise errors.NotFound("Recording", call_id)
    recording = {
        "call_id": call.id,
        "recording_url": url,
        "format": "mp3",
        "duration_seconds": call.duration_seconds,
    }
    return envelope.respond(request, recording)
