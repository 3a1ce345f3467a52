"""The configured providers: reads and checks their settings; opens none."""

import functools
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from ringdown.config import Settings

ProviderKind = Literal["speech_to_text", "language_model", "text_to_speech", "speech_to_speech", "embedding"]

PROVIDER_KINDS: tuple[ProviderKind, ...] = get_args(ProviderKind)
PIPECAT_PREFIX = "pipecat:"
#: Where `openai` providers without a `url` are.
OPENAI_URL = "https://api.openai.com/v1"
#: The voice of a provider whose voices are not named.
OWN_VOICE = "default"
#: Names of the providers that need no settings, and of those of the single settings.
POCKETSPHINX, ESPEAK, TRANSCRIPTION, SPEECH = "pocketsphinx", "espeak", "transcription", "speech"

_KINDS: Mapping[str, tuple[ProviderKind, ...]] = {
    "openai": PROVIDER_KINDS,
    "pocketsphinx": ("speech_to_text",),
    "espeak": ("text_to_speech",),
    "elevenlabs": ("text_to_speech",),
    "cartesia": ("text_to_speech",),
    "sherpa": ("speech_to_text", "text_to_speech"),
    "pipecat": ("speech_to_text", "language_model", "text_to_speech", "speech_to_speech"),
}
_FILE = "ringdown.toml"
_TYPES = "openai, pocketsphinx, espeak, elevenlabs, cartesia, sherpa, pipecat:<service>"
#: Types whose voices are imported and cloned by organizations; a table need not name any.
STUDIO_TYPES = ("elevenlabs", "cartesia")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SERVICE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*(:[A-Za-z0-9_]+)?")
_ENVIRONMENT = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
# Names that mean something else where agents name a model.
_TAKEN_MODELS = ("builtin", "default")


class ProviderVoice(BaseModel):
    """A voice of a provider; `voice` is what the provider calls it. Without a `language` it speaks the provider's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    voice: str = Field(min_length=1, max_length=200)
    name: str | None = Field(None, min_length=1, max_length=200)
    language: str | None = None


class ProviderSettings(BaseModel):
    """One `[[providers]]` table. `timeout_seconds` bounds each wait for the provider, the first answer included.

    `key` may be `env:NAME`, a variable of the environment. `languages` (BCP-47) empty means all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    name: str
    kind: ProviderKind
    type: str
    url: str | None = None
    key: SecretStr | None = Field(None, repr=False)
    model: str | None = Field(None, min_length=1)
    voices: tuple[ProviderVoice, ...] = ()
    languages: tuple[str, ...] = ()
    parameters: dict[str, Any] = Field(default_factory=dict, repr=False)
    timeout_seconds: float = Field(10.0, gt=0, le=120)

    @property
    def service(self) -> str | None:
        """The Pipecat service's name, None for the other types."""
        return self.type.removeprefix(PIPECAT_PREFIX) if self.type.startswith(PIPECAT_PREFIX) else None

    @property
    def secret(self) -> str | None:
        """The key as it is sent."""
        return self.key.get_secret_value() if self.key is not None else None

    def list_voices(self) -> Sequence[ProviderVoice]:
        """Its voices; one whose voices are not named has the one that it speaks with by itself."""
        if self.kind != "text_to_speech" or self.voices or self.type in STUDIO_TYPES:
            return self.voices
        return (ProviderVoice(voice=OWN_VOICE, name=self.name),)

    @property
    def base_url(self) -> str:
        """Where an OpenAI-compatible server is."""
        return self.url or OPENAI_URL

    def speaks(self, language: str) -> bool:
        """Whether the provider knows a language (BCP-47; a region that is not named is any)."""
        wanted = language.lower()
        return not self.languages or any(
            known.lower() == wanted or known.lower().partition("-")[0] == wanted.partition("-")[0]
            for known in self.languages
        )

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if _NAME.fullmatch(value) is None:
            raise ValueError("must be letters, digits, dots, dashes and underscores")
        return value

    @field_validator("type")
    @classmethod
    def _check_type(cls, value: str) -> str:
        service = value.removeprefix(PIPECAT_PREFIX)
        is_pipecat = service != value and _SERVICE.fullmatch(service) is not None
        if not is_pipecat and (value not in _KINDS or value == "pipecat"):
            raise ValueError(f"must be one of {_TYPES}")
        return value

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is not None and re.fullmatch(r"(https?|wss?)://[^\s/]+\S*", value) is None:
            raise ValueError("must begin with http://, https://, ws:// or wss://")
        return value

    @field_validator("key", mode="before")
    @classmethod
    def _read_environment(cls, value: object) -> object:
        match = _ENVIRONMENT.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return value
        if not os.environ.get(match[1]):
            raise ValueError(f"names the variable {match[1]}, which the environment lacks")
        return os.environ[match[1]]

    @field_validator("voices", mode="before")
    @classmethod
    def _read_voices(cls, value: object) -> object:
        if not isinstance(value, (list, tuple)):
            return value
        return [{"voice": entry} if isinstance(entry, str) else entry for entry in value]

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        kinds = _KINDS["pipecat" if self.service else self.type]
        if self.kind not in kinds:
            raise ValueError(f"kind must be {' or '.join(kinds)} with type {self.type}")
        if self.type in ("openai", "sherpa") and self.model is None:
            raise ValueError(f"model is required with type {self.type}")
        if not self.voices and self.kind == "text_to_speech" and self.type in ("openai", "espeak"):
            raise ValueError(f"voices is required with type {self.type}")
        if self.type in STUDIO_TYPES and self.key is None:
            raise ValueError(f"key is required with type {self.type}")
        if self.voices and self.kind not in ("text_to_speech", "speech_to_speech"):
            raise ValueError(f"voices are unknown to a {self.kind} provider")
        return self


class _SingleSettings(NamedTuple):
    """The settings that name one provider of a kind."""

    model_url: str | None
    model_key: SecretStr | None
    model_name: str | None
    transcription_url: str | None
    transcription_key: SecretStr | None
    transcription_model: str | None
    speech_url: str | None
    speech_key: SecretStr | None
    speech_model: str | None
    speech_voices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProviderBook:
    """All providers of the settings, in the order in which they are preferred: the first of a kind is the default."""

    providers: tuple[ProviderSettings, ...]

    def list(self, kind: ProviderKind) -> Sequence[ProviderSettings]:
        """The providers of this kind."""
        return [provider for provider in self.providers if provider.kind == kind]

    def find(self, kind: ProviderKind, name: str) -> ProviderSettings | None:
        """The provider of this kind and name."""
        return next((known for known in self.providers if (known.kind, known.name) == (kind, name)), None)


def read_providers(settings: Settings) -> ProviderBook:
    """The providers of the single settings, then the `[[providers]]`, then the offline ones.

    Pocketsphinx is there without a table only where nothing else hears. Raises `ValueError`: one sentence, without
    full stop, that names provider and key.
    """
    # Lists of agents and every call ask for the book; reading it takes a millisecond.
    return _read_book(
        _SingleSettings(*(getattr(settings, name) for name in _SingleSettings._fields)),
        json.dumps(settings.providers, default=str),
    )


@functools.lru_cache(maxsize=4)
def _read_book(single: _SingleSettings, tables: str) -> ProviderBook:
    book = [*_read_single_settings(single)]
    known = {_group(provider) for provider in book}
    for position, table in enumerate(json.loads(tables), start=1):
        provider = _read_provider(table, position)
        if _group(provider) in known or _is_taken(provider):
            raise ValueError(
                f"Provider {provider.name} in {_FILE}: name is taken; providers of the same kind must differ"
            )
        known.add(_group(provider))
        book.append(provider)
    if not any(provider.kind == "speech_to_text" for provider in book):
        book.append(ProviderSettings(name=POCKETSPHINX, kind="speech_to_text", type="pocketsphinx"))
    book.append(ProviderSettings.model_construct(name=ESPEAK, kind="text_to_speech", type="espeak"))
    return ProviderBook(tuple(book))


def _group(provider: ProviderSettings) -> tuple[str, str]:
    """What must be unique: agents name both kinds of models in the same field."""
    return ("model" if provider.kind in ("language_model", "speech_to_speech") else provider.kind, provider.name)


def _is_taken(provider: ProviderSettings) -> bool:
    group, name = _group(provider)
    return (group == "model" and name in _TAKEN_MODELS) or (group == "text_to_speech" and name == ESPEAK)


def _read_single_settings(settings: _SingleSettings) -> Sequence[ProviderSettings]:
    # Constructed without a check: the names of models have colons and slashes.
    book = []
    if settings.model_url and settings.model_name:
        chat = ProviderSettings.model_construct(name=settings.model_name, kind="language_model", type="openai")
        book.append(_locate(chat, url=settings.model_url, key=settings.model_key, model=settings.model_name))
    if settings.transcription_url:
        hears = ProviderSettings.model_construct(name=TRANSCRIPTION, kind="speech_to_text", type="openai")
        url, key = settings.transcription_url, settings.transcription_key
        book.append(_locate(hears, url=url, key=key, model=settings.transcription_model))
    if settings.speech_url:
        voices = tuple(ProviderVoice(voice=name) for name in settings.speech_voices)
        speaks = ProviderSettings.model_construct(name=SPEECH, kind="text_to_speech", type="openai", voices=voices)
        book.append(_locate(speaks, url=settings.speech_url, key=settings.speech_key, model=settings.speech_model))
    return book


def _locate(provider: ProviderSettings, *, url: str, key: SecretStr | None, model: str | None) -> ProviderSettings:
    return provider.model_copy(update={"url": url, "key": key, "model": model})


def _read_provider(table: Mapping[str, Any], position: int) -> ProviderSettings:
    name = table.get("name")
    title = f"Provider {name}" if isinstance(name, str) and name else f"Provider {position}"
    try:
        return ProviderSettings.model_validate(table)
    except ValidationError as error:
        raise ValueError(f"{title} in {_FILE}: {_describe(error)}") from None


def _describe(error: ValidationError) -> str:
    """The first thing that is wrong; the values are left out, one may be a key."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{where} is not a known key; known are {', '.join(ProviderSettings.model_fields)}"
    if first["type"] == "missing":
        return f"{where} is required"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where} {message}" if where else message
