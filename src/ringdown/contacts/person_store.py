"""The contacts of one number in the database, in whatever folders."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.contacts import dnc_store, folder_store, store
from ringdown.contacts.models import Contact

contacts, folders = store.contacts, folder_store.folders


async def list_ids(connection: AsyncConnection, organization_id: str, number: str, *, limit: int) -> list[str]:
    """The ids of contacts that have the number: a look into each folder, not at each contact."""
    of_organization = sa.select(folders.c.id).where(folders.c.organization_id == organization_id)
    query = sa.select(contacts.c.id).where(
        contacts.c.organization_id == organization_id,
        contacts.c.folder_id.in_(of_organization),
        contacts.c.phone_number == number,
    )
    return list((await connection.execute(query.limit(limit))).scalars())


async def list_contacts(connection: AsyncConnection, organization_id: str, number: str, *, limit: int) -> list[Contact]:
    """Those contacts."""
    ids = await list_ids(connection, organization_id, number, limit=limit)
    return await store.list_contacts_by_ids(connection, organization_id, ids)


async def delete_contacts(connection: AsyncConnection, organization_id: str, number: str, *, limit: int) -> int:
    """Delete up to `limit` of them, their folders' counts kept; returns how many."""
    ids = await list_ids(connection, organization_id, number, limit=limit)
    if not ids:
        return 0
    folder_ids = await store.list_folders_of(connection, organization_id, ids)
    locked = await folder_store.lock_folders(connection, organization_id, folder_ids)
    return len(await store.delete_contacts(connection, organization_id, ids, folder_ids=locked))


async def forget_reason(connection: AsyncConnection, organization_id: str, number: str) -> None:
    """Leave of the number's place on the do-not-call list only what keeps it from being dialled."""
    entries = dnc_store.dnc_entries
    is_entry = (entries.c.organization_id == organization_id) & (entries.c.phone_number == number)
    await connection.execute(entries.update().where(is_entry).values(reason=None))
