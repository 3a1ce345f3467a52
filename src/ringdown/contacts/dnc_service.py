"""The use cases of the do-not-call list: add numbers, one by one or from a file."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from ringdown import errors, values
from ringdown.contacts import batch_file, dnc_store, fields, models, numbers
from ringdown.contacts.importing import REST_SECONDS, ImportResult
from ringdown.contacts.models import DncEntry
from ringdown.contacts.rows import Row, RowError
from ringdown.contacts.schemas import AddDncEntries
from ringdown.db.engine import Database
from ringdown.web import idempotency

_BATCH_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Addition:
    """Numbers that were asked for, each once, and how many of them are new."""

    phone_numbers: Sequence[str]
    added: int


async def add_entries(database: Database, *, region: str, organization_id: str, body: AddDncEntries) -> Addition:
    """Add the numbers, all or none; a number that is listed keeps its reason. Raises `ValidationFailed`."""
    if (body.phone_number is None) == (body.phone_numbers is None):
        raise errors.invalid("phone_number", "is required, or phone_numbers, and not both")
    if body.phone_number is not None:
        read = [fields.read_number(body.phone_number, field="phone_number", region=region)]
    else:
        read = read_numbers(body.phone_numbers or [], region=region)
    entries = _make_entries(organization_id, read, reason=body.reason)
    async with database.write() as connection:
        added = await dnc_store.insert_entries(connection, entries)
        await idempotency.bind_resource(connection, entries[0].phone_number)
    return Addition([entry.phone_number for entry in entries], added)


async def add_during_call(
    database: Database, *, organization_id: str, number: str | None, reason: str | None, call_id: str
) -> bool:
    """List the number of whom a call is with, who asked for it; False when it was listed. Raises `ValueError`."""
    if number is None or not values.is_e164(number):
        raise ValueError("The number of this person is not known, so it cannot be put on the list.")
    entry = DncEntry(organization_id, number, reason, values.now_ms(), source="call", call_id=call_id)
    async with database.write() as connection:
        return bool(await dnc_store.insert_entries(connection, [entry]))


def read_numbers(texts: Sequence[str], *, region: str) -> list[str]:
    """The E.164 numbers of the field `phone_numbers`. Raises `ValidationFailed` that names each that is none."""
    read, refused = [], []
    for position, text in enumerate(texts):
        try:
            read.append(numbers.parse_number(text, region=region))
        except ValueError as error:
            refused.append(errors.FieldError(f"phone_numbers.{position}", str(error)))
    if refused:
        raise errors.ValidationFailed(refused)
    return read


def _make_entries(organization_id: str, read: Sequence[str], *, reason: str | None) -> list[DncEntry]:
    now = values.now_ms()
    return [DncEntry(organization_id, number, reason, now) for number in dict.fromkeys(read)]


async def import_entries(
    database: Database, read: AsyncIterator[Row | RowError], *, organization_id: str, region: str
) -> ImportResult:
    """Add the numbers of all good rows; a column `reason` gives each its own.

    Each batch is a transaction of its own, as in `importing`: on SQLite calls go on meanwhile. Raises
    `ValidationFailed` for a file that breaks off; then nothing is added.
    """
    result = ImportResult(folder_id="")
    now = values.now_ms()
    with batch_file.open_batches() as file:
        batch: list[tuple[str, str | None]] = []
        async for row in read:
            entry = _read_entry(row, region)
            if isinstance(entry, RowError):
                result.refuse(entry)
                continue
            batch.append(entry)
            if len(batch) == _BATCH_ROWS:
                batch_file.append_batch(file, batch)
                batch.clear()
        batch_file.append_batch(file, batch)
        for stored in batch_file.read_batches(file):
            reasons: dict[str, str | None] = dict(reversed(stored))  # the first row of a number counts
            entries = [
                DncEntry(organization_id, number, reason, now, source="import") for number, reason in reasons.items()
            ]
            async with database.write() as connection:
                added = await dnc_store.insert_entries(connection, entries)
            result.imported += added
            result.skipped += len(stored) - added
            await asyncio.sleep(REST_SECONDS)
    return result


def _read_entry(row: Row | RowError, region: str) -> tuple[str, str | None] | RowError:
    if isinstance(row, RowError):
        return row
    phone = row.told.get("phone_number", "")
    reason = row.told["custom_fields"].get("reason")
    if reason is not None and len(reason) > models.MAX_REASON_LENGTH:
        return RowError(row.number, phone[:64], f"reason: must have at most {models.MAX_REASON_LENGTH} characters")
    try:
        return numbers.parse_number(phone, region=region), reason
    except ValueError as error:
        return RowError(row.number, phone[:64] or None, f"phone: {error}" if phone else "phone: is required")
