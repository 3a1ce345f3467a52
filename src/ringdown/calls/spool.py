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

    def path(self, call: Call) -> Path:
        """The file of one call."""
        return self._folder / f"{call.organization_id}.{call.id}.mp3"

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
