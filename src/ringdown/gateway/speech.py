"""Which recognizer, voice and model an agent gets: built from the settings, shared by all calls of the gateway."""

import asyncio
from dataclasses import dataclass

from ringdown.agents import brains
from ringdown.agents.models import BUILTIN_MODEL, Agent
from ringdown.config import Settings
from ringdown.providers.espeak import EspeakVoice
from ringdown.providers.openai_chat import OpenAIChat
from ringdown.providers.openai_speech import OpenAISpeech
from ringdown.providers.openai_transcription import OpenAITranscription
from ringdown.providers.pocketsphinx import PocketsphinxRecognizer
from ringdown.voice.ports import LanguageModel, SpeechToText, TextToSpeech
from ringdown.voices import catalog


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
        self._offline_recognizer: PocketsphinxRecognizer | None = None
        self._recognizer: SpeechToText
        self._espeak_voices: dict[str, EspeakVoice] = {}
        self._starting = asyncio.Lock()
        self._model = _open_model(settings)

    async def start(self) -> None:
        """Start the child processes that every call may need."""
        settings = self._settings
        if settings.transcription_url and settings.transcription_model:
            key = settings.transcription_key.get_secret_value() if settings.transcription_key else None
            self._recognizer = OpenAITranscription(
                base_url=settings.transcription_url, api_key=key, model=settings.transcription_model
            )
            return
        self._offline_recognizer = PocketsphinxRecognizer(processes=settings.recognizer_processes)
        await self._offline_recognizer.start()
        self._recognizer = self._offline_recognizer

    async def close(self) -> None:
        """Stop the child processes."""
        for voice in self._espeak_voices.values():
            await voice.close()
        if self._offline_recognizer is not None:
            await self._offline_recognizer.close()

    async def find_speech(self, agent: Agent) -> Speech:
        """What `agent` hears, thinks and speaks with."""
        is_builtin = brains.find_model(self._settings, agent.model) in (None, BUILTIN_MODEL)
        return Speech(
            recognizer=self._recognizer,
            speaker=await self._find_speaker(agent.voice_id),
            model=None if is_builtin else self._model,
        )

    async def _find_speaker(self, voice_id: str) -> TextToSpeech:
        settings = self._settings
        voice = catalog.find_voice(settings, voice_id) or catalog.list_voices(settings)[0]
        if voice.provider == "speech" and settings.speech_url and settings.speech_model:
            key = settings.speech_key.get_secret_value() if settings.speech_key else None
            return OpenAISpeech(
                base_url=settings.speech_url, api_key=key, model=settings.speech_model, voice=voice.provider_voice
            )
        async with self._starting:
            speaker = self._espeak_voices.get(voice.provider_voice)
            if speaker is None:
                speaker = EspeakVoice(voice=voice.provider_voice)
                await speaker.start()
                self._espeak_voices[voice.provider_voice] = speaker
            return speaker


def _open_model(settings: Settings) -> LanguageModel | None:
    if not settings.model_url or not settings.model_name:
        return None
    key = settings.model_key.get_secret_value() if settings.model_key else None
    return OpenAIChat(base_url=settings.model_url, api_key=key, model=settings.model_name)
