"""Request bodies: read within a limit, JSON objects only, and no character that a database refuses."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from fastapi import Request

from ringdown.errors import BadRequest, FieldError, NotFound, PayloadTooLarge, ValidationFailed

MAX_JSON_BYTES = 1024 * 1024
_NUL = "\0"


class JsonRequest(Request):
    """A request whose body is read at most to `max_bytes` and whose JSON is parsed once, by msgspec."""

    max_bytes = MAX_JSON_BYTES

    async def body(self) -> bytes:
        """The whole body; raises `PayloadTooLarge`, whether or not its length was declared."""
        if not hasattr(self, "_body"):
            declared = self.headers.get("content-length", "")
            if declared.isdecimal() and int(declared) > self.max_bytes:
                raise too_large(self.max_bytes)
            pieces = []
            size = 0
            async for piece in self.stream():
                size += len(piece)
                if size > self.max_bytes:
                    raise too_large(self.max_bytes)
                pieces.append(piece)
            self._body = b"".join(pieces)
        return self._body

    async def json(self) -> Any:
        """The body as a JSON object; raises `BadRequest` or, for a NUL character, `ValidationFailed`."""
        if not hasattr(self, "_json"):
            body = await self.body()
            # Documents come as JSON: other requests go on while one is parsed.
            is_large = len(body) > MAX_JSON_BYTES
            self._json = await asyncio.to_thread(parse_object, body) if is_large else parse_object(body)
        return self._json


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; raises `BadRequest` when it is anything else."""
    try:
        document = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise BadRequest("The request body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise BadRequest("The request body must be a JSON object.")
    # PostgreSQL cannot store NUL in text; in JSON it can only stand as an escape.
    if b"\\u0000" in body:
        refused = [FieldError(path, "must not contain NUL characters") for path in _find_nul(document, "")]
        if refused:
            raise ValidationFailed(refused)
    return document


def refuse_nul_in_url(request: Request) -> None:
    """Refuse NUL characters in path (404: no id has one) and query (422)."""
    if _NUL in request.url.path or _NUL in request.scope["path"]:
        raise NotFound("Resource", request.scope["path"].rpartition("/")[2].replace(_NUL, ""))
    refused = [
        FieldError(name, "must not contain NUL characters")
        for name, value in request.query_params.multi_items()
        if _NUL in name or _NUL in value
    ]
    if refused:
        raise ValidationFailed(refused)


def _find_nul(value: object, path: str) -> Iterator[str]:
    if isinstance(value, str) and _NUL in value:
        yield path
    elif isinstance(value, Mapping):
        for name, child in value.items():
            child_path = f"{path}.{name}" if path else str(name)
            if _NUL in name:
                yield child_path
            yield from _find_nul(child, child_path)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _find_nul(child, f"{path}.{index}" if path else str(index))


def too_large(max_bytes: int) -> PayloadTooLarge:
    """The refusal of a body of more than `max_bytes`."""
    megabytes = max_bytes // (1024 * 1024)
    return PayloadTooLarge(f"The request body is larger than {megabytes} MB.", {"limit_bytes": max_bytes})
