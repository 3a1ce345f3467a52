"""What an agent hears, thinks and speaks with: the configured providers in the agent's order, shared by all calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ringdown.agents import brains
from ringdown.agents.models import BUILTIN_MODEL, Agent
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.lifecycle import CannotStart
from ringdown.providers.fallback import FallbackModel, FallbackRecognizer, FallbackSpeaker, OnNote, ProviderHealth
from ringdown.providers.opening import OpenProviders
from ringdown.providers.registry import ProviderSettings, read_providers
from ringdown.voice.ports import LanguageModel, SpeechToSpeech, SpeechToText, TextToSpeech
from ringdown.voices import catalog
from ringdown.voices import store as voice_store
from ringdown.voices.catalog import Voice


class _Notes:
    """Passes on what the providers of one call tell, once somebody listens."""

    def __init__(self) -> None:
        self.listener: OnNote | None = None

    def tell(self, kind: str, details: Mapping[str, object]) -> None:
        if self.listener is not None:
            self.listener(kind, details)


@dataclass(slots=True)
class Speech:
    """What one call hears, thinks and speaks with.

    `model` is None for the built-in brain, and where a `duplex` model does all of it.
    """

    recognizer: SpeechToText
    speaker: TextToSpeech
    model: LanguageModel | None
    duplex: SpeechToSpeech | None = None
    find_speaker: Callable[[str], TextToSpeech] | None = None
    notes: _Notes = field(default_factory=_Notes)

    @property
    def on_note(self) -> OnNote | None:
        """Takes `provider.fallback` and `provider.failed` with their details; may be set at any time."""
        return self.notes.listener

    @on_note.setter
    def on_note(self, listener: OnNote | None) -> None:
        self.notes.listener = listener

    def speaker_for(self, language: str) -> TextToSpeech:
        """A voice for a language (BCP-47): the agent's own where it speaks it, or none does."""
        return self.speaker if self.find_speaker is None else self.find_speaker(language)


class SpeechProviders:
    """The providers of this process. `start` before the first call, `close` after the last.

    Raises `CannotStart` for providers that cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._health = ProviderHealth()
        try:
            self._providers = OpenProviders(settings, read_providers(settings))
        except ValueError as error:
            raise CannotStart(f"{error}.") from error
        self._book = self._providers.book

    async def start(self) -> None:
        """Start what every call may need. Raises `CannotStart` for parameters that no provider knows."""
        try:
            await self._providers.start()
        except ValueError as error:
            raise CannotStart(f"{error}.") from error

    async def close(self) -> None:
        """Stop the child processes and close the connections."""
        await self._providers.close()

    async def open_speech(self, database: Database, agent: Agent, *, on_note: OnNote | None = None) -> Speech:
        """`find_speech` with the voices that the agent's organization imported or cloned."""
        names = (agent.voice_id, *agent.fallbacks.voices)
        unknown = [name for name in names if catalog.find_voice(self._settings, name) is None]
        own: Sequence[Voice] = ()
        if unknown:
            async with database.read() as connection:
                own = await voice_store.list_usable(connection, agent.organization_id, unknown)
        return self.find_speech(agent, own=own, on_note=on_note)

    def find_speech(self, agent: Agent, *, own: Sequence[Voice] = (), on_note: OnNote | None = None) -> Speech:
        """What `agent` hears, thinks and speaks with, each with its fallbacks; for one call.

        What is not configured any more is left out.
        """
        notes = _Notes()
        notes.listener = on_note
        voices = self._list_voices(agent, [voice for voice in own if catalog.is_speakable(self._settings, voice)])
        duplex = self._find_duplex(agent)
        return Speech(
            recognizer=self._find_recognizer(agent, notes),
            speaker=self._speak_with(voices, notes, agent.language_hint),
            model=self._find_model(agent, notes) if duplex is None else None,
            duplex=duplex,
            find_speaker=lambda language: self._speak_with(self._for_language(voices, language), notes, language),
            notes=notes,
        )

    # --- hears -------------------------------------------------------------------------------------------------------

    def _find_recognizer(self, agent: Agent, notes: _Notes) -> SpeechToText:
        known = {provider.name: provider for provider in self._book.list("speech_to_text")}
        names = [name for name in (agent.recognizer, *agent.fallbacks.recognizers) if name in known]
        if agent.recognizer not in known:
            names.insert(0, _first_that_speaks(list(known.values()), agent.language_hint).name)
        chosen = [(name, self._providers.open_recognizer(name)) for name in dict.fromkeys(names)]
        return FallbackRecognizer(chosen, health=self._health, on_note=notes.tell)

    # --- thinks ------------------------------------------------------------------------------------------------------

    def _find_model(self, agent: Agent, notes: _Notes) -> LanguageModel | None:
        model = brains.find_model(self._settings, agent.model)
        if model in (None, BUILTIN_MODEL):
            return None
        names = dict.fromkeys((model, *agent.fallbacks.models))
        known = [name for name in names if self._book.find("language_model", name) is not None]
        chosen = [(name, self._providers.open_model(name)) for name in known]
        return FallbackModel(chosen, health=self._health, on_note=notes.tell) if chosen else None

    def _find_duplex(self, agent: Agent) -> SpeechToSpeech | None:
        name = brains.find_model(self._settings, agent.model)
        if name is None or self._book.find("speech_to_speech", name) is None:
            return None
        return self._providers.open_duplex(name)

    # --- speaks ------------------------------------------------------------------------------------------------------

    def _list_voices(self, agent: Agent, own: Sequence[Voice]) -> Sequence[Voice]:
        settings = self._settings
        found = [catalog.find_voice(settings, name, own=own) for name in (agent.voice_id, *agent.fallbacks.voices)]
        if found[0] is None:
            found[0] = catalog.list_voices(settings)[0]
        return list(dict.fromkeys(voice for voice in found if voice is not None))

    def _for_language(self, voices: Sequence[Voice], language: str) -> Sequence[Voice]:
        """Those that speak a language; else any of the catalog that does, of the same provider if there is one."""
        fitting = [voice for voice in voices if _speaks(voice, language)]
        if fitting:
            return fitting
        others = [voice for voice in catalog.list_voices(self._settings) if _speaks(voice, language)]
        others.sort(key=lambda voice: (voice.provider != voices[0].provider, voice.language != language))
        return others[:1] or voices

    def _speak_with(self, voices: Sequence[Voice], notes: _Notes, language: str) -> TextToSpeech:
        chosen = [
            (voice.alias, self._providers.open_speaker(voice.provider, voice.provider_voice, language=language))
            for voice in voices
        ]
        return FallbackSpeaker(chosen, health=self._health, on_note=notes.tell)


def _first_that_speaks(providers: Sequence[ProviderSettings], language: str) -> ProviderSettings:
    return next((provider for provider in providers if provider.speaks(language)), providers[0])


def _speaks(voice: Voice, language: str) -> bool:
    """Whether a voice speaks a language; the region does not matter."""
    return voice.language is None or voice.language.lower().partition("-")[0] == language.lower().partition("-")[0]
