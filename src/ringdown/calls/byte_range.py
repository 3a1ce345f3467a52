"""The `Range` header of one file (RFC 9110 §14); pure."""

import re

_SINGLE = re.compile(r"bytes\s*=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.IGNORECASE)


class RangeNotSatisfiable(ValueError):
    """The range begins after the end of the file, or is empty."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the byte after the last one; None for the whole file.

    A header that is malformed, of another unit, or of several ranges is ignored, as RFC 9110 §14.2 allows. Raises
    `RangeNotSatisfiable`.
    """
    match = _SINGLE.fullmatch(header.strip()) if header is not None else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size - int(suffix), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start == end:
        raise RangeNotSatisfiable(f"the file has {size} bytes")
    return start, end
