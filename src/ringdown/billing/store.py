"""Rows of the ledger: append-only, never changed; a balance is their sum."""

import dataclasses
from collections.abc import Collection, Sequence
from functools import cache
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.billing.ledger import EntryKind, LedgerEntry
from ringdown.db import engine

ledger_entries = sa.Table(
    "ledger_entries",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False, comment="grant, hold, release, charge or refund"),
    sa.Column("amount", sa.BigInteger, nullable=False, comment="credits; negative when it takes"),
    sa.Column("call_id", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("batch_call_id", sa.Text),
    sa.Column("part", sa.Integer, nullable=False, server_default="0", comment="of a kind that a call has several of"),
    sa.Column("day", sa.Text, comment="that the spending counts on, in the organization's zone: 2026-11-22"),
    sa.Column("reference", sa.Text, comment="what makes a grant or refund happen once"),
    # What makes settling a call twice harmless.
    sa.Index("ux_ledger_entries_part", "organization_id", "call_id", "kind", "part", unique=True),
    sa.Index("ux_ledger_entries_reference", "organization_id", "reference", unique=True),
    sa.Index("ix_ledger_entries_kind", "organization_id", "kind", "id"),
)

_COLUMNS = [ledger_entries.c[field.name] for field in dataclasses.fields(LedgerEntry)]
# Kept, because every call executes it.
_FIND_CALL_ENTRIES = sa.select(*_COLUMNS).where(
    ledger_entries.c.organization_id == sa.bindparam("organization_id"),
    ledger_entries.c.call_id.in_(sa.bindparam("call_ids", expanding=True)),
)


@cache
def _make_insert(dialect_name: str) -> sa.Executable:
    # Kept, because every call executes it.
    insert = engine.insert_for(dialect_name, ledger_entries).on_conflict_do_nothing()
    return insert.returning(ledger_entries.c.id)


async def insert_entries(connection: AsyncConnection, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Append entries; returns those that the ledger did not have: a call has one of each kind and part."""
    rows = [dataclasses.asdict(entry) for entry in entries]
    inserted = set((await connection.execute(_make_insert(connection.dialect.name), rows)).scalars())
    return [entry for entry in entries if entry.id in inserted]


async def list_call_entries(connection: AsyncConnection, organization_id: str, call_id: str) -> list[LedgerEntry]:
    """The entries of one call, oldest first."""
    return (await list_entries_by_call(connection, organization_id, [call_id]))[call_id]


async def list_entries_by_call(
    connection: AsyncConnection, organization_id: str, call_ids: Collection[str]
) -> dict[str, list[LedgerEntry]]:
    """The entries of each of these calls, oldest first."""
    parameters = {"organization_id": organization_id, "call_ids": list(call_ids)}
    found: dict[str, list[LedgerEntry]] = {call_id: [] for call_id in call_ids}
    for row in await connection.execute(_FIND_CALL_ENTRIES, parameters):
        found[row.call_id].append(LedgerEntry(*row))
    # Not by the database: SQLite would read the whole ledger in the order of its key.
    return {call_id: sorted(entries, key=attrgetter("id")) for call_id, entries in found.items()}


async def find_reference(connection: AsyncConnection, organization_id: str, reference: str) -> LedgerEntry | None:
    """The grant or refund of this reference."""
    columns = ledger_entries.c
    query = sa.select(*_COLUMNS).where(columns.organization_id == organization_id, columns.reference == reference)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else LedgerEntry(*row)


async def list_entries(
    connection: AsyncConnection,
    organization_id: str,
    *,
    kind: EntryKind | None = None,
    call_id: str | None = None,
    limit: int,
    offset: int,
) -> list[LedgerEntry]:
    """A page of entries, newest first."""
    condition = _make_condition(organization_id, kind, call_id)
    columns = ledger_entries.c
    # An index alone is read as far as the page; joined with it, a planner without statistics reads the whole ledger.
    found = await connection.execute(
        sa.select(columns.id).where(condition).order_by(columns.id.desc()).limit(limit).offset(offset)
    )
    of_page = (columns.organization_id == organization_id) & columns.id.in_(list(found.scalars()))
    entries = [LedgerEntry(*row) for row in await connection.execute(sa.select(*_COLUMNS).where(of_page))]
    return sorted(entries, key=attrgetter("id"), reverse=True)


async def count_call_entries(
    connection: AsyncConnection, organization_id: str, call_id: str, *, kind: EntryKind | None = None
) -> int:
    """How many entries a call has."""
    condition = _make_condition(organization_id, kind, call_id)
    query = sa.select(sa.func.count()).select_from(ledger_entries).where(condition)
    return int((await connection.execute(query)).scalar_one())


def _make_condition(organization_id: str, kind: EntryKind | None, call_id: str | None) -> sa.ColumnElement[bool]:
    columns = ledger_entries.c
    condition = columns.organization_id == organization_id
    if kind is not None:
        condition &= columns.kind == kind
    if call_id is not None:
        condition &= columns.call_id == call_id
    return condition
