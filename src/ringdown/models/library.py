"""The models of one data folder: what was pulled or added under which name, with the checksums of what was pulled."""

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringdown.models import download, unpacking
from ringdown.models.failure import DiskError, ModelError, explain_disk

_FOLDER = "models"
_LOCK_FILE = "models.lock.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that is here. `sha256` is that of its package; None for a folder that was added."""

    name: str
    folder: Path
    url: str | None = None
    sha256: str | None = None


class ModelLibrary:
    """The models below `data_dir`; nothing is made before the first is pulled or added."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / _FOLDER

    def list(self) -> Sequence[Installed]:
        """What is here, by name. Raises `ModelError` when the lock file cannot be read."""
        return [self._describe(name, entry) for name, entry in sorted(self._read()["models"].items())]

    def find(self, name: str) -> Path | None:
        """The folder of a model. Raises `ModelError` when the lock file cannot be read."""
        entry = self._read()["models"].get(name)
        return None if entry is None else self._describe(name, entry).folder

    def pull(self, name: str, url: str, *, on_progress: download.Progress, sha256: str | None = None) -> Installed:
        """Download and unpack a package. Raises `ModelError`.

        Its checksum must be `sha256` where the publisher states one, and that of the first download in any case. Until
        all of it is in place, the name means nothing, or what it did before.
        """
        _check_name(name)
        with self._held():
            content = self._read()
            if name in content["models"]:
                raise ModelError(f"{name} is here already; remove it first to pull it again.")
            archive = self.folder / f"{name}.part"
            download.fetch(url, archive, on_progress=on_progress)
            found = download.hash_file(archive)
            expected = sha256 or content["checksums"].get(name)
            if expected is not None and found != expected:
                download.discard(archive)
                raise ModelError(
                    f"{url} is refused: its SHA-256 is {found}, and not {expected} as "
                    f"{'its publisher states' if sha256 else 'at the first download'}."
                )
            inner = self._unpack(archive, name)
            content["checksums"][name] = found
            content["models"][name] = {"url": url, "sha256": found, "folder": inner}
            self._write(content)
            download.discard(archive)
        return self._describe(name, content["models"][name])

    def add(self, name: str, source: Path) -> Installed:
        """Give a folder that stays where it is a name. Raises `ModelError`."""
        _check_name(name)
        if not source.is_dir():
            raise ModelError(f"There is no folder {source}.")
        with self._held():
            content = self._read()
            if name in content["models"]:
                raise ModelError(f"{name} is taken; remove it first, or choose another name.")
            content["models"][name] = {"path": str(source.absolute())}
            self._write(content)
        return self._describe(name, content["models"][name])

    def remove(self, name: str) -> Installed:
        """Forget a model, and delete it if it was pulled; its checksum is kept. Raises `ModelError`."""
        with self._held():
            content = self._read()
            if name not in content["models"]:
                raise ModelError(f"There is no model {name} here.")
            removed = self._describe(name, content["models"].pop(name))
            self._write(content)
            if removed.url is not None:
                with explain_disk(self.folder):
                    shutil.rmtree(self.folder / name)
        return removed

    def _describe(self, name: str, entry: dict[str, Any]) -> Installed:
        # The package's own folder, whose name tells the model's kind.
        folder = Path(entry["path"]) if "path" in entry else self.folder / name / entry.get("folder", "")
        return Installed(name, folder, url=entry.get("url"), sha256=entry.get("sha256"))

    def _unpack(self, archive: Path, name: str) -> str:
        """Put the package's content in place; the name of the folder that is all of it, if there is one."""
        unpacked, final = self.folder / f"{name}.unpacking", self.folder / name
        for leftover in (unpacked, final):  # of a pull that was killed
            if leftover.exists():
                shutil.rmtree(leftover)
        try:
            unpacking.unpack(archive, unpacked)
        except ModelError as error:
            shutil.rmtree(unpacked, ignore_errors=True)
            if not isinstance(error, DiskError):
                download.discard(archive)  # nothing mends it
            raise
        with explain_disk(self.folder):
            unpacked.rename(final)
        entries = list(final.iterdir())
        return entries[0].name if len(entries) == 1 and entries[0].is_dir() else ""

    def _read(self) -> dict[str, Any]:
        path = self.folder / _LOCK_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content["models"], dict) or not isinstance(content["checksums"], dict):
                raise TypeError
        except FileNotFoundError:
            return {"models": {}, "checksums": {}}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{path} cannot be read; mend it, or delete it and pull the models again.") from error
        return dict(content)

    def _write(self, content: dict[str, Any]) -> None:
        path = self.folder / _LOCK_FILE
        with explain_disk(self.folder):
            new = path.with_name(f"{_LOCK_FILE}.new")
            with new.open("w", encoding="utf-8") as file:
                json.dump(content, file, indent=2, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other commands away from the folder, which is made if needed."""
        with explain_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("a")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ModelError(f"Another command is working on {self.folder}; wait for it.") from error
            yield


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name.endswith((".part", ".unpacking", ".etag", ".json")):
        raise ModelError(f"{name!r} is no name for a model: letters, digits, dots, dashes and underscores.")
