"""Rows of the ledger: append-only, never changed; a balance is their sum."""

from dataclasses import dataclass
from typing import cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.billing.ledger import EntryKind
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
    # Balance and holds read this index alone.
    sa.Index("ix_ledger_entries_organization_id_kind_amount", "organization_id", "kind", "amount"),
)
_once_per_call = ledger_entries.c.kind.in_(["hold", "release", "charge"])
# What makes settling a call twice harmless.
sa.Index(
    "ux_ledger_entries_organization_id_call_id_kind",
    ledger_entries.c.organization_id,
    ledger_entries.c.call_id,
    ledger_entries.c.kind,
    unique=True,
    sqlite_where=_once_per_call,
    postgresql_where=_once_per_call,
)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One signed amount of credits."""

    id: str
    organization_id: str
    kind: EntryKind
    amount: int
    call_id: str | None
    note: str | None
    created_at: int


_COLUMNS = [ledger_entries.c[name] for name in LedgerEntry.__slots__]


async def insert_entry(connection: AsyncConnection, entry: LedgerEntry) -> bool:
    """Append an entry; False when the call has its entry of this kind (hold, release, charge) already."""
    insert = (
        engine.insert(connection, ledger_entries)
        .values(
            organization_id=entry.organization_id,
            id=entry.id,
            kind=entry.kind,
            amount=entry.amount,
            call_id=entry.call_id,
            note=entry.note,
            created_at=entry.created_at,
        )
        .on_conflict_do_nothing()
    )
    return (await connection.execute(insert)).rowcount == 1


async def list_call_entries(connection: AsyncConnection, organization_id: str, call_id: str) -> list[LedgerEntry]:
    """The entries of one call, oldest first."""
    columns = ledger_entries.c
    query = (
        sa.select(*_COLUMNS)
        # The bound kinds let both databases use the partial index.
        .where(columns.organization_id == organization_id, columns.call_id == call_id, _once_per_call)
        .order_by(columns.id)
    )
    return [LedgerEntry(*row) for row in await connection.execute(query)]


async def list_entries(
    connection: AsyncConnection,
    organization_id: str,
    *,
    kind: EntryKind | None,
    limit: int,
    offset: int,
) -> tuple[list[LedgerEntry], int]:
    """A page of entries, newest first, and how many there are."""
    columns = ledger_entries.c
    condition = columns.organization_id == organization_id
    if kind is not None:
        condition &= columns.kind == kind
    counted = sa.select(sa.func.count()).select_from(ledger_entries).where(condition)
    total = int((await connection.execute(counted)).scalar_one())
    page = sa.select(*_COLUMNS).where(condition).order_by(columns.id.desc()).limit(limit).offset(offset)
    return [LedgerEntry(*row) for row in await connection.execute(page)], total


async def sum_by_kind(connection: AsyncConnection, organization_id: str) -> dict[str, int]:
    """What the organization's entries of each kind come to."""
    columns = ledger_entries.c
    query = sa.select(columns.kind, sa.func.sum(columns.amount)).where(columns.organization_id == organization_id)
    return {kind: int(total) for kind, total in await connection.execute(query.group_by(columns.kind))}


async def sum_amounts(connection: AsyncConnection, organization_id: str) -> int:
    """The organization's balance in credits."""
    query = sa.select(sa.func.coalesce(sa.func.sum(ledger_entries.c.amount), 0)).where(
        ledger_entries.c.organization_id == organization_id
    )
    return int(cast(int, (await connection.execute(query)).scalar_one()))
