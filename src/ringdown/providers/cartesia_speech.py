"""Voices of Cartesia, by its own package; imported only where such a provider is configured."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import cartesia
import httpx

from ringdown.providers.registry import ProviderSettings
from ringdown.providers.studio_audio import STUDIO_RATE_HZ, speak_chunks
from ringdown.voice.ports import ProviderError, Speech

_MODEL = "sonic-3"
_RETRYABLE_STATUSES = (408, 409, 429)


def open_client(provider: ProviderSettings) -> cartesia.AsyncCartesia:
    """A client of the provider's account, which repeats nothing by itself."""
    return cartesia.AsyncCartesia(
        api_key=provider.secret,
        base_url=provider.url or "https://api.cartesia.ai",
        timeout=provider.timeout_seconds,
        max_retries=0,
    )


@contextlib.contextmanager
def translate_errors(name: str) -> Iterator[None]:
    """Turn the package's errors into `ProviderError` of the provider `name`."""
    try:
        yield
    except cartesia.APIStatusError as error:
        is_retryable = error.status_code >= 500 or error.status_code in _RETRYABLE_STATUSES
        raise ProviderError(name, f"HTTP {error.status_code}", retryable=is_retryable) from error
    except cartesia.APIConnectionError as error:
        raise ProviderError(name, "no answer", retryable=True) from error
    except httpx.HTTPError as error:
        raise ProviderError(name, "the answer broke off", retryable=True) from error
    except (cartesia.CartesiaError, ValueError, TypeError, AttributeError) as error:
        raise ProviderError(name, "an answer that cannot be read", retryable=True) from error


def open_speech(provider: ProviderSettings, *, voice: str, language: str) -> "CartesiaSpeech":
    """A voice of the account, for a language (BCP-47)."""
    return CartesiaSpeech(provider, voice=voice, language=language)


class CartesiaSpeech:
    """A voice (`TextToSpeech`) without word times."""

    def __init__(self, provider: ProviderSettings, *, voice: str, language: str) -> None:
        self._provider = provider
        self._voice = voice
        self._language = language.partition("-")[0].lower()
        self._client = open_client(provider)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        """Stream `text` as audio. Closing the iterator cancels the rest. Raises `ProviderError`."""
        if not text.strip():
            return
        name = self._provider.name
        with translate_errors(name):
            async with self._client.tts.with_streaming_response.generate(
                model_id=self._provider.model or _MODEL,
                transcript=text,
                voice={"id": self._voice},
                language=self._language,
                output_format={"container": "raw", "encoding": "pcm_s16le", "sample_rate": STUDIO_RATE_HZ},
            ) as response:
                pieces = speak_chunks(
                    aiter(response.iter_bytes(4_800)),
                    provider=name,
                    sample_rate_hz=sample_rate_hz,
                    timeout_s=self._provider.timeout_seconds,
                )
                async for piece in pieces:
                    yield piece
