"""Files to text: TXT, Markdown, HTML, PDF and DOCX, given as bytes. Hostile ones are read in a child process only."""

import codecs
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin

import bs4
import docx
import docx.document
import docx.opc.exceptions
import docx.table
import docx.text.paragraph
import pypdf
import pypdf.errors
from bs4.element import NavigableString, PageElement

from ringdown.knowledge.models import Format

_MAX_UNPACKED_BYTES = 300 * 1024 * 1024
_MAX_ENTRIES = 10_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_SPACES = re.compile(r"[ \t\u00a0\u2000-\u200b\u202f\u3000]+")
_BLANK_LINES = re.compile(r"\n\s*\n")
_HYPHENATED = re.compile(r"(?<=[a-zß-ÿ])[-\u00ad]\n(?=[a-zß-ÿ])")

# What a page is decorated with; none of it is what the page says.
_DECORATION = (
    "script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "header", "footer", "aside", "form",
    "button", "select", "head",
)  # fmt: skip
_BLOCKS = frozenset((
    "address", "article", "blockquote", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure", "hr",
    "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "thead", "ul",
))  # fmt: skip
_SCANNED = "it holds no text, only pictures; run text recognition (OCR) over it first"
_NO_TEXT = "it holds no text"


class Unreadable(Exception):
    """A file that cannot be read; the text says why, as the end of a sentence about it."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a file says. `links` are the absolute URLs of a page, each with nothing but http in front."""

    text: str
    is_markdown: bool = True
    title: str | None = None
    links: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PdfPage:
    """The text of one page; None when the page is broken."""

    text: str | None


def read_text(content: bytes, *, form: Format, charset: str | None = None, url: str | None = None) -> Text:
    """The whole text of a file that is not a PDF. Raises `Unreadable`."""
    if form == "html":
        return _read_html(content, charset=charset, url=url)
    if form == "docx":
        return Text(_read_docx(content))
    return Text(clean(decode(content, charset)), is_markdown=form == "markdown")


def why_empty(form: Format) -> str:
    """Why a file without a single word was refused."""
    return _SCANNED if form == "pdf" else _NO_TEXT


def decode(content: bytes, charset: str | None = None) -> str:
    """Text of unknown encoding: a byte order mark, UTF-16 by its zeros, `charset`, UTF-8, Windows-1252.

    Raises `Unreadable` when it is full of control characters.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    beginning = content[:4096]
    odd, even = beginning[1::2].count(0), beginning[::2].count(0)
    if max(odd, even) > len(beginning) // 5:
        return content.decode("utf-16-le" if odd > even else "utf-16-be", errors="replace")
    if _looks_binary(beginning):
        raise Unreadable("it is not text")
    for encoding in filter(None, (charset, "utf-8")):
        try:
            return content.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    return content.decode("windows-1252", errors="replace")


def clean(text: str) -> str:
    """The text without control characters, with one kind of line end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").replace("\x0b", "\n")
    return _CONTROLS.sub("", text).encode("utf-8", "ignore").decode()


def open_pdf(content: bytes) -> pypdf.PdfReader:
    """The PDF, opened. Raises `Unreadable` when it is protected or broken."""
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it is protected by a password")
        len(reader.pages)
    except pypdf.errors.PyPdfError as error:
        raise Unreadable(f"it is not a PDF that can be read ({error})") from error
    except _PDF_BUGS as error:
        raise Unreadable("it is a broken PDF") from error
    return reader


def list_pdf_pages(reader: pypdf.PdfReader, *, start: int) -> Iterator[PdfPage]:
    """The pages from number `start` (0 is the first) on, one after the other."""
    for number in range(start, len(reader.pages)):
        try:
            text = reader.pages[number].extract_text()
        except (pypdf.errors.PyPdfError, *_PDF_BUGS):
            yield PdfPage(None)
            continue
        yield PdfPage(_HYPHENATED.sub("", clean(text)).strip())


# What pypdf lets out when a file breaks its expectations.
_PDF_BUGS = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError, OSError,
             AssertionError, NotImplementedError)  # fmt: skip


def _looks_binary(beginning: bytes) -> bool:
    return sum(byte < 9 or 13 < byte < 32 for byte in beginning) > len(beginning) // 50


def _read_docx(content: bytes) -> str:
    _check_zip(content)
    try:
        document = docx.Document(io.BytesIO(content))
        return clean("\n\n".join(block for block in _list_blocks(document) if block))
    except (docx.opc.exceptions.OpcError, SyntaxError, zipfile.BadZipFile, ValueError, KeyError,
            AttributeError, TypeError, IndexError, RecursionError) as error:  # fmt: skip
        raise Unreadable("it is not a DOCX document that can be read") from error


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


def _read_html(content: bytes, *, charset: str | None, url: str | None) -> Text:
    soup = bs4.BeautifulSoup(content, "lxml", from_encoding=charset)
    title = " ".join(soup.title.get_text().split()) if soup.title else None
    robots = soup.find("meta", attrs={"name": re.compile("^robots$", re.IGNORECASE)})
    orders = str(robots.get("content", "")).lower() if isinstance(robots, bs4.Tag) else ""
    links = [] if url is None or "nofollow" in orders or "none" in orders else _list_links(soup, url)
    if url is not None and ("noindex" in orders or "none" in orders):
        return Text("", title=title, links=links)
    for tag in soup.find_all(_DECORATION):
        tag.decompose()
    body = soup.find("main") or soup.find("article") or soup.body or soup
    assert isinstance(body, bs4.Tag)
    pieces: list[str] = []
    _write_html(body, pieces)
    lines = (_SPACES.sub(" ", line).strip() for line in clean("".join(pieces)).split("\n"))
    return Text(_BLANK_LINES.sub("\n\n", "\n".join(lines)).strip(), title=title or None, links=links)


def _list_links(soup: bs4.BeautifulSoup, url: str) -> list[str]:
    base = soup.find("base", href=True)
    root = urljoin(url, str(base["href"])) if isinstance(base, bs4.Tag) else url
    links = []
    for anchor in soup.find_all("a", href=True):
        if "nofollow" in str(anchor.get("rel", "")):
            continue
        try:
            link = urljoin(root, str(anchor["href"]).strip())
        except ValueError:
            continue
        if link.startswith(("http://", "https://")):
            links.append(link)
    return list(dict.fromkeys(links))


def _write_html(tag: bs4.Tag, pieces: list[str]) -> None:
    """Write the text of a tag as Markdown; a stack, because pages nest deeper than functions may."""
    waiting: list[PageElement | str] = [tag]
    while waiting:
        node = waiting.pop()
        if isinstance(node, bs4.Tag):
            before, after = _surround(node)
            pieces.append(before)
            waiting.append(after)
            waiting.extend(reversed(node.contents))
        elif type(node) is NavigableString:
            is_verbatim = node.find_parent("pre") is not None
            pieces.append(node if is_verbatim else " ".join(f"\0{node}\0".split()).replace("\0", ""))
            if not is_verbatim and node[-1:].isspace():
                pieces.append(" ")
        elif type(node) is str:
            pieces.append(node)


def _surround(tag: bs4.Tag) -> tuple[str, str]:
    name = tag.name
    if re.fullmatch("h[1-6]", name):
        return f"\n\n{'#' * int(name[1])} ", "\n\n"
    if name == "br":
        return "\n", ""
    if name == "li":
        return "\n- ", "\n"
    if name in ("td", "th"):
        return "", " | "
    if name == "tr":
        return "\n", ""
    if name == "img" and tag.get("alt"):
        return f" {tag['alt']} ", ""
    return ("\n\n", "\n\n") if name in _BLOCKS else ("", "")
