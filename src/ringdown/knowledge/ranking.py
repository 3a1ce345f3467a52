"""Ranks chunks by the words of a query with BM25 (Robertson and Zaragoza, 2009), alike on both databases; pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ringdown.knowledge.words import Form

_K1, _B = 1.2, 0.75
# A word that only begins like one of the query counts as so much of it.
_LIKENESS = 0.5


@dataclass(frozen=True, slots=True)
class Weighted:
    """A form of the query and what a chunk gains by holding it."""

    form: Form
    weight: float


def weigh(forms: Sequence[Form], hits: Sequence[Sequence[int]], *, total: int) -> list[Weighted]:
    """The weight of each form by the chunks it was found in, of `total` chunks: rare ones weigh more."""
    weighted = []
    for form, numbers in zip(forms, hits, strict=True):
        count = len(numbers)
        rarity = math.log1p((max(total, count) - count + 0.5) / (count + 0.5))
        weighted.append(Weighted(form, rarity))
    return weighted


def choose(weighted: Sequence[Weighted], hits: Sequence[Sequence[int]], *, limit: int) -> list[int]:
    """The numbers of up to `limit` chunks that hold forms of the most weight."""
    if not any(hits):
        return []
    found, places = np.unique(np.concatenate([np.asarray(numbers, np.int64) for numbers in hits]), return_inverse=True)
    weights = np.repeat([one.weight for one in weighted], [len(numbers) for numbers in hits])
    gains = np.bincount(places, weights)
    best = np.argsort(-gains, kind="stable")[:limit]
    return [int(number) for number in found[best]]


def rank(weighted: Sequence[Weighted], texts: Sequence[tuple[int, str]], *, limit: int) -> list[int]:
    """The numbers of the chunks by BM25, best first; a text is its words with single spaces between them."""
    if not texts:
        return []
    lengths = {number: text.count(" ") + 1 for number, text in texts}
    mean = sum(lengths.values()) / len(lengths)
    scores: dict[int, float] = {}
    for number, text in texts:
        padded = f" {text} "
        damping = _K1 * (1 - _B + _B * lengths[number] / mean)
        counts = ((_count(padded, one.form), one.weight) for one in weighted)
        scores[number] = sum(weight * count * (_K1 + 1) / (count + damping) for count, weight in counts)
    return sorted(scores, key=lambda number: (-scores[number], number))[:limit]


def _count(padded: str, form: Form) -> float:
    if form.beginning is None:
        return padded.count(f" {form.word} ")
    alike = padded.count(f" {form.beginning}")
    return alike and _LIKENESS * alike + (1 - _LIKENESS) * padded.count(f" {form.word} ")
