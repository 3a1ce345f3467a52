"""Verification: sums an organization's ledger up by brute force, and compares the kept rows with that."""

from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.billing import balance_store
from ringdown.billing.ledger import KINDS, Sums
from ringdown.billing.store import ledger_entries

_spending = balance_store.spending


@dataclass(frozen=True, slots=True)
class VerifiedBalance:
    """An organization's ledger, and how many of the kept figures are not what it comes to."""

    entries: int
    balance: int
    differences: int


async def verify_balance(connection: AsyncConnection, organization_id: str) -> VerifiedBalance:
    """Compare balance, held credits, counts of entries, and what batches and days have spent with the ledger."""
    summed = await _sum_up(connection, organization_id)
    kept = await balance_store.get_balance(connection, organization_id)
    differences = (kept.balance != summed.balance) + (kept.held != summed.held)
    differences += sum(kept.count_entries(kind) != summed.counts[kind] for kind in KINDS)
    spent = await _read_spending(connection, organization_id)
    for scope, counted in (("batch", summed.spent_by_batch), ("day", summed.spent_by_day)):
        stored = {key: credits_ for (of, key), credits_ in spent.items() if of == scope}
        differences += sum(stored.get(key, 0) != counted[key] for key in stored.keys() | counted.keys())
    return VerifiedBalance(summed.counts.total(), summed.balance, differences)


async def rebuild_balance(connection: AsyncConnection, organization_id: str, *, now_ms: int) -> None:
    """Make the kept rows anew from the ledger."""
    before = await balance_store.lock_balance(connection, organization_id)
    summed = await _sum_up(connection, organization_id)
    for table in (balance_store.balances, _spending):
        await connection.execute(table.delete().where(table.c.organization_id == organization_id))
    await balance_store.add(connection, organization_id, summed, now_ms=max(now_ms, before.updated_at))
    await balance_store.set_told_mark(connection, organization_id, before.low_told_mark)


async def _sum_up(connection: AsyncConnection, organization_id: str) -> Sums:
    columns = ledger_entries.c
    is_ours = columns.organization_id == organization_id
    amount, count = sa.func.sum(columns.amount), sa.func.count()
    by_kind = await connection.execute(sa.select(columns.kind, amount, count).where(is_ours).group_by(columns.kind))
    amounts, counts = Counter[str](), Counter[str]()
    for kind, total, number in by_kind:
        amounts[kind], counts[kind] = int(total), number
    spent: list[Counter[str]] = []
    for key in (columns.batch_call_id, columns.day):
        grouped = sa.select(key, amount).where(is_ours, key.is_not(None)).group_by(key)
        spent.append(Counter({name: -int(total) for name, total in await connection.execute(grouped)}))
    return Sums(
        balance=amounts.total(),
        held=-(amounts["hold"] + amounts["release"]),
        counts=Counter({kind: counts[kind] for kind in KINDS}),
        spent_by_batch=spent[0],
        spent_by_day=spent[1],
    )


async def _read_spending(connection: AsyncConnection, organization_id: str) -> dict[tuple[str, str], int]:
    columns = _spending.c
    query = sa.select(columns.scope, columns.key, columns.credits).where(columns.organization_id == organization_id)
    return {(scope, key): credits_ for scope, key, credits_ in await connection.execute(query)}
