"""Appends entries to the ledger. What they come to is added to the kept rows in the same transaction, at its very end.

So the balance, which every call of an organization changes, is locked for a moment; who must know it before, to hold
or to refund, locks it when everything else is done.
"""

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.accounts import preference_store
from ringdown.billing import balance_store, ledger, store
from ringdown.billing.balance_store import Balance
from ringdown.billing.ledger import LedgerEntry
from ringdown.db import engine

# Before "calls.counts": who holds credits locks the balance before the counters.
_STEP = "billing.balances"
_get_owner = attrgetter("organization_id")


@dataclass(frozen=True, slots=True)
class LowCredits:
    """The credits of an organization have fallen below its mark; `at` is later than whatever was told before."""

    organization_id: str
    balance: int
    held: int
    low_mark: int
    at: int


#: Tells of it in the transaction that makes it true.
TellLow = Callable[[AsyncConnection, LowCredits], Awaitable[None]]
_tellers: list[TellLow] = []


def register(tell: TellLow) -> None:
    """Have credits that fall below their mark told by a slice above; once for each function."""
    if tell not in _tellers:
        _tellers.append(tell)


async def post(connection: AsyncConnection, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Append entries; returns those that were not there."""
    if not entries:
        return []
    pending = engine.get_last_steps(connection).setdefault(_STEP, _Pending(connection))
    assert isinstance(pending, _Pending)
    inserted = await store.insert_entries(connection, entries)
    pending.entries += inserted
    return inserted


async def lock_balance(connection: AsyncConnection, organization_id: str) -> Balance:
    """The balance with all that this transaction has posted; nobody else changes it until the transaction ends."""
    await flush(connection)
    return await balance_store.lock_balance(connection, organization_id)


async def flush(connection: AsyncConnection) -> None:
    """Add now what this transaction has posted."""
    pending = engine.get_last_steps(connection).get(_STEP)
    if pending is not None:
        await pending()


class _Pending:
    """The entries of one transaction that are not in the kept rows yet."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.entries: list[LedgerEntry] = []

    async def __call__(self) -> None:
        entries, self.entries = sorted(self.entries, key=_get_owner), []
        for organization_id, own in itertools.groupby(entries, _get_owner):
            sums = ledger.sum_up(own)
            balance = await balance_store.add(self._connection, organization_id, sums, now_ms=values.now_ms())
            if sums.is_spending:
                await _tell_low(self._connection, organization_id, balance)


async def _tell_low(connection: AsyncConnection, organization_id: str, balance: Balance) -> None:
    """Tell once that there is less than the mark; again when there was more meanwhile, or the mark is another."""
    mark = (await preference_store.get_preferences(connection, organization_id)).credits_low_mark
    low_mark = mark if mark is not None and balance.unspent < mark else None
    if low_mark == balance.low_told_mark:
        return
    await balance_store.set_told_mark(connection, organization_id, low_mark)
    if low_mark is not None:
        low = LowCredits(organization_id, balance.balance, balance.held, low_mark, balance.updated_at)
        for tell in _tellers:
            await tell(connection, low)
