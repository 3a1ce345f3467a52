"""`ringdown keys`: make, list and revoke API keys."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ringdown import lifecycle
from ringdown.accounts import service as accounts
from ringdown.accounts.store import ApiKey
from ringdown.cli import first_run, preflight
from ringdown.db.engine import Database, open_database
from ringdown.values import to_wire_time

app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the database and recordings.")]
T = TypeVar("T")


def _run(data_dir: Path | None, work: Callable[[Database, str], Awaitable[T]]) -> T:
    settings = lifecycle.load_settings(data_dir=data_dir)

    async def run() -> T:
        preflight.make_data_folder(settings.data_dir)
        prepared = await first_run.prepare(settings)
        if prepared.new_key is not None:
            print(f"Made a new data folder with a first key, shown only now: {prepared.new_key}")
        database = open_database(settings.sqlalchemy_url)
        try:
            return await work(database, prepared.organization_id)
        finally:
            await database.close()

    return asyncio.run(run())


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

    print(_run(data_dir, work))


@app.command(name="list")
def list_keys(data_dir: DataDir = None) -> None:
    """List the keys: id, first characters, name, made, last used, state."""

    async def work(database: Database, organization_id: str) -> list[ApiKey]:
        return await accounts.list_keys(database, organization_id=organization_id)

    for key in _run(data_dir, work):
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

    print(f"Revoked {_run(data_dir, work)}.")
