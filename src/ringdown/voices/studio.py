"""The port to where voices are kept and cloned, and how its packages are loaded at their first use."""

import asyncio
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ringdown import errors
from ringdown.config import Settings
from ringdown.providers import registry
from ringdown.providers.registry import STUDIO_TYPES, ProviderSettings
from ringdown.voice.ports import ProviderError
from ringdown.voices.store import VoiceStatus


class VoiceProviderUnavailable(errors.RingdownError):
    """A provider of voices is busy, broken or away."""

    code, status = "provider_error", 502


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording of who is to be cloned."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class StudioVoice:
    """A voice as its provider knows it; `language` is BCP-47, None for many or not told."""

    id: str
    language: str | None = None
    status: VoiceStatus = "active"
    error: str | None = None


class Studio(Protocol):
    """An account with voices. All methods raise `ProviderError`; one about a voice that is not there says so."""

    async def find_voice(self, voice_id: str) -> StudioVoice | None:
        """The voice of the account, or of the provider's library; None when there is none."""

    async def clone_voice(self, name: str, samples: Sequence[Sample], *, language: str) -> StudioVoice:
        """Make a voice of recordings; it may take its time until it can speak."""

    async def delete_voice(self, voice_id: str) -> None:
        """Delete a voice; one that is gone already is fine."""

    async def close(self) -> None:
        """Close the connections."""


def find_provider(settings: Settings, name: str) -> ProviderSettings:
    """The configured provider of this name or type. Raises `ValidationFailed`, which names the settings."""
    known = [each for each in registry.read_providers(settings).list("text_to_speech") if each.type in STUDIO_TYPES]
    for provider in known:
        if name in (provider.name, provider.type):
            return provider
    if name in STUDIO_TYPES:
        raise errors.invalid(
            "provider",
            f'{name} is not configured: add a [[providers]] table with kind = "text_to_speech", type = "{name}" and a '
            "key to ringdown.toml, or to RINGDOWN_PROVIDERS",
        )
    names = ", ".join(dict.fromkeys((*(each.name for each in known), *STUDIO_TYPES)))
    raise errors.invalid("provider", f"must be one of: {names}")


async def open_studio(provider: ProviderSettings) -> Studio:
    """The account of a provider. Its package is imported in a thread, as that takes most of a second."""
    module = await asyncio.to_thread(importlib.import_module, f"ringdown.voices.{provider.type}_studio")
    studio: Studio = module.open_studio(provider)
    return studio


def to_refusal(error: ProviderError, *, field: str) -> errors.RingdownError:
    """What the API answers: 422 for what a repetition would not change, naming `field`, else 502."""
    if not error.retryable:
        return errors.invalid(field, f"is refused by {error}")
    return VoiceProviderUnavailable(f"{error}.", {"provider": error.provider, "retryable": True})
