"""CSV files as spreadsheets write them: encoding, delimiter and records, read in bounded memory; knows no contact."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

_T = TypeVar("_T")

_PROBED_BYTES = 4096
_READ_BYTES = 256 * 1024
_MAX_RECORD_CHARACTERS = 1_000_000
_DELIMITERS = ",;\t"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# Windows-1252 leaves these bytes out; what has them is Latin-1.
_NOT_WINDOWS_1252 = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))


def detect_encoding(file: BinaryIO) -> str:
    """Python's name of the file's encoding; reads it all and goes back to its start.

    A byte order mark tells UTF-8 and UTF-16; otherwise it is UTF-8 if it can be, and Windows-1252 or Latin-1 if not.
    Raises `ValueError` for what is no text.
    """
    file.seek(0)
    beginning = file.read(_PROBED_BYTES)
    if not beginning.strip():
        raise ValueError("must not be empty")
    if beginning.startswith(_WORKBOOKS):
        raise ValueError("is a workbook or an archive; save it as CSV")
    file.seek(0)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if beginning.startswith(mark):
            return encoding
    if b"\0" in beginning:
        raise ValueError("must be text in UTF-8, in UTF-16 with a byte order mark, or in Windows-1252")
    encoding = _detect_without_mark(file)
    file.seek(0)
    return encoding


def _detect_without_mark(file: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, is_windows_1252 = True, True
    while piece := file.read(_READ_BYTES):
        if is_utf8:
            try:
                decoder.decode(piece)
            except UnicodeDecodeError:
                is_utf8 = False
        is_windows_1252 = is_windows_1252 and not any(byte in piece for byte in _NOT_WINDOWS_1252)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        is_utf8 = False
    if is_utf8:
        return "utf-8"
    return "windows-1252" if is_windows_1252 else "latin-1"


class _Lines:
    """The lines of a text, of which one record may take only so many characters."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._taken = 0
        self.is_inside_record = False

    def begin_record(self) -> None:
        self._taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(_MAX_RECORD_CHARACTERS)
        if not line:
            self.is_inside_record = self._taken > 0
            raise StopIteration
        self._taken += len(line)
        if self._taken >= _MAX_RECORD_CHARACTERS:
            raise ValueError("is longer than a million characters; is a quotation mark never closed?")
        return line


class CsvFile:
    """The records of an open file; the first one that is not blank is the header.

    `header_row` and the rows of `records()` count records as a spreadsheet counts rows, from 1 and with blank ones.
    """

    def __init__(self, file: BinaryIO, *, encoding: str) -> None:
        """Read the header; raises `ValueError` when there is none, or the text is not of the encoding."""
        file.seek(0)
        self._text = io.TextIOWrapper(file, encoding=encoding, newline="")
        self._lines = _Lines(self._text)
        self._row = 0
        delimiter = self._find_delimiter()
        self._reader = csv.reader(self._lines, delimiter=delimiter)
        header = self._read_record()
        while header is not None and (not any(cell.strip() for cell in header) or _is_hint(header, delimiter)):
            header = self._read_record()
        if header is None:
            raise ValueError("must have a header")
        self.header = [cell.strip() for cell in header]

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """The records after the header that are not blank, with their rows; raises `ValueError` for a broken file."""
        while (cells := self._read_record()) is not None:
            if any(cell.strip() for cell in cells):
                yield self._row, cells

    def close(self) -> None:
        """Let go of the file without closing it."""
        self._text.detach()

    def _find_delimiter(self) -> str:
        # Excel may name it in a line of its own; otherwise the header shows it.
        start = "\n"
        while start and not start.strip():
            start = self._decode(lambda: self._text.readline(_MAX_RECORD_CHARACTERS))
        if start.lower().startswith("sep=") and start[4:5] in _DELIMITERS and start[4:5]:
            delimiter = start[4]
        else:
            unquoted = "".join(start.split('"')[::2])
            delimiter = max(_DELIMITERS, key=unquoted.count)
        self._text.seek(0)
        return delimiter

    def _read_record(self) -> list[str] | None:
        self._row += 1
        self._lines.begin_record()
        try:
            record = self._decode(lambda: next(self._reader, None))
        except (csv.Error, ValueError) as error:
            raise ValueError(f"row {self._row}: {error}") from None
        if self._lines.is_inside_record and record is not None:
            raise ValueError(f"row {self._row}: a quotation mark is never closed")
        return record

    def _decode(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except UnicodeError:
            raise ValueError(f"is not text in {self._text.encoding}") from None


def _is_hint(cells: list[str], delimiter: str) -> bool:
    # `sep=;` is read as `sep=` and an empty cell.
    return cells[0].lower() == "sep=" or (len(cells) == 1 and cells[0].lower() == f"sep={delimiter}")
