"""Which Pipecat service a provider names, and whether its parameters fit: known before the first call."""

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pipecat.services
from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from ringdown.providers.openai_parameters import TEMPERATURE
from ringdown.providers.registry import ProviderKind, ProviderSettings

_MODULES: Mapping[ProviderKind, str] = {
    "speech_to_text": "stt",
    "language_model": "llm",
    "text_to_speech": "tts",
    "speech_to_speech": "llm",
}
_PARENTS: Mapping[str, type[AIService]] = {"stt": STTService, "llm": LLMService, "tts": TTSService}
# What the settings of a provider are called by the services.
_KEY_NAMES = ("api_key", "token", "credentials")
_URL_NAMES = ("base_url", "url", "endpoint", "server", "api_endpoint_base_url")
_SESSION = "aiohttp_session"
# Arguments that are ours, or belong to a pipeline.
_OURS = {"self", "settings", "name", "metrics", "enable_direct_mode", _SESSION, "http_client", "transport_destination"}
# Recognizers shall tell when nothing was said, and keep the audio for themselves.
_PREFERRED = {"push_empty_transcripts": True, "audio_passthrough": False}
# Services outside the folder of their company that hear and speak at once; Pipecat does not mark them.
_DUPLEX_FOLDERS = ("realtime", "gemini_live", "nova_sonic", "voice_live", "live")
# Classes that others are made of: `GoogleBaseTTSService`, but not `BasetenLLMService`.
_FOUNDATION = re.compile("Base(?![a-z])")
_EXTRA = re.compile(r"pipecat-ai\[([a-z0-9_,-]+)\]")


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A checked service: `arguments` of its constructor, and `settings` for its `Settings`.

    Without `has_temperature` the temperature of the agent is not sent: some models refuse any.
    """

    provider: ProviderSettings
    service: type[AIService]
    arguments: Mapping[str, Any]
    settings: Mapping[str, Any]
    has_temperature: bool = True

    @property
    def needs_session(self) -> bool:
        """Whether the service wants an `aiohttp` session."""
        return _SESSION in _find_arguments(self.service)

    def build(self, *, session: aiohttp.ClientSession | None, **changes: Any) -> Any:
        """A new service; `changes` are settings that depend on the call, and left out where it has none such.

        Raises whatever the service's constructor raises.
        """
        known = _find_settings(self.service)
        given = {**{name: value for name, value in changes.items() if name in known}, **self.settings}
        arguments = dict(self.arguments)
        if self.needs_session:
            arguments[_SESSION] = session
        for name, value in _PREFERRED.items():
            if name in _find_arguments(self.service):
                arguments.setdefault(name, value)
        construct: Any = self.service
        return construct(settings=construct.Settings(**given), **arguments) if given else construct(**arguments)


def plan_service(provider: ProviderSettings) -> ServicePlan:
    """Find the service of a provider and check its parameters.

    Raises `ValueError`, a sentence without full stop that names provider and key.
    """
    where = f"Provider {provider.name} in ringdown.toml"
    service = _find_class(provider, where)
    arguments, settings = _find_arguments(service), _find_settings(service)
    given = _flatten(provider.parameters, arguments)
    has_temperature = bool(given.pop(TEMPERATURE, True))
    for name, value in (("key", provider.secret), ("url", provider.url)):
        if value is not None:
            given.setdefault(_find_name(name, arguments, f"{where}: {provider.type} takes no {name}"), value)
    if provider.model is not None:
        if "model" not in settings and "model" not in arguments:
            raise ValueError(f"{where}: {provider.type} takes no model")
        given.setdefault("model", provider.model)
    checked: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name, value in given.items():
        if name not in settings and name not in arguments:
            known = ", ".join(sorted({*settings, *arguments}))
            raise ValueError(f"{where}: parameters.{name} is not known to {service.__name__}; known are {known}")
        is_setting = name in settings
        annotation = settings[name] if is_setting else arguments[name].annotation
        checked[0 if is_setting else 1][name] = _check_value(value, annotation, f"{where}: parameters.{name}")
    for name, argument in arguments.items():
        if argument.default is inspect.Parameter.empty and name not in checked[1] and name != _SESSION:
            title = "key" if name in _KEY_NAMES else f"parameters.{name}"
            raise ValueError(f"{where}: {title} is required by {service.__name__}")
    return ServicePlan(provider, service, arguments=checked[1], settings=checked[0], has_temperature=has_temperature)


# --- finding the class -----------------------------------------------------------------------------------------------


def list_services(kind: ProviderKind) -> list[str]:
    """The names that `type = "pipecat:<name>"` may have for a kind."""
    root = Path(next(iter(pipecat.services.__path__)))
    module = _MODULES[kind]
    folders = [path.parent.relative_to(root) for path in root.rglob(f"{module}.py") if path.parent != root]
    is_duplex = kind == "speech_to_speech"
    return sorted(
        ".".join(folder.parts)
        for folder in folders
        if module != "llm" or _is_duplex(".".join(folder.parts)) == is_duplex
    )


def _is_duplex(name: str) -> bool:
    return name == "ultravox" or any(part in _DUPLEX_FOLDERS for part in name.split("."))


def _find_class(provider: ProviderSettings, where: str) -> type[AIService]:
    folder, _, wanted = (provider.service or "").partition(":")
    known = list_services(provider.kind)
    if folder not in known and provider.kind == "speech_to_speech":
        ways = [f"{folder}.{way}" for way in _DUPLEX_FOLDERS]
        folder = next((name for name in ways if name in known), folder)
    if folder not in known:
        raise ValueError(f"{where}: Pipecat has no {provider.kind} service {folder}; it has {', '.join(known)}")
    module_name = f"pipecat.services.{folder}.{_MODULES[provider.kind]}"
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(
            f"{where}: {provider.type} needs a package that is missing; {_name_pip(module_name)}"
        ) from error
    classes = list(_list_classes(module, _PARENTS[_MODULES[provider.kind]]))
    if wanted:
        classes = [found for found in classes if found.__name__ == wanted]
    if not classes:
        raise ValueError(f"{where}: {module_name} has no class {wanted or 'of its own'}")
    # The plain service has the shortest name; the others are for HTTP, or for another way of using it.
    return min(classes, key=lambda found: len(found.__name__))


def _list_classes(module: types.ModuleType, parent: type[AIService]) -> Iterator[type[AIService]]:
    for name, found in vars(module).items():
        if not inspect.isclass(found) or found.__module__ != module.__name__ or not issubclass(found, parent):
            continue
        if not inspect.isabstract(found) and not name.startswith("_") and _FOUNDATION.search(name) is None:
            yield found


def _name_pip(module_name: str) -> str:
    """How to install what a module of Pipecat needs."""
    spec = importlib.util.find_spec(module_name)
    source = Path(spec.origin).read_text(encoding="utf-8") if spec is not None and spec.origin else ""
    stated = _EXTRA.search(source)
    extra = stated[1] if stated else module_name.split(".")[2].replace("_", "-")
    if extra not in (importlib.metadata.metadata("pipecat-ai").get_all("Provides-Extra") or ()):
        return "see its page in Pipecat's documentation"
    return f'install it with: pip install "pipecat-ai[{extra}]"'


# --- checking parameters ---------------------------------------------------------------------------------------------


def _find_arguments(service: type[AIService]) -> dict[str, inspect.Parameter]:
    """What the constructor takes, with what it passes on to those of its parents."""
    found: dict[str, inspect.Parameter] = {}
    for owner in service.__mro__:
        if "__init__" not in vars(owner) or owner is object:
            continue
        constructor = vars(owner)["__init__"]
        hints = _read_hints(constructor)
        parameters = inspect.signature(constructor).parameters.values()
        for parameter in parameters:
            if parameter.name not in found and parameter.kind in (
                parameter.KEYWORD_ONLY,
                parameter.POSITIONAL_OR_KEYWORD,
            ):
                found[parameter.name] = parameter.replace(annotation=hints.get(parameter.name, Any))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return {name: parameter for name, parameter in found.items() if name not in _OURS or name == _SESSION}


def _find_settings(service: type[AIService]) -> dict[str, Any]:
    """The fields of the service's `Settings`, with their types."""
    settings = getattr(service, "Settings", None)
    if not dataclasses.is_dataclass(settings):
        return {}
    hints = _read_hints(settings)
    return {field.name: hints.get(field.name, Any) for field in dataclasses.fields(settings)}


def _read_hints(owner: Any) -> dict[str, Any]:
    """The types of a class or function; one that only a type checker imports is anything."""
    missing: dict[str, Any] = {}
    while True:
        try:
            return typing.get_type_hints(owner, localns=missing)
        except NameError as error:
            if not error.name or error.name in missing:
                return {}
            missing[error.name] = Any
        except (TypeError, AttributeError):
            return {}


def _flatten(parameters: Mapping[str, Any], arguments: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Parameters as a flat table; `params`, the older way of most services, is part of it."""
    given = dict(parameters)
    params = arguments.get("params")
    is_older = params is not None and params.default is not inspect.Parameter.empty
    if is_older and isinstance(given.get("params"), dict):
        given |= given.pop("params")
    return given


def _find_name(kind: str, arguments: Mapping[str, Any], refusal: str) -> str:
    for name in _KEY_NAMES if kind == "key" else _URL_NAMES:
        if name in arguments:
            return name
    raise ValueError(refusal)


def _check_value(value: Any, annotation: Any, where: str) -> Any:
    """The value as the service wants it. Raises `ValueError`."""
    if isinstance(value, dict):
        _refuse_unknown_fields(value, annotation, where)
    try:
        try:
            adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError:
            adapter = TypeAdapter(annotation)
    except (PydanticUserError, TypeError, NameError):  # a type that cannot be checked
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        # Of the members of a union the first is the type, the others are Pipecat's markers.
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{where} is refused: {first['msg']}") from None


def _refuse_unknown_fields(value: Mapping[str, Any], annotation: Any, where: str) -> None:
    """Pydantic models of Pipecat ignore what they do not know: a slip of the pen would never be seen."""
    models = [part for part in _list_types(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]
    known: dict[str, Any] = {}
    for model in models:
        for name, field in model.model_fields.items():
            known |= {name: field.annotation, field.alias or name: field.annotation}
    for name, inner in value.items():
        if models and name not in known:
            raise ValueError(f"{where}.{name} is not known; known are {', '.join(sorted(known))}")
        if isinstance(inner, dict):
            _refuse_unknown_fields(inner, known.get(name, Any), f"{where}.{name}")


def _list_types(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _list_types(part)
    else:
        yield annotation
