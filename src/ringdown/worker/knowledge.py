"""The jobs of knowledge bases: reading sources, embedding them, and deleting what is left of them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.jobs import loop, queue
from ringdown.knowledge import embedding, ingestion, orphans
from ringdown.knowledge.documents import DocumentStore
from ringdown.knowledge.embedding import Embedding
from ringdown.knowledge.extraction import Extractor
from ringdown.knowledge.ingestion import Ingestion
from ringdown.outbound import OutboundClient
from ringdown.providers.embedding import open_embedder
from ringdown.providers.registry import read_providers


@asynccontextmanager
async def open_handlers(settings: Settings, database: Database) -> AsyncIterator[Mapping[str, loop.Handler]]:
    """The handlers by kind of job, and what they hold open."""
    client = OutboundClient(private_allowed=settings.private_urls_allowed)
    embedder = open_embedder(read_providers(settings))
    documents = DocumentStore.open(settings)
    ingesting = Ingestion(
        database,
        documents=documents,
        client=client,
        extractor=Extractor(),
        embeds=embedder is not None,
    )
    handlers: dict[str, loop.Handler] = {
        ingestion.INGEST: ingesting.ingest,
        ingestion.SWEEP: ingesting.sweep,
        orphans.TIDY: orphans.Orphans(database, documents).tidy,
    }
    try:
        await queue.ensure_recurring(database, kind=orphans.TIDY, interval_ms=orphans.TIDY_INTERVAL_MS)
        if embedder is not None:
            embeds = Embedding(database, embedder)
            handlers |= {embedding.EMBED: embeds.embed, embedding.CATCH_UP: embeds.catch_up}
            await queue.ensure_recurring(database, kind=embedding.CATCH_UP, interval_ms=embedding.CATCH_UP_INTERVAL_MS)
        yield handlers
    finally:
        await client.close()
        if embedder is not None:
            await embedder.close()
