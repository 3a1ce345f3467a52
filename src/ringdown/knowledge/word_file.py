"""DOCX documents to Markdown: paragraphs, headings and tables; those that unpack to too much are refused."""

import io
import re
import zipfile
from collections.abc import Iterator

import docx
import docx.document
import docx.opc.exceptions
import docx.table
import docx.text.paragraph

from ringdown.knowledge import text_file
from ringdown.knowledge.pieces import Piece, Request, Unreadable, cut

_MAX_UNPACKED_BYTES = 300 * 1024 * 1024
_MAX_ENTRIES = 10_000
# What python-docx lets out when a file breaks its expectations; lxml's errors are SyntaxErrors.
_BUGS = (
    AttributeError, IndexError, KeyError, RecursionError, SyntaxError, TypeError, ValueError, zipfile.BadZipFile,
    docx.opc.exceptions.OpcError,
)  # fmt: skip


def read(request: Request, content: bytes) -> Piece:
    """The piece of the document that was asked for. Raises `Unreadable`."""
    _check_zip(content)
    try:
        document = docx.Document(io.BytesIO(content))
        text = "\n\n".join(block for block in _list_blocks(document) if block)
    except _BUGS as error:
        raise Unreadable("it is not a DOCX document that can be read") from error
    return cut(text_file.clean(text), request, is_markdown=True)


def _check_zip(content: bytes) -> None:
    """Refuse a document that unpacks to far more than it is (a zip bomb)."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        if content.startswith(b"\xd0\xcf\x11\xe0"):  # Microsoft's compound file
            raise Unreadable("it is protected by a password, or an old DOC document; save it as DOCX") from error
        raise Unreadable("it is not a DOCX document that can be read") from error
    if len(entries) > _MAX_ENTRIES or sum(entry.file_size for entry in entries) > _MAX_UNPACKED_BYTES:
        raise Unreadable("it unpacks to more than a document may hold")


def _list_blocks(document: docx.document.Document) -> Iterator[str]:
    for block in document.iter_inner_content():
        if isinstance(block, docx.table.Table):
            yield _read_table(block)
        else:
            yield _read_paragraph(block)


def _read_paragraph(paragraph: docx.text.paragraph.Paragraph) -> str:
    text = paragraph.text.strip()
    style = (paragraph.style.name if paragraph.style is not None else None) or ""
    match = re.fullmatch(r"(?:Heading|heading) ([1-9])", style)
    level = min(int(match[1]), 6) if match else 1 if style == "Title" else 0
    return f"{'#' * level} {' '.join(text.split())}" if level and text else text


def _read_table(table: docx.table.Table) -> str:
    lines = []
    for row in table.rows:
        # A merged cell comes once for each cell that it covers.
        cells = list({id(cell._tc): " ".join(cell.text.split()) for cell in row.cells}.values())
        lines.append(" | ".join(cells).strip(" |"))
    return "\n".join(line for line in lines if line)
