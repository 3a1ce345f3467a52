"""Voices of ElevenLabs, by its own package; imported only where such a provider is configured."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import httpx
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError

from ringdown.providers.registry import ProviderSettings
from ringdown.providers.studio_audio import speak_chunks
from ringdown.voice.ports import ProviderError, Speech

_MODEL = "eleven_flash_v2_5"  # the one for conversations; knows 32 languages
_RETRYABLE_STATUSES = (408, 409, 429)


def open_client(provider: ProviderSettings) -> AsyncElevenLabs:
    """A client of the provider's account. Close it with `close_client`."""
    http = httpx.AsyncClient(timeout=provider.timeout_seconds, follow_redirects=True)
    return AsyncElevenLabs(api_key=provider.secret, base_url=provider.url, httpx_client=http)


async def close_client(client: AsyncElevenLabs) -> None:
    """Close its connections."""
    await client._client_wrapper.httpx_client.httpx_client.aclose()


@contextlib.contextmanager
def translate_errors(name: str) -> Iterator[None]:
    """Turn the package's errors into `ProviderError` of the provider `name`."""
    try:
        yield
    except ApiError as error:
        status = error.status_code or 0
        if status < 400:  # also an answer that is no JSON
            raise ProviderError(name, "an answer that cannot be read", retryable=True) from error
        is_retryable = status >= 500 or status in _RETRYABLE_STATUSES
        raise ProviderError(name, f"HTTP {status}", retryable=is_retryable) from error
    except httpx.HTTPError as error:
        raise ProviderError(name, "no answer", retryable=True) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ProviderError(name, "an answer that cannot be read", retryable=True) from error


def open_speech(provider: ProviderSettings, *, voice: str, language: str) -> "ElevenLabsSpeech":
    """A voice of the account, for a language (BCP-47)."""
    return ElevenLabsSpeech(provider, voice=voice, language=language)


class ElevenLabsSpeech:
    """A voice (`TextToSpeech`) without word times."""

    def __init__(self, provider: ProviderSettings, *, voice: str, language: str) -> None:
        self._provider = provider
        self._voice = voice
        self._language = language.partition("-")[0].lower()
        self._client = open_client(provider)

    async def close(self) -> None:
        """Close the connections."""
        await close_client(self._client)

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        """Stream `text` as audio. Closing the iterator cancels the rest. Raises `ProviderError`."""
        if not text.strip():
            return
        name, model = self._provider.name, self._provider.model or _MODEL
        with translate_errors(name):
            stream = self._client.text_to_speech.stream(
                self._voice,
                text=text,
                model_id=model,
                output_format="pcm_24000",
                language_code=self._language if "v2_5" in model else None,  # the others refuse to be told
                request_options={"max_retries": 0},
            )
            async with contextlib.aclosing(stream) as chunks:
                pieces = speak_chunks(
                    chunks, provider=name, sample_rate_hz=sample_rate_hz, timeout_s=self._provider.timeout_seconds
                )
                async for piece in pieces:
                    yield piece
