"""What is searched of calls: the words of a call, those of a query, and the pairs of its metadata; pure.

Both databases get the same words, made here, and never parse text themselves.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from ringdown import errors
from ringdown.calls.models import CALL_STATUSES, DIRECTIONS
from ringdown.knowledge.words import list_words

#: Words that stand next to each other; a single word is a phrase of one.
Phrase = tuple[str, ...]

#: Between contributions, so that no phrase reaches from one into the next: never a word itself.
BREAK = "¶"
# PostgreSQL keeps at most 1 MiB of different words of a row; each costs some bytes besides its own.
_MAX_BYTES = 900_000
_WORD_COST = 24
_DIGEST_BYTES = 16
_STATUSES: tuple[str, ...] = CALL_STATUSES
_DIRECTIONS: tuple[str, ...] = DIRECTIONS
_DIRECTION_BITS = 2
_DIRECTION_MASK, _STATUS_MASK = 0b00011, 0b11100
# Each is a row: so many are stored in some milliseconds, in which nobody else can write to SQLite.
_MAX_PAIRS = 1000


def parse_query(text: str) -> tuple[Phrase, ...]:
    """What all must be in a call: each word by itself, what stands in quotes as a phrase. Any text is a query.

    Words that are written together ("e-mail", or a sentence without spaces) are a phrase, too. A text without a word
    gives one phrase of no words, which no call holds.
    """
    phrases: dict[Phrase, None] = {}
    for place, piece in enumerate(text.split('"')):
        for part in [piece] if place % 2 else piece.split():
            if words := tuple(list_words(part)):
                phrases[words] = None
    return tuple(phrases) or ((),)


def join_words(texts: Iterable[str]) -> str:
    """The words of a call in order, with single spaces; what no database could keep is left out at the end."""
    kept: list[str] = []
    known: set[str] = set()
    room = _MAX_BYTES
    for text in texts:
        for word in (*list_words(text), BREAK):
            if word not in known:
                room -= len(word.encode()) + _WORD_COST
                if room < 0:
                    return " ".join(kept)
                known.add(word)
            kept.append(word)
    return " ".join(kept)


def make_fact(name: str, value: str) -> str:
    """A filter's value as one word of ASCII letters and digits that stands for it in the index."""
    return name[0] + hashlib.blake2b(value.encode(), digest_size=8).hexdigest()


def make_kind(status: str | None, direction: str | None) -> int:
    """Status and direction of a call in five bits; 0 in the place of one that is not given."""
    of_status = 0 if status is None else _STATUSES.index(status)
    of_direction = 0 if direction is None else _DIRECTIONS.index(direction)
    return of_status << _DIRECTION_BITS | of_direction


def make_kind_mask(*, has_status: bool, has_direction: bool) -> int:
    """The bits that tell of what is given."""
    return has_status * _STATUS_MASK | has_direction * _DIRECTION_MASK


def make_pair(name: str, value: str) -> bytes:
    """A name and a value of metadata as the index knows them: 16 bytes, however long they are."""
    return hashlib.blake2b(json.dumps([name, value]).encode(), digest_size=_DIGEST_BYTES).digest()


def list_pairs(metadata: Mapping[str, object]) -> set[tuple[str, str]]:
    """The names and values that `metadata.<name>=<value>` finds.

    Members of objects have their path as a name (`order.id`), each entry of a list is a value, and what is no string
    is its JSON.
    """
    return set(_walk_all(metadata))


def check_metadata(metadata: Mapping[str, object]) -> None:
    """Raise `ValidationFailed` for metadata of more values than one transaction should make findable."""
    if len(list(islice(_walk_all(metadata), _MAX_PAIRS + 1))) > _MAX_PAIRS:
        raise errors.invalid("metadata", f"must hold at most {_MAX_PAIRS} values")


def _walk_all(metadata: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in metadata.items():
        yield from _walk(name, value)


def _walk(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _walk(f"{name}.{key}", member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _walk(name, member)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
