"""`ringdown verify`: counts all calls by brute force and compares the counters of lists with that."""

import asyncio
from typing import Annotated

import typer

from ringdown import lifecycle
from ringdown.accounts import store as account_store
from ringdown.calls import sealing
from ringdown.calls.store.verification import Verified
from ringdown.cli.database import check_current
from ringdown.cli.organization import DataDir
from ringdown.db.engine import Database, open_database


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild the counters that are wrong.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Recount all calls and compare the counters of lists with that; exit status 0 when nothing differs."""
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
    """Print what is found of each organization; returns how many counters are wrong in the end."""
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
        differences += found.differences
    print(f"{len(organizations)} organizations, {differences} differences", flush=True)
    return differences


def _show(name: str, found: Verified) -> None:
    print(
        f"{name}: {found.sealed_blocks} sealed blocks, {found.calls} calls, {found.counters} counters,"
        f" {found.differences} differences",
        flush=True,
    )
