"""Loads sherpa-onnx models from their files and checks their parameters; the package is an extra."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ringdown.providers import sherpa_trial
from ringdown.providers.sherpa_files import ModelFiles
from ringdown.providers.sherpa_trial import PROVIDER
from ringdown.voice.ports import ProviderError

P = TypeVar("P", bound=BaseModel)

_MISSING = 'sherpa-onnx is not installed; install it with: pip install "ringdown[local]"'
# The recognizers that take a language; without one they detect it.
_MULTILINGUAL = frozenset(("whisper", "sense_voice"))


class RecognizerParameters(BaseModel):
    """What `parameters` of a sherpa recognizer may say. `workers` utterances are decoded at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str | None = None
    language: str = ""
    num_threads: int = Field(1, ge=1, le=64)
    workers: int = Field(2, ge=1, le=64)


class VoiceParameters(BaseModel):
    """What `parameters` of a sherpa voice may say. `speaker` is the number of a voice in the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str | None = None
    speaker: int = Field(0, ge=0)
    speed: float = Field(1.0, ge=0.25, le=4.0)
    num_threads: int = Field(1, ge=1, le=64)
    workers: int = Field(2, ge=1, le=64)


def read_parameters(kind: type[P], parameters: Mapping[str, Any]) -> P:
    """The parameters of a table. Raises `ValueError`: `name`, and what is wrong with it, without full stop."""
    try:
        return kind.model_validate(dict(parameters))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ValueError(f"{name} is not known; known are {', '.join(kind.model_fields)}") from None
        raise ValueError(f"{name}: {first['msg']}") from None


def load_recognizer(model: ModelFiles, parameters: RecognizerParameters) -> Any:
    """The recognizer of these files, tried in another process before; takes seconds. Raises `ProviderError`."""
    _import_sherpa()
    sherpa_trial.try_loading("recognizer", {**model.files, "kind": model.kind}, parameters.model_dump())
    return make_recognizer(model, parameters)


def load_voice(model: ModelFiles, parameters: VoiceParameters) -> Any:
    """The voice of these files, tried in another process before; takes seconds. Raises `ProviderError`."""
    _import_sherpa()
    sherpa_trial.try_loading("voice", {**model.files, "kind": model.kind}, parameters.model_dump())
    return make_voice(model, parameters)


def make_recognizer(model: ModelFiles, parameters: RecognizerParameters) -> Any:
    """The recognizer of these files; what sherpa does not understand ends the process. Raises `ProviderError`."""
    sherpa = _import_sherpa()
    owner = sherpa.OnlineRecognizer if model.is_online else sherpa.OfflineRecognizer
    kind = model.kind.removeprefix("online_")
    options: dict[str, Any] = {"num_threads": parameters.num_threads, **model.files}
    if kind == "nemo_transducer":
        kind, options["model_type"] = "transducer", "nemo_transducer"
    if kind in _MULTILINGUAL:
        options["language"] = parameters.language
    if kind == "sense_voice":
        options["use_itn"] = True  # punctuation tells the end of a sentence
    return _load(lambda: getattr(owner, f"from_{kind}")(**options))


def make_voice(model: ModelFiles, parameters: VoiceParameters) -> Any:
    """The voice of these files; what sherpa does not understand ends the process. Raises `ProviderError`."""
    sherpa = _import_sherpa()
    part = getattr(sherpa, f"OfflineTts{model.kind.capitalize()}ModelConfig")(**model.files)
    inner = sherpa.OfflineTtsModelConfig(**{model.kind: part}, num_threads=parameters.num_threads)
    config = sherpa.OfflineTtsConfig(model=inner, max_num_sentences=1)
    if not config.validate():
        raise ProviderError(PROVIDER, "the files of the voice do not fit together", retryable=False)
    return _load(lambda: sherpa.OfflineTts(config))


def check_files(model: ModelFiles) -> None:
    """Raise `ValueError` when a file is missing: sherpa would end the process."""
    for argument, names in model.files.items():
        for name in names.split(","):
            if not Path(name).exists():
                raise ValueError(f"{argument}: there is no {name}")


def _load(load: Callable[[], Any]) -> Any:
    try:
        return load()
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        raise ProviderError(PROVIDER, f"the model cannot be loaded: {error}", retryable=False) from error


def _import_sherpa() -> Any:
    try:
        return importlib.import_module("sherpa_onnx")
    except ImportError as error:
        raise ProviderError(PROVIDER, _MISSING, retryable=False) from error
