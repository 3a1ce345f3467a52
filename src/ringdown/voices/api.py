"""Routes of voices."""

from typing import Literal

from fastapi import Request, Response
from pydantic import BaseModel

from ringdown.voices import catalog
from ringdown.voices.catalog import Voice
from ringdown.web import context, envelope, openapi, route

router = route.new_router(prefix="/voices", tag="Voices")


class VoiceObject(BaseModel):
    """A speaking voice. A voice that comes with the installation has no times."""

    id: str
    name: str
    provider: str
    type: Literal["reference", "custom"]
    language: str | None
    status: Literal["training", "active", "failed"]
    created_at: str | None
    updated_at: str | None


_VOICE = {"$ref": "#/components/schemas/VoiceObject"}


@router.get(
    "",
    summary="List voices",
    responses=openapi.describe_one({"type": "array", "items": _VOICE}, "All voices."),
)
async def list_voices(request: Request) -> Response:
    """All voices an agent may speak with; the list has no pages."""
    voices = catalog.list_voices(context.get_settings(request))
    return envelope.respond(request, [_render(voice) for voice in voices])


@router.get("/{voice_id}", summary="Get a voice", responses=openapi.describe_one(_VOICE, "The voice."))
async def get_voice(request: Request, voice_id: str) -> Response:
    """One voice, by its id or by its readable name (`espeak:en-us`)."""
    return envelope.respond(request, _render(catalog.get_voice(context.get_settings(request), voice_id)))


def _render(voice: Voice) -> dict[str, object]:
    return {
        "id": voice.id,
        "name": voice.name,
        "provider": voice.provider,
        "type": "reference",
        "language": voice.language,
        "status": "active",
        "created_at": None,
        "updated_at": None,
    }
