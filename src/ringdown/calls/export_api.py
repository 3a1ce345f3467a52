"""The route of whole lists of calls as files; it must be known before that of a single call."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from ringdown.calls import export
from ringdown.calls import query as queries
from ringdown.calls.api import Links
from ringdown.calls.export import Format, Told
from ringdown.calls.store.asked import CallQuery
from ringdown.web import context, route

_MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The calls: a header and a line for each in CSV, or a JSON object a line.",
        "content": {kind: {"schema": {"type": "string"}} for kind in _MEDIA_TYPES.values()},
    }
}

router = route.new_router(prefix="/calls", tag="Calls")


@router.get(
    "/export",
    summary="Export calls",
    responses=_RESPONSES,
    response_class=Response,
    openapi_extra=queries.OPENAPI,
)
async def export_calls(
    request: Request,
    query: Annotated[CallQuery, Depends(queries.read_query)],
    links: Links,
    kind: Annotated[Format, Query(alias="format", description="What the file is made of.")] = "csv",
    include: Annotated[Literal["transcript"] | None, Query(description="Adds `transcript` to each call.")] = None,
) -> Response:
    """All calls of a list as a file, however many; filters and `sort` are those of the list.

    The file is written while it is read. One that could not be read to its end is cut off: the connection breaks.
    """
    has_transcripts = include == "transcript"
    pages = export.read_pages(context.get_database(request), query, has_transcripts=has_transcripts)
    # Before the answer begins: what fails here is still told as an error.
    first: Sequence[Told] = await anext(pages, [])
    head = export.write_head(kind, has_transcripts=has_transcripts)
    return StreamingResponse(
        _write(head, first, pages, lambda page: export.write_page(kind, page, links)),
        media_type=_MEDIA_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="calls.{kind}"'},
    )


async def _write(
    head: bytes,
    first: Sequence[Told],
    pages: AsyncGenerator[Sequence[Told]],
    write: Callable[[Sequence[Told]], bytes],
) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(pages):
        yield head + write(first)
        async for page in pages:
            yield write(page)
