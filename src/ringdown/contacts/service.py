"""The use cases of contacts and folders: create, change, move and delete."""

import dataclasses
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.accounts import store as account_store
from ringdown.contacts import fields, folder_store, store
from ringdown.contacts.models import DEFAULT_FOLDER_NAME, Contact, Folder
from ringdown.contacts.schemas import CreateContact, CreateFolder, UpdateContact, UpdateFolder
from ringdown.db.engine import Database
from ringdown.web import idempotency

# A transaction deletes so many at once, so that others write in between.
_DELETED_AT_ONCE = 5000


async def create_contact(database: Database, *, region: str, organization_id: str, body: CreateContact) -> Contact:
    """A new contact. Raises `ValidationFailed`, `NotFound` for the folder, `Conflict` when it has the number."""
    if not body.model_fields_set & {"phone_number", "phone"}:
        raise errors.invalid("phone_number", "is required")
    columns = fields.read_fields(body, region=region)
    now = values.now_ms()
    async with database.write() as connection:
        folder_id = body.folder_id or await ensure_default_folder(connection, organization_id, now_ms=now)
        await _lock_folder(connection, organization_id, folder_id)
        contact = Contact(
            organization_id=organization_id,
            id=values.new_id("cnt"),
            folder_id=folder_id,
            created_at=now,
            updated_at=now,
            **columns,
        )
        await _check_free(connection, contact)
        await store.insert_contacts(connection, [contact])
        await idempotency.bind_resource(connection, contact.id)
    return contact


async def update_contact(
    database: Database, *, region: str, organization_id: str, contact_id: str, body: UpdateContact
) -> Contact:
    """Change what the body names. Raises `NotFound`, `ValidationFailed` and `Conflict`."""
    columns = fields.read_fields(body, region=region)
    if "folder_id" in body.model_fields_set:
        if body.folder_id is None:
            raise errors.invalid("folder_id", "must not be null")
        columns["folder_id"] = body.folder_id
    async with database.write() as connection:
        seen = await store.get_contact(connection, organization_id, contact_id)
        target = columns.get("folder_id", seen.folder_id)
        locked = await folder_store.lock_folders(connection, organization_id, {seen.folder_id, target})
        if target not in locked:
            raise errors.NotFound("Folder", target)
        present = await store.get_contact(connection, organization_id, contact_id)
        if present.folder_id != seen.folder_id:
            raise errors.Conflict("The contact was moved at the same moment; try again.", {"id": contact_id})
        contact = dataclasses.replace(present, **columns, updated_at=values.now_ms())
        await _check_free(connection, contact)
        if contact.folder_id == present.folder_id:
            await store.update_contacts(connection, [contact])
        else:
            await store.move_contact(connection, contact, from_folder_id=present.folder_id)
    return contact


async def delete_contacts(database: Database, *, organization_id: str, ids: Sequence[str]) -> set[str]:
    """Delete contacts; returns the ids of those that were there."""
    async with database.write() as connection:
        folder_ids = await store.list_folders_of(connection, organization_id, ids)
        locked = await folder_store.lock_folders(connection, organization_id, folder_ids)
        return await store.delete_contacts(connection, organization_id, ids, folder_ids=sorted(locked))


async def create_folder(database: Database, *, organization_id: str, body: CreateFolder) -> Folder:
    """A new folder."""
    folder = _make_folder(organization_id, name=body.name, description=body.description, now_ms=values.now_ms())
    async with database.write() as connection:
        await folder_store.insert_folder(connection, folder)
        await idempotency.bind_resource(connection, folder.id)
    return folder


async def update_folder(database: Database, *, organization_id: str, folder_id: str, body: UpdateFolder) -> Folder:
    """Change what the body names. Raises `NotFound`."""
    changes = {name: getattr(body, name) for name in body.model_fields_set} | {"updated_at": values.now_ms()}
    async with database.write() as connection:
        if not await folder_store.update_folder(connection, organization_id, folder_id, changes):
            raise errors.NotFound("Folder", folder_id)
        return await folder_store.get_folder(connection, organization_id, folder_id)


async def delete_folder(database: Database, *, organization_id: str, folder_id: str) -> None:
    """Delete a folder with its contacts; a crash leaves the rest of it, to be deleted again. Raises `NotFound`."""
    async with database.read() as connection:
        await folder_store.get_folder(connection, organization_id, folder_id)
    is_empty = False
    while not is_empty:
        async with database.write() as connection:
            await folder_store.lock_folders(connection, organization_id, [folder_id])
            gone = await store.empty_folder(connection, organization_id, folder_id, limit=_DELETED_AT_ONCE)
            is_empty = gone < _DELETED_AT_ONCE
            if is_empty:
                await folder_store.delete_folder(connection, organization_id, folder_id)


async def ensure_default_folder(connection: AsyncConnection, organization_id: str, *, now_ms: int) -> str:
    """The id of the organization's default folder, which is made when it is first needed."""
    folder = await folder_store.find_default(connection, organization_id)
    if folder is None:
        await account_store.lock_organization(connection, organization_id)  # so that two do not make one each
        folder = await folder_store.find_default(connection, organization_id)
    if folder is None:
        made = _make_folder(organization_id, name=DEFAULT_FOLDER_NAME, description=None, now_ms=now_ms)
        folder = dataclasses.replace(made, is_default=True)
        await folder_store.insert_folder(connection, folder)
    return folder.id


def _make_folder(organization_id: str, *, name: str, description: str | None, now_ms: int) -> Folder:
    return Folder(
        organization_id=organization_id,
        id=values.new_id("folder"),
        name=name,
        description=description,
        is_default=False,
        contact_count=0,
        created_at=now_ms,
        updated_at=now_ms,
    )


async def _lock_folder(connection: AsyncConnection, organization_id: str, folder_id: str) -> None:
    if not await folder_store.lock_folders(connection, organization_id, [folder_id]):
        raise errors.NotFound("Folder", folder_id)


async def _check_free(connection: AsyncConnection, contact: Contact) -> None:
    number = contact.phone_number
    found = await store.find_by_numbers(connection, contact.organization_id, contact.folder_id, [number])
    if number in found and found[number].id != contact.id:
        raise errors.Conflict(
            f"The folder has a contact with the number {number} already: {found[number].id}.",
            {"phone_number": number, "contact_id": found[number].id},
        )
