"""Contacts in the database.

Whoever inserts, moves or deletes contacts holds the rows of their folders (`folder_store.lock_folders`) until the
transaction ends: so numbers stay unique within a folder and `contact_count` exact, and nobody waits in a circle.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.contacts import folder_store
from ringdown.contacts.models import MAX_CUSTOM_FIELDS, Contact, ContactFilter, Folder
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
_ROW_NAMES = (*_NAMES, "search_text")
# Calls are counted by `record_call` alone, which holds no folder.
_NOT_UPDATED = ("organization_id", "id", "created_at", "last_call_outcome", "call_count", "last_called_at")
_UPDATE_POSITIONS = [
    *(at for at, name in enumerate(_ROW_NAMES) if name not in _NOT_UPDATED),
    _ROW_NAMES.index("organization_id"),
    _ROW_NAMES.index("id"),
]
_NUMBER_POSITION = _NAMES.index("phone_number")
# PostgreSQL takes at most 32,767 parameters to a statement.
_MAX_NAMED = 10_000


#: A contact as the driver takes it.
Row = tuple[Any, ...]


def make_row(contact: Contact) -> Row:
    """The contact as `insert_rows` and `update_rows` take it; large imports make rows before they lock anything."""
    told = (contact.first_name, contact.last_name, contact.phone_number, contact.email)
    search_text = " ".join(part for part in told if part).casefold()
    custom_fields = json.dumps(contact.custom_fields)
    fields = [getattr(contact, name) if name != "custom_fields" else custom_fields for name in _NAMES]
    return (*fields, search_text)


def read_row(row: Sequence[Any]) -> Contact:
    """The contact of a row of `make_row`."""
    fields = dict(zip(_NAMES, row, strict=False))
    return Contact(**{**fields, "custom_fields": json.loads(fields["custom_fields"])})


def get_number(row: Sequence[Any]) -> str:
    """The phone number of a row of `make_row`."""
    number: str = row[_NUMBER_POSITION]
    return number


def _from_row(row: sa.Row[Any]) -> Contact:
    return Contact(**row._mapping)


async def insert_contacts(connection: AsyncConnection, added: Sequence[Contact]) -> None:
    """Store new contacts of one locked folder, whose numbers are known to be free in it."""
    if added:
        rows = [make_row(contact) for contact in added]
        await insert_rows(connection, added[0].organization_id, added[0].folder_id, rows)


async def insert_rows(
    connection: AsyncConnection, organization_id: str, folder_id: str, rows: Sequence[Sequence[Any]]
) -> None:
    """`insert_contacts` for rows of `make_row`, all of one folder."""
    if rows:
        # The driver takes the rows as they are; SQLAlchemy would spend more on each than the database does.
        await connection.exec_driver_sql(_make_insert(connection.dialect.name), [tuple(row) for row in rows])
        await folder_store.add_to_count(connection, organization_id, folder_id, len(rows))


async def update_contacts(connection: AsyncConnection, changed: Sequence[Contact]) -> None:
    """Store contacts that exist; that they stay in their folder and their numbers are free is the caller's to know."""
    if changed:
        rows = [make_row(contact) for contact in changed]
        await connection.exec_driver_sql(
            _make_update(connection.dialect.name), [tuple(row[at] for at in _UPDATE_POSITIONS) for row in rows]
        )


@cache
def _make_insert(dialect_name: str) -> str:
    places = ", ".join(_list_places(dialect_name))
    return f"INSERT INTO contacts ({', '.join(_ROW_NAMES)}) VALUES ({places})"


@cache
def _make_update(dialect_name: str) -> str:
    *changed, _organization, _contact = (_ROW_NAMES[at] for at in _UPDATE_POSITIONS)
    *places, organization, contact = _list_places(dialect_name)[: len(_UPDATE_POSITIONS)]
    changes = ", ".join(f"{name} = {place}" for name, place in zip(changed, places, strict=True))
    return f"UPDATE contacts SET {changes} WHERE organization_id = {organization} AND id = {contact}"


def _list_places(dialect_name: str) -> list[str]:
    return ["?" if dialect_name == "sqlite" else f"${number}" for number, _ in enumerate(_ROW_NAMES, start=1)]


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


async def list_custom_names(connection: AsyncConnection, organization_id: str, folder_id: str | None) -> list[str]:
    """The names of the custom fields of a folder, or of all folders, at most 100 of them."""
    if connection.dialect.name == "sqlite":
        names = sa.func.json_each(contacts.c.custom_fields).table_valued("key", joins_implicitly=True)
    else:
        found = sa.func.json_object_keys(contacts.c.custom_fields)
        names = found.table_valued("key", joins_implicitly=True).render_derived()
    query = sa.select(names.c.key).select_from(contacts, names).where(_is_ours(organization_id)).distinct()
    if folder_id is not None:
        query = query.where(contacts.c.folder_id == folder_id)
    return sorted((await connection.execute(query.limit(MAX_CUSTOM_FIELDS))).scalars())


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


async def list_taken_numbers(
    connection: AsyncConnection, organization_id: str, folder_id: str, numbers: Collection[str]
) -> set[str]:
    """Those of the numbers, at most 10,000, that contacts of a folder have."""
    query = sa.select(contacts.c.phone_number).where(
        _is_ours(organization_id), contacts.c.folder_id == folder_id, contacts.c.phone_number.in_(numbers)
    )
    return set((await connection.execute(query)).scalars())


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


async def revise_outcome(
    connection: AsyncConnection, organization_id: str, contact_id: str, *, called_at: int, outcome: str | None
) -> None:
    """Set what the call of `called_at` achieved, which `record_call` has counted; nothing after a later call."""
    is_last = (contacts.c.id == contact_id) & (contacts.c.last_called_at == called_at)
    await connection.execute(
        contacts.update().where(_is_ours(organization_id), is_last).values(last_call_outcome=outcome)
    )


def _is_ours(organization_id: str) -> sa.ColumnElement[bool]:
    return contacts.c.organization_id == organization_id
