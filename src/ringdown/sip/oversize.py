"""The answer to a request that is too large to be taken (RFC 3261 §21.4.11, §21.5.7); does no I/O."""

import re

from ringdown.sip.dialog import new_tag
from ringdown.sip.message import Request, Response, parse_message

_CONTENT_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[^\r]*", re.IGNORECASE)


def read_head(head: bytes) -> Request | None:
    """The request that a header section begins, without its body; `None` for anything else."""
    try:
        message = parse_message(_CONTENT_LENGTH.sub(b"", head) + b"\r\n\r\n")
    except ValueError:
        return None
    return message if isinstance(message, Request) and message.method != "ACK" else None


def build_refusal(request: Request, *, server: str) -> bytes:
    """513 Message Too Large; the stream is closed after it."""
    fields = [("Server", server)]
    return Response.build(request, 513, reason="Message Too Large", tag=new_tag(), fields=fields).serialize()
