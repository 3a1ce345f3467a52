"""Searches knowledge bases by words and, with an embedding provider, by meaning; fuses both lists."""

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db.engine import Database
from ringdown.knowledge import chunk_store, ranking, store, vectors, words
from ringdown.knowledge.models import KnowledgeBase, Passage
from ringdown.providers.embedding import Embedder
from ringdown.voice.ports import ProviderError

_log = structlog.get_logger(__name__)

#: A caller waits for the answer: later than this, the words alone must do.
EMBED_TIMEOUT_S = 1.5
MAX_QUERY_LENGTH = 2_000
# So many of each list are fused; more changes nothing among the first few.
_CANDIDATES = 40
_SPARE = 8
# A word that more chunks hold tells little: those are not all fetched. Of what is fetched, so many are read.
_HITS = 1_000
_RANKED = 200
# Of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009).
_RRF_K = 60

# Per process: bases are big, and their ids and versions name their state in every database.
_vectors = vectors.VectorCache()


async def search_knowledge(
    database: Database,
    *,
    organization_id: str,
    knowledge_base_ids: Sequence[str],
    query: str,
    limit: int = 4,
    embedder: Embedder | None = None,
) -> list[Passage]:
    """The passages of the knowledge bases that fit `query` best, best first; fit to be called during a call.

    Bases that do not exist are passed over. An embedding provider that is away, or slow, leaves the words.
    """
    query = query[:MAX_QUERY_LENGTH].replace("\0", "")
    if not knowledge_base_ids or not query.strip():
        return []
    try:
        # The provider takes the most of the time: meanwhile the words are searched.
        async with asyncio.TaskGroup() as tasks:
            embedding = tasks.create_task(_embed(query, embedder))
            async with database.read() as connection:
                bases, total = await store.list_searched_bases(connection, organization_id, knowledge_base_ids)
                by_words = await _search_words(connection, bases, query, total=total)
            if not bases:
                embedding.cancel()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    if not bases:
        return []
    by_meaning: list[int] = []
    if embedder is not None and (vector := embedding.result()) is not None:
        by_meaning = await _vectors.rank(database, bases, model=embedder.model, vector=vector, limit=_CANDIDATES)
    scores = fuse([by_words, by_meaning] if by_meaning else [by_words])
    # More than wanted: a source that is gone leaves its chunks for a moment.
    best = dict(sorted(scores.items(), key=lambda entry: -entry[1])[: limit + _SPARE])
    if not best:
        return []
    async with database.read_alone() as connection:
        return (await chunk_store.list_passages(connection, organization_id, best))[:limit]


def fuse(rankings: Sequence[Sequence[int]]) -> dict[int, float]:
    """The scores of what the rankings hold by reciprocal rank fusion; 1 for what every ranking puts first."""
    full = len(rankings) / (_RRF_K + 1)
    scores: dict[int, float] = {}
    for ranked in rankings:
        for rank, number in enumerate(ranked, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (_RRF_K + rank) / full
    return scores


async def _search_words(
    connection: AsyncConnection, bases: Sequence[KnowledgeBase], query: str, *, total: int
) -> list[int]:
    """The numbers of the chunks whose words fit best; the bases have `total` chunks."""
    forms = words.list_forms(words.list_terms(query))
    if not forms or not bases:
        return []
    ids = [base.id for base in bases]
    hits = await chunk_store.list_hits(connection, knowledge_base_ids=ids, forms=forms, limit=_HITS)
    weighted = ranking.weigh(forms, hits, total=total)
    chosen = await asyncio.to_thread(ranking.choose, weighted, hits, limit=_RANKED)
    texts = await chunk_store.list_words(connection, bases[0].organization_id, chosen)
    return await asyncio.to_thread(ranking.rank, weighted, texts, limit=_CANDIDATES)


async def _embed(query: str, embedder: Embedder | None) -> Sequence[float] | None:
    """The vector of the query, None without one."""
    if embedder is None:
        return None
    try:
        async with asyncio.timeout(EMBED_TIMEOUT_S):
            [vector] = await embedder.embed([query])
    except (ProviderError, TimeoutError) as error:
        _log.warning("knowledge_searched_by_words_only", model=embedder.model, error=str(error))
        return None
    return vector
