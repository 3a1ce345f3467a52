"""Voices of an ElevenLabs account, by its own package; imported at its first use only."""

import asyncio
from collections.abc import Sequence
from typing import Any

from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError

from ringdown.providers.elevenlabs_speech import close_client, open_client, translate_errors
from ringdown.providers.registry import ProviderSettings
from ringdown.voice.ports import ProviderError
from ringdown.voices.studio import Sample, StudioVoice

_TIMEOUT_S = 60.0  # samples of some megabytes are uploaded
# What it answers for ids that are none of its own.
_ABSENT_STATUSES = (400, 404, 422)
_OPTIONS: Any = {"max_retries": 0}


def open_studio(provider: ProviderSettings) -> "ElevenLabsStudio":
    """The account of a provider."""
    return ElevenLabsStudio(provider.name, open_client(provider))


class ElevenLabsStudio:
    """An account at ElevenLabs (`Studio`)."""

    def __init__(self, name: str, client: AsyncElevenLabs) -> None:
        self._name = name
        self._client = client

    async def close(self) -> None:
        """Close the connections."""
        await close_client(self._client)

    async def find_voice(self, voice_id: str) -> StudioVoice | None:
        """A voice of the account, or of the library."""
        with translate_errors(self._name):
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    return _read_voice(await self._client.voices.get(voice_id, request_options=_OPTIONS))
            except ApiError as error:
                if error.status_code in _ABSENT_STATUSES:
                    return None
                raise
            except TimeoutError as error:
                raise ProviderError(self._name, "no answer in time", retryable=True) from error

    async def clone_voice(self, name: str, samples: Sequence[Sample], *, language: str) -> StudioVoice:
        """Make an instant clone; ElevenLabs hears the language itself."""
        files: Any = [(sample.filename, sample.content, sample.content_type) for sample in samples]
        labels: Any = {"language": language}
        with translate_errors(self._name):
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    made = await self._client.voices.ivc.create(
                        name=name, files=files, labels=labels, request_options=_OPTIONS
                    )
            except TimeoutError as error:
                raise ProviderError(self._name, "no answer in time", retryable=True) from error
            return StudioVoice(_read_id(made), status="training")

    async def delete_voice(self, voice_id: str) -> None:
        """Delete a voice of the account."""
        with translate_errors(self._name):
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._client.voices.delete(voice_id, request_options=_OPTIONS)
            except ApiError as error:
                if error.status_code not in _ABSENT_STATUSES:
                    raise
            except TimeoutError as error:
                raise ProviderError(self._name, "no answer in time", retryable=True) from error


def _read_id(voice: Any) -> str:
    if not isinstance(voice.voice_id, str) or not voice.voice_id:
        raise ValueError("the answer lacks the voice")
    return voice.voice_id


def _read_voice(voice: Any) -> StudioVoice:
    identifier, language = _read_id(voice), (voice.labels or {}).get("language")
    proof = voice.voice_verification
    if proof is not None and proof.requires_verification and not proof.is_verified:
        return StudioVoice(identifier, language, "training")
    # Only professional clones are trained; each model on its own.
    states = set((voice.fine_tuning.state or {}).values()) if voice.fine_tuning is not None else set()
    if voice.category != "professional" or "fine_tuned" in states:
        return StudioVoice(identifier, language)
    if "failed" in states:
        return StudioVoice(identifier, language, "failed", "the training failed")
    return StudioVoice(identifier, language, "training")
