"""Opens configured providers as the ports of the conversation; their processes and clients are shared by all calls."""

import asyncio
import contextlib
import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ringdown.config import Settings
from ringdown.models.failure import ModelError
from ringdown.models.library import ModelLibrary
from ringdown.providers import realtime_settings, sherpa, sherpa_voice
from ringdown.providers.espeak import EspeakServer, EspeakVoice
from ringdown.providers.pocketsphinx import PocketsphinxRecognizer
from ringdown.providers.registry import OWN_VOICE, STUDIO_TYPES, ProviderBook, ProviderKind, ProviderSettings
from ringdown.providers.sherpa_voice import SherpaVoice
from ringdown.voice.ports import Expectation, LanguageModel, SpeechToSpeech, SpeechToText, TextToSpeech

# A second of silence at 8 kHz.
_WARM_UP_BYTES = 16_000
_PIPECAT_MISSING = 'Pipecat is not installed; install it with: pip install "ringdown[pipecat]"'

T = TypeVar("T")


def check_parameters(provider: ProviderSettings) -> None:
    """Refuse parameters that the provider does not know. Raises `ValueError`, a sentence without full stop."""
    if provider.service is not None:
        _load_pipecat(provider).plan_service(provider)
    elif provider.kind == "speech_to_speech":
        try:
            realtime_settings.read_parameters(provider.parameters)
        except ValueError as error:
            raise ValueError(f"Provider {provider.name} in ringdown.toml: parameters.{error}") from None
    elif provider.type == "openai":
        _refuse_unknown(provider, _load_openai().find_parameters(provider.kind))
    elif provider.type in ("espeak", "pocketsphinx", *STUDIO_TYPES):
        _refuse_unknown(provider, frozenset())


def _refuse_unknown(provider: ProviderSettings, known: frozenset[str]) -> None:
    for name in provider.parameters:
        if name not in known:
            names = f"known are {', '.join(sorted(known))}" if known else "it has none"
            raise ValueError(f"Provider {provider.name} in ringdown.toml: parameters.{name} is not known; {names}")


def _load_pipecat(provider: ProviderSettings) -> Any:
    """The module that knows Pipecat's services; it imports Pipecat."""
    try:
        import loguru

        loguru.logger.disable("pipecat")  # it logs what is said
        from ringdown.providers import pipecat_services
    except ModuleNotFoundError as error:
        raise ValueError(f"Provider {provider.name} in ringdown.toml: {_PIPECAT_MISSING}") from error
    return pipecat_services


def _load_openai() -> Any:
    """The module that opens OpenAI-compatible providers; it imports their client."""
    return importlib.import_module("ringdown.providers.openai_opening")


def _load_studio(provider: ProviderSettings) -> Any:
    """The module that speaks by the vendor's own package."""
    return importlib.import_module(f"ringdown.providers.{provider.type}_speech")


class OpenProviders:
    """The providers of this process. `start` before the first call, `close` after the last.

    Each is opened when it is first asked for, and kept. Names and voices are those of the book; another raises
    `KeyError`.
    """

    def __init__(self, settings: Settings, book: ProviderBook) -> None:
        self.book = book
        self._settings = settings
        # The one child process of all offline voices.
        self._espeak = EspeakServer()
        self._closing = contextlib.AsyncExitStack()
        self._opened: dict[tuple[ProviderKind, str, str | None], Any] = {}

    async def start(self) -> None:
        """Check all parameters, and start the child processes that every call may need.

        Raises `ValueError`, a sentence without full stop, and `ProviderError`.
        """
        if any(provider.type == "openai" for provider in self.book.providers):  # a program that serves may start these
            await asyncio.to_thread(_load_openai)
        for provider in self.book.providers:
            check_parameters(provider)
        if any(provider.type in ("espeak", "pocketsphinx") for provider in self.book.providers):
            self._closing.push_async_callback(self._espeak.close)
            await self._espeak.start()
        for provider in self.book.providers:
            if provider.type == "pocketsphinx":
                await self._start_pocketsphinx(provider)
            elif provider.type == "sherpa":
                await self._start_sherpa(provider)
            elif provider.type in STUDIO_TYPES:  # their packages take long to import: not in the middle of a call
                await asyncio.to_thread(_load_studio, provider)

    async def close(self) -> None:
        """Stop the child processes and close the connections."""
        await self._closing.aclose()

    def open_recognizer(self, name: str) -> SpeechToText:
        """The recognizer of this name, for one call."""
        provider = self._find("speech_to_text", name)
        recognizer = self._keep(provider, None, partial(self._make_recognizer, provider))
        own: SpeechToText = recognizer if provider.service is None else recognizer.for_call()
        return own

    def open_model(self, name: str) -> LanguageModel:
        """The chat model of this name."""
        provider = self._find("language_model", name)
        model: LanguageModel = self._keep(provider, None, partial(self._make_model, provider))
        return model

    def open_speaker(self, name: str, voice: str, *, language: str) -> TextToSpeech:
        """A voice of the provider of this name, for a language (BCP-47) where the provider must be told."""
        provider = self._find("text_to_speech", name)
        make = partial(self._make_speaker, provider, voice, language)
        is_told = provider.service is not None or provider.type in STUDIO_TYPES
        key = f"{voice} {language}" if is_told else voice
        speaker: TextToSpeech = self._keep(provider, key, make)
        return speaker

    def open_duplex(self, name: str) -> SpeechToSpeech:
        """The speech-to-speech model of this name."""
        provider = self._find("speech_to_speech", name)
        duplex: SpeechToSpeech = self._keep(provider, None, partial(self._make_duplex, provider))
        return duplex

    def _find(self, kind: ProviderKind, name: str) -> ProviderSettings:
        provider = self.book.find(kind, name)
        if provider is None:
            raise KeyError(name)
        return provider

    def _keep(self, provider: ProviderSettings, voice: str | None, make: Callable[[], T]) -> T:
        key = (provider.kind, provider.name, voice)
        if key not in self._opened:
            self._opened[key] = opened = make()
            close = getattr(opened, "close", None)
            if close is not None:
                self._closing.push_async_callback(close)
        kept: T = self._opened[key]
        return kept

    def _make_recognizer(self, provider: ProviderSettings) -> Any:
        if provider.service is not None:
            return _load_pipecat(provider).open_recognizer(provider)
        if provider.type == "sherpa":
            return sherpa.open_sherpa_recognizer(self._find_folder(provider), provider.parameters)
        return _load_openai().open_recognizer(provider)

    def _make_model(self, provider: ProviderSettings) -> LanguageModel:
        packages = _load_openai() if provider.service is None else _load_pipecat(provider)
        model: LanguageModel = packages.open_model(provider)
        return model

    def _make_speaker(self, provider: ProviderSettings, voice: str, language: str) -> TextToSpeech:
        if provider.type == "espeak":
            return EspeakVoice(voice, server=self._espeak)
        if provider.service is not None:
            speaker: TextToSpeech = _load_pipecat(provider).open_speaker(provider, voice=voice, language=language)
            return speaker
        if provider.type == "sherpa":
            return self._make_sherpa_voice(provider, voice)
        if provider.type in STUDIO_TYPES:
            studio: TextToSpeech = _load_studio(provider).open_speech(provider, voice=voice, language=language)
            return studio
        openai_speech: TextToSpeech = _load_openai().open_speech(provider, voice=voice)
        return openai_speech

    def _make_duplex(self, provider: ProviderSettings) -> SpeechToSpeech:
        packages = _load_openai() if provider.service is None else _load_pipecat(provider)
        duplex: SpeechToSpeech = packages.open_duplex(provider)
        return duplex

    def _make_sherpa_voice(self, provider: ProviderSettings, voice: str) -> SherpaVoice:
        """A speaker of a model by its number, or the one of the parameters."""
        open_own = partial(sherpa_voice.open_sherpa_voice, self._find_folder(provider), provider.parameters)
        own: SherpaVoice = self._keep(provider, OWN_VOICE, open_own)
        return SherpaVoice(own.model, speaker=int(voice)) if voice.isdecimal() else own

    def _find_folder(self, provider: ProviderSettings) -> Path:
        """Where the files of a local model are: among the pulled ones, or where the settings say."""
        name = provider.model or ""
        try:
            folder = ModelLibrary(self._settings.data_dir).find(name) or Path(name)
        except ModelError as error:
            raise ValueError(str(error).removesuffix(".")) from error
        if len(folder.parts) == 1 and not folder.is_dir():
            raise ValueError(f"there is no model {name} here; get it with: ringdown models pull {name}")
        return folder

    async def _start_sherpa(self, provider: ProviderSettings) -> None:
        """Load a model, so that the first caller need not wait for it."""
        try:
            if provider.kind == "speech_to_text":
                await self._keep(provider, None, partial(self._make_recognizer, provider)).start()
            else:
                await self._make_sherpa_voice(provider, OWN_VOICE).start()
        except ValueError as error:
            raise ValueError(f"Provider {provider.name} in ringdown.toml: {error}") from None

    async def _start_pocketsphinx(self, provider: ProviderSettings) -> None:
        offline = PocketsphinxRecognizer(processes=self._settings.recognizer_processes, espeak_server=self._espeak)
        self._keep(provider, None, lambda: offline)
        await offline.start()
        # A grammar's first answer takes some tenths of a second longer: nobody shall wait for it on the phone.
        for expectation in (Expectation("yes_no"), Expectation("digits")):
            utterance = offline.open(sample_rate_hz=8000, language="en-US", expectation=expectation)
            utterance.push(bytes(_WARM_UP_BYTES))
            await utterance.final()
            await utterance.close()
