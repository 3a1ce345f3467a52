"""Voices of a Cartesia account, by its own package; imported at its first use only."""

from collections.abc import Sequence

import cartesia

from ringdown.providers.cartesia_speech import open_client, translate_errors
from ringdown.providers.registry import ProviderSettings
from ringdown.voice.ports import ProviderError
from ringdown.voices.studio import Sample, StudioVoice

_TIMEOUT_S = 60.0  # a sample of some megabytes is uploaded


def open_studio(provider: ProviderSettings) -> "CartesiaStudio":
    """The account of a provider."""
    return CartesiaStudio(provider.name, open_client(provider))


class CartesiaStudio:
    """An account at Cartesia (`Studio`)."""

    def __init__(self, name: str, client: cartesia.AsyncCartesia) -> None:
        self._name = name
        self._client = client

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def find_voice(self, voice_id: str) -> StudioVoice | None:
        """A voice of the account, or of the library."""
        with translate_errors(self._name):
            try:
                voice = await self._client.voices.get(voice_id)
            except (cartesia.NotFoundError, cartesia.BadRequestError, cartesia.UnprocessableEntityError):
                return None
            return StudioVoice(_read_id(voice.id), voice.language)

    async def clone_voice(self, name: str, samples: Sequence[Sample], *, language: str) -> StudioVoice:
        """Make a clone of one recording: Cartesia takes no more."""
        if len(samples) != 1:
            raise ProviderError(self._name, "one file is needed, and no more", retryable=False)
        [sample] = samples
        with translate_errors(self._name):
            made = await self._client.voices.clone(
                clip=(sample.filename, sample.content, sample.content_type),
                language=language.partition("-")[0].lower(),
                name=name,
                timeout=_TIMEOUT_S,
            )
            return StudioVoice(_read_id(made.id), made.language, "training")

    async def delete_voice(self, voice_id: str) -> None:
        """Delete a voice of the account."""
        with translate_errors(self._name):
            try:
                await self._client.voices.delete(voice_id)
            except cartesia.NotFoundError:
                return


def _read_id(identifier: object) -> str:
    if not isinstance(identifier, str) or not identifier:
        raise ValueError("the answer lacks the voice")
    return identifier
