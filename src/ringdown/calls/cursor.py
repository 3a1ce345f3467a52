"""The opaque cursor of a list: a place in it, bound to the query that made the list."""

import base64
import binascii
import hashlib

import msgspec

_DIGEST_LENGTH = 16


def serialize_cursor(seq: int, query: object) -> str:
    """The cursor after the row `seq` in the list that `query` makes."""
    plain = msgspec.json.encode([seq, _digest(seq, query)])
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def parse_cursor(text: str, query: object) -> int:
    """The `seq` after which the page begins. Raises `ValueError` for anything but a cursor of this query."""
    try:
        plain = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        seq, _ = msgspec.json.decode(plain, type=tuple[int, str])
    except (binascii.Error, UnicodeEncodeError, msgspec.DecodeError) as error:
        raise ValueError("is not a cursor that this API returned") from error
    if not 0 <= seq < 2**63:
        raise ValueError("is not a cursor that this API returned")
    if serialize_cursor(seq, query) != text:
        raise ValueError(
            "was changed, or belongs to a list with other filters; send it and the filters of the first page unchanged"
        )
    return seq


def _digest(seq: int, query: object) -> str:
    return hashlib.sha256(msgspec.json.encode([seq, query])).hexdigest()[:_DIGEST_LENGTH]
