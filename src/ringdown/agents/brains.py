"""Which brain the `model` of an agent means: the built-in one or the configured language model."""

from ringdown.agents.models import BUILTIN_MODEL, DEFAULT_MODEL
from ringdown.config import Settings

# Names of the documented API; they always mean the default model.
_DOCUMENTED_MODELS = ("gpt-4", "gpt-4o", "gpt-4o-mini")
_DOCUMENTED_PREFIX = "ultravox-"


def get_default_model(settings: Settings) -> str:
    """The model of an agent that names none: the configured one, else the built-in brain."""
    return settings.model_name if settings.model_url and settings.model_name else BUILTIN_MODEL


def list_models(settings: Settings) -> list[str]:
    """Every model name an agent may carry; `ultravox-*` stands for all names that begin so."""
    names = [DEFAULT_MODEL, BUILTIN_MODEL, get_default_model(settings), *_DOCUMENTED_MODELS, f"{_DOCUMENTED_PREFIX}*"]
    return list(dict.fromkeys(names))


def find_model(settings: Settings, name: str) -> str | None:
    """The brain behind a model name: `builtin`, the configured model, or None for a name that is not known."""
    if name == DEFAULT_MODEL or name in _DOCUMENTED_MODELS or name.startswith(_DOCUMENTED_PREFIX):
        return get_default_model(settings)
    return name if name in (BUILTIN_MODEL, get_default_model(settings)) else None
