"""Opens OpenAI-compatible providers. Their client takes half a second to import: only who has one loads this."""

from ringdown.providers import openai_parameters
from ringdown.providers.openai_chat import OpenAIChat
from ringdown.providers.openai_parameters import find_parameters as find_parameters
from ringdown.providers.openai_realtime import OpenAIRealtime
from ringdown.providers.openai_speech import OpenAISpeech
from ringdown.providers.openai_transcription import OpenAITranscription
from ringdown.providers.registry import ProviderSettings


def open_recognizer(provider: ProviderSettings) -> OpenAITranscription:
    """The recognizer of a provider."""
    parameters = dict(provider.parameters)
    return OpenAITranscription(
        base_url=provider.base_url,
        api_key=provider.secret,
        model=provider.model or "",
        timeout_s=provider.timeout_seconds,
        has_word_times=bool(parameters.pop(openai_parameters.WORD_TIMES, False)),
        detects_language=bool(parameters.pop(openai_parameters.LANGUAGE, False)),
        parameters=parameters,
    )


def open_model(provider: ProviderSettings) -> OpenAIChat:
    """The chat model of a provider."""
    parameters = dict(provider.parameters)
    return OpenAIChat(
        base_url=provider.base_url,
        api_key=provider.secret,
        model=provider.model or "",
        timeout_s=provider.timeout_seconds,
        has_temperature=bool(parameters.pop(openai_parameters.TEMPERATURE, True)),
        parameters=parameters,
    )


def open_speech(provider: ProviderSettings, *, voice: str) -> OpenAISpeech:
    """A voice of a provider."""
    return OpenAISpeech(
        base_url=provider.base_url,
        api_key=provider.secret,
        model=provider.model or "",
        voice=voice,
        timeout_s=provider.timeout_seconds,
        parameters=provider.parameters,
    )


def open_duplex(provider: ProviderSettings) -> OpenAIRealtime:
    """The speech-to-speech model of a provider."""
    return OpenAIRealtime(
        base_url=provider.base_url,
        api_key=provider.secret,
        model=provider.model or "",
        voice=provider.voices[0].voice if provider.voices else None,
        parameters=provider.parameters,
        timeout_s=provider.timeout_seconds,
    )
