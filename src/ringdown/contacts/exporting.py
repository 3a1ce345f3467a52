"""Exports of contacts: CSV in pieces, one batch of contacts in memory at a time; an import takes it back."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ringdown import values
from ringdown.contacts import columns, store
from ringdown.contacts.models import Contact
from ringdown.db.engine import Database

_BATCH_ROWS = 500


async def export_contacts(database: Database, *, organization_id: str, folder_id: str | None) -> AsyncIterator[str]:
    """CSV of a folder, or of all folders, oldest first.

    Contacts that are there from the beginning to the end of the export stand in it once. Up to 100 custom fields have
    columns of their own; the column `custom_fields` holds the rest, and what is no text, as JSON.
    """
    async with database.read() as connection:
        named = await store.list_custom_names(connection, organization_id, folder_id)
    # A name that an import would read as something else has no column.
    names = [name for name in named if _is_plain(name)]
    yield _write([[*columns.EXPORTED_FIELDS, *columns.REPORTED_FIELDS, *names, columns.CUSTOM_FIELDS]])
    after_id = None
    while True:
        async with database.read() as connection:
            found = await store.iterate_folder(
                connection, organization_id, folder_id, after_id=after_id, limit=_BATCH_ROWS
            )
        if not found:
            return
        after_id = found[-1].id
        yield _write([_list_cells(contact, names) for contact in found])


def _is_plain(name: str) -> bool:
    return (
        name == name.strip()
        and columns.find_field(name) is None
        and name not in columns.REPORTED_FIELDS
        and columns.guard(name) == name
    )


def _list_cells(contact: Contact, names: Sequence[str]) -> list[str]:
    fields: list[Any] = [getattr(contact, field) for field in columns.EXPORTED_FIELDS]
    fields += [contact.last_call_outcome, contact.call_count, values.to_wire_time(contact.last_called_at)]
    rest = dict(contact.custom_fields)
    for name in names:
        value = rest.get(name)
        fields.append(rest.pop(name) if isinstance(value, str) and value == value.strip() != "" else None)
    fields.append(json.dumps(rest, ensure_ascii=False) if rest else None)
    return ["" if value is None else columns.guard(str(value)) for value in fields]


def _write(records: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(records)
    return written.getvalue()
