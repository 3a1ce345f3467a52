"""Search by meaning: the vectors of whole knowledge bases in memory, compared by cosine."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ringdown.db.engine import Database
from ringdown.knowledge import chunk_store
from ringdown.knowledge.models import KnowledgeBase

_CAPACITY_BYTES = 512 * 1024 * 1024
# About 1 MB of vectors: reading them takes the event loop for a few milliseconds.
_PAGE_ROWS = 150
# numpy leaves the event loop alone from this many multiplications on; below, a thread costs more.
_THREAD_FROM = 200_000

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VectorSet:
    """The vectors of one base: row `i` of `matrix` belongs to the chunk `numbers[i]`."""

    numbers: npt.NDArray[np.int64]
    matrix: Floats

    def rank(self, vector: Floats, limit: int) -> list[tuple[float, int]]:
        """Cosine and number of the chunks closest to a vector of length 1, closest first."""
        if self.matrix.shape[1:] != vector.shape:
            return []  # the model was changed under the same name
        cosines = self.matrix @ vector
        best = np.argpartition(-cosines, min(limit, len(cosines) - 1))[:limit]
        best = best[np.argsort(-cosines[best], kind="stable")]
        return [(float(cosines[place]), int(self.numbers[place])) for place in best]


class VectorCache:
    """The vector sets of the bases that were searched last, up to 512 MB; read again when a base's version grows."""

    def __init__(self, capacity_bytes: int = _CAPACITY_BYTES) -> None:
        self._capacity_bytes = capacity_bytes
        self._sets: OrderedDict[tuple[str, str], tuple[int, VectorSet]] = OrderedDict()
        self._loading: dict[tuple[str, str], asyncio.Lock] = {}

    async def rank(
        self, database: Database, bases: Sequence[KnowledgeBase], *, model: str, vector: Sequence[float], limit: int
    ) -> list[int]:
        """The numbers of the chunks closest to `vector`, closest first."""
        wanted = normalise(vector)
        ranked: list[tuple[float, int]] = []
        for base in bases:
            found = await self._get(database, base, model)
            if found.matrix.size >= _THREAD_FROM:
                ranked += await asyncio.to_thread(found.rank, wanted, limit)
            elif found.matrix.size:
                ranked += found.rank(wanted, limit)
        return [number for _, number in sorted(ranked, reverse=True)[:limit]]

    async def _get(self, database: Database, base: KnowledgeBase, model: str) -> VectorSet:
        key = (base.id, model)
        # One reader for all who wait: a call is live.
        async with self._loading.setdefault(key, asyncio.Lock()):
            version, found = self._sets.get(key, (-1, None))
            if found is None or version != base.version:
                found = await _load(database, base, model)
                self._sets[key] = (base.version, found)
            self._sets.move_to_end(key)
        self._shrink()
        return found

    def _shrink(self) -> None:
        while len(self._sets) > 1 and self._size() > self._capacity_bytes:
            key, _ = self._sets.popitem(last=False)
            if not self._loading[key].locked():
                del self._loading[key]

    def _size(self) -> int:
        return sum(found.matrix.nbytes for _, found in self._sets.values())


def normalise(vector: Sequence[float]) -> Floats:
    """The vector with length 1; zeros stay zeros."""
    floats = np.asarray(vector, dtype=np.float32)
    length = float(np.linalg.norm(floats))
    return floats / length if length else floats


def to_bytes(vector: Sequence[float]) -> bytes:
    """The vector as it is stored, with length 1."""
    return normalise(vector).astype("<f4").tobytes()


async def _load(database: Database, base: KnowledgeBase, model: str) -> VectorSet:
    numbers: list[int] = []
    pages: list[bytes] = []
    length = 0
    after = -1
    while True:
        async with database.read_alone() as connection:
            page = await chunk_store.list_vectors(
                connection,
                organization_id=base.organization_id,
                knowledge_base_id=base.id,
                model=model,
                after=after,
                limit=_PAGE_ROWS,
            )
        length = length or (len(page[0][1]) if page else 0)
        kept = [(number, vector) for number, vector in page if len(vector) == length]
        numbers += [number for number, _ in kept]
        pages.append(b"".join(vector for _, vector in kept))
        if len(page) < _PAGE_ROWS:
            break
        after = page[-1][0]
    return await asyncio.to_thread(_join, numbers, pages, length // 4)


def _join(numbers: list[int], pages: list[bytes], width: int) -> VectorSet:
    matrix = np.frombuffer(b"".join(pages), dtype="<f4").astype(np.float32, copy=False)
    return VectorSet(np.array(numbers, dtype=np.int64), matrix.reshape(len(numbers), width))
