"""Chooses words of calls: summaries, sentences and documents, with rare, middling and frequent words; no I/O."""

import json

import numpy as np
import numpy.typing as npt

#: Words to search for. The first is in about 12 calls of a database of any size, the second in about one of 80 calls
#: that have a summary, the third in most of them.
RARE, MIDDLING, FREQUENT = "quokka", "refund", "caller"

_VOCABULARY, _POOL = 20_000, 20_000
_MIDDLING_SHARE = 0.0125
_OPENINGS = (
    "The caller asked about the opening hours and was told them.",
    "The caller wished to move the appointment to next week.",
    "The caller confirmed the appointment and the address.",
    "The customer is interested and wants an offer by mail.",
    "The caller was not interested and asked not to be called again.",
    "The caller asked for a call back in the afternoon.",
    "The customer wanted to know when the delivery will come.",
    "The caller had a question about the last bill.",
)
_NAMES = ("Ana", "Ben", "Chen", "Dina", "Emil", "Fatima", "Gus", "Hana", "Ivan", "Jo", "Kofi", "Lena")

Generator = np.random.Generator


class Texts:
    """Pools of texts, made once; `rare_every` is after how many calls the rare word comes again."""

    def __init__(self, *, rare_every: int) -> None:
        self._rare_every = rare_every
        generator = np.random.default_rng(7)
        words = np.array([_make_word(generator) for _ in range(_VOCABULARY)], object)
        weights = 1 / np.arange(10, _VOCABULARY + 10)  # as in a language, but for its most frequent words
        places = generator.choice(_VOCABULARY, (_POOL, 8), p=weights / weights.sum())
        self._sentences = np.array([" ".join(row) for row in words[places]], object)
        openings = generator.integers(0, len(_OPENINGS), _POOL)
        is_middling = generator.random(_POOL) < _MIDDLING_SHARE
        pool = zip(openings.tolist(), self._sentences.tolist(), is_middling.tolist(), strict=True)
        self._summaries = np.array(
            [f"{_OPENINGS[own]} {text}{' ' + MIDDLING if marked else ''}" for own, text, marked in pool], object
        )
        self._variables = np.array([json.dumps({"first_name": name}) for name in _NAMES], object)
        kinds = [{"source": source, "priority": priority} for source in ("crm", "web") for priority in range(5)]
        self._metadata = np.array([json.dumps(kind) for kind in kinds] + ["{}"] * 5, object)
        analyses = [json.dumps({"structured_data": {"seats": str(count)}}) for count in range(1, 9)]
        self._analyses = np.array([*analyses, *[None] * 24], object)

    def choose_summaries(self, generator: Generator, count: int, begin: int) -> list[str]:
        """Summaries of `count` calls, the first of which is the `begin`-th of all."""
        chosen: list[str] = _choose(generator, self._summaries, count)
        for place in range(-begin % self._rare_every, count, self._rare_every):
            chosen[place] += " " + RARE
        return chosen

    def choose_sentences(self, generator: Generator, count: int) -> list[str]:
        """Sentences of eight words."""
        return _choose(generator, self._sentences, count)

    def choose_variables(self, generator: Generator, count: int) -> list[str]:
        """JSON of variables."""
        return _choose(generator, self._variables, count)

    def choose_metadata(self, generator: Generator, count: int) -> list[str]:
        """JSON of metadata."""
        return _choose(generator, self._metadata, count)

    def choose_analyses(self, generator: Generator, count: int) -> npt.NDArray[np.object_]:
        """JSON of analyses, or None."""
        return self._analyses[generator.integers(0, len(self._analyses), count)]


def _choose(generator: Generator, pool: npt.NDArray[np.object_], count: int) -> list[str]:
    chosen: list[str] = pool[generator.integers(0, len(pool), count)].tolist()
    return chosen


def _make_word(generator: Generator) -> str:
    count = int(generator.integers(1, 6))
    consonants, vowels = generator.choice(list("bcdfglmnprst"), count), generator.choice(list("aeiou"), count)
    return "".join(a + b for a, b in zip(consonants, vowels, strict=True))
