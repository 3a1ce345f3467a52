"""Measures searches during a call in a knowledge base of 10,000 passages, on SQLite and on PostgreSQL.

The embedding provider answers at once, so that only our own time is measured. Wall time is what a caller waits on a
quiet machine; CPU time, of this process and of the database server, is what can be compared on a busy one.
"""

import argparse
import asyncio
import dataclasses
import itertools
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np

from benchmarks import report
from ringdown import values
from ringdown.config import Settings
from ringdown.db import engine, migrate
from ringdown.db.engine import Database
from ringdown.knowledge import chunk_store, store, vectors
from ringdown.knowledge.models import Chunk, KnowledgeBase, Source
from ringdown.knowledge.search import search_knowledge
from ringdown.providers.embedding import Embedder
from tests import postgresql

_PASSAGES = 10_000
_WORDS_PER_PASSAGE = 130
_DIMENSIONS = 1_536
_SEARCHES, _QUICK_SEARCHES = 400, 100
_VOCABULARY = 20_000
_BATCH = 200
_ORGANIZATION = "org_bench"
_WORDS_LIMIT_MS, _MEANING_LIMIT_MS, _HELD_LIMIT_MS = 50, 80, 10
_PROBE_S = 0.001


class RandomEmbedder:
    """Answers with a random vector that was made before."""

    model = "random"

    def __init__(self) -> None:
        generator = np.random.default_rng(2)
        self._vectors = itertools.cycle(generator.normal(size=(64, _DIMENSIONS)).tolist())

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text."""
        return [next(self._vectors) for _ in texts]

    async def close(self) -> None:
        """There is nothing to close."""


@dataclasses.dataclass(slots=True)
class LoopProbe:
    """How long the event loop was held at a time by its own thread's work, in CPU milliseconds."""

    longest_ms: float = 0.0

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Watch during the block."""
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch())
            yield
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            before_s = time.thread_time()
            await asyncio.sleep(_PROBE_S)
            self.longest_ms = max(self.longest_ms, (time.thread_time() - before_s) * 1000)


@dataclasses.dataclass(slots=True)
class Times:
    """Wall and CPU milliseconds of each search."""

    wall_ms: list[float] = dataclasses.field(default_factory=list)
    cpu_ms: list[float] = dataclasses.field(default_factory=list)


def _make_word(rank: int) -> str:
    generator = random.Random(rank)
    return "".join(generator.choice("bcdfglmnprst") + generator.choice("aeiou") for _ in range(generator.randint(1, 5)))


async def fill(database: Database, words: Sequence[str]) -> str:
    """Store a base of random passages whose words are as frequent as those of a language (Zipf); returns its id."""
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
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(words))))
    generator = np.random.default_rng(1)
    for begin in range(0, _PASSAGES, _BATCH):
        texts = [random.choices(words, cum_weights=weights, k=_WORDS_PER_PASSAGE) for _ in range(_BATCH)]
        matrix = generator.normal(size=(_BATCH, _DIMENSIONS))
        where = {"organization_id": _ORGANIZATION, "source_id": source.id}
        async with database.write() as connection:
            await chunk_store.insert_chunks(
                connection,
                **where,
                knowledge_base_id=base.id,
                first_position=begin,
                new=[Chunk(" ".join(text)) for text in texts],
            )
            found = {begin + place: vectors.to_bytes(row) for place, row in enumerate(matrix)}
            await chunk_store.update_embeddings(connection, **where, model=RandomEmbedder.model, vectors=found)
    return base.id


async def search(
    database: Database,
    base_id: str,
    words: Sequence[str],
    *,
    embedder: Embedder | None,
    searches: int,
    read_cpu_s: Callable[[], float],
) -> Times:
    """The times of searches for frequent and rare words together, as in questions; one more comes first, unmeasured."""
    times = Times()
    for number in range(searches + 1):
        query = " ".join(random.choices(words[:300], k=2) + random.choices(words, k=3))
        began_s, cpu_s = time.perf_counter(), read_cpu_s()
        await search_knowledge(
            database, organization_id=_ORGANIZATION, knowledge_base_ids=[base_id], query=query, embedder=embedder
        )
        if number:
            times.wall_ms.append((time.perf_counter() - began_s) * 1000)
            times.cpu_ms.append((read_cpu_s() - cpu_s) * 1000)
    return times


async def measure(database: Database, *, searches: int, server_pid: int | None) -> list[report.Figure]:
    """The figures of one migrated, empty database."""
    random.seed(1)
    words = [_make_word(rank) for rank in range(_VOCABULARY)]
    began_s = time.perf_counter()
    base_id = await fill(database, words)
    name = database.dialect
    print(f"{name}: {_PASSAGES} passages stored in {time.perf_counter() - began_s:.1f} s", file=sys.stderr)
    figures: list[report.Figure] = []
    probe = LoopProbe()
    async with probe.run():
        for kind, embedder, limit_ms in (
            ("words", None, _WORDS_LIMIT_MS),
            ("words and meaning", RandomEmbedder(), _MEANING_LIMIT_MS),
        ):
            times = await search(
                database,
                base_id,
                words,
                embedder=embedder,
                searches=searches,
                read_cpu_s=lambda: time.process_time() + _read_server_cpu_s(server_pid),
            )
            figures += [
                report.Figure(f"{name}, {kind}: wall, median", quantile(times.wall_ms, 0.5), "ms"),
                report.at_most(f"{name}, {kind}: wall, p95", quantile(times.wall_ms, 0.95), "ms", limit_ms),
                report.Figure(f"{name}, {kind}: CPU, mean", sum(times.cpu_ms) / searches, "ms"),
            ]
    held = report.at_most(f"{name}: event loop held at a time (CPU)", probe.longest_ms, "ms", _HELD_LIMIT_MS)
    return [*figures, held]


def quantile(measured: Sequence[float], share: float) -> float:
    """The value that this share of the measured ones does not exceed."""
    return sorted(measured)[max(0, math.ceil(len(measured) * share) - 1)]


def _read_server_cpu_s(server_pid: int | None) -> float:
    """CPU seconds of the PostgreSQL server on this machine so far, in steps of the kernel's tick (10 ms)."""
    if server_pid is None:
        return 0.0
    ticks = 0
    children = Path(f"/proc/{server_pid}/task/{server_pid}/children").read_text().split()
    for pid in children:
        # The second field, a name in brackets, may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def _open_urls(kinds: Sequence[str]) -> Iterator[list[tuple[str, int | None]]]:
    """The URL of an empty database of each kind, and the id of its server's process if it has one."""
    with ExitStack() as stack:
        urls: list[tuple[str, int | None]] = []
        if "sqlite" in kinds:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            urls.append((Settings(data_dir=Path(folder), database_url=None).sqlalchemy_url, None))
        if "postgresql" in kinds:
            socket = stack.enter_context(postgresql.run_postgresql())
            pid = int((socket / "data" / "postmaster.pid").read_text().split()[0])
            urls.append((f"postgresql+asyncpg://postgres@/postgres?host={socket}", pid))
        yield urls


async def _run(url: str, *, searches: int, server_pid: int | None) -> list[report.Figure]:
    await migrate.migrate(url)
    database = engine.open_database(url)
    try:
        return await measure(database, searches=searches, server_pid=server_pid)
    finally:
        await database.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.knowledge", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer searches, under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    options = parser.parse_args(arguments)
    searches = _QUICK_SEARCHES if options.quick else _SEARCHES
    figures: list[report.Figure] = []
    with _open_urls([options.database] if options.database else ["sqlite", "postgresql"]) as urls:
        for url, server_pid in urls:
            figures += asyncio.run(_run(url, searches=searches, server_pid=server_pid))
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
