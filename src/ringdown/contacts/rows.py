"""The rows of an import: read one by one from a CSV file or a list, each a person or the reason why it is none."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import msgspec
from pydantic import ValidationError

from ringdown import errors, values
from ringdown.contacts import columns, csv_file, fields, models
from ringdown.contacts.csv_file import CsvFile
from ringdown.contacts.models import Contact
from ringdown.contacts.schemas import ContactFields
from ringdown.web import messages

# Other requests go on after so many rows, which take about two milliseconds.
_ROWS_AT_ONCE = 32
_SHOWN_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Row:
    """What a row tells, in the words of a request, and where it stands."""

    number: int
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that is not imported."""

    row: int
    phone: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ImportTarget:
    """Whose contacts the rows become, where they go, and how their numbers are read."""

    organization_id: str
    folder_id: str
    region: str
    now_ms: int


async def read_csv(
    file: BinaryIO, *, field: str, mapping: Mapping[str, str] | None = None
) -> AsyncIterator[Row | RowError]:
    """The rows of a CSV file, which a request sent as `field`. Raises `ValidationFailed` for the file as a whole."""
    try:
        encoding = await asyncio.to_thread(csv_file.detect_encoding, file)
        # In a thread: a file may hold fifty million blank rows, or rows of a million characters.
        opened = await asyncio.to_thread(CsvFile, file, encoding=encoding)
        try:
            read = _read_records(opened, mapping or {})
            while some := await asyncio.to_thread(lambda: list(islice(read, _ROWS_AT_ONCE))):
                for row in some:
                    yield row
        finally:
            opened.close()
    except ValueError as error:
        raise errors.invalid(field, str(error)) from None


async def read_list(people: Sequence[Mapping[str, Any]]) -> AsyncIterator[Row | RowError]:
    """The rows of a list that a request holds; the first is row 1."""
    for number, told in enumerate(people, start=1):
        if number % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
        yield Row(number, told)


def read_contact(row: Row, target: ImportTarget) -> Contact | RowError:
    """The contact that a row tells of, under a new id."""
    phone = row.told.get("phone_number", row.told.get("phone"))
    shown = str(phone)[:_SHOWN_CHARACTERS] if phone is not None else None
    if shown is None:
        return RowError(row.number, None, "phone: is required")
    try:
        read = fields.read_fields(ContactFields.model_validate(row.told), region=target.region)
    except ValidationError as error:
        found = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        [refused, *_] = messages.explain(found, body=row.told)
        return RowError(row.number, shown, f"{refused.field}: {refused.reason}")
    except errors.ValidationFailed as error:
        return RowError(row.number, shown, error.message)
    return Contact(
        organization_id=target.organization_id,
        id=values.new_id("cnt"),
        folder_id=target.folder_id,
        created_at=target.now_ms,
        updated_at=target.now_ms,
        **read,
    )


def _read_records(opened: CsvFile, mapping: Mapping[str, str]) -> Iterator[Row | RowError]:
    header = columns.read_header(opened.header, mapping)
    for read, (number, cells) in enumerate(opened.records(), start=1):
        if read > models.MAX_IMPORTED_ROWS:
            raise ValueError(f"must have at most {models.MAX_IMPORTED_ROWS} rows; split it")
        yield _read_record(number, header, cells)


def _read_record(number: int, header: Sequence[columns.Column], cells: Sequence[str]) -> Row | RowError:
    told: dict[str, Any] = {}
    try:
        if any("\0" in cell for cell in cells):
            raise ValueError("must not contain NUL characters")
        told, custom = columns.read_cells(header, cells)
        custom_fields = {**_read_json(told.pop(columns.CUSTOM_FIELDS, "{}")), **custom}
    except ValueError as error:
        return RowError(number, told.get("phone_number", "")[:_SHOWN_CHARACTERS] or None, str(error))
    return Row(number, {**told, "custom_fields": custom_fields})


def _read_json(text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)  # which knows no NaN and no infinity, as PostgreSQL
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError("custom_fields: must be a JSON object")
    cleaned = values.clean_json(document)
    assert isinstance(cleaned, dict)
    return cleaned


def list_errors(found: Sequence[RowError]) -> list[dict[str, Any]]:
    """Row errors as answers show them."""
    return [{"row": error.row, "phone": error.phone, "reason": error.reason} for error in found]
