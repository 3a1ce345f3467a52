"""Adds contacts to a batch call: from the request, by id, or a whole folder; copied, each number once."""

import dataclasses
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.batch_calls import contact_store, store, zones
from ringdown.batch_calls.models import BatchCall, BatchContact, NewContact, SkippedContact
from ringdown.contacts import numbers
from ringdown.contacts import store as contacts_store
from ringdown.contacts.models import Contact

PAGE = 1000
#: So many of those who were not added are described; all are counted.
MAX_DESCRIBED = 1000
# What people put between digits (ITU-T E.123).
_SEPARATORS = re.compile(r"[\s().\-/]")
_COPIED_FIELDS = ("company_name", "industry", "location", "pin_code", "keywords")
_BAD_NUMBER = "must be a phone number in E.164 format, such as +12125551234"
_BAD_ZONE = "has a time zone that is no IANA name, such as Europe/Berlin"
_DUPLICATE = "is a duplicate: the batch call has this number already"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where contacts come from; all that are named are added, in this order."""

    contacts: Sequence[NewContact] = ()
    contact_ids: Sequence[str] = ()
    folder_id: str | None = None


@dataclass(slots=True)
class Additions:
    """How many were added, and how many not; the first of those are described."""

    added_count: int = 0
    failed_count: int = 0
    skipped: list[SkippedContact] = field(default_factory=list)

    def skip(self, index: int, contact: NewContact, reason: str) -> None:
        """Count somebody who is not added."""
        self.failed_count += 1
        if len(self.skipped) < MAX_DESCRIBED:
            self.skipped.append(SkippedContact(index, contact.phone_number, reason, contact.contact_id))


async def add_contacts(
    connection: AsyncConnection, batch: BatchCall, sources: Sources, *, now_ms: int
) -> tuple[BatchCall, Additions]:
    """Add contacts behind those of a locked batch call; memory for one page, whatever the size of the folder.

    Raises `NotFound` (folder), `ValidationFailed` (contact ids).
    """
    additions, index = Additions(), 0
    async for page in _iterate(connection, batch.organization_id, sources):
        rows = await _insert(connection, batch, page, first=index, additions=additions, now_ms=now_ms)
        index += len(page)
        additions.added_count += rows
        batch = dataclasses.replace(batch, total_contacts=batch.total_contacts + rows, updated_at=now_ms)
    if additions.added_count:
        await store.update_batch_call(connection, batch)
    return batch, additions


async def _insert(
    connection: AsyncConnection,
    batch: BatchCall,
    page: Sequence[NewContact],
    *,
    first: int,
    additions: Additions,
    now_ms: int,
) -> int:
    """Store those of the page who can be added, without a gap; returns how many."""
    told = [(index, *_read(contact)) for index, contact in enumerate(page, first)]
    good: dict[str, NewContact] = {}
    for _, contact, refusal in told:
        if refusal is None:
            good.setdefault(contact.phone_number, contact)
    rows = _to_rows(batch, list(good.values()), now_ms=now_ms)
    inserted = await contact_store.insert_contacts(connection, rows)
    if 0 < len(inserted) < len(rows):
        # Some were there already: the others move up.
        where = (connection, batch.organization_id, batch.id)
        await contact_store.delete_contacts(*where, position=batch.total_contacts, limit=len(rows))
        kept = [contact for number, contact in good.items() if number in inserted]
        await contact_store.insert_contacts(connection, _to_rows(batch, kept, now_ms=now_ms))
    for index, contact, refusal in told:
        is_first = good.get(contact.phone_number) is contact
        if refusal is not None or not is_first or contact.phone_number not in inserted:
            additions.skip(index, contact, refusal or _DUPLICATE)
    return len(inserted)


async def _iterate(
    connection: AsyncConnection, organization_id: str, sources: Sources
) -> AsyncIterator[Sequence[NewContact]]:
    for start in range(0, len(sources.contacts), PAGE):
        yield sources.contacts[start : start + PAGE]
    for start in range(0, len(sources.contact_ids), PAGE):
        yield await _read_ids(connection, organization_id, sources.contact_ids, start)
    if sources.folder_id is None:
        return
    await contacts_store.get_folder(connection, organization_id, sources.folder_id)
    after_id = None
    while page := await contacts_store.iterate_folder(
        connection, organization_id, sources.folder_id, after_id=after_id, limit=PAGE
    ):
        yield [_copy(contact) for contact in page]
        after_id = page[-1].id


async def _read_ids(
    connection: AsyncConnection, organization_id: str, contact_ids: Sequence[str], start: int
) -> Sequence[NewContact]:
    wanted = contact_ids[start : start + PAGE]
    found = {
        contact.id: contact
        for contact in await contacts_store.list_contacts_by_ids(connection, organization_id, wanted)
    }
    absent = [
        errors.FieldError(f"contact_ids.{index}", "there is no contact with this id")
        for index, contact_id in enumerate(wanted, start)
        if contact_id not in found
    ]
    if absent:
        raise errors.ValidationFailed(absent)
    return [_copy(found[contact_id]) for contact_id in wanted]


def _read(contact: NewContact) -> tuple[NewContact, str | None]:
    """The contact with its number in E.164, or why it cannot be added."""
    number = _SEPARATORS.sub("", numbers.cut_decimal(contact.phone_number.strip()))
    if not values.is_e164(number):
        return contact, _BAD_NUMBER
    if contact.timezone is not None and zones.find_zone(contact.timezone) is None:
        return contact, _BAD_ZONE
    return dataclasses.replace(contact, phone_number=number), None


def _copy(contact: Contact) -> NewContact:
    named = {name: getattr(contact, name) for name in _COPIED_FIELDS}
    return NewContact(
        phone_number=contact.phone_number,
        first_name=contact.first_name,
        last_name=contact.last_name,
        email=contact.email,
        custom_fields=to_texts({**named, **contact.custom_fields}),
        timezone=contact.timezone,
        contact_id=contact.id,
    )


def to_texts(fields: Mapping[str, object]) -> dict[str, str]:
    """Custom fields as what they put into a prompt: texts as they are, other values as JSON, null not at all."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in fields.items()
        if value is not None
    }


def _to_rows(batch: BatchCall, contacts: Sequence[NewContact], *, now_ms: int) -> list[BatchContact]:
    return [
        BatchContact(
            organization_id=batch.organization_id,
            batch_call_id=batch.id,
            position=position,
            contact_id=contact.contact_id or values.new_id("cnt"),
            phone_number=contact.phone_number,
            first_name=contact.first_name,
            last_name=contact.last_name,
            email=contact.email,
            custom_fields=contact.custom_fields,
            timezone=contact.timezone,
            updated_at=now_ms,
        )
        for position, contact in enumerate(contacts, batch.total_contacts)
    ]
