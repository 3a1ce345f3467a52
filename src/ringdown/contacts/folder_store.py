"""Folders of contacts in the database, each with how many contacts it holds."""

import dataclasses
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.contacts.models import Folder, FolderSort, SortOrder
from ringdown.db import engine

folders = sa.Table(
    "contact_folders",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("is_default", sa.Boolean, nullable=False, comment="where contacts go that name no folder"),
    sa.Column("contact_count", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index(
        "ux_contact_folders_default",
        "organization_id",
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    ),
)


async def insert_folder(connection: AsyncConnection, folder: Folder) -> None:
    """Store a new folder; of default folders there is one, which the caller has made sure of."""
    await connection.execute(folders.insert().values(dataclasses.asdict(folder)))


async def update_folder(
    connection: AsyncConnection, organization_id: str, folder_id: str, changes: dict[str, Any]
) -> bool:
    """Change columns of a folder; False when it is not there."""
    changed = await connection.execute(folders.update().where(_is_folder(organization_id, folder_id)).values(changes))
    return changed.rowcount == 1


async def delete_folder(connection: AsyncConnection, organization_id: str, folder_id: str) -> None:
    """Delete a folder that is empty and locked."""
    await connection.execute(folders.delete().where(_is_folder(organization_id, folder_id)))


async def get_folder(connection: AsyncConnection, organization_id: str, folder_id: str) -> Folder:
    """The folder; raises `NotFound`."""
    row = (await connection.execute(folders.select().where(_is_folder(organization_id, folder_id)))).one_or_none()
    if row is None:
        raise errors.NotFound("Folder", folder_id)
    return Folder(**row._mapping)


async def find_default(connection: AsyncConnection, organization_id: str) -> Folder | None:
    """The folder for contacts that name none."""
    query = folders.select().where(folders.c.organization_id == organization_id, folders.c.is_default)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Folder(**row._mapping)


async def list_folders(
    connection: AsyncConnection,
    organization_id: str,
    *,
    sort_by: FolderSort,
    order: SortOrder,
    limit: int,
    offset: int,
) -> tuple[list[Folder], int]:
    """A page of folders and how many there are."""
    ours = folders.c.organization_id == organization_id
    total = (await connection.execute(sa.select(sa.func.count()).select_from(folders).where(ours))).scalar_one()
    sorted_by = (sa.func.lower(folders.c.name) if sort_by == "name" else folders.c[sort_by], folders.c.id)
    places = [column.asc() if order == "asc" else column.desc() for column in sorted_by]
    rows = await connection.execute(folders.select().where(ours).order_by(*places).limit(limit).offset(offset))
    return [Folder(**row._mapping) for row in rows], total


async def lock_folders(connection: AsyncConnection, organization_id: str, folder_ids: Collection[str]) -> set[str]:
    """Let nobody else change the contacts of these folders until the transaction ends; returns those that exist."""
    query = (
        sa.select(folders.c.id)
        .where(folders.c.organization_id == organization_id, folders.c.id.in_(folder_ids))
        .order_by(folders.c.id)  # everybody in one order, so that nobody waits in a circle
        .with_for_update()
    )
    return {row.id for row in await connection.execute(query)}


async def add_to_count(connection: AsyncConnection, organization_id: str, folder_id: str, difference: int) -> None:
    """Keep `contact_count` of a locked folder."""
    if difference:
        count = folders.c.contact_count + difference
        await connection.execute(
            folders.update().where(_is_folder(organization_id, folder_id)).values(contact_count=count)
        )


async def sum_contacts(connection: AsyncConnection, organization_id: str, folder_id: str | None) -> int:
    """How many contacts a folder, or all folders, hold."""
    query = sa.select(sa.func.coalesce(sa.func.sum(folders.c.contact_count), 0)).where(
        folders.c.organization_id == organization_id
    )
    if folder_id is not None:
        query = query.where(folders.c.id == folder_id)
    return int((await connection.execute(query)).scalar_one())


def _is_folder(organization_id: str, folder_id: str) -> sa.ColumnElement[bool]:
    return (folders.c.organization_id == organization_id) & (folders.c.id == folder_id)
