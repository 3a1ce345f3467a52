"""`ringdown models`: the speech models that run on this machine: list, pull, add, remove."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ringdown import lifecycle
from ringdown.cli.organization import DataDir
from ringdown.lifecycle import CannotStart
from ringdown.models.catalog import KNOWN_MODELS, KnownModel, find_known
from ringdown.models.failure import ModelError
from ringdown.models.library import Installed, ModelLibrary
from ringdown.providers import sherpa_files

app = typer.Typer(help="Speech models that run on this machine: list, pull, add, remove.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the model.")]
_BAR_CHARACTERS = 30
# A line to a file or a log is written this often.
_LOG_INTERVAL_S = 10.0


@app.command(name="list")
def list_models(data_dir: DataDir = None) -> None:
    """List the models that are here, and the open ones that can be pulled."""
    with _explained():
        installed = _open(data_dir).list()
    if installed:
        print("Here:")
        for model in installed:
            print(f"  {model.name:<20} {_judge(model.folder)}")
    print("Can be pulled:")
    names = {model.name for model in installed}
    for known in KNOWN_MODELS:
        if known.name not in names:
            size = f"{known.size_mb} MB" if known.size_mb else ""
            languages = ", ".join(known.languages) or "many"
            print(f"  {known.name:<20} {known.kind:<15} {languages:<20} {size:>7}  {known.licence}")
            print(f"  {'':<20} {known.description}")


@app.command()
def pull(
    name: Name,
    url: Annotated[str | None, typer.Option("--url", help="A mirror of its package.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Download a known model; goes on where an earlier download was cut off."""
    known = find_known(name)
    if known is None and url is None:
        names = ", ".join(model.name for model in KNOWN_MODELS)
        raise CannotStart(f"There is no known model {name}; known are {names}.")
    source = url or (known.url if known is not None else "")
    if known is not None:
        _show_licence(known)
    print(f"From {source}", flush=True)
    with _explained():
        model = _open(data_dir).pull(name, source, on_progress=_ProgressBar())
    _show_installed(model)


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="Folder with the model's files; it stays where it is.")],
    name: Annotated[str, typer.Option("--name", help="Name that providers use.")],
    data_dir: DataDir = None,
) -> None:
    """Give a folder with a model of your own a name."""
    with _explained():
        if _judge(folder) == "unknown":
            raise ModelError(f"{folder} holds no model that is known by its files.")
        model = _open(data_dir).add(name, folder)
    _show_installed(model)


@app.command()
def remove(name: Name, data_dir: DataDir = None) -> None:
    """Remove a model; a folder that was added stays."""
    with _explained():
        removed = _open(data_dir).remove(name)
    print(f"Removed {removed.name}.")


def _open(data_dir: Path | None) -> ModelLibrary:
    return ModelLibrary(lifecycle.load_settings(data_dir=data_dir).data_dir)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ModelError as error:
        raise CannotStart(str(error)) from error


def _judge(folder: Path) -> str:
    """What a folder holds, in words."""
    if not folder.is_dir():
        return f"missing: {folder}"
    finds = (sherpa_files.find_voice, sherpa_files.find_recognizer)
    kinds = ("text_to_speech", "speech_to_text")
    for find, kind in zip(finds, kinds, strict=True) if sherpa_files.is_voice(folder) else ((finds[1], kinds[1]),):
        with contextlib.suppress(ValueError):
            return f"{kind:<15} {find(folder).kind}"
    return "unknown"


def _show_licence(known: KnownModel) -> None:
    print(f"{known.name}: {known.description}")
    print(f"Licence: {known.licence} ({known.licence_url})")


def _show_installed(model: Installed) -> None:
    is_voice = sherpa_files.is_voice(model.folder)
    kind = "text_to_speech" if is_voice else "speech_to_text"
    print(
        f"""{model.name} is in {model.folder}
SHA-256 {model.sha256 or "of no package"}

In ringdown.toml:

[[providers]]
name = "{model.name}"
kind = "{kind}"
type = "sherpa"
model = "{model.name}\""""
    )


class _ProgressBar:
    """Shows how far a download is, on standard error: a bar for people, now and then a line for logs."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._shown_at = 0.0

    def __call__(self, done: int, total: int | None) -> None:
        now, is_over = time.monotonic(), done == total
        if not is_over and now - self._shown_at < (0.1 if self._is_terminal else _LOG_INTERVAL_S):
            return
        self._shown_at = now
        end = ("\n" if is_over else "") if self._is_terminal else "\n"
        print(f"{chr(13) if self._is_terminal else ''}{_render(done, total)}", end=end, file=sys.stderr, flush=True)


def _render(done: int, total: int | None) -> str:
    if not total:
        return f"{done / 1e6:.1f} MB"
    filled = done * _BAR_CHARACTERS // total
    bar = "#" * filled + "." * (_BAR_CHARACTERS - filled)
    return f"[{bar}] {done * 100 // total:>3} %  {done / 1e6:.1f} of {total / 1e6:.1f} MB"
