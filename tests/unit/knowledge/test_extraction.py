"""Files to text in a child process: encodings, pages, documents, and what happens when the child fails."""

import io

import docx
import pytest

from ringdown.knowledge import extraction, extraction_process, text_file
from ringdown.knowledge.extraction import Extractor
from ringdown.knowledge.models import Format
from ringdown.knowledge.pieces import Piece, Request, Unreadable
from tests.fakes import documents as samples


def read(content: bytes, form: Format, **fields: object) -> Piece:
    known: dict[str, object] = {"limit": 2_000_000}
    return extraction_process.read(Request(form, **(known | fields)), content)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("Grüße, 你好".encode(), None),
        ("Grüße, 你好".encode("utf-8-sig"), None),
        ("Grüße, 你好".encode("utf-16"), None),
        ("Grüße, 你好".encode("utf-32"), None),
        ("Grüße, 你好".encode("gb18030"), "gb18030"),
        ("Grüße, 你好".encode(), "no-such-charset"),
    ],
)
def test_the_encoding_of_a_text_is_found_out(content: bytes, charset: str | None) -> None:
    assert text_file.decode(content, charset) == "Grüße, 你好"


def test_texts_without_a_mark_are_utf_16_by_their_zeros_or_windows_1252() -> None:
    assert text_file.decode("plain words".encode("utf-16-le")) == "plain words"
    assert text_file.decode("plain words".encode("utf-16-be")) == "plain words"
    assert text_file.decode("Grüße € “x”".encode("windows-1252")) == "Grüße € “x”"
    with pytest.raises(Unreadable, match="it is not text"):
        text_file.decode(b"\x7fELF\x02\x01\x01" + bytes(range(1, 30)) * 4)


def test_no_character_is_left_that_a_database_refuses() -> None:
    assert text_file.clean("a\0b\r\nc\rd\x1be\ufffef\ud800g") == "ab\nc\ndefg"


def test_a_long_text_is_read_in_pieces_that_end_with_paragraphs() -> None:
    text = "\n\n".join(f"Paragraph {number}." for number in range(100)).encode()
    starts, texts, start = [], [], 0
    while start is not None:
        piece = read(text, "text", start=start, limit=300)
        starts.append(start)
        texts += [chunk.text for chunk in piece.chunks]
        start = piece.next  # type: ignore[assignment]
    assert len(starts) > 3
    assert "\n\n".join(texts).encode() == text


def test_a_page_is_read_without_its_decoration() -> None:
    html = b"""<html><head><title> Our
      shop </title><style>p {}</style></head><body><header>Menu</header><nav>Home</nav>
      <main><h2>Prices &amp; fees</h2><p>One<br>two   three</p><ul><li>first</li><li>second</li></ul>
      <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
      <pre>x = 1
  y</pre><img alt="A map"><script>evil()</script></main><footer>Imprint</footer></body></html>"""
    [chunk] = read(html, "html", url="https://x.example/a/b").chunks
    assert (chunk.title, chunk.url) == ("Our shop › Prices & fees", "https://x.example/a/b")
    assert chunk.text.split("\n\n") == ["One\ntwo three", ["- first", "- second"][0], "- second",
        "a | b |\n1 | 2 |", "x = 1\ny", "A map"]  # fmt: skip


def test_links_are_absolute_and_robots_orders_are_obeyed() -> None:
    html = b"""<base href="/sub/"><a href="page">1</a><a href="https://y.example/#x">2</a><a href="mailto:a@b">3</a>
      <a rel="nofollow" href="/no">4</a><a href="page">5</a><a href="http://[bad">6</a>Words"""
    piece = read(html, "html", url="https://x.example/a/b")
    assert piece.links == ["https://x.example/sub/page", "https://y.example/#x"]
    order = b'<meta name="ROBOTS" content="%s">'
    assert read(order % b"nofollow" + html, "html", url="https://x.example/").links == []
    hidden = read(order % b"NOINDEX" + html, "html", url="https://x.example/")
    assert (hidden.chunks, len(hidden.links)) == ([], 2)
    assert read(b'<base href="http://[bad"><a href="c">1</a>', "html", url="https://x.example/a/b").links == [
        "https://x.example/a/c"
    ]
    # An uploaded file is nobody's page.
    assert read(order % b"noindex" + html, "html").chunks


@pytest.mark.parametrize("content", [b"", b"<", b"<p" * 10_000, b"<div>" * 20_000 + b"deep", bytes(range(256)) * 100])
def test_no_page_breaks_the_reader(content: bytes) -> None:
    assert read(content, "html").next is None


def test_pages_of_a_pdf_are_joined_and_can_be_read_one_after_the_other() -> None:
    pdf = samples.make_pdf(["One flows", "into two.", "Three."])
    piece = read(pdf, "pdf")
    assert [chunk.text for chunk in piece.chunks] == ["One flows\n\ninto two.\n\nThree."]
    assert (piece.next, piece.total) == (None, 3)
    first = read(pdf, "pdf", limit=5)
    assert (first.next, [chunk.text for chunk in first.chunks]) == (1, ["One flows"])
    assert [chunk.text for chunk in read(pdf, "pdf", start=2).chunks] == ["Three."]


def test_a_pdf_without_a_password_for_readers_is_read() -> None:
    assert read(samples.make_pdf(["Open."], password=""), "pdf").chunks[0].text == "Open."


def test_headings_and_tables_of_a_document_are_kept_and_merged_cells_come_once() -> None:
    document = docx.Document()
    document.add_heading("Manual", 0)
    document.add_heading("Care", 2)
    document.add_paragraph("Wash cold.")
    table = document.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "Sizes"
    table.cell(1, 0).text, table.cell(1, 1).text = "S", "M"
    stored = io.BytesIO()
    document.save(stored)
    [chunk] = read(stored.getvalue(), "docx").chunks
    assert (chunk.title, chunk.text) == ("Manual › Care", "Wash cold.\n\nSizes\nS | M")


@pytest.mark.parametrize(
    ("content", "form", "reason"),
    [
        (samples.make_pdf(["", ""]), "pdf", None),
        (samples.make_pdf(["Secret."], password="x"), "pdf", "it is protected by a password"),
        (samples.make_pdf(["Hello."])[:200], "pdf", "it is"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 40, "pdf", "it is"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "docx", "it is protected by a password, or an old DOC"),
        (b"PK\x03\x04" + bytes(100), "docx", "it is not a DOCX document that can be read"),
        (bytes(range(32)) * 50, "text", "it is not text"),
        (b"\xef\xbb\xbf \n", "markdown", None),
    ],
)
def test_a_broken_file_has_no_text_or_a_reason(content: bytes, form: Format, reason: str | None) -> None:
    if reason is None:
        assert read(content, form).chunks == []
        return
    with pytest.raises(Unreadable, match=f"^{reason}"):
        read(content, form)


async def test_the_child_answers_what_the_reader_says() -> None:
    extractor = Extractor()
    piece = await extractor.extract("# A\n\nGrüße.".encode(), Request("markdown"))
    assert [(chunk.title, chunk.text) for chunk in piece.chunks] == [("A", "Grüße.")]
    with pytest.raises(Unreadable, match="not a DOCX"):
        await extractor.extract(b"PK", Request("docx"))


async def test_a_child_that_takes_too_long_is_ended() -> None:
    with pytest.raises(Unreadable, match=r"takes more than 0\.001 seconds"):
        await Extractor(timeout_s=0.001).extract(b"Hello.", Request("text"))


async def test_a_file_that_needs_more_memory_than_a_child_has_fails_alone() -> None:
    extractor = Extractor(memory_bytes=128 * 1024 * 1024)
    with pytest.raises(Unreadable, match="memory"):
        await extractor.extract(samples.make_pdf(["Hello."]) + b" " * 140_000_000, Request("pdf"))
    assert (await extractor.extract(b"Hello.", Request("text"))).chunks


async def test_a_child_that_dies_is_a_reason_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "_MODULE", "ringdown.knowledge.no_such_module")
    with pytest.raises(Unreadable, match=r"more time or memory than a document may \(exit code 1\)"):
        await Extractor().extract(b"x" * 10_000_000, Request("text"))
