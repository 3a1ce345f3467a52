"""Which column of a CSV file is which field of a contact, and how cells are guarded; pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ringdown.contacts import models

#: The fields an export writes, in this order, before the custom ones; an import takes them by these names.
EXPORTED_FIELDS = (
    "phone_number",
    "first_name",
    "last_name",
    "email",
    "company_name",
    "industry",
    "location",
    "pin_code",
    "keywords",
    "timezone",
)
#: What an export tells besides; an import passes over it.
REPORTED_FIELDS = ("last_call_outcome", "call_count", "last_called_at")
#: Holds, as JSON, the custom fields that have no column of their own.
CUSTOM_FIELDS = "custom_fields"

_SYNONYMS = {
    "phone_number": "phone phonenumber phone_no telephone telephone_number tel mobile mobile_number mobile_phone "
    "mobile_no cell cell_phone cellphone contact_number msisdn",
    "first_name": "firstname fname given_name",
    "last_name": "lastname lname surname family_name",
    "name": "full_name fullname contact_name",
    "email": "e_mail mail email_address e_mail_address emailaddress",
    "company_name": "company companyname organization organisation",
    "industry": "",
    "location": "city",
    "pin_code": "pincode postal_code postalcode postcode zip zip_code zipcode",
    "keywords": "tags",
    "timezone": "time_zone tz",
    CUSTOM_FIELDS: "metadata",
}
_FIELDS = {word: field for field, words in _SYNONYMS.items() for word in (field, *words.split())}
_NOT_WORD = re.compile(r"[\s\-./]+")
# A spreadsheet takes what begins with these for a formula (OWASP, "CSV Injection"), the wide ones included.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"\+[0-9]+")
# With room for columns without a header, which are left out; more would take seconds.
_MAX_COLUMNS = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """What a column's cells are: a field of a contact, a custom field, or nothing that an import takes."""

    field: str | None = None
    custom: str | None = None
    is_passed_over: bool = False


def read_header(header: Sequence[str], mapping: Mapping[str, str]) -> list[Column]:
    """The columns of a header; `mapping` names the field of a header for which our own reading is wrong.

    The first column of a field is it; what no field is known for is a custom field of the header's name. Raises
    `ValueError` without a phone number, for a name that is there twice, and for a mapping that names no column.
    """
    if len(header) > _MAX_COLUMNS:
        raise ValueError(f"must have at most {_MAX_COLUMNS} columns")
    unknown = sorted(mapping.keys() - set(header))
    if unknown:
        raise ValueError(f"has no column {unknown[0]}, which mapping_config names")
    columns: list[Column] = []
    titles = [mapping.get(title, unguard(title)) for title in header]
    # Where first and last name have columns of their own, a third name is something else.
    taken: set[str] = {"name"} if {"first_name", "last_name"} & set(map(find_field, titles)) else set()
    for wanted in titles:
        field = find_field(wanted)
        if not wanted or wanted in REPORTED_FIELDS:
            columns.append(Column(is_passed_over=bool(wanted)))
        elif field is not None and field not in taken:
            taken.add(field)
            columns.append(Column(field=field))
        else:
            columns.append(Column(custom=wanted))
    _check(columns, header)
    return columns


def find_field(title: str) -> str | None:
    """The field of a contact that a header means."""
    return _FIELDS.get(_NOT_WORD.sub("_", title.strip().casefold()))


def read_cells(columns: Sequence[Column], cells: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The fields and the custom fields of a record; blank cells say nothing.

    Raises `ValueError` for cells under no header.
    """
    fields: dict[str, str] = {}
    custom: dict[str, str] = {}
    for position, cell in enumerate(cells):
        text = unguard(cell.strip())
        if not text:
            continue
        column = columns[position] if position < len(columns) else Column()
        if column.field is not None:
            fields[column.field] = text
        elif column.custom is not None:
            custom[column.custom] = text
        elif not column.is_passed_over:
            raise ValueError(f"has a cell without a header: {text[:50]}")
    return fields, custom


def guard(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula; `unguard` reads it back. Numbers stay numbers."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguard(cell: str) -> str:
    """The text of a cell that `guard` wrote."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _check(columns: Sequence[Column], header: Sequence[str]) -> None:
    if all(column.field != "phone_number" for column in columns):
        raise ValueError(f"must have a column phone; it has {', '.join(header)[:200]}")
    customs = [column.custom for column in columns if column.custom is not None]
    if len(customs) > models.MAX_CUSTOM_FIELDS:
        raise ValueError(f"must have at most {models.MAX_CUSTOM_FIELDS} columns of custom fields")
    for name in customs:
        if customs.count(name) > 1:
            raise ValueError(f"has the column {name} twice")
        if len(name) > models.MAX_CUSTOM_NAME_LENGTH:
            raise ValueError(f"has a header of more than {models.MAX_CUSTOM_NAME_LENGTH} characters: {name[:50]}")
