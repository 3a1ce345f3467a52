"""What an agent names that lies elsewhere: voices, models, providers, tools, knowledge bases; each must be known."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.agents import brains
from ringdown.agents.models import DEFAULT_MODEL, Fallbacks
from ringdown.agents.schemas import UpdateAgent
from ringdown.agents.setting_schemas import FallbacksBody
from ringdown.config import Settings
from ringdown.errors import FieldError
from ringdown.knowledge import store as knowledge_store
from ringdown.providers import registry
from ringdown.tools import store as tool_store
from ringdown.tools.models import BUILTIN_NAMES
from ringdown.voices import catalog
from ringdown.voices.catalog import Voice


def read_providers(
    settings: Settings, body: UpdateAgent, *, own_voices: Sequence[Voice] = ()
) -> tuple[dict[str, Any], list[FieldError]]:
    """The fields of `Agent` that name voices, models and recognizers, and what is wrong with them.

    `own_voices` are those that the organization imported or cloned.
    """
    changes, refused = dict[str, Any](), list[FieldError]()
    if body.voice_id is not None:
        changes["voice_id"] = _find_voice(settings, own_voices, body.voice_id, field="voice_id", refused=refused)
    if "model" in body.model_fields_set:
        changes["model"] = model = DEFAULT_MODEL if body.model is None else body.model
        if brains.find_model(settings, model) is None:
            known = ", ".join(brains.list_models(settings))
            refused.append(FieldError("model", f"is not a known model; known are: {known}"))
    recognizers = [provider.name for provider in registry.read_providers(settings).list("speech_to_text")]
    if body.recognizer is not None and body.recognizer not in recognizers:
        refused.append(FieldError("recognizer", f"is not a known recognizer; known are: {', '.join(recognizers)}"))
    if "fallbacks" in body.model_fields_set:
        wanted = body.fallbacks or FallbacksBody()
        changes["fallbacks"] = _read_fallbacks(
            settings, wanted, recognizers=recognizers, own_voices=own_voices, refused=refused
        )
    return changes, refused


def _read_fallbacks(
    settings: Settings,
    body: FallbacksBody,
    *,
    recognizers: Collection[str],
    own_voices: Sequence[Voice],
    refused: list[FieldError],
) -> Fallbacks:
    models = [provider.name for provider in registry.read_providers(settings).list("language_model")]
    named = (("recognizers", body.recognizers, recognizers), ("models", body.models, models))
    for field, names, known in named:
        refused.extend(
            FieldError(f"fallbacks.{field}.{index}", f"is not known; known are: {', '.join(known) or 'none'}")
            for index, name in enumerate(names)
            if name not in known
        )
    voices = [
        _find_voice(settings, own_voices, name, field=f"fallbacks.voices.{index}", refused=refused)
        for index, name in enumerate(body.voices)
    ]
    return Fallbacks(recognizers=tuple(body.recognizers), models=tuple(body.models), voices=tuple(voices))


def _find_voice(settings: Settings, own: Sequence[Voice], name: str, *, field: str, refused: list[FieldError]) -> str:
    voice = catalog.find_voice(settings, name, own=own)
    if voice is not None:
        return voice.id
    known = ", ".join(known.alias for known in catalog.list_voices(settings))
    refused.append(FieldError(field, f"is not a known voice; known are the ids of GET /voices and: {known}"))
    return name


async def check_resources(connection: AsyncConnection, organization_id: str, body: UpdateAgent) -> Sequence[FieldError]:
    """The tools and knowledge bases that the body names and the organization does not have."""
    tools, bases = body.tools or [], body.knowledge_bases or []
    found = await tool_store.find_tools(connection, organization_id, tools)
    known_tools = {*BUILTIN_NAMES, *(tool.id for tool in found)}
    known_bases = {base.id for base in await knowledge_store.list_known_bases(connection, organization_id, bases)}
    return [
        FieldError(f"{field}.{index}", f"there is no {resource} with the id {identifier}")
        for field, resource, identifiers, known in (
            ("tools", "tool", tools, known_tools),
            ("knowledge_bases", "knowledge base", bases, known_bases),
        )
        for index, identifier in enumerate(identifiers)
        if identifier not in known
    ]
