"""Use cases of money: credits are held before dialling, charged at the end, and the hold is released.

All of them run in the caller's transaction, so that money moves with the state of the call or not at all.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.accounts import store as account_store
from ringdown.billing import ledger, store, usage_store
from ringdown.billing.ledger import EntryKind
from ringdown.billing.store import LedgerEntry
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.errors import PaymentRequired, invalid

# Reading so many entries takes milliseconds; one transaction of those that fold them. More wait only when nobody has
# asked for long.
_FOLDED_AT_ONCE, _MAX_FOLDS = 5000, 1000


async def hold_for_call(connection: AsyncConnection, *, settings: Settings, organization_id: str, call_id: str) -> None:
    """Hold credits for a call that is about to be dialled; does nothing when it has its hold.

    Raises `PaymentRequired` when credits are enforced and the balance is smaller than the hold.
    """
    required = ledger.compute_hold(settings)
    if settings.credits_enforced:
        # Two calls must not both see the last credits.
        await account_store.lock_organization(connection, organization_id)
        balance = await store.sum_amounts(connection, organization_id)
        if balance < required:
            raise PaymentRequired(
                f"A call needs {required} credits; the balance is {balance}.",
                {"reason": "insufficient_credits", "required": required, "balance": balance},
            )
    if required > 0:
        await _append(connection, organization_id=organization_id, kind="hold", amount=required, call_id=call_id)


async def settle_call(connection: AsyncConnection, *, organization_id: str, call_id: str, cost_credits: int) -> None:
    """Release a call's hold and charge what it cost; the second time nothing happens."""
    entries = await store.list_call_entries(connection, organization_id, call_id)
    held = -sum(entry.amount for entry in entries if entry.kind == "hold")
    if held > 0:
        await _append(connection, organization_id=organization_id, kind="release", amount=held, call_id=call_id)
    if cost_credits > 0:
        await _append(connection, organization_id=organization_id, kind="charge", amount=cost_credits, call_id=call_id)


async def grant(
    connection: AsyncConnection, *, organization_id: str, amount: int, note: str | None = None
) -> LedgerEntry:
    """Give credits to an organization. Raises `ValidationFailed` unless `amount` is positive."""
    if amount < 1:
        raise invalid("amount", "must be at least 1")
    return await _append(connection, organization_id=organization_id, kind="grant", amount=amount, note=note)


async def get_balance(connection: AsyncConnection, organization_id: str) -> int:
    """The organization's credits, holds taken off."""
    return await store.sum_amounts(connection, organization_id)


async def fold_usage(database: Database, *, organization_id: str) -> None:
    """Add what ended calls used to their days, when there is enough of it to make reading slow."""
    for _ in range(_MAX_FOLDS):
        async with database.read() as connection:
            if not await usage_store.has_many(connection, organization_id, count=_FOLDED_AT_ONCE):
                return
        async with database.write() as connection:
            await usage_store.fold_entries(connection, organization_id, limit=_FOLDED_AT_ONCE)


async def fold_all_usage(database: Database) -> None:
    """`fold_usage` for every organization."""
    async with database.read() as connection:
        organizations = await account_store.list_organizations(connection)
    for organization in organizations:
        await fold_usage(database, organization_id=organization.id)


async def _append(
    connection: AsyncConnection,
    *,
    organization_id: str,
    kind: EntryKind,
    amount: int,
    call_id: str | None = None,
    note: str | None = None,
) -> LedgerEntry:
    entry = LedgerEntry(
        id=values.new_id("led"),
        organization_id=organization_id,
        kind=kind,
        amount=ledger.sign(kind, amount),
        call_id=call_id,
        note=note,
        created_at=values.now_ms(),
    )
    await store.insert_entry(connection, entry)
    return entry
