"""Kept rows: the balance of each organization, and what was spent by batch and by day; the ledger's sums at any time.

All of an organization change under the lock of its balance.
"""

import dataclasses
from functools import cache
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.billing.ledger import KINDS, EntryKind, Sums
from ringdown.db import engine

balances = sa.Table(
    "balances",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("balance", sa.BigInteger, nullable=False, comment="credits, holds taken off"),
    sa.Column("held", sa.BigInteger, nullable=False),
    *(sa.Column(f"{kind}_entries", sa.BigInteger, nullable=False) for kind in KINDS),
    sa.Column("low_told_mark", sa.BigInteger, comment="the mark that credits.low was told of; null: of none"),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
spending = sa.Table(
    "spending",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True, comment="batch or day"),
    sa.Column("key", sa.Text, primary_key=True, comment="the batch's id; 2026-11-22 in the organization's zone"),
    sa.Column("credits", sa.BigInteger, nullable=False, comment="held and charged, less what was given back"),
)

Scope = Literal["batch", "day"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an organization has; `updated_at` is 0 before its first entry."""

    balance: int = 0
    held: int = 0
    grant_entries: int = 0
    hold_entries: int = 0
    release_entries: int = 0
    charge_entries: int = 0
    refund_entries: int = 0
    low_told_mark: int | None = None
    updated_at: int = 0

    @property
    def unspent(self) -> int:
        """The balance before holds were taken off."""
        return self.balance + self.held

    def count_entries(self, kind: EntryKind | None) -> int:
        """How many entries the ledger has, of one kind or of all."""
        return sum(getattr(self, f"{each}_entries") for each in KINDS if kind in (None, each))


_FIELDS = tuple(field.name for field in dataclasses.fields(Balance))
_COLUMNS = [balances.c[name] for name in _FIELDS]
_FIND_BALANCE = sa.select(*_COLUMNS).where(balances.c.organization_id == sa.bindparam("organization_id"))
_LOCK_BALANCE = _FIND_BALANCE.with_for_update()
_ADDED = ("balance", "held", *(f"{kind}_entries" for kind in KINDS))


async def get_balance(connection: AsyncConnection, organization_id: str) -> Balance:
    """What the organization has."""
    return await _find(connection, organization_id) or Balance()


async def find_balance(connection: AsyncConnection, organization_id: str) -> Balance | None:
    """What the organization has; None before its first entry."""
    return await _find(connection, organization_id)


async def lock_balance(connection: AsyncConnection, organization_id: str) -> Balance:
    """What the organization has, which nobody else changes until this transaction ends."""
    present = await _find(connection, organization_id, lock=True)
    if present is None:
        row = {name: 0 for name in _FIELDS if name != "low_told_mark"}
        first = engine.insert(connection, balances).values(organization_id=organization_id, **row)
        await connection.execute(first.on_conflict_do_nothing())
        present = await _find(connection, organization_id, lock=True)
        assert present is not None
    return present


async def add(connection: AsyncConnection, organization_id: str, sums: Sums, *, now_ms: int) -> Balance:
    """Add what new entries come to; returns what the organization has then."""
    row = {"organization_id": organization_id, "balance": sums.balance, "held": sums.held, "updated_at": now_ms}
    counts = {f"{kind}_entries": sums.counts[kind] for kind in KINDS}
    dialect = connection.dialect.name
    added = (await connection.execute(_make_upsert(dialect), {**row, **counts})).one()
    spent = [
        {"organization_id": organization_id, "scope": scope, "key": key, "credits": credits_}
        for scope, by_key in (("batch", sums.spent_by_batch), ("day", sums.spent_by_day))
        for key, credits_ in sorted(by_key.items())
    ]
    if spent:
        await connection.execute(_make_spending_upsert(dialect), spent)
    return Balance(**added._mapping)


@cache
def _make_upsert(dialect_name: str) -> sa.Executable:
    # Kept, because every call executes it.
    insert = engine.insert_for(dialect_name, balances)
    grown: dict[str, sa.ColumnElement[int]] = {name: balances.c[name] + insert.excluded[name] for name in _ADDED}
    # Never the same twice, so that what is told of it has an order.
    before, now = balances.c.updated_at, insert.excluded.updated_at
    grown["updated_at"] = sa.case((now > before, now), else_=before + 1)
    return insert.on_conflict_do_update(index_elements=["organization_id"], set_=grown).returning(*_COLUMNS)


@cache
def _make_spending_upsert(dialect_name: str) -> sa.Executable:
    insert = engine.insert_for(dialect_name, spending)
    grown = {"credits": spending.c.credits + insert.excluded.credits}
    return insert.on_conflict_do_update(index_elements=["organization_id", "scope", "key"], set_=grown)


async def set_told_mark(connection: AsyncConnection, organization_id: str, mark: int | None) -> None:
    """Keep of which mark `credits.low` was told."""
    await connection.execute(
        sa.update(balances).where(balances.c.organization_id == organization_id).values(low_told_mark=mark)
    )


async def get_spent(connection: AsyncConnection, organization_id: str, scope: Scope, key: str) -> int:
    """What was spent by a batch or on a day."""
    columns = spending.c
    query = sa.select(columns.credits).where(
        columns.organization_id == organization_id, columns.scope == scope, columns.key == key
    )
    return int((await connection.execute(query)).scalar() or 0)


async def _find(connection: AsyncConnection, organization_id: str, *, lock: bool = False) -> Balance | None:
    query = _LOCK_BALANCE if lock else _FIND_BALANCE
    row = (await connection.execute(query, {"organization_id": organization_id})).one_or_none()
    return None if row is None else Balance(**row._mapping)
