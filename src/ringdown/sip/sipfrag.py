"""The `message/sipfrag` bodies that tell how a transfer goes (RFC 3420, RFC 3515 §2.4.5); knows no call."""

import re

CONTENT_TYPE = "message/sipfrag;version=2.0"

_STATUS_LINE = re.compile(rb"\s*SIP/2\.0 (?P<status>[1-6]\d\d)(?: (?P<reason>[^\r\n]*))?")


def parse_fragment(body: bytes) -> tuple[int, str]:
    """Status and reason of a fragment's status line; raises `ValueError` when there is none."""
    found = _STATUS_LINE.match(body)
    if found is None:
        raise ValueError("no status line in the fragment")
    return int(found["status"]), (found["reason"] or b"").decode(errors="replace").strip()


def build_fragment(status: int, reason: str) -> bytes:
    """A fragment of one status line; raises `ValueError` for a reason that is not one line or a status out of range."""
    if not 100 <= status <= 699 or (reason and not reason.isprintable()):
        raise ValueError("not a status line")
    return f"SIP/2.0 {status} {reason}\r\n".encode()
