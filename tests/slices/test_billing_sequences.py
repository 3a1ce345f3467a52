"""Whatever happens in whatever order, the kept rows are the ledger's sums, and nothing is spent that is not there."""

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.accounts import service as accounts
from ringdown.billing import balance_store, service, store, verification_store
from ringdown.config import Settings
from ringdown.db.engine import Database, open_database
from ringdown.errors import NotFound, PaymentRequired, ValidationFailed

CALLS = [f"call_{number}" for number in range(4)]
BATCH_LIMIT = 45


@dataclass(frozen=True)
class Step:
    """One transaction, of which a crash may undo everything; each of them may come twice."""

    kind: str
    call_id: str
    credits: int
    is_in_batch: bool
    is_undone: bool


STEPS = st.builds(
    Step,
    kind=st.sampled_from(["grant", "hold", "extend", "settle", "refund"]),
    call_id=st.sampled_from(CALLS),
    credits=st.integers(1, 40),
    is_in_batch=st.booleans(),
    is_undone=st.sampled_from([False, False, False, True]),
)


class _UndoneError(Exception):
    pass


async def _take(database: Database, tariff: Settings, owner: str, step: Step) -> None:
    try:
        async with database.write() as connection:
            await _change(connection, tariff, owner, step)
            if step.is_undone:
                raise _UndoneError
    except (_UndoneError, PaymentRequired, NotFound, ValidationFailed):
        pass


async def _change(connection: AsyncConnection, tariff: Settings, owner: str, step: Step) -> None:
    entries = await store.list_call_entries(connection, owner, step.call_id)
    has_ended = any(entry.kind in ("release", "charge") for entry in entries)
    held = -sum(entry.amount for entry in entries if entry.kind == "hold")
    match step.kind:
        case "grant":
            await service.grant(connection, organization_id=owner, amount=step.credits)
        case "refund":
            await service.refund(connection, organization_id=owner, call_id=step.call_id, amount=step.credits)
        case "hold":
            await service.hold_for_call(
                connection,
                settings=tariff,
                organization_id=owner,
                call_id=step.call_id,
                batch_call_id="batch_1" if step.is_in_batch else None,
                batch_limit=BATCH_LIMIT if step.is_in_batch else None,
            )
        case "extend" if held and not has_ended:
            wanted = {step.call_id: step.credits * 6}
            await service.extend_holds(connection, settings=tariff, organization_id=owner, seconds_by_call=wanted)
        case "settle":
            cost = min(step.credits, held)
            await service.settle_call(connection, organization_id=owner, call_id=step.call_id, cost_credits=cost)


async def test_the_ledger_is_the_balance_after_any_sequence(database: Database, database_url: str) -> None:
    tariff = Settings(credits_enforced=True, credits_hold_seconds=60)

    async def play(steps: list[Step]) -> None:
        own = open_database(database_url)  # hypothesis has an event loop of its own
        try:
            owner = (await accounts.create_organization(own, name="Acme")).id
            for step in steps:
                await _take(own, tariff, owner, step)
                async with own.read() as connection:
                    verified = await verification_store.verify_balance(connection, owner)
                    balance = await balance_store.get_balance(connection, owner)
                    entries = await store.list_entries(connection, owner, limit=1000, offset=0)
                assert verified.differences == 0
                assert balance.balance >= 0
                assert balance.held >= 0
                assert balance.count_entries(None) == len(entries)
        finally:
            await own.close()

    @settings(max_examples=20, deadline=None)
    @given(st.lists(STEPS, min_size=1, max_size=12))
    def check(steps: list[Step]) -> None:
        asyncio.run(play(steps))

    await asyncio.to_thread(check)
