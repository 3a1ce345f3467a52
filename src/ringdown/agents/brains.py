"""Which brain the `model` of an agent means: the built-in one or one of the configured models."""

from ringdown.agents.models import BUILTIN_MODEL, DEFAULT_MODEL
from ringdown.config import Settings
from ringdown.providers import registry

# Names of the documented API; they always mean the default model.
_DOCUMENTED_MODELS = ("gpt-4", "gpt-4o", "gpt-4o-mini")
_DOCUMENTED_PREFIX = "ultravox-"


def get_default_model(settings: Settings) -> str:
    """The model of an agent that names none: the first configured language model, else the built-in brain."""
    models = registry.read_providers(settings).list("language_model")
    return models[0].name if models else BUILTIN_MODEL


def list_models(settings: Settings) -> list[str]:
    """Every model name an agent may carry; `ultravox-*` stands for all names that begin so."""
    names = [DEFAULT_MODEL, BUILTIN_MODEL, *_list_configured(settings), *_DOCUMENTED_MODELS, f"{_DOCUMENTED_PREFIX}*"]
    return list(dict.fromkeys(names))


def find_model(settings: Settings, name: str) -> str | None:
    """The brain behind a model name: `builtin`, a configured model, or None for a name that is not known.

    A configured model may be a language model, or one that hears and speaks by itself.
    """
    if name == BUILTIN_MODEL or name in _list_configured(settings):
        return name
    is_default = name == DEFAULT_MODEL or name in _DOCUMENTED_MODELS or name.startswith(_DOCUMENTED_PREFIX)
    return get_default_model(settings) if is_default else None


def _list_configured(settings: Settings) -> list[str]:
    book = registry.read_providers(settings)
    return [provider.name for kind in ("language_model", "speech_to_speech") for provider in book.list(kind)]
