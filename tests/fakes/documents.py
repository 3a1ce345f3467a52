"""Small real documents for tests: PDF and DOCX files made on the spot."""

import io
import zipfile
from collections.abc import Sequence

import docx
import pypdf


def make_pdf(pages: Sequence[str], *, password: str | None = None) -> bytes:
    """A PDF with a line of text on each page; an empty page has no text, like a scanned one."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>"
        % (b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(len(pages))), len(pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, text in enumerate(pages):
        escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("latin-1")
        content = b"BT /F1 12 Tf 72 720 Td (%s) Tj ET" % escaped if text else b""
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * index),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        ]
    plain = _join(objects)
    if password is None:
        return plain
    writer = pypdf.PdfWriter(io.BytesIO(plain))
    writer.encrypt(password)
    protected = io.BytesIO()
    writer.write(protected)
    return protected.getvalue()


def make_docx(blocks: Sequence[tuple[int, str]], *, table: Sequence[Sequence[str]] = ()) -> bytes:
    """A DOCX of paragraphs (level 0) and headings (level 1 to 9), with a table at its end."""
    document = docx.Document()
    for level, text in blocks:
        if level:
            document.add_heading(text, level)
        else:
            document.add_paragraph(text)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, cells in enumerate(table):
            for column, text in enumerate(cells):
                grid.cell(row, column).text = text
    stored = io.BytesIO()
    document.save(stored)
    return stored.getvalue()


def make_zip_bomb(size: int) -> bytes:
    """A DOCX whose text unpacks to `size` bytes of zeros."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as entry:
        for _ in range(size // 1_000_000):
            entry.write(bytes(1_000_000))
    return stored.getvalue()


def _join(objects: Sequence[bytes]) -> bytes:
    document = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return document + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(document))
    )
