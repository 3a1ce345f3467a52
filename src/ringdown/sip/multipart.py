"""Finds the session description in a multipart body, beside what else a carrier packs (RFC 5621); knows no message."""

import re

from ringdown.sip.address import unquote

_BOUNDARY = re.compile(r'boundary\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+)', re.IGNORECASE)
_MAX_PARTS = 20


def find_sdp(content_type: str, body: bytes) -> bytes:
    """The first `application/sdp` part of a multipart body; any other body as it is."""
    if "multipart/" not in content_type and "multipart/" not in content_type.lower():
        return body
    found = _BOUNDARY.search(content_type)
    if found is None:
        return body
    delimiter = b"\r\n--" + unquote(found[1]).encode()
    for part in (b"\r\n" + body).split(delimiter, _MAX_PARTS)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        if re.search(rb"(?im)^content-type\s*:\s*application/sdp\b", head):
            return content
    return body
