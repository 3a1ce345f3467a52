"""Makes the rows that find calls by words and metadata, many at a time; stores nothing."""

import functools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.list_calls_rows import Chunk
from ringdown.calls import words
from ringdown.calls.search_tables import SEQ_BITS
from ringdown.calls.store.search import FACTS

TEXT_COLUMNS = ("organization_id", "seq", "number", "kind", "facts", "words")
PAIR_COLUMNS = ("organization_id", "pair", "seq")

_make_fact = functools.lru_cache(100_000)(words.make_fact)
_make_pair = functools.lru_cache(10_000)(words.make_pair)
_join_words = functools.lru_cache(200_000)(words.join_words)
_SHOWN = {"campaign_id": "batch_call_id", "contact_id": "contact_id"}


def list_texts(chunk: Chunk, numbers: Mapping[str, int]) -> list[tuple[Any, ...]]:
    """What was said in the calls and their summaries, by the numbers of the organizations."""
    spoken: defaultdict[str, list[str]] = defaultdict(list)
    for turn in chunk.turns:
        spoken[turn[1]].append(turn[4])
    rows = []
    for owner, call_id, seq, summary, *facts in chunk.pick("organization_id", "id", "seq", "summary", *FACTS):
        if summary is not None:
            # Texts come from a pool: each alone is split once.
            found = " ".join(_join_words((text,)) for text in (*spoken[call_id], summary))
            known = (_make_fact(name, value) for name, value in zip(FACTS, facts, strict=True) if value is not None)
            kind = words.make_kind(*(facts[FACTS.index(name)] for name in ("status", "direction")))
            rows.append((owner, seq, numbers[owner] << SEQ_BITS | seq, kind, " ".join(known), found))
    return rows


def list_pairs(chunk: Chunk) -> Iterator[tuple[Any, ...]]:
    """The names and values of the metadata of the calls, as they are shown."""
    for owner, seq, metadata, *shown in chunk.pick("organization_id", "seq", "metadata", *_SHOWN.values()):
        for pair in _list_digests(metadata):
            yield owner, pair, seq
        for name, value in zip(_SHOWN, shown, strict=True):
            if value is not None:
                yield owner, _make_pair(name, value), seq


@functools.cache
def _list_digests(metadata: str) -> tuple[bytes, ...]:
    return tuple(words.make_pair(*pair) for pair in sorted(words.list_pairs(json.loads(metadata))))
