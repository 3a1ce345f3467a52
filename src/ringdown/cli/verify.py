"""`ringdown verify`: counts calls and adds the ledger up by brute force, and compares what is kept with that."""

import asyncio
from typing import Annotated

import typer

from ringdown import lifecycle, values
from ringdown.accounts import store as account_store
from ringdown.billing import balance_store, verification_store
from ringdown.calls import sealing, word_bitmaps
from ringdown.calls.store import settlement
from ringdown.calls.store.verification import Verified
from ringdown.cli.database import check_current
from ringdown.cli.organization import DataDir
from ringdown.db.engine import Database, open_database


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild the counters and balances that are wrong.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Recount all calls and add up the ledger; exit status 0 when no counter, balance or charge differs."""
    settings = lifecycle.load_settings(data_dir=data_dir)

    async def run() -> int:
        await check_current(settings)
        database = open_database(settings.sqlalchemy_url, statement_timeout_s=None)
        try:
            return await _verify_all(database, repair=repair)
        finally:
            await database.close()

    raise typer.Exit(1 if asyncio.run(run()) else 0)


async def _verify_all(database: Database, *, repair: bool) -> int:
    """Print what is found of each organization; returns how many differences there are in the end."""
    async with database.read() as connection:
        organizations = await account_store.list_organizations(connection)
    differences = 0
    for organization in organizations:
        found = await sealing.verify(database, organization.id)
        _show(organization.id, found)
        if found.differences and repair:
            await sealing.rebuild(database, organization.id)
            found = await sealing.verify(database, organization.id)
            _show(f"{organization.id} repaired", found)
        differences += found.differences + await _verify_words(database, organization.id, repair=repair)
        differences += await _verify_money(database, organization.id, repair=repair)
    print(f"{len(organizations)} organizations, {differences} differences", flush=True)
    return differences


async def _verify_words(database: Database, organization_id: str, *, repair: bool) -> int:
    """What searches count by; the worker makes anew what is wrong."""
    found = await word_bitmaps.verify(database, organization_id)
    if found.bitmaps:
        print(f"{organization_id}: {found.bitmaps} bitmaps of words, {found.differences} differences", flush=True)
    if not (found.differences and repair):
        return found.differences
    await word_bitmaps.forget(database, found)
    print(f"{organization_id} repaired: {len(found.wrong_ranges)} ranges of texts are made anew", flush=True)
    return 0


async def _verify_money(database: Database, organization_id: str, *, repair: bool) -> int:
    """The ledger is the truth, so that balances can be repaired; what a call was charged cannot."""
    async with database.read() as connection:
        if await balance_store.find_balance(connection, organization_id) is None:
            return 0  # the ledger has never had an entry
        found = await verification_store.verify_balance(connection, organization_id)
        unsettled = await settlement.count_unsettled(connection, organization_id)
    print(
        f"{organization_id}: {found.entries} ledger entries, balance {found.balance}, {found.differences} differences,"
        f" {unsettled} calls not settled",
        flush=True,
    )
    if not (found.differences and repair):
        return found.differences + unsettled
    async with database.write() as connection:
        await verification_store.rebuild_balance(connection, organization_id, now_ms=values.now_ms())
        found = await verification_store.verify_balance(connection, organization_id)
    print(f"{organization_id} repaired: balance {found.balance}, {found.differences} differences", flush=True)
    return found.differences + unsettled


def _show(name: str, found: Verified) -> None:
    print(
        f"{name}: {found.sealed_blocks} sealed blocks, {found.calls} calls, {found.counters} counters,"
        f" {found.differences} differences",
        flush=True,
    )
