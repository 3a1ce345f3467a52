"""`ringdown credits`: give credits to the organization, and see what it has."""

from typing import Annotated

import typer

from ringdown.billing import service as billing
from ringdown.cli.organization import DataDir, run_for_organization
from ringdown.db.engine import Database

app = typer.Typer(help="Credits: grant, balance.", no_args_is_help=True)


@app.command()
def grant(
    amount: Annotated[int, typer.Argument(help="How many credits; one is six seconds of talk by default.")],
    note: Annotated[str | None, typer.Option(help="Why, for the ledger.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Give credits and show the balance. They matter only where credits are enforced."""

    async def work(database: Database, organization_id: str) -> int:
        async with database.write() as connection:
            await billing.grant(connection, organization_id=organization_id, amount=amount, note=note)
            return await billing.get_balance(connection, organization_id)

    print(run_for_organization(data_dir, work))


@app.command()
def balance(data_dir: DataDir = None) -> None:
    """Show the balance: grants less charges and holds."""

    async def work(database: Database, organization_id: str) -> int:
        async with database.read() as connection:
            return await billing.get_balance(connection, organization_id)

    print(run_for_organization(data_dir, work))
