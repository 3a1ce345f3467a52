"""`ringdown keys`: make, list and revoke API keys."""

from typing import Annotated

import typer

from ringdown.accounts import service as accounts
from ringdown.accounts.store import ApiKey
from ringdown.cli.organization import DataDir, run_for_organization
from ringdown.db.engine import Database
from ringdown.values import to_wire_time

app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name that no other key has.")],
    allow: Annotated[list[str] | None, typer.Option("--allow", help="Address or network it may be used from.")] = None,
    per_minute: Annotated[int | None, typer.Option("--per-minute", help="Its own rate limit.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and show it once."""

    async def work(database: Database, organization_id: str) -> str:
        _, text = await accounts.create_key(
            database,
            organization_id=organization_id,
            name=name,
            allow_list=tuple(allow or ()),
            requests_per_minute=per_minute,
        )
        return text

    print(run_for_organization(data_dir, work))


@app.command(name="list")
def list_keys(data_dir: DataDir = None) -> None:
    """List the keys: id, first characters, name, made, last used, state."""

    async def work(database: Database, organization_id: str) -> list[ApiKey]:
        return await accounts.list_keys(database, organization_id=organization_id)

    for key in run_for_organization(data_dir, work):
        used = to_wire_time(key.last_used_at) or "never used"
        state = "revoked" if key.revoked_at is not None else "active"
        print(f"{key.id}  {key.key_hint}…  {to_wire_time(key.created_at)}  {used:<20}  {state:<7}  {key.name}")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Name or id of the key.")],
    data_dir: DataDir = None,
) -> None:
    """Revoke a key at once."""

    async def work(database: Database, organization_id: str) -> str:
        return await accounts.revoke_key(database, organization_id=organization_id, name_or_id=name)

    print(f"Revoked {run_for_organization(data_dir, work)}.")
