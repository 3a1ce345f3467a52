"""Recordings of calls: where the MP3 files lie, and the signer of the links to them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import LocalStore, ObjectStore

from ringdown import errors
from ringdown.calls.link import LinkSigner
from ringdown.calls.store import secrets
from ringdown.config import Settings
from ringdown.db.engine import Database

_SIGNING_SECRET = "recording-links"
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """What is known of a stored recording."""

    size: int
    etag: str


class RecordingStore:
    """The stored MP3 files, one per call, by organization."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, settings: Settings) -> "RecordingStore":
        """The store in the folder `recordings` of the data folder, made if it is missing."""
        return cls(LocalStore(prefix=settings.data_dir.absolute() / "recordings", mkdir=True))

    async def save(self, organization_id: str, call_id: str, path: Path) -> None:
        """Store the file; an earlier one of the same call is replaced as a whole."""
        await obstore.put_async(self._store, _key(organization_id, call_id), path)

    async def get_file(self, organization_id: str, call_id: str) -> RecordingFile:
        """Size and entity tag of the recording; raises `NotFound`."""
        try:
            found = await obstore.head_async(self._store, _key(organization_id, call_id))
        except FileNotFoundError:
            raise errors.NotFound("Recording", call_id) from None
        return RecordingFile(found["size"], found["e_tag"] or "")

    async def read(self, organization_id: str, call_id: str, *, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (exclusive, and after `start`), in pieces."""
        key = _key(organization_id, call_id)
        found = await obstore.get_async(self._store, key, options={"range": (start, end)})
        async for piece in found.stream(min_chunk_size=_PIECE_BYTES):
            yield bytes(piece)

    async def delete(self, organization_id: str, call_id: str) -> None:
        """Delete the recording; safe to repeat."""
        try:
            await obstore.delete_async(self._store, _key(organization_id, call_id))
        except FileNotFoundError:
            return


class RecordingLinks:
    """Makes the link signer; its secret lies in the database, so that all API processes share it."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._signer: LinkSigner | None = None

    async def get_signer(self) -> LinkSigner:
        """The signer; the secret is read once and made at the very first use."""
        if self._signer is None:
            self._signer = LinkSigner(
                await self._load_secret(), self._settings.base_url, self._settings.recording_link_seconds
            )
        return self._signer

    async def _load_secret(self) -> str:
        async with self._database.read() as connection:
            secret = await secrets.find_secret(connection, _SIGNING_SECRET)
        if secret is not None:
            return secret
        async with self._database.write() as connection:
            return await secrets.make_secret(connection, _SIGNING_SECRET)


def _key(organization_id: str, call_id: str) -> str:
    return f"{organization_id}/{call_id}.mp3"
