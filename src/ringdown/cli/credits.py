"""`ringdown credits`: give credits to the organization, give back what a call was charged, and see the ledger."""

from typing import Annotated

import typer

from ringdown import values
from ringdown.accounts import preference_store
from ringdown.billing import balance_store, ledger
from ringdown.billing import service as billing
from ringdown.billing import store as ledger_store
from ringdown.billing.ledger import EntryKind
from ringdown.cli.columns import align
from ringdown.cli.organization import DataDir, run_for_organization
from ringdown.db.engine import Database
from ringdown.errors import invalid

app = typer.Typer(help="Credits: grant, refund, balance, show, ledger.", no_args_is_help=True)

_HEADING = ("TIME", "TYPE", "AMOUNT", "CALL", "BATCH", "REFERENCE", "NOTE")

Note = Annotated[str | None, typer.Option(help="Why, for the ledger.")]
Reference = Annotated[
    str | None, typer.Option(help="Your id of it, such as an invoice's: given again, nothing happens twice.")
]


@app.command()
def grant(
    amount: Annotated[int, typer.Argument(help="How many credits; one is six seconds of talk by default.")],
    note: Note = None,
    reference: Reference = None,
    data_dir: DataDir = None,
) -> None:
    """Give credits and show the balance. They matter only where credits are enforced."""

    async def work(database: Database, organization_id: str) -> int:
        async with database.write() as connection:
            await billing.grant(
                connection, organization_id=organization_id, amount=amount, note=note, reference=reference
            )
            return await billing.get_balance(connection, organization_id)

    print(run_for_organization(data_dir, work))


@app.command()
def refund(
    call_id: Annotated[str, typer.Argument(help="The call that was charged.")],
    amount: Annotated[int | None, typer.Argument(help="How many credits; by default all that are left.")] = None,
    note: Note = None,
    reference: Reference = None,
    data_dir: DataDir = None,
) -> None:
    """Give back what a call was charged, at most that in all, and show the balance."""

    async def work(database: Database, organization_id: str) -> int:
        async with database.write() as connection:
            await billing.refund(
                connection,
                organization_id=organization_id,
                call_id=call_id,
                amount=amount,
                note=note,
                reference=reference,
            )
            return await billing.get_balance(connection, organization_id)

    print(run_for_organization(data_dir, work))


@app.command()
def balance(data_dir: DataDir = None) -> None:
    """Show the balance alone: grants and refunds less charges and holds."""

    async def work(database: Database, organization_id: str) -> int:
        async with database.read() as connection:
            return (await balance_store.get_balance(connection, organization_id)).balance

    print(run_for_organization(data_dir, work))


@app.command()
def show(data_dir: DataDir = None) -> None:
    """Show balance, held credits, the low mark, the daily limit and what was spent today."""

    async def work(database: Database, organization_id: str) -> list[tuple[str, object]]:
        async with database.read() as connection:
            found = await balance_store.get_balance(connection, organization_id)
            preferences = await preference_store.get_preferences(connection, organization_id)
            today = ledger.find_day(values.now_ms(), preferences.timezone)
            spent = await balance_store.get_spent(connection, organization_id, "day", today)
        return [
            ("balance", found.balance),
            ("held", found.held),
            ("low mark", preferences.credits_low_mark),
            ("daily limit", preferences.daily_credit_limit),
            (f"spent on {today}", spent),
        ]

    print(align(("WHAT", "CREDITS"), run_for_organization(data_dir, work)))


@app.command("ledger")
def list_ledger(
    kind: Annotated[str | None, typer.Option("--type", help="grant, hold, release, charge or refund.")] = None,
    call_id: Annotated[str | None, typer.Option("--call", help="Only entries of this call.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries, the newest.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """List what was given and taken, newest first."""
    wanted = _read_kind(kind)

    async def work(database: Database, organization_id: str) -> list[tuple[object, ...]]:
        async with database.read() as connection:
            entries = await ledger_store.list_entries(
                connection, organization_id, kind=wanted, call_id=call_id, limit=limit, offset=0
            )
        return [
            (
                values.to_wire_time(entry.created_at),
                entry.kind,
                entry.amount,
                entry.call_id,
                entry.batch_call_id,
                entry.reference,
                entry.note,
            )
            for entry in entries
        ]

    print(align(_HEADING, run_for_organization(data_dir, work)))


def _read_kind(text: str | None) -> EntryKind | None:
    for kind in ledger.KINDS:
        if kind == text:
            return kind
    if text is not None:
        raise invalid("type", f"must be one of {', '.join(ledger.KINDS)}")
    return None
