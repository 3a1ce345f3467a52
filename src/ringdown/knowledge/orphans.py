"""Deletes bytes whose source was never stored: what a crash between the two leaves behind."""

from ringdown import values
from ringdown.db.engine import Database
from ringdown.jobs.store import Job
from ringdown.knowledge import store
from ringdown.knowledge.documents import DocumentStore

TIDY = "knowledge.tidy"
TIDY_INTERVAL_MS = 60 * 60_000

# The bytes come first, then the row: nobody takes this long over both.
_MIN_AGE_MS = 60 * 60_000


class Orphans:
    """The job handler."""

    def __init__(self, database: Database, documents: DocumentStore, *, min_age_ms: int = _MIN_AGE_MS) -> None:
        self._database = database
        self._documents = documents
        self._min_age_ms = min_age_ms

    async def tidy(self, _job: Job) -> None:
        """Delete the old bytes of sources that are not there, or need them no more."""
        for stored in await self._documents.list_stored(before=values.now_ms() - self._min_age_ms):
            async with self._database.read_alone() as connection:
                source = await store.find_source(connection, stored.organization_id, stored.source_id)
            if source is None or source.status != "processing":
                await self._documents.delete_under(
                    organization_id=stored.organization_id,
                    knowledge_base_id=stored.knowledge_base_id,
                    source_id=stored.source_id,
                )
