"""Contacts in the database.

Whoever inserts, moves or deletes contacts holds the rows of their folders (`folder_store.lock_folders`) until the
transaction ends: so numbers stay unique within a folder and `contact_count` exact, and nobody waits in a circle.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.contacts import folder_store
from ringdown.contacts.models import Contact, ContactFilter, Folder
from ringdown.db import engine

contacts = sa.Table(
    "contacts",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True, comment="grows with time: the order of every list"),
    sa.Column("folder_id", sa.Text, nullable=False),
    sa.Column("phone_number", sa.Text, nullable=False, comment="E.164"),
    sa.Column("first_name", sa.Text),
    sa.Column("last_name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("company_name", sa.Text),
    sa.Column("industry", sa.Text),
    sa.Column("location", sa.Text),
    sa.Column("pin_code", sa.Text),
    sa.Column("keywords", sa.Text),
    sa.Column("custom_fields", sa.JSON, nullable=False),
    sa.Column("timezone", sa.Text, comment="IANA"),
    sa.Column("last_call_outcome", sa.Text),
    sa.Column("call_count", sa.Integer, nullable=False),
    sa.Column("last_called_at", sa.BigInteger),
    sa.Column("search_text", sa.Text, nullable=False, comment="name, number and e-mail, case folded"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index("ux_contacts_folder_number", "organization_id", "folder_id", "phone_number", unique=True),
    sa.Index("ix_contacts_folder", "organization_id", "folder_id", "id", "last_call_outcome"),
    # Nobody has called most contacts of a large list yet.
    sa.Index(
        "ix_contacts_outcome",
        "organization_id",
        "last_call_outcome",
        "id",
        sqlite_where=sa.text("last_call_outcome IS NOT NULL"),
        postgresql_where=sa.text("last_call_outcome IS NOT NULL"),
    ),
)
_FIELDS = [column for column in contacts.c if column.name != "search_text"]
_NAMES = [column.name for column in _FIELDS]
# PostgreSQL takes at most 32,767 parameters to a statement.
_MAX_NAMED = 10_000


def _to_row(contact: Contact) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(contact, name) for name in _NAMES}
    told = (contact.first_name, contact.last_name, contact.phone_number, contact.email)
    row["search_text"] = " ".join(part for part in told if part).casefold()
    return row


def _from_row(row: sa.Row[Any]) -> Contact:
    return Contact(**row._mapping)


async def insert_contacts(connection: AsyncConnection, added: Sequence[Contact]) -> None:
    """Store new contacts of one locked folder, whose numbers are known to be free in it."""
    if not added:
        return
    await connection.execute(contacts.insert(), [_to_row(contact) for contact in added])
    first = added[0]
    await folder_store.add_to_count(connection, first.organization_id, first.folder_id, len(added))


async def update_contacts(connection: AsyncConnection, changed: Sequence[Contact]) -> None:
    """Store contacts that exist; that they stay in their folder and their numbers are free is the caller's to know."""
    if not changed:
        return
    ours = (contacts.c.organization_id == sa.bindparam("of_organization")) & (contacts.c.id == sa.bindparam("of_id"))
    rows = [_to_row(contact) for contact in changed]
    for row in rows:
        row["of_organization"], row["of_id"] = row.pop("organization_id"), row.pop("id")
    columns: dict[str, Any] = {name: sa.bindparam(name) for name in rows[0] if not name.startswith("of_")}
    await connection.execute(contacts.update().where(ours).values(columns), rows)


async def move_contact(connection: AsyncConnection, contact: Contact, *, from_folder_id: str) -> None:
    """Store a contact that comes from another folder; both folders are locked."""
    await update_contacts(connection, [contact])
    await folder_store.add_to_count(connection, contact.organization_id, from_folder_id, -1)
    await folder_store.add_to_count(connection, contact.organization_id, contact.folder_id, 1)


async def get_contact(connection: AsyncConnection, organization_id: str, contact_id: str) -> Contact:
    """The contact; raises `NotFound`."""
    query = sa.select(*_FIELDS).where(_is_ours(organization_id), contacts.c.id == contact_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise errors.NotFound("Contact", contact_id)
    return _from_row(row)


async def get_folder(connection: AsyncConnection, organization_id: str, folder_id: str) -> Folder:
    """The folder; raises `NotFound`."""
    return await folder_store.get_folder(connection, organization_id, folder_id)


async def list_contacts_by_ids(
    connection: AsyncConnection, organization_id: str, ids: Collection[str]
) -> list[Contact]:
    """Those of the contacts that exist, in the order of `ids`, each once."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Contact] = {}
    for start in range(0, len(wanted), _MAX_NAMED):
        named = contacts.c.id.in_(wanted[start : start + _MAX_NAMED])
        rows = await connection.execute(sa.select(*_FIELDS).where(_is_ours(organization_id), named))
        found |= {row.id: _from_row(row) for row in rows}
    return [found[contact_id] for contact_id in wanted if contact_id in found]


async def iterate_folder(
    connection: AsyncConnection,
    organization_id: str,
    folder_id: str | None,
    *,
    after_id: str | None = None,
    limit: int = 1000,
) -> list[Contact]:
    """The next contacts of a folder, or of all folders, oldest first; `after_id` is the last id of those before."""
    query = sa.select(*_FIELDS).where(_is_ours(organization_id)).order_by(contacts.c.id).limit(limit)
    if folder_id is not None:
        query = query.where(contacts.c.folder_id == folder_id)
    if after_id is not None:
        query = query.where(contacts.c.id > after_id)
    return [_from_row(row) for row in await connection.execute(query)]


async def find_by_numbers(
    connection: AsyncConnection, organization_id: str, folder_id: str, numbers: Collection[str]
) -> dict[str, Contact]:
    """The contacts of a folder that have one of the numbers, at most 10,000, by number."""
    if not numbers:
        return {}
    query = sa.select(*_FIELDS).where(
        _is_ours(organization_id), contacts.c.folder_id == folder_id, contacts.c.phone_number.in_(numbers)
    )
    return {row.phone_number: _from_row(row) for row in await connection.execute(query)}


async def list_contacts(
    connection: AsyncConnection, organization_id: str, kept: ContactFilter, *, limit: int, offset: int
) -> tuple[list[Contact], int]:
    """A page of contacts, newest first, and exactly how many there are."""
    conditions = _make_conditions(organization_id, kept)
    total = await _count(connection, organization_id, kept, conditions)
    # Only the index is walked up to the page; the rows of what was skipped are never read.
    page = sa.select(contacts.c.id).where(*conditions).order_by(contacts.c.id.desc()).limit(limit).offset(offset)
    query = sa.select(*_FIELDS).where(_is_ours(organization_id), contacts.c.id.in_(page))
    rows = await connection.execute(query.order_by(contacts.c.id.desc()))
    return [_from_row(row) for row in rows], total


async def _count(
    connection: AsyncConnection,
    organization_id: str,
    kept: ContactFilter,
    conditions: Sequence[sa.ColumnElement[bool]],
) -> int:
    if kept.search is None and kept.last_call_outcome is None:
        return await folder_store.sum_contacts(connection, organization_id, kept.folder_id)
    counted = await connection.execute(sa.select(sa.func.count()).select_from(contacts).where(*conditions))
    return counted.scalar_one()


def _make_conditions(organization_id: str, kept: ContactFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [_is_ours(organization_id)]
    if kept.folder_id is not None:
        conditions.append(contacts.c.folder_id == kept.folder_id)
    if kept.last_call_outcome is not None:
        conditions.append(contacts.c.last_call_outcome == kept.last_call_outcome)
    for word in (kept.search or "").casefold().split():
        conditions.append(contacts.c.search_text.contains(word, autoescape=True))
    return conditions


async def list_folders_of(connection: AsyncConnection, organization_id: str, ids: Collection[str]) -> set[str]:
    """The folders in which the contacts are, at most 10,000."""
    query = sa.select(contacts.c.folder_id).where(_is_ours(organization_id), contacts.c.id.in_(ids)).distinct()
    return {row.folder_id for row in await connection.execute(query)}


async def delete_contacts(
    connection: AsyncConnection, organization_id: str, ids: Collection[str], *, folder_ids: Collection[str]
) -> set[str]:
    """Delete those of the contacts that are in the folders, which are locked; returns their ids."""
    deleted = await connection.execute(
        contacts.delete()
        .where(_is_ours(organization_id), contacts.c.id.in_(ids), contacts.c.folder_id.in_(folder_ids))
        .returning(contacts.c.id, contacts.c.folder_id)
    )
    gone: dict[str, str] = {row.id: row.folder_id for row in deleted}
    for folder_id in folder_ids:
        await folder_store.add_to_count(
            connection, organization_id, folder_id, -sum(each == folder_id for each in gone.values())
        )
    return set(gone)


async def empty_folder(connection: AsyncConnection, organization_id: str, folder_id: str, *, limit: int) -> int:
    """Delete up to `limit` contacts of a locked folder; returns how many."""
    some = sa.select(contacts.c.id).where(_is_ours(organization_id), contacts.c.folder_id == folder_id).limit(limit)
    deleted = await connection.execute(contacts.delete().where(_is_ours(organization_id), contacts.c.id.in_(some)))
    await folder_store.add_to_count(connection, organization_id, folder_id, -deleted.rowcount)
    return deleted.rowcount


async def record_call(
    connection: AsyncConnection, organization_id: str, contact_id: str, *, called_at: int, outcome: str | None
) -> None:
    """Count a call to the contact; None leaves the outcome of the call before. Does nothing without the contact."""
    changes: Mapping[str, Any] = {
        "call_count": contacts.c.call_count + 1,
        "last_called_at": called_at,
        "updated_at": called_at,
    }
    if outcome is not None:
        changes = {**changes, "last_call_outcome": outcome}
    await connection.execute(
        contacts.update().where(_is_ours(organization_id), contacts.c.id == contact_id).values(**changes)
    )


def _is_ours(organization_id: str) -> sa.ColumnElement[bool]:
    return contacts.c.organization_id == organization_id
