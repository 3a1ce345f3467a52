"""PDF files to text, page by page; protected and broken ones are refused with their reason."""

import io
import re
import time
from collections.abc import Iterator

import pypdf
import pypdf.errors

from ringdown.knowledge import chunking, text_file
from ringdown.knowledge.pieces import Piece, Request, Unreadable

# A piece ends after this long; the pages that are left are asked for afterwards.
_SOFT_SECONDS = 10.0
_MAX_TITLE = 200
_HYPHENATED = re.compile(r"(?<=[a-zß-ÿ])[-\u00ad]\n(?=[a-zß-ÿ])")
# What pypdf lets out when a file breaks its expectations.
_BUGS = (
    ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, OSError,
    RecursionError, TypeError, ValueError,
)  # fmt: skip


def read(request: Request, content: bytes) -> Piece:
    """The pages from `request.start` on, as many as there is time for. Raises `Unreadable`."""
    reader = _open(content)
    total = len(reader.pages)
    pages: list[str] = []
    warnings: list[str] = []
    number, length, until = request.start, 0, time.monotonic() + _SOFT_SECONDS
    for number, text in enumerate(_list_pages(reader, request.start), start=request.start + 1):
        if text is None:
            warnings.append(f"page {number} cannot be read")
        elif text:
            pages.append(text)
            length += len(text)
        if length > request.limit or time.monotonic() > until:
            break
    title = _find_title(reader)
    chunks = list(chunking.chunk_text("\n\n".join(pages), is_markdown=False, title=title))
    return Piece(chunks=chunks, next=number if number < total else None, total=total, title=title, warnings=warnings)


def _open(content: bytes) -> pypdf.PdfReader:
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it is protected by a password")
        len(reader.pages)
    except pypdf.errors.PyPdfError as error:
        raise Unreadable(f"it is not a PDF that can be read ({error})") from error
    except _BUGS as error:
        raise Unreadable("it is a broken PDF") from error
    return reader


def _list_pages(reader: pypdf.PdfReader, start: int) -> Iterator[str | None]:
    """The text of the pages from `start` (0 is the first) on; None for a broken one."""
    for number in range(start, len(reader.pages)):
        try:
            text = reader.pages[number].extract_text()
        except (pypdf.errors.PyPdfError, *_BUGS):
            yield None
            continue
        yield _HYPHENATED.sub("", text_file.clean(text)).strip()


def _find_title(reader: pypdf.PdfReader) -> str | None:
    try:
        title = reader.metadata.title if reader.metadata is not None else None
    except (pypdf.errors.PyPdfError, *_BUGS):
        return None
    return " ".join(text_file.clean(title).split())[:_MAX_TITLE] or None if isinstance(title, str) else None
