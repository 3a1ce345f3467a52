"""Request bodies that are forms with files: read within a limit, large files on disk, and known again by content."""

import hashlib
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from ringdown import values
from ringdown.errors import BadRequest, FieldError, ValidationFailed
from ringdown.web import body

_MULTIPART = "multipart/form-data"
_MAX_FILES = 10
_MAX_FIELDS = 100
_READ_BYTES = 256 * 1024


class FormRequest(Request):
    """A request whose form is read at most to `max_bytes`; each file lies on disk beyond its first megabyte."""

    max_bytes = body.MAX_JSON_BYTES

    async def stream(self) -> AsyncIterator[bytes]:  # type: ignore[override]  # starlette's is a generator
        """The body's pieces; raises `PayloadTooLarge`, whether or not its length was declared."""
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.max_bytes:
            raise body.too_large(self.max_bytes)
        size = 0
        async for piece in super().stream():
            size += len(piece)
            if size > self.max_bytes:
                raise body.too_large(self.max_bytes)
            yield piece

    async def read_form(self) -> FormData:
        """The form; what is none is a 400. Raises `PayloadTooLarge` or, for a NUL character, `ValidationFailed`."""
        try:
            form = await self.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS)
        except UnicodeError:  # the Content-Type may name any codec of Python's, and some raise more than they should
            raise BadRequest("The form is not text in its charset.") from None
        refused = [
            FieldError(values.clean_text(name), "must not contain NUL characters or halves of surrogate pairs")
            for name, value in form.multi_items()
            if not _is_storable(name) or not _is_storable((value if isinstance(value, str) else value.filename) or "")
        ]
        if refused:
            raise ValidationFailed(refused)
        return form

    async def hash_form(self) -> bytes:
        """What tells this form from others; boundaries do not, as clients make a new one for each request."""
        digest = hashlib.sha256()
        for name, value in (await self.read_form()).multi_items():
            digest.update(hashlib.sha256(name.encode()).digest())
            digest.update(await _hash_part(value))
        return digest.digest()


def is_multipart(request: Request) -> bool:
    """Whether the request says that its body is a form with files."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _MULTIPART


def _is_storable(text: str) -> bool:
    return values.clean_text(text) == text


async def _hash_part(part: UploadFile | str) -> bytes:
    if isinstance(part, str):
        return hashlib.sha256(part.encode()).digest()
    digest = hashlib.sha256()
    await part.seek(0)
    while piece := await part.read(_READ_BYTES):
        digest.update(piece)
    await part.seek(0)
    return digest.digest()
