"""Which recognizer, voice and model an agent gets: built from the settings, shared by all calls of the gateway."""

import contextlib
from dataclasses import dataclass

from pydantic import SecretStr

from ringdown.agents import brains
from ringdown.agents.models import BUILTIN_MODEL, Agent
from ringdown.config import Settings
from ringdown.providers.espeak import EspeakServer, EspeakVoice
from ringdown.providers.openai_chat import OpenAIChat
from ringdown.providers.openai_speech import OpenAISpeech
from ringdown.providers.openai_transcription import OpenAITranscription
from ringdown.providers.pocketsphinx import PocketsphinxRecognizer
from ringdown.voice.ports import Expectation, LanguageModel, SpeechToText, TextToSpeech
from ringdown.voices import catalog

# A second of silence at 8 kHz.
_WARM_UP_BYTES = 16_000


@dataclass(frozen=True, slots=True)
class Speech:
    """What one call hears, thinks and speaks with; `model` is None for the built-in brain."""

    recognizer: SpeechToText
    speaker: TextToSpeech
    model: LanguageModel | None


class SpeechProviders:
    """The providers of this process. `start` before the first call, `close` after the last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._recognizer: SpeechToText
        # The one child process of all offline voices.
        self._espeak = EspeakServer()
        # One client for each voice, shared by its calls: opening one costs tens of milliseconds of the event loop.
        self._speech_voices: dict[str, OpenAISpeech] = {}
        self._closing = contextlib.AsyncExitStack()
        self._model = self._open_model()

    async def start(self) -> None:
        """Start the child processes that every call may need."""
        settings = self._settings
        self._closing.push_async_callback(self._espeak.close)
        await self._espeak.start()
        if settings.transcription_url and settings.transcription_model:
            hosted = OpenAITranscription(
                base_url=settings.transcription_url,
                api_key=_reveal(settings.transcription_key),
                model=settings.transcription_model,
            )
            self._closing.push_async_callback(hosted.close)
            self._recognizer = hosted
            return
        offline = PocketsphinxRecognizer(processes=settings.recognizer_processes, espeak_server=self._espeak)
        self._closing.push_async_callback(offline.close)
        await offline.start()
        self._recognizer = offline
        await self._warm_up()

    async def _warm_up(self) -> None:
        """A grammar's first answer takes some tenths of a second longer: nobody shall wait for it on the phone."""
        for expectation in (Expectation("yes_no"), Expectation("digits")):
            utterance = self._recognizer.open(sample_rate_hz=8000, language="en-US", expectation=expectation)
            utterance.push(bytes(_WARM_UP_BYTES))
            await utterance.final()
            await utterance.close()

    async def close(self) -> None:
        """Stop the child processes and close the connections."""
        await self._closing.aclose()

    def find_speech(self, agent: Agent) -> Speech:
        """What `agent` hears, thinks and speaks with."""
        is_builtin = brains.find_model(self._settings, agent.model) in (None, BUILTIN_MODEL)
        return Speech(
            recognizer=self._recognizer,
            speaker=self._find_speaker(agent.voice_id),
            model=None if is_builtin else self._model,
        )

    def _find_speaker(self, voice_id: str) -> TextToSpeech:
        settings = self._settings
        voice = catalog.find_voice(settings, voice_id) or catalog.list_voices(settings)[0]
        if voice.provider == "speech" and settings.speech_url and settings.speech_model:
            return self._find_hosted(voice.provider_voice, url=settings.speech_url, model=settings.speech_model)
        return EspeakVoice(voice.provider_voice, server=self._espeak)

    def _find_hosted(self, voice: str, *, url: str, model: str) -> OpenAISpeech:
        speaker = self._speech_voices.get(voice)
        if speaker is None:
            key = _reveal(self._settings.speech_key)
            speaker = self._speech_voices[voice] = OpenAISpeech(base_url=url, api_key=key, model=model, voice=voice)
            self._closing.push_async_callback(speaker.close)
        return speaker

    def _open_model(self) -> LanguageModel | None:
        settings = self._settings
        if not settings.model_url or not settings.model_name:
            return None
        chat = OpenAIChat(base_url=settings.model_url, api_key=_reveal(settings.model_key), model=settings.model_name)
        self._closing.push_async_callback(chat.close)
        return chat


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
