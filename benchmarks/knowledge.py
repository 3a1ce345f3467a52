"""Measures searches of a knowledge base of 10,000 passages: by words, and by words and meaning (1,536 dimensions).

Run: python -m benchmarks.knowledge [postgresql://…]
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ringdown import values
from ringdown.config import Settings
from ringdown.db import engine, migrate
from ringdown.db.engine import Database
from ringdown.knowledge import chunk_store, store, vectors
from ringdown.knowledge.models import Chunk, KnowledgeBase, Source
from ringdown.knowledge.search import search_knowledge

_PASSAGES = 10_000
_DIMENSIONS = 1_536
_SEARCHES = 200
_VOCABULARY = 20_000
_ORGANIZATION = "org_bench"


class RandomEmbedder:
    """Answers at once, with a random vector: only our own time is measured."""

    model = "random"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text."""
        return [[random.gauss(0, 1) for _ in range(_DIMENSIONS)] for _ in texts]


def _make_word(rank: int) -> str:
    generator = random.Random(rank)
    return "".join(generator.choice("bcdfglmnprst") + generator.choice("aeiou") for _ in range(generator.randint(1, 5)))


async def fill(database: Database, words: Sequence[str]) -> str:
    """Store a base of random passages whose words are as frequent as those of a language (Zipf)."""
    now = values.now_ms()
    base = KnowledgeBase(
        organization_id=_ORGANIZATION,
        id=values.new_id("kb"),
        name="x",
        description=None,
        created_at=now,
        updated_at=now,
    )
    source = Source(
        organization_id=_ORGANIZATION, id=values.new_id("src"), knowledge_base_id=base.id, kind="text", name="x",
        description=None, origin={}, created_at=now, updated_at=now, status="ready",
    )  # fmt: skip
    async with database.write() as connection:
        await store.insert_base(connection, base)
        await store.insert_source(connection, source)
    weights = [1 / (rank + 1) for rank in range(len(words))]
    generator = np.random.default_rng(1)
    for begin in range(0, _PASSAGES, 500):
        chunks = [Chunk(" ".join(random.choices(words, weights, k=130))) for _ in range(500)]
        matrix = generator.normal(size=(500, _DIMENSIONS))
        where = {"organization_id": _ORGANIZATION, "source_id": source.id}
        async with database.write() as connection:
            await chunk_store.insert_chunks(
                connection, **where, knowledge_base_id=base.id, first_position=begin, new=chunks
            )
            found = {begin + place: vectors.to_bytes(list(row)) for place, row in enumerate(matrix)}
            await chunk_store.update_embeddings(connection, **where, model="random", vectors=found)
    return base.id


async def measure(database: Database) -> None:
    """Print median and 95th percentile of searches."""
    random.seed(1)
    words = [_make_word(rank) for rank in range(_VOCABULARY)]
    began = time.perf_counter()
    base_id = await fill(database, words)
    print(f"{database.dialect}: {_PASSAGES} passages stored in {time.perf_counter() - began:.1f} s")
    for kind, embedder in (("words", None), ("words and meaning", RandomEmbedder())):
        times: list[float] = []
        for number in range(_SEARCHES + 1):
            # Of frequent and of rare words, as in questions.
            query = " ".join(random.choices(words[:300], k=2) + random.choices(words, k=3))
            began = time.perf_counter()
            await search_knowledge(
                database, organization_id=_ORGANIZATION, knowledge_base_ids=[base_id], query=query, embedder=embedder
            )
            took_ms = (time.perf_counter() - began) * 1000
            if number:
                times.append(took_ms)
            elif embedder is not None:
                print(f"  first search, which reads the vectors: {took_ms:.0f} ms")
        times.sort()
        print(f"  {kind}: median {times[len(times) // 2]:.1f} ms, p95 {times[len(times) * 95 // 100]:.1f} ms")


async def _run(url: str) -> None:
    await migrate.migrate(url)
    database = engine.open_database(url)
    try:
        await measure(database)
    finally:
        await database.close()


def main() -> None:
    """Measure on SQLite, or on the empty PostgreSQL database of a URL."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url=sys.argv[1] if len(sys.argv) > 1 else None)
        asyncio.run(_run(settings.sqlalchemy_url))


if __name__ == "__main__":
    main()
