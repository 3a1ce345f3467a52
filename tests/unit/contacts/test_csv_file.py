"""CSV files as spreadsheets write them."""

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.contacts import csv_file
from ringdown.contacts.csv_file import CsvFile

ROWS = [["phone", "name"], ["+12025550142", "Zoë"]]


def read(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    file = io.BytesIO(content)
    opened = CsvFile(file, encoding=csv_file.detect_encoding(file))
    return opened.header, list(opened.records())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "windows-1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encoding_delimiter_and_line_ends_are_found(encoding: str, delimiter: str, line_end: str) -> None:
    text = "".join(delimiter.join(cells) + line_end for cells in ROWS)
    assert read(text.encode(encoding)) == (ROWS[0], [(2, ROWS[1])])


def test_big_endian_utf16_is_told_by_its_mark() -> None:
    assert read("\ufeffphone\n€1\n".encode("utf-16-be")) == (["phone"], [(2, ["€1"])])


def test_windows_1252_and_latin_1_are_told_apart_by_the_bytes_that_only_one_has() -> None:
    assert csv_file.detect_encoding(io.BytesIO(b"a\x80b\xe9")) == "windows-1252"
    assert csv_file.detect_encoding(io.BytesIO(b"a\x81b\xe9")) == "latin-1"
    late = b"phone\n" + b"a" * 300_000 + b"\xe9"
    assert csv_file.detect_encoding(io.BytesIO(late)) == "windows-1252"
    across = b"x" * (256 * 1024 - 1) + "é".encode()
    assert csv_file.detect_encoding(io.BytesIO(across)) == "utf-8"


def test_rows_are_counted_as_a_spreadsheet_does() -> None:
    content = b'\nphone,note\n1,"two\nlines, and ""quotes"""\n\n,\n2,x\n'
    assert read(content) == (["phone", "note"], [(3, ["1", 'two\nlines, and "quotes"']), (6, ["2", "x"])])


def test_a_delimiter_in_quotation_marks_or_named_by_excel_is_understood() -> None:
    assert read(b'"last, first";phone\nx;1\n')[0] == ["last, first", "phone"]
    assert read(b"sep=;\nphone;a,b,c\n1;2\n") == (["phone", "a,b,c"], [(3, ["1", "2"])])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n\n ", "empty"),
        (b"PK\x03\x04xlsx", "workbook"),
        (b"p\0h\0o\0n\0e\0", "byte order mark"),
        (b'phone\n1\n"2\n3\n', "row 3: a quotation mark is never closed"),
        (b'phone\n"' + b"x" * 200_000 + b'"\n', "row 2: field larger"),
        (b"phone\n" + b"x," * 600_000, "row 2: is longer than a million"),
        ("phone\n1".encode("utf-16")[:-1], "is not text in utf-16"),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(content)


def test_a_file_of_any_size_takes_little_memory() -> None:
    file = io.BytesIO(b"phone,note\n" + b"+12025550142,something that is noted\n" * 200_000)
    tracemalloc.start()
    try:
        opened = CsvFile(file, encoding=csv_file.detect_encoding(file))
        assert sum(1 for _ in opened.records()) == 200_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=300))
def test_any_bytes_are_records_or_refused(content: bytes) -> None:
    try:
        header, records = read(b"phone\n" + content)
    except ValueError:
        return
    assert header == ["phone"]
    assert all(row > 1 for row, _ in records)
