"""The child program that reads one file: limits itself, takes the file on standard input, writes one JSON answer.

Started by `extraction`; whatever a file does to it, nobody else notices.
"""

import resource
import sys
import time

import msgspec

from ringdown.knowledge import chunking, formats
from ringdown.knowledge.extraction import Piece, Request
from ringdown.knowledge.formats import Unreadable
from ringdown.knowledge.models import Chunk

_MEMORY_BYTES = 1024 * 1024 * 1024
_CPU_SECONDS = 60
# The child answers after this long with what it has, and is asked for the rest afterwards.
_SOFT_SECONDS = 10.0


def main() -> None:
    """Answer the one request of standard input."""
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    header, _, content = sys.stdin.buffer.read().partition(b"\n")
    try:
        piece = read(msgspec.json.decode(header, type=Request), content)
    except Unreadable as error:
        piece = Piece(error=str(error))
    except MemoryError:
        piece = Piece(error="it needs more memory than a document may")
    sys.stdout.buffer.write(msgspec.json.encode(piece))


def read(request: Request, content: bytes) -> Piece:
    """The piece of the file that begins at `request.start`. Raises `Unreadable`."""
    if request.format == "pdf":
        return _read_pdf(request, content)
    whole = formats.read_text(content, form=request.format, charset=request.charset, url=request.url)
    end = _find_end(whole.text, request.start, request.limit)
    chunks = chunking.chunk_text(
        whole.text[request.start : end], is_markdown=whole.is_markdown, title=whole.title, url=request.url
    )
    return Piece(
        chunks=list(chunks),
        next=end if end < len(whole.text) else None,
        total=len(whole.text),
        title=whole.title,
        links=whole.links,
    )


def _find_end(text: str, start: int, limit: int) -> int:
    if len(text) - start <= limit:
        return len(text)
    border = text.rfind("\n\n", start + 1, start + limit)
    return border if border > start else start + limit


def _read_pdf(request: Request, content: bytes) -> Piece:
    reader = formats.open_pdf(content)
    total = len(reader.pages)
    pages: list[str] = []
    warnings: list[str] = []
    number, length, until = request.start, 0, time.monotonic() + _SOFT_SECONDS
    for number, page in enumerate(formats.list_pdf_pages(reader, start=request.start), start=request.start + 1):
        if page.text is None:
            warnings.append(f"page {number} cannot be read")
        elif page.text:
            pages.append(page.text)
            length += len(page.text)
        if length > request.limit or time.monotonic() > until:
            break
    title = _find_title(reader)
    chunks: list[Chunk] = list(chunking.chunk_text("\n\n".join(pages), is_markdown=False, title=title))
    return Piece(chunks=chunks, next=number if number < total else None, total=total, title=title, warnings=warnings)


def _find_title(reader: object) -> str | None:
    try:
        metadata = getattr(reader, "metadata", None)
        title = metadata.title if metadata is not None else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return formats.clean(title).strip()[:200] or None if isinstance(title, str) else None


if __name__ == "__main__":
    main()
