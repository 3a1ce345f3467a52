"""Puts a text's words on the clock of its audio from the places where a voice says that words begin."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text as written, with its first character and the one after its last."""

    text: str
    begin: int
    end: int

    @property
    def weight(self) -> int:
        """How much of a shared span it takes: its letters and digits."""
        return sum(character.isalnum() for character in self.text)


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive words, and the samples during which they are spoken."""

    tokens: tuple[Token, ...]
    begin: int
    end: int


def list_tokens(text: str) -> list[Token]:
    """The words of `text`: what stands between white space."""
    return [Token(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


class WordClock:
    """Takes the events of one text in order and gives the words whose span is complete.

    A voice runs small words together ("of the" is one event) and skips symbols: words without an event of their own
    share the span of the one before.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._next = 0  # first token that is in no span yet
        self._begin = 0  # where that token's span begins

    def advance(self, *, character: int, sample: int) -> Span | None:
        """The word at `character` begins at `sample`: what came before it is complete."""
        upto = self._next
        while upto < len(self._tokens) and self._tokens[upto].end <= character:
            upto += 1
        return self._complete(upto, sample)

    def finish(self, sample: int) -> Span | None:
        """The audio ends at `sample`; the remaining words."""
        return self._complete(len(self._tokens), sample)

    def _complete(self, upto: int, sample: int) -> Span | None:
        if upto <= self._next:
            return None
        span = Span(tuple(self._tokens[self._next : upto]), self._begin, max(sample, self._begin))
        self._next, self._begin = upto, span.end
        return span


def share(span: Span, *, quiet_from: int) -> list[tuple[str, int, int]]:
    """The words of a span with their first and last samples; the pause after `quiet_from` belongs to none."""
    end = max(span.begin, min(quiet_from, span.end))
    total = sum(token.weight for token in span.tokens) or 1
    done = 0
    words = []
    for token in span.tokens:
        begin_at = span.begin + (end - span.begin) * done // total
        done += token.weight
        words.append((token.text, begin_at, span.begin + (end - span.begin) * done // total))
    return words
