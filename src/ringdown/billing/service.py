"""Use cases of money: credits are held before dialling and while a call goes on, charged at its end, and given back.

All of them run in the caller's transaction, so that money moves with the state of the call or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.accounts import preference_store
from ringdown.accounts import store as account_store
from ringdown.billing import balance_store, ledger, posting, store, usage_store
from ringdown.billing.ledger import EntryKind, LedgerEntry
from ringdown.billing.limits import Purse
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.errors import Conflict, NotFound, PaymentRequired, invalid

# Reading so many entries takes milliseconds; one transaction of those that fold them. More wait only when nobody has
# asked for long.
_FOLDED_AT_ONCE, _MAX_FOLDS = 5000, 1000


@dataclass(frozen=True, slots=True)
class Held:
    """How many of the calls, in their order, have their hold; and why the next one has none."""

    count: int
    refusal: PaymentRequired | None = None


async def hold_for_call(
    connection: AsyncConnection,
    *,
    settings: Settings,
    organization_id: str,
    call_id: str,
    batch_call_id: str | None = None,
    batch_limit: int | None = None,
) -> None:
    """Hold credits for a call that is about to be dialled; does nothing when it has its hold.

    Raises `PaymentRequired`; its `details["reason"]` is `insufficient_credits` (credits are enforced, and the balance
    is smaller than the hold), `batch_limit` (of the calls of `batch_call_id`) or `daily_limit` (the organization's).
    A limit is refused against what is held and charged so far. With a limit or enforced credits the balance is locked
    until the transaction ends, so that this should be its last step.
    """
    held = await hold_for_calls(
        connection,
        settings=settings,
        organization_id=organization_id,
        call_ids=[call_id],
        batch_call_id=batch_call_id,
        batch_limit=batch_limit,
    )
    if held.refusal is not None:
        raise held.refusal


async def hold_for_calls(
    connection: AsyncConnection,
    *,
    settings: Settings,
    organization_id: str,
    call_ids: Sequence[str],
    batch_call_id: str | None = None,
    batch_limit: int | None = None,
) -> Held:
    """`hold_for_call` for several calls at the cost of one, as far as the credits reach; raises nothing."""
    present = await store.list_entries_by_call(connection, organization_id, call_ids)
    preferences = await preference_store.get_preferences(connection, organization_id)
    now = values.now_ms()
    day, required = ledger.find_day(now, preferences.timezone), ledger.compute_hold(settings)
    purse = Purse(
        balance=0,
        is_enforced=settings.credits_enforced,
        batch_limit=batch_limit,
        daily_limit=preferences.daily_credit_limit,
    )
    if purse.is_limited:
        purse = await _open_purse(connection, purse, organization_id=organization_id, batch=batch_call_id, day=day)
    count, refusal, entries = 0, None, list[LedgerEntry]()
    for call_id in call_ids:
        if not present[call_id]:
            if (refusal := purse.find_refusal(required)) is not None:
                break
            purse = purse.take(required)
            hold = _make_entry(organization_id, "hold", required, call_id=call_id, created_at=now)
            entries.append(replace(hold, batch_call_id=batch_call_id, day=day))
        count += 1
    if required > 0:
        await posting.post(connection, entries)
    return Held(count, refusal)


async def has_daily_credits(connection: AsyncConnection, *, settings: Settings, organization_id: str) -> bool:
    """Whether the organization's limit of the day leaves credits for one more call now; nothing is locked."""
    preferences = await preference_store.get_preferences(connection, organization_id)
    if preferences.daily_credit_limit is None:
        return True
    day = ledger.find_day(values.now_ms(), preferences.timezone)
    spent = await balance_store.get_spent(connection, organization_id, "day", day)
    purse = Purse(balance=0, is_enforced=False, daily_limit=preferences.daily_credit_limit, day_spent=spent)
    return purse.find_refusal(ledger.compute_hold(settings)) is None


async def _open_purse(
    connection: AsyncConnection, purse: Purse, *, organization_id: str, batch: str | None, day: str
) -> Purse:
    # Two calls must not both see the last credits.
    balance = await posting.lock_balance(connection, organization_id)
    batch_spent = day_spent = 0
    if purse.batch_limit is not None and batch is not None:
        batch_spent = await balance_store.get_spent(connection, organization_id, "batch", batch)
    if purse.daily_limit is not None:
        day_spent = await balance_store.get_spent(connection, organization_id, "day", day)
    return replace(purse, balance=balance.balance, batch_spent=batch_spent, day_spent=day_spent)


async def extend_holds(
    connection: AsyncConnection, *, settings: Settings, organization_id: str, seconds_by_call: Mapping[str, int]
) -> dict[str, int]:
    """Hold for so many seconds of talk in all for each call, as far as the balance reaches; returns what each has held.

    The caller has locked the calls, none of which has ended: what is held after the end would stay held. The balance
    is locked until the transaction ends. Limits of batches and days stop no call that is going on.
    """
    balance = await posting.lock_balance(connection, organization_id)
    present = await store.list_entries_by_call(connection, organization_id, seconds_by_call)
    available, now, entries, held_by_call = balance.balance, values.now_ms(), list[LedgerEntry](), dict[str, int]()
    for call_id, seconds in seconds_by_call.items():
        holds = [entry for entry in present[call_id] if entry.kind == "hold"]
        held = -sum(entry.amount for entry in holds)
        credits_ = ledger.compute_extension(seconds, held=held, available=available, tariff=settings)
        if credits_ > 0:
            hold = _make_entry(organization_id, "hold", credits_, call_id=call_id, created_at=now)
            first = holds[0] if holds else None
            entries.append(
                replace(
                    hold,
                    part=len(holds),
                    batch_call_id=first.batch_call_id if first else None,
                    day=first.day if first else await _find_today(connection, organization_id),
                )
            )
        available -= credits_
        held_by_call[call_id] = held + credits_
    await posting.post(connection, entries)
    return held_by_call


async def settle_call(
    connection: AsyncConnection,
    *,
    organization_id: str,
    call_id: str,
    cost_credits: int,
    batch_call_id: str | None = None,
) -> None:
    """Release a call's holds and charge what it cost; the second time nothing happens.

    It counts on the day of its hold; `batch_call_id` is asked only of a call without one.
    """
    present = await store.list_call_entries(connection, organization_id, call_id)
    holds = [entry for entry in present if entry.kind == "hold"]
    entries, day = list[LedgerEntry](), None
    if holds:
        batch_call_id, day = holds[0].batch_call_id, holds[0].day
        entries.append(_make_entry(organization_id, "release", -sum(hold.amount for hold in holds), call_id=call_id))
    elif cost_credits > 0:
        day = await _find_today(connection, organization_id)
    if cost_credits > 0:
        entries.append(_make_entry(organization_id, "charge", cost_credits, call_id=call_id))
    await posting.post(connection, [replace(entry, batch_call_id=batch_call_id, day=day) for entry in entries])


async def grant(
    connection: AsyncConnection,
    *,
    organization_id: str,
    amount: int,
    note: str | None = None,
    reference: str | None = None,
) -> LedgerEntry:
    """Give credits to an organization; with a `reference` that a grant had before, the same grant is returned.

    Raises `ValidationFailed` unless `amount` is positive, `Conflict` when the reference stands for something else.
    """
    if amount < 1:
        raise invalid("amount", "must be at least 1")
    entry = _make_entry(organization_id, "grant", amount)
    return await _post_once(connection, replace(entry, note=note, reference=reference))


async def refund(
    connection: AsyncConnection,
    *,
    organization_id: str,
    call_id: str,
    amount: int | None = None,
    note: str | None = None,
    reference: str | None = None,
) -> LedgerEntry:
    """Give back credits that a call was charged; None is all that was not given back yet.

    With a `reference` that a refund had before, the same refund is returned. Raises `NotFound` for a call that was
    charged nothing, `ValidationFailed` for more than is left of its charge, `Conflict` as `grant` does.
    """
    await posting.lock_balance(connection, organization_id)  # two refunds must not both see the last credits
    present = await store.list_call_entries(connection, organization_id, call_id)
    charge = next((entry for entry in present if entry.kind == "charge"), None)
    if charge is None:
        raise NotFound("Charged call", call_id)
    refunds = [entry for entry in present if entry.kind == "refund"]
    left = -charge.amount - sum(entry.amount for entry in refunds)
    same = next((entry for entry in refunds if reference is not None and entry.reference == reference), None)
    if same is not None and amount in (None, same.amount):
        return same
    if amount is None:
        amount = left
    if not 1 <= amount <= left:
        raise invalid("amount", f"must be from 1 to what is left of the call's charge, which is {left}")
    entry = _make_entry(organization_id, "refund", amount, call_id=call_id)
    entry = replace(entry, part=len(refunds), batch_call_id=charge.batch_call_id, note=note, reference=reference)
    return await _post_once(connection, entry)


async def _post_once(connection: AsyncConnection, entry: LedgerEntry) -> LedgerEntry:
    if await posting.post(connection, [entry]):
        return entry
    assert entry.reference is not None
    before = await store.find_reference(connection, entry.organization_id, entry.reference)
    if before is None or (before.kind, before.call_id, before.amount) != (entry.kind, entry.call_id, entry.amount):
        raise Conflict("This reference stands for another entry.", {"field": "reference"})
    return before


async def get_balance(connection: AsyncConnection, organization_id: str) -> int:
    """The organization's credits, holds taken off."""
    await posting.flush(connection)
    return (await balance_store.get_balance(connection, organization_id)).balance


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


async def _find_today(connection: AsyncConnection, organization_id: str) -> str:
    preferences = await preference_store.get_preferences(connection, organization_id)
    return ledger.find_day(values.now_ms(), preferences.timezone)


def _make_entry(
    organization_id: str, kind: EntryKind, amount: int, *, call_id: str | None = None, created_at: int | None = None
) -> LedgerEntry:
    return LedgerEntry(
        id=values.new_id("led"),
        organization_id=organization_id,
        kind=kind,
        amount=ledger.sign(kind, amount),
        created_at=values.now_ms() if created_at is None else created_at,
        call_id=call_id,
    )
