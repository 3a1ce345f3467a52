"""What is asked of and answered by the child that reads files, and the cutting of texts into pieces; pure."""

import msgspec

from ringdown.knowledge import chunking
from ringdown.knowledge.models import Chunk, Format


class Unreadable(Exception):
    """A file that cannot be read; the text says why, as the end of a sentence about it."""


class Request(msgspec.Struct, frozen=True):
    """What the child is asked: the piece of a file that begins at `start` (a page of a PDF, else a character)."""

    format: Format
    start: int = 0
    charset: str | None = None
    url: str | None = None
    limit: int = 0  # characters of the piece


class Piece(msgspec.Struct, frozen=True):
    """What the child answers: chunks, and where the `next` piece begins, null after the last one.

    `links` are the absolute http URLs that a web page links to.
    """

    chunks: list[Chunk] = []
    next: int | None = None
    total: int = 0
    title: str | None = None
    links: list[str] = []
    warnings: list[str] = []
    error: str | None = None


def cut(
    text: str, request: Request, *, is_markdown: bool, title: str | None = None, links: list[str] | None = None
) -> Piece:
    """The piece of a whole text that was asked for; it ends with a paragraph."""
    end = _find_end(text, request.start, request.limit)
    chunks = chunking.chunk_text(text[request.start : end], is_markdown=is_markdown, title=title, url=request.url)
    return Piece(
        chunks=list(chunks), next=end if end < len(text) else None, total=len(text), title=title, links=links or []
    )


def why_empty(form: Format) -> str:
    """Why a file without a single word was refused."""
    if form == "pdf":
        return "it holds no text, only pictures; run text recognition (OCR) over it first"
    return "it holds no text"


def _find_end(text: str, start: int, limit: int) -> int:
    if len(text) - start <= limit:
        return len(text)
    border = text.rfind("\n\n", start + 1, start + limit)
    return border if border > start else start + limit
