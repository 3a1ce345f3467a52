"""Where recordings of live calls grow: on this machine's disk, until they are whole and go to the store."""

import contextlib
from pathlib import Path

import structlog
from obstore.exceptions import BaseError as StoreError

from ringdown.calls.models import Call
from ringdown.calls.recording import RecordingStore
from ringdown.errors import NotFound

log = structlog.get_logger(__name__)


class Spool:
    """The growing recordings of this machine's gateways; what a crash leaves here is kept by the next one."""

    def __init__(self, folder: Path, store: RecordingStore) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._store = store

    @property
    def store(self) -> RecordingStore:
        """Where whole recordings go."""
        return self._store

    def path(self, call: Call) -> Path:
        """The file of one call."""
        return self._path(call.organization_id, call.id)

    def list_calls(self, organization_id: str) -> list[str]:
        """The ids of the calls whose recordings are here: of those that go on, and of those that could not be kept."""
        prefix = f"{organization_id}."
        return [path.name.removeprefix(prefix).removesuffix(".mp3") for path in self._folder.glob(f"{prefix}*.mp3")]

    def discard(self, organization_id: str, call_id: str) -> None:
        """Delete what is here of a call. Safe to repeat."""
        self._forget(self._path(organization_id, call_id))

    def _path(self, organization_id: str, call_id: str) -> Path:
        return self._folder / f"{organization_id}.{call_id}.mp3"

    async def keep(self, call: Call) -> bool:
        """Move the recording of an ended call into the store; whether the store has it then. Safe to repeat.

        Also True when it was moved before a crash. When the store fails, the file stays for another try by hand.
        """
        path = self.path(call)
        try:
            if path.exists() and path.stat().st_size > 0:
                await self._store.save(call.organization_id, call.id, path)
            else:
                await self._store.get_file(call.organization_id, call.id)
        except NotFound:
            self._forget(path)
            return False
        except (OSError, StoreError) as error:
            log.error("recording could not be stored", call_id=call.id, path=str(path), error=str(error))
            return False
        self._forget(path)
        return True

    def _forget(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
