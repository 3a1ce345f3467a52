"""The opaque cursor of a list: a place in it, bound to the query that made the list."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

import msgspec

_DIGEST_LENGTH = 16
_FOREIGN = "is not a cursor that this API returned"


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a list: its `seq`, and the value that the list is sorted by, if that is not the `seq` itself."""

    seq: int
    key: int = 0


def serialize_cursor(place: Place, query: object) -> str:
    """The cursor after the row at `place` in the list that `query` makes."""
    plain = msgspec.json.encode([place.seq, place.key, _digest(place, query)])
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def parse_cursor(text: str, query: object) -> Place:
    """The place after which the page begins. Raises `ValueError` for anything but a cursor of this query."""
    try:
        plain = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        seq, key, _ = msgspec.json.decode(plain, type=tuple[int, int, str])
    except (binascii.Error, UnicodeEncodeError, msgspec.DecodeError) as error:
        raise ValueError(_FOREIGN) from error
    if not (0 <= seq < 2**63 and -(2**63) <= key < 2**63):
        raise ValueError(_FOREIGN)
    if serialize_cursor(Place(seq, key), query) != text:
        raise ValueError(
            "was changed, or belongs to a list with other filters; send it and the filters of the first page unchanged"
        )
    return Place(seq, key)


def _digest(place: Place, query: object) -> str:
    return hashlib.sha256(msgspec.json.encode([place.seq, place.key, query])).hexdigest()[:_DIGEST_LENGTH]
