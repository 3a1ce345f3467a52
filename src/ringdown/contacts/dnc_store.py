"""The do-not-call list in the database: numbers in E.164, one list to an organization."""

import dataclasses
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.contacts.models import DncEntry
from ringdown.db import engine

dnc_entries = sa.Table(
    "dnc_entries",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("phone_number", sa.Text, primary_key=True, comment="E.164"),
    sa.Column("reason", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False, server_default="api"),
    sa.Column("call_id", sa.Text, comment="in which its owner asked for it"),
    sa.Index("ix_dnc_entries_listing", "organization_id", "created_at", "phone_number"),
)
# PostgreSQL takes at most 32,767 parameters to a statement.
_MAX_NAMED = 10_000


async def find_blocked(connection: AsyncConnection, organization_id: str, numbers: Collection[str]) -> set[str]:
    """Those of the E.164 numbers that must not be dialled; any number of them."""
    wanted = list(set(numbers))
    blocked: set[str] = set()
    for start in range(0, len(wanted), _MAX_NAMED):
        named = dnc_entries.c.phone_number.in_(wanted[start : start + _MAX_NAMED])
        query = sa.select(dnc_entries.c.phone_number).where(_is_ours(organization_id), named)
        blocked.update((await connection.execute(query)).scalars())
    return blocked


async def is_blocked(connection: AsyncConnection, organization_id: str, number: str) -> bool:
    """Whether the E.164 number must not be dialled."""
    return bool(await find_blocked(connection, organization_id, [number]))


async def insert_entries(connection: AsyncConnection, entries: Sequence[DncEntry]) -> int:
    """Add entries of one organization; numbers that are listed stay as they are. Returns how many are new."""
    if not entries:
        return 0
    known = await find_blocked(connection, entries[0].organization_id, [entry.phone_number for entry in entries])
    added = [dataclasses.asdict(entry) for entry in entries if entry.phone_number not in known]
    added.sort(key=lambda row: str(row["phone_number"]))  # everybody in one order, so that nobody waits in a circle
    if not added:
        return 0
    insert = engine.insert(connection, dnc_entries).on_conflict_do_nothing().returning(dnc_entries.c.phone_number)
    return len((await connection.execute(insert, added)).all())  # others may add the same at this moment


async def find_entry(connection: AsyncConnection, organization_id: str, number: str) -> DncEntry | None:
    """The entry of a number."""
    query = dnc_entries.select().where(_is_ours(organization_id), dnc_entries.c.phone_number == number)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else DncEntry(**row._mapping)


async def list_entries(
    connection: AsyncConnection, organization_id: str, *, search: str | None, limit: int, offset: int
) -> tuple[list[DncEntry], int]:
    """A page of entries, newest first, and how many there are; `search` is a part of the number."""
    condition = _is_ours(organization_id)
    if search is not None:
        condition &= dnc_entries.c.phone_number.contains(search, autoescape=True)
    count = sa.select(sa.func.count()).select_from(dnc_entries).where(condition)
    total = (await connection.execute(count)).scalar_one()
    page = dnc_entries.select().where(condition)
    page = page.order_by(dnc_entries.c.created_at.desc(), dnc_entries.c.phone_number.desc())
    rows = await connection.execute(page.limit(limit).offset(offset))
    return [DncEntry(**row._mapping) for row in rows], total


async def update_reason(connection: AsyncConnection, organization_id: str, number: str, reason: str | None) -> None:
    """Change why a number is listed; nothing happens when it is not."""
    is_entry = _is_ours(organization_id) & (dnc_entries.c.phone_number == number)
    await connection.execute(dnc_entries.update().where(is_entry).values(reason=reason))


async def delete_entry(connection: AsyncConnection, organization_id: str, number: str) -> bool:
    """Take a number off the list; False when it is not on it."""
    deleted = await connection.execute(
        dnc_entries.delete().where(_is_ours(organization_id), dnc_entries.c.phone_number == number)
    )
    return deleted.rowcount == 1


def _is_ours(organization_id: str) -> sa.ColumnElement[bool]:
    return dnc_entries.c.organization_id == organization_id
