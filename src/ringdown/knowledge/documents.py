"""The bytes of documents and texts that wait to be ingested, in the store of files."""

import asyncio
from dataclasses import dataclass

import obstore
from obstore.store import LocalStore, ObjectStore

from ringdown.config import Settings
from ringdown.knowledge.models import Source


@dataclass(frozen=True, slots=True)
class Stored:
    """Whose bytes there are."""

    organization_id: str
    knowledge_base_id: str
    source_id: str


class DocumentStore:
    """Files by organization, knowledge base and source; deleted once they are ingested."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, settings: Settings) -> "DocumentStore":
        """The store in the folder `knowledge` of the data folder, made if it is missing."""
        return cls(LocalStore(prefix=settings.data_dir.absolute() / "knowledge", mkdir=True))

    async def save(self, source: Source, content: bytes) -> None:
        """Store the bytes; earlier ones of the same source are replaced as a whole."""
        await obstore.put_async(self._store, _key(source), content)

    async def find(self, source: Source) -> bytes | None:
        """The bytes, or None when they are gone."""
        try:
            found = await obstore.get_async(self._store, _key(source))
        except FileNotFoundError:
            return None
        return await asyncio.to_thread(bytes, await found.bytes_async())

    async def delete(self, source: Source) -> None:
        """Delete the bytes; safe to repeat."""
        await self._delete(_key(source))

    async def delete_under(self, *, organization_id: str, knowledge_base_id: str, source_id: str | None) -> None:
        """Delete the bytes of one source, or of all sources of a base; safe to repeat."""
        folder = f"{organization_id}/{knowledge_base_id}"
        if source_id is not None:
            await self._delete(f"{folder}/{source_id}")
            return
        async for listed in obstore.list(self._store, prefix=folder):
            for found in listed:
                await self._delete(found["path"])

    async def list_stored(self, *, before: int) -> list[Stored]:
        """Whose bytes were stored before an instant, in ms UTC."""
        return [
            Stored(*found["path"].split("/"))
            async for listed in obstore.list(self._store)
            for found in listed
            if found["last_modified"].timestamp() * 1000 < before and found["path"].count("/") == 2
        ]

    async def _delete(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return


def _key(source: Source) -> str:
    return f"{source.organization_id}/{source.knowledge_base_id}/{source.id}"
