"""Turns sources into chunks: a job that goes on where it stopped, bears being run twice, and never outlives its source.

Each run of the job marks the source with its id; whoever is no longer the marked run, or finds the source gone,
writes nothing more. A piece of the source (some pages of a PDF, some text, a page of a web site) is stored in batches,
then the cursor moves behind it; the chunks of a piece that was cut short are deleted before it is read again.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.db.engine import Database
from ringdown.jobs import queue
from ringdown.jobs.store import Job
from ringdown.knowledge import chunk_store, embedding, pieces, store
from ringdown.knowledge.crawling import Crawler, Frontier, Skipped
from ringdown.knowledge.documents import DocumentStore
from ringdown.knowledge.extraction import Extractor
from ringdown.knowledge.models import MAX_CHUNKS, MAX_WARNINGS, Chunk, Source
from ringdown.knowledge.pieces import Request, Unreadable
from ringdown.outbound import OutboundClient

_log = structlog.get_logger(__name__)

INGEST = "knowledge.ingest"
SWEEP = "knowledge.sweep"

# A run of a job has 100 s; a piece begun before this is finished in time.
_BUDGET_S = 40.0
# A page of a site is taken in one run; more of a long document than fits is left out.
_PAGE_BUDGET_S = 20.0
# Others write between two batches.
_BATCH = 200
# A source that ends its runs this often, for instance by killing the worker, is given up.
_MAX_RUNS = 10


class Superseded(Exception):
    """The source is gone, or another run works on it; nothing is wrong."""


class Run:
    """One run's hold on a source: what it writes, it writes only as long as the source is there and its own."""

    def __init__(self, database: Database, source: Source, *, run_id: str) -> None:
        self._database = database
        self._run_id = run_id
        self.source = source
        self.chunk_count = source.chunk_count
        self.warnings = list(source.warnings)

    async def add(self, chunks: Sequence[Chunk]) -> None:
        """Store the chunks of a piece behind those that are there. Raises `Superseded` and `Unreadable`."""
        if self.chunk_count + len(chunks) > MAX_CHUNKS:
            raise Unreadable(f"it holds more than {MAX_CHUNKS} passages; split it")
        for begin in range(0, len(chunks), _BATCH):
            batch = chunks[begin : begin + _BATCH]
            async with self._database.write() as connection:
                held = await store.find_source(connection, self.source.organization_id, self.source.id, lock=True)
                if held is None or held.run_id != self._run_id:
                    raise Superseded
                await chunk_store.insert_chunks(
                    connection,
                    organization_id=self.source.organization_id,
                    knowledge_base_id=self.source.knowledge_base_id,
                    source_id=self.source.id,
                    first_position=self.chunk_count + begin,
                    new=batch,
                )
        self.chunk_count += len(chunks)

    def warn(self, sentence: str) -> None:
        """Keep what was left out for the source's owner to see."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(sentence)

    async def advance(self, cursor: dict[str, Any], *, progress: float) -> None:
        """Move behind the piece whose chunks are stored. Raises `Superseded`."""
        async with self._database.write() as connection:
            await self._write(connection, {"cursor": cursor, "progress": round(min(progress, 1.0), 3)})

    async def succeed(self, *, embeds: bool) -> None:
        """The source is ready, and is embedded next. Raises `Superseded`."""
        async with self._database.write() as connection:
            await self._write(connection, {"status": "ready", "progress": 1.0, "cursor": None, "run_id": None})
            if embeds:
                await self._defer(connection, embedding.EMBED, {"source_id": self.source.id})

    async def fail(self, reason: str) -> None:
        """The source has failed and keeps no chunks. Raises `Superseded`."""
        self.chunk_count = 0
        async with self._database.write() as connection:
            await self._write(connection, {"status": "failed", "error": reason, "cursor": None, "run_id": None})
            payload = {"knowledge_base_id": self.source.knowledge_base_id, "source_id": self.source.id}
            await self._defer(connection, SWEEP, payload)

    async def _write(self, connection: AsyncConnection, changes: dict[str, Any]) -> None:
        changes |= {"chunk_count": self.chunk_count, "warnings": self.warnings, "updated_at": values.now_ms()}
        source = self.source
        if not await store.update_source(connection, source.organization_id, source.id, changes, run_id=self._run_id):
            raise Superseded

    async def _defer(self, connection: AsyncConnection, kind: str, payload: dict[str, Any]) -> None:
        source = self.source
        await queue.defer_job(
            connection, kind=kind, payload=payload, organization_id=source.organization_id, unique_key=source.id
        )


class Ingestion:
    """The job handlers."""

    def __init__(
        self,
        database: Database,
        *,
        documents: DocumentStore,
        client: OutboundClient,
        extractor: Extractor,
        embeds: bool,
        budget_s: float = _BUDGET_S,
        page_budget_s: float = _PAGE_BUDGET_S,
    ) -> None:
        self._database = database
        self._documents = documents
        self._page_budget_s = page_budget_s
        self._client = client
        self._extractor = extractor
        self._embeds = embeds
        self._budget_s = budget_s

    async def ingest(self, job: Job) -> None:
        """Work on the source `source_id` for a while; what is left goes to another job."""
        run = await self._begin(job)
        if run is None:
            return
        source = run.source
        try:
            if not await self._work(run, job):
                await self._go_on(source)
                return
        except Superseded:
            return
        await self._documents.delete(source)

    async def sweep(self, job: Job) -> None:
        """Delete the chunks and bytes of a source, or of all sources of a base, that is gone or has failed."""
        until = asyncio.get_running_loop().time() + self._budget_s
        knowledge_base_id, source_id = str(job.payload["knowledge_base_id"]), job.payload["source_id"]
        await self._documents.delete_under(
            organization_id=job.organization_id, knowledge_base_id=knowledge_base_id, source_id=source_id
        )
        while True:
            async with self._database.write() as connection:
                deleted = await chunk_store.delete_chunks(
                    connection,
                    organization_id=job.organization_id,
                    knowledge_base_id=knowledge_base_id,
                    source_id=source_id,
                    limit=_BATCH,
                )
                if deleted < _BATCH:
                    return
                if asyncio.get_running_loop().time() > until:
                    await queue.defer_job(
                        connection, kind=SWEEP, payload=job.payload, organization_id=job.organization_id
                    )
                    return

    async def _work(self, run: Run, job: Job) -> bool:
        """Work on the source to its end, good or bad; False when there is more than fits into this run."""
        try:
            if job.attempts > _MAX_RUNS:
                raise Unreadable("reading it broke off again and again")
            if not await (self._crawl(run) if run.source.kind == "web" else self._read(run)):
                return False
            if not run.chunk_count:
                raise Unreadable(_why_empty(run))
            await run.succeed(embeds=self._embeds)
        except Unreadable as error:
            reason = str(error)
            _log.info("source_failed", source_id=run.source.id, kind=run.source.kind)
            await run.fail(f"{reason[:1].upper()}{reason[1:]}.")
        return True

    async def _begin(self, job: Job) -> Run | None:
        """Take the source over from whatever run had it, and put it back behind its last whole piece."""
        source_id = str(job.payload["source_id"])
        async with self._database.write() as connection:
            source = await store.find_source(connection, job.organization_id, source_id, lock=True)
            if source is None or source.status != "processing":
                return None
            await store.update_source(connection, job.organization_id, source_id, {"run_id": job.lease_id})
        deleted = _BATCH
        while deleted == _BATCH:
            async with self._database.write() as connection:
                deleted = await chunk_store.delete_chunks(
                    connection,
                    organization_id=source.organization_id,
                    knowledge_base_id=source.knowledge_base_id,
                    source_id=source.id,
                    from_position=source.chunk_count,
                    limit=_BATCH,
                )
        return Run(self._database, source, run_id=job.lease_id)

    async def _go_on(self, source: Source) -> None:
        async with self._database.write() as connection:
            # No unique key: the present job is there until this has returned.
            await queue.defer_job(
                connection, kind=INGEST, payload={"source_id": source.id}, organization_id=source.organization_id
            )

    async def _read(self, run: Run) -> bool:
        """Read a document or text piece by piece; False when there is more than fits into this run."""
        source = run.source
        content = await self._documents.find(source)
        if content is None:
            raise Unreadable("its file is gone")
        until = asyncio.get_running_loop().time() + self._budget_s
        start = int((source.cursor or {}).get("start", 0))
        while asyncio.get_running_loop().time() < until:
            request = Request(source.origin["format"], start, source.origin.get("charset"))
            piece = await self._extractor.extract(content, request)
            for warning in piece.warnings:
                run.warn(warning)
            await run.add(piece.chunks)
            if piece.next is None:
                return True
            start = piece.next
            await run.advance({"start": start}, progress=start / piece.total)
        return False

    async def _crawl(self, run: Run) -> bool:
        """Fetch and read page after page; False when there are more than fit into this run."""
        source, crawler = run.source, Crawler(self._client)
        frontier = Frontier.restore(
            source.origin["urls"],
            source.cursor,
            max_depth=source.origin["max_depth"],
            max_pages=source.origin["max_pages"],
        )
        until = asyncio.get_running_loop().time() + self._budget_s
        while (taken := frontier.take()) is not None:
            url, depth = taken
            try:
                await self._take_page(run, crawler, frontier, url=url, depth=depth)
            except (Skipped, Unreadable) as error:
                run.warn(f"{url}: {error}")
            await run.advance(frontier.save(), progress=frontier.progress)
            if asyncio.get_running_loop().time() > until:
                return False
        return True

    async def _take_page(self, run: Run, crawler: Crawler, frontier: Frontier, *, url: str, depth: int) -> None:
        page = await crawler.fetch(url, frontier)
        until = asyncio.get_running_loop().time() + self._page_budget_s
        request: Request | None = Request(page.format, 0, page.charset, page.url)
        while request is not None:
            piece = await self._extractor.extract(page.content, request)
            if request.start == 0:
                frontier.add_links(piece.links, depth=depth)
            await run.add(piece.chunks)
            request = None if piece.next is None else Request(page.format, piece.next, page.charset, page.url)
            if request is not None and asyncio.get_running_loop().time() > until:
                run.warn(f"{url}: only its beginning is taken, because reading it takes too long")
                break
        await asyncio.sleep(await crawler.get_delay_s(url))


async def defer_ingestion(connection: AsyncConnection, source: Source) -> None:
    """Have a new source ingested once this transaction has committed."""
    await queue.defer_job(
        connection,
        kind=INGEST,
        payload={"source_id": source.id},
        organization_id=source.organization_id,
        unique_key=source.id,
    )


async def defer_sweep(
    connection: AsyncConnection, *, organization_id: str, knowledge_base_id: str, source_id: str | None
) -> None:
    """Have everything of a deleted source, or of a whole base, deleted once this transaction has committed."""
    payload = {"knowledge_base_id": knowledge_base_id, "source_id": source_id}
    await queue.defer_job(connection, kind=SWEEP, payload=payload, organization_id=organization_id)


def _why_empty(run: Run) -> str:
    if run.source.kind == "web":
        first = f"; the first problem was {run.warnings[0].rstrip('.')}" if run.warnings else ""
        return f"none of its pages could be taken{first}"
    return pieces.why_empty(run.source.origin["format"])
