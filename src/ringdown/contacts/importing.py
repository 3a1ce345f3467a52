"""Imports of contacts: rows are read first and stored then, some at a time.

All rows are read and checked, into a temporary file, before the first is stored: a broken file leaves nothing behind,
and memory stays flat. Each batch is a transaction of its own, with a rest after it: on SQLite calls go on meanwhile. An
import that a crash cuts off is finished by sending the file again: what is stored is skipped, or changed as it was.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.contacts import batch_file, fields, folder_store, models, rows, service, store
from ringdown.contacts.models import Contact
from ringdown.contacts.rows import ImportTarget, Row, RowError
from ringdown.db.engine import Database

_BATCH_ROWS = 1000
#: The writers of other programs look for their turn every few milliseconds.
REST_SECONDS = 0.02


@dataclass(slots=True)
class ImportResult:
    """What became of the rows; `listed` holds the first of the errors."""

    folder_id: str
    imported: int = 0
    updated: int = 0
    skipped: int = 0
    errors: int = 0
    listed: list[RowError] = field(default_factory=list)

    def refuse(self, error: RowError) -> None:
        """Count a row that is not imported."""
        self.errors += 1
        if len(self.listed) < models.MAX_LISTED_ERRORS:
            self.listed.append(error)


async def find_target(database: Database, *, organization_id: str, folder_id: str | None, region: str) -> ImportTarget:
    """Where an import goes: the folder, or the default one, which is made if need be. Raises `NotFound`."""
    now = values.now_ms()
    if folder_id is not None:
        async with database.read() as connection:
            found = (await folder_store.get_folder(connection, organization_id, folder_id)).id
    else:
        async with database.write() as connection:
            found = await service.ensure_default_folder(connection, organization_id, now_ms=now)
    return ImportTarget(organization_id, found, region, now)


async def import_contacts(
    database: Database, read: AsyncIterator[Row | RowError], *, target: ImportTarget, overwrite_existing: bool
) -> ImportResult:
    """Store the contacts of all good rows; of a number that is there twice the first row counts, or else each in turn.

    Raises `ValidationFailed` for a file that breaks off, with nothing stored, and `NotFound` for a folder that is gone.
    """
    result = ImportResult(target.folder_id)
    with batch_file.open_batches() as file:
        await _prepare(read, target=target, file=file, result=result)
        for batch in batch_file.read_batches(file):
            async with database.write() as connection:
                if not await folder_store.lock_folders(connection, target.organization_id, [target.folder_id]):
                    raise errors.NotFound("Folder", target.folder_id)
                await _store(connection, batch, target=target, overwrite_existing=overwrite_existing, result=result)
            await asyncio.sleep(REST_SECONDS)
    return result


async def _prepare(
    read: AsyncIterator[Row | RowError], *, target: ImportTarget, file: IO[bytes], result: ImportResult
) -> None:
    batch: list[store.Row] = []
    async for row in read:
        contact = rows.read_contact(row, target) if isinstance(row, Row) else row
        if isinstance(contact, RowError):
            result.refuse(contact)
            continue
        batch.append(store.make_row(contact))
        if len(batch) == _BATCH_ROWS:
            batch_file.append_batch(file, batch)
            batch.clear()
    batch_file.append_batch(file, batch)


async def _store(
    connection: AsyncConnection,
    batch: Sequence[Sequence[Any]],
    *,
    target: ImportTarget,
    overwrite_existing: bool,
    result: ImportResult,
) -> None:
    where = (connection, target.organization_id, target.folder_id)
    told = [store.get_number(row) for row in batch]
    if not overwrite_existing:
        taken = await store.list_taken_numbers(*where, told)
        # Of a number that is there twice the first row counts.
        fresh = {number: row for number, row in reversed(list(zip(told, batch, strict=True))) if number not in taken}
        result.imported += len(fresh)
        result.skipped += len(batch) - len(fresh)
        await store.insert_rows(*where, list(reversed(fresh.values())))
        return
    present = await store.find_by_numbers(*where, told)
    added: dict[str, Contact] = {}
    changed: dict[str, Contact] = {}
    for number, row in zip(told, batch, strict=True):
        contact = store.read_row(row)
        known = changed.get(number) or present.get(number) or added.get(number)
        if known is None:
            added[number] = contact
            continue
        merged = fields.merge(known, contact, now_ms=target.now_ms)
        if number in present:
            changed[number] = merged
        else:
            added[number] = merged
    result.imported += len(added)
    result.updated += len(batch) - len(added)
    await store.insert_contacts(connection, list(added.values()))
    await store.update_contacts(connection, list(changed.values()))
