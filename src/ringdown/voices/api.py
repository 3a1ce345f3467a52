"""Routes of voices."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from ringdown import errors, values
from ringdown.voices import catalog, schemas, service, store
from ringdown.voices.catalog import Voice
from ringdown.voices.preview import Previews
from ringdown.voices.store import OwnVoice
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import ShortPageQuery

# The samples in base64 with line ends, and what stands around them.
_MAX_BODY_BYTES = 36 * 1024 * 1024
_VOICE = {"$ref": "#/components/schemas/VoiceObject"}
_ONE = openapi.describe_one(_VOICE, "The voice.")
_MADE = {**openapi.describe_one(_VOICE, "The voice.", status=201), **openapi.PROVIDER_FAILED}
_AUDIO: dict[str, Any] = {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}}
_PREVIEW: dict[int | str, dict[str, Any]] = {
    200: {"description": "One sentence as MP3.", "content": _AUDIO},
    **openapi.PROVIDER_FAILED,
}


class _SamplesRoute(route.ApiRoute):
    """A route whose body holds recordings."""

    max_body_bytes = _MAX_BODY_BYTES


def new_router(previews: Previews) -> APIRouter:
    """The routes; `previews` speak."""
    router = route.new_router(prefix="/voices", tag="Voices")
    listed = openapi.describe_list(_VOICE, "Voices, the installation's first.")
    router.get("", summary="List voices", responses=listed)(list_voices)
    router.post("", summary="Import a voice", status_code=201, responses=_MADE)(import_voice)
    router.add_api_route(
        "/clone",
        clone_voice,
        methods=["POST"],
        summary="Clone a voice",
        status_code=201,
        responses=_MADE,
        route_class_override=_SamplesRoute,
    )
    one, change = "/{voice_id}", "Update a voice"
    router.get(one, summary="Get a voice", responses=_ONE)(get_voice)
    router.put(one, summary=change, responses=_ONE, operation_id="replace_voice")(update_voice)
    router.patch(one, summary=change, responses=_ONE)(update_voice)
    deleted = {**openapi.describe_deleted(), **openapi.PROVIDER_FAILED}
    router.delete(one, summary="Delete a voice", responses=deleted)(delete_voice)

    @router.get(f"{one}/preview", summary="Hear a voice", responses=_PREVIEW, response_class=Response)
    async def preview_voice(request: Request, caller: AuthenticatedCaller, voice_id: str) -> Response:
        """What a voice sounds like: one sentence in its language, as MP3."""
        found = await _find(request, caller.organization_id, voice_id)
        if isinstance(found, OwnVoice) and found.status != "active":
            raise errors.invalid("voice_id", f"this voice cannot speak: it is {found.status}")
        audio = await previews.get_preview(found.to_voice() if isinstance(found, OwnVoice) else found)
        return Response(audio, media_type="audio/mpeg", headers={"Cache-Control": "private, max-age=3600"})

    return router


async def list_voices(
    request: Request,
    caller: AuthenticatedCaller,
    page: ShortPageQuery,
    source: Annotated[
        Literal["custom", "system", "ultravox"] | None,
        Query(description="`custom` keeps your own, `system` (or `ultravox`) those of the installation."),
    ] = None,
) -> Response:
    """All voices an agent may speak with, the installation's first, in pages if `limit` says so."""
    found: list[Voice | OwnVoice] = []
    if source != "custom":
        found.extend(catalog.list_voices(context.get_settings(request)))
    if source in (None, "custom"):
        async with context.get_database(request).read() as connection:
            found.extend(await store.list_voices(connection, caller.organization_id))
    voices, pagination = page.cut(found)
    return envelope.respond_page(request, [_render(voice) for voice in voices], pagination)


async def get_voice(request: Request, caller: AuthenticatedCaller, voice_id: str) -> Response:
    """One voice, by its id or by its readable name (`espeak:en-us`)."""
    return envelope.respond(request, _render(await _find(request, caller.organization_id, voice_id)))


async def import_voice(request: Request, caller: AuthenticatedCaller, body: schemas.ImportVoice) -> Response:
    """Add a voice of a configured provider, ElevenLabs by default; the provider is asked whether it has it."""
    voice = await service.import_voice(
        context.get_database(request),
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        body=body,
    )
    return envelope.respond_created(request, _render(voice))


async def clone_voice(request: Request, caller: AuthenticatedCaller, body: schemas.CloneVoice) -> Response:
    """Make a voice of recordings; it is `training` at first, and an event tells when it can speak."""
    voice = await service.clone_voice(
        context.get_database(request),
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        body=body,
    )
    return envelope.respond_created(request, _render(voice))


async def update_voice(
    request: Request, caller: AuthenticatedCaller, voice_id: str, body: schemas.UpdateVoice
) -> Response:
    """Change name or description of a voice of your own; PUT and PATCH do the same."""
    await _require_own(request, caller.organization_id, voice_id)
    voice = await service.update_voice(
        context.get_database(request), organization_id=caller.organization_id, voice_id=voice_id, body=body
    )
    return envelope.respond(request, _render(voice))


async def delete_voice(request: Request, caller: AuthenticatedCaller, voice_id: str) -> Response:
    """Delete a voice of your own; agents that have it speak with the default voice from then on."""
    await _require_own(request, caller.organization_id, voice_id)
    await service.delete_voice(
        context.get_database(request),
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        voice_id=voice_id,
    )
    return envelope.respond_deleted(request, voice_id)


async def _find(request: Request, organization_id: str, voice_id: str) -> Voice | OwnVoice:
    known = catalog.find_voice(context.get_settings(request), voice_id)
    if known is not None:
        return known
    async with context.get_database(request).read() as connection:
        return await store.get_voice(connection, organization_id, voice_id)


async def _require_own(request: Request, organization_id: str, voice_id: str) -> None:
    if isinstance(await _find(request, organization_id, voice_id), Voice):
        raise errors.invalid("voice_id", "this voice comes with the installation and cannot be changed")


def _render(voice: Voice | OwnVoice) -> dict[str, object]:
    own = voice if isinstance(voice, OwnVoice) else None
    return {
        "id": voice.id,
        "name": voice.name,
        "provider": voice.provider,
        "type": "reference" if own is None else own.type,
        "language": voice.language,
        "status": "active" if own is None else own.status,
        "created_at": None if own is None else values.to_wire_time(own.created_at),
        "updated_at": None if own is None else values.to_wire_time(own.updated_at),
        "description": None if own is None else own.description,
        "provider_voice_id": voice.provider_voice,
        "error": None if own is None else own.error,
    }
