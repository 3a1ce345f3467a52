"""Searches knowledge bases by words and, with an embedding provider, by meaning; fuses both lists."""

import asyncio
from collections.abc import Sequence

import structlog

from ringdown.db.engine import Database
from ringdown.knowledge import chunk_store, store, vectors, words
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
    async with database.read_alone() as connection:
        bases = await store.list_known_bases(connection, organization_id, knowledge_base_ids)
    if not bases or not query.strip():
        return []
    by_words = await _search_words(database, bases, query)
    by_meaning = await _search_meaning(database, bases, query, embedder)
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
    for ranking in rankings:
        for rank, number in enumerate(ranking, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (_RRF_K + rank) / full
    return scores


async def _search_words(database: Database, bases: Sequence[KnowledgeBase], query: str) -> list[int]:
    terms = words.list_terms(query)
    if not terms:
        return []
    async with database.read_alone() as connection:
        return await chunk_store.search_words(
            connection,
            organization_id=bases[0].organization_id,
            knowledge_base_ids=[base.id for base in bases],
            terms=terms,
            limit=_CANDIDATES,
        )


async def _search_meaning(
    database: Database, bases: Sequence[KnowledgeBase], query: str, embedder: Embedder | None
) -> list[int]:
    if embedder is None:
        return []
    try:
        async with asyncio.timeout(EMBED_TIMEOUT_S):
            [vector] = await embedder.embed([query])
    except (ProviderError, TimeoutError) as error:
        _log.warning("knowledge_searched_by_words_only", model=embedder.model, error=str(error))
        return []
    return await _vectors.rank(database, bases, model=embedder.model, vector=vector, limit=_CANDIDATES)
