"""The faults of a chaos run: programs that are killed, a database that is cut off; each noted with its time."""

import asyncio
import contextlib
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from benchmarks.chaos_product import Product, Store
from benchmarks.chaos_program import Program, now_ms

#: How often each kind of program is hit; the rest is the worker's.
_GATEWAY_SHARE, _API_SHARE = 0.4, 0.25
_HASTE = 2.5
#: The last contacts are done before the last kill is due.
_AHEAD = 1.15
#: A program that is still starting is left alone so often: one that never comes up proves nothing.
_SPARED = 0.8
_CUT_EVERY_S = 15.0
_LONGEST_CUT_S = 4.0


@dataclass(frozen=True, slots=True)
class Span:
    """From one instant to another, ms UTC."""

    from_ms: int
    to_ms: int

    def overlap_ms(self, from_ms: int, to_ms: int) -> int:
        """How much of that time lies in here."""
        return max(0, min(self.to_ms, to_ms) - max(self.from_ms, from_ms))


@dataclass(frozen=True, slots=True)
class Kill:
    """One `kill -9` of a program that ran."""

    program: str
    at: int


@dataclass(slots=True)
class Faults:
    """What was done to the product."""

    kills: list[Kill] = field(default_factory=list)
    cuts: list[Span] = field(default_factory=list)

    def count_kills(self) -> Counter[str]:
        """By program."""
        return Counter(kill.program for kill in self.kills)


class Saboteur:
    """Kills and cuts side by side until the block of `work` ends.

    `progress`, from 0 to 1, is set by whoever drives: kills that are behind it come faster, so that `kills` of them
    are spread over the whole run.
    """

    def __init__(self, product: Product, *, seed: int, kills: int, kill_every_s: float) -> None:
        self.faults = Faults()
        self.progress = 0.0
        self._product = product
        self._kills = kills
        self._kill_every_s = kill_every_s
        self._killing = random.Random(f"{seed}/kills")
        self._cutting = random.Random(f"{seed}/cuts")

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Faults]:
        """Do harm for the length of the block."""
        tasks = [asyncio.create_task(self._kill()), asyncio.create_task(self._cut())]
        try:
            yield self.faults
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended

    async def _kill(self) -> None:
        while self._kills:
            is_behind = len(self.faults.kills) < _AHEAD * self.progress * self._kills
            await asyncio.sleep(self._kill_every_s * self._killing.uniform(0.2, 1.8) / (_HASTE if is_behind else 1))
            program = self._choose()
            is_spared = not program.is_ready.is_set() and self._killing.random() < _SPARED
            if not is_spared and program.kill():
                self.faults.kills.append(Kill(program.name, now_ms()))

    def _choose(self) -> Program:
        api, worker, *_ = self._product.programs
        chance = self._killing.random()
        if chance < _GATEWAY_SHARE:
            return self._killing.choice(self._product.gateways)
        return api if chance < _GATEWAY_SHARE + _API_SHARE else worker

    async def _cut(self) -> None:
        store = self._product.store
        while self._kills:
            await asyncio.sleep(_CUT_EVERY_S * self._cutting.uniform(0.3, 1.7))
            length_s = self._cutting.uniform(0.5, _LONGEST_CUT_S)
            began_at = now_ms()
            if store.kind == "sqlite":
                await asyncio.to_thread(_hold_writes, store, length_s)
            else:
                await _cut_connections(store, self._cutting.choice((0.0, length_s)))
            self.faults.cuts.append(Span(began_at, now_ms()))


def _hold_writes(store: Store, length_s: float) -> None:
    """Nobody else can write meanwhile."""
    path = store.folder / "data" / "ringdown.db"
    with contextlib.closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(length_s)
        connection.execute("ROLLBACK")


async def _cut_connections(store: Store, away_s: float) -> None:
    """Break every connection; for so many seconds nobody can connect again either."""
    connection = await asyncpg.connect(host=str(store.socket), user="postgres", database="postgres")
    try:
        await connection.execute("ALTER DATABASE chaos WITH ALLOW_CONNECTIONS false")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'chaos'")
        await asyncio.sleep(away_s)
    finally:
        await connection.execute("ALTER DATABASE chaos WITH ALLOW_CONNECTIONS true")
        await connection.close()
