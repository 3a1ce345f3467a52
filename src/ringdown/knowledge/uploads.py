"""Uploaded files: base64 to bytes within the limit, and what a file is; pure."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import PurePosixPath

from ringdown import errors
from ringdown.knowledge.models import MAX_DOCUMENT_BYTES, Format

_EXTENSIONS: Mapping[str, Format] = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".htm": "html",
    ".html": "html",
    ".pdf": "pdf",
    ".docx": "docx",
}
_CONTENT_TYPES: Mapping[str, Format] = {
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/html": "html",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}
_BINARY_MARKS = (b"%PDF-", b"PK\x03\x04")


def decode_data(text: str, *, field: str) -> bytes:
    """The bytes of base64, also as a data URL. Raises `ValidationFailed` and `PayloadTooLarge`."""
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    encoded = "".join(encoded.split()).replace("-", "+").replace("_", "/").rstrip("=")
    if len(encoded) // 4 * 3 > MAX_DOCUMENT_BYTES:
        raise _too_large()
    try:
        content = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise errors.invalid(field, "must be base64") from None
    return check_size(content, field=field)


def decode_content(text: str, *, field: str, form: Format | None) -> bytes:
    """The bytes of a file that was sent as text or as base64, whichever it is."""
    if form in ("pdf", "docx") or text.startswith("data:"):
        return decode_data(text, field=field)
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if content.startswith(_BINARY_MARKS) or _is_text(content):
        return check_size(content, field=field)
    return check_size(text.encode(), field=field)


def check_size(content: bytes, *, field: str) -> bytes:
    """The content. Raises `ValidationFailed` when it is empty, `PayloadTooLarge` over 50 MB."""
    if not content.strip():
        raise errors.invalid(field, "must not be empty")
    if len(content) > MAX_DOCUMENT_BYTES:
        raise _too_large()
    return content


def find_format(*, filename: str, content_type: str | None = None, content: bytes = b"") -> Format | None:
    """What the file is read as: by its first bytes, its type, its name; None for what cannot be read."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    named = _CONTENT_TYPES.get(kind) or _EXTENSIONS.get(PurePosixPath(filename.lower()).suffix)
    if content.startswith(b"%PDF-"):
        return "pdf"
    if content.startswith(b"PK\x03\x04") and named in (None, "text", "markdown"):
        return "docx"
    # Many clients call every Markdown file plain text.
    by_name = _EXTENSIONS.get(PurePosixPath(filename.lower()).suffix)
    return by_name if named == "text" and by_name == "markdown" else named


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return bool(text) and all(character.isprintable() or character.isspace() for character in text)


def _too_large() -> errors.PayloadTooLarge:
    return errors.PayloadTooLarge("The document is larger than 50 MB.", {"limit_bytes": MAX_DOCUMENT_BYTES})
