"""Gives chunks their vectors: a job per source, and one that finds sources an absent provider has left behind."""

import asyncio

import structlog

from ringdown.db.engine import Database
from ringdown.jobs import queue
from ringdown.jobs.store import Job
from ringdown.knowledge import chunk_store, store, vectors
from ringdown.knowledge.models import Source
from ringdown.providers.embedding import Embedder
from ringdown.voice.ports import ProviderError

_log = structlog.get_logger(__name__)

EMBED = "knowledge.embed"
CATCH_UP = "knowledge.catch_up"
CATCH_UP_INTERVAL_MS = 5 * 60_000

_BATCH = 64
# A job has 100 s; what is left after this goes to the next one.
_BUDGET_S = 60.0
_BATCH_TIMEOUT_S = 30.0


class Embedding:
    """The job handlers; `embedder` is the installation's one."""

    def __init__(self, database: Database, embedder: Embedder, *, budget_s: float = _BUDGET_S) -> None:
        self._database = database
        self._embedder = embedder
        self._budget_s = budget_s

    async def embed(self, job: Job) -> None:
        """Embed the chunks of the source `source_id` that have no vector yet; what fails is caught up later."""
        source_id = str(job.payload["source_id"])
        async with self._database.read_alone() as connection:
            source = await store.find_source(connection, job.organization_id, source_id)
        if source is None or source.status != "ready":
            return
        until = asyncio.get_running_loop().time() + self._budget_s
        is_done = False
        try:
            while not is_done and asyncio.get_running_loop().time() < until:
                is_done = await self._embed_batch(source)
        except (ProviderError, TimeoutError) as error:
            _log.warning("chunks_not_embedded", source_id=source.id, model=self._embedder.model, error=str(error))
            is_done = True
        await self._settle(source, is_done=is_done)

    async def catch_up(self, _job: Job) -> None:
        """Have every source embedded that has chunks without a vector of the present model."""
        async with self._database.read() as connection:
            behind = await store.list_unembedded(connection, model=self._embedder.model)
        for organization_id, source_id in behind:
            async with self._database.write() as connection:
                await queue.defer_job(
                    connection,
                    kind=EMBED,
                    payload={"source_id": source_id},
                    organization_id=organization_id,
                    unique_key=source_id,
                )

    async def _embed_batch(self, source: Source) -> bool:
        """Embed the next chunks; True when there are none left."""
        async with self._database.read_alone() as connection:
            batch = await chunk_store.list_unembedded(
                connection,
                organization_id=source.organization_id,
                source_id=source.id,
                model=self._embedder.model,
                limit=_BATCH,
            )
        if not batch:
            return True
        async with asyncio.timeout(_BATCH_TIMEOUT_S):
            found = await self._embedder.embed([chunk.text for chunk in batch])
        encoded = [vectors.to_bytes(vector) for vector in found]
        async with self._database.write() as connection:
            await chunk_store.update_embeddings(
                connection,
                organization_id=source.organization_id,
                source_id=source.id,
                model=self._embedder.model,
                vectors={chunk.position: vector for chunk, vector in zip(batch, encoded, strict=True)},
            )
        return len(batch) < _BATCH

    async def _settle(self, source: Source, *, is_done: bool) -> None:
        """Show what was embedded to searches, and have the rest done by another job."""
        async with self._database.write() as connection:
            count = await chunk_store.count_embedded(
                connection,
                organization_id=source.organization_id,
                source_id=source.id,
                model=self._embedder.model,
            )
            await store.update_source(
                connection,
                source.organization_id,
                source.id,
                {"embedded_count": count, "embedding_model": self._embedder.model},
            )
            await store.grow_version(connection, source.organization_id, source.knowledge_base_id)
            if not is_done:
                # No unique key: this job has it until it is done.
                await queue.defer_job(
                    connection,
                    kind=EMBED,
                    payload={"source_id": source.id},
                    organization_id=source.organization_id,
                )
