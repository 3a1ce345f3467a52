"""The route of signed recording links; the signature stands for the API key."""

from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from ringdown import errors, values
from ringdown.calls import byte_range
from ringdown.calls.api import Recordings
from ringdown.calls.byte_range import RangeNotSatisfiable
from ringdown.calls.recording import RecordingLinks
from ringdown.calls.store import calls as store
from ringdown.web import context, openapi, route

_MEDIA_TYPE = "audio/mpeg"
_AUDIO: dict[str, Any] = {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole recording.", "content": _AUDIO},
    206: {"description": "The part that `Range` asks for.", "content": _AUDIO},
    403: openapi.REFUSALS[403] | {"description": "The link was changed or has expired."},
    416: openapi.PUBLIC_REFUSALS[422] | {"description": "`Range` begins after the end."},
}

router = route.new_public_router(prefix="/recordings", tag="Recordings")


class RangeRefused(errors.ValidationFailed):
    """The range begins after the end of the recording: a bad value, with the status that RFC 9110 asks for."""

    status = 416


@router.head("/{call_id}.mp3", include_in_schema=False)
@router.get("/{call_id}.mp3", summary="Download a recording", responses=_RESPONSES, response_class=Response)
async def download_recording(
    request: Request,
    call_id: str,
    recordings: Recordings,
    organization: Annotated[str, Query()] = "",
    expires: Annotated[str, Query()] = "",
    signature: Annotated[str, Query()] = "",
) -> Response:
    """The MP3 of a call, or a part of it (`Range`). Use `recording_url` as it is; it expires."""
    links: RecordingLinks = request.app.state.recording_links
    signer = await links.get_signer()
    signer.verify(
        organization_id=organization,
        call_id=call_id,
        expires=expires,
        signature=signature,
        now_seconds=values.now_ms() // 1000,
    )
    async with context.get_database(request).read() as connection:
        call = await store.get_call(connection, organization, call_id)
    if not call.has_recording:
        raise errors.NotFound("Recording", call_id)
    file = await recordings.get_file(organization, call_id)
    headers = {"Accept-Ranges": "bytes", "ETag": file.etag, "Content-Disposition": f'inline; filename="{call_id}.mp3"'}
    part = None if request.method == "HEAD" else _find_part(request, size=file.size, etag=file.etag)
    start, end = part or (0, file.size)
    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    if request.method == "HEAD" or start == end:
        return Response(status_code=200, headers=headers, media_type=_MEDIA_TYPE)
    body = recordings.read(organization, call_id, start=start, end=end)
    return StreamingResponse(body, 206 if part else 200, headers=headers, media_type=_MEDIA_TYPE)


def _find_part(request: Request, *, size: int, etag: str) -> tuple[int, int] | None:
    condition = request.headers.get("if-range")
    if condition is not None and condition != etag:
        return None
    try:
        return byte_range.parse_range(request.headers.get("range"), size)
    except RangeNotSatisfiable as error:
        context.set_header(request, "Content-Range", f"bytes */{size}")
        reason = f"begins after the end of the recording, which has {size} bytes"
        raise RangeRefused([errors.FieldError("Range", reason)]) from error
