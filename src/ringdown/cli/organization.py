"""Runs a command against the database for its organization; what a data folder lacks is made first."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ringdown import lifecycle
from ringdown.cli import first_run, preflight
from ringdown.db.engine import Database, open_database

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the database and recordings.")]
T = TypeVar("T")


def run_for_organization(data_dir: Path | None, work: Callable[[Database, str], Awaitable[T]]) -> T:
    """The result of `work(database, organization_id)`.

    A new data folder gets its first key, which is told on standard error: standard output is the command's own.
    """
    settings = lifecycle.load_settings(data_dir=data_dir)

    async def run() -> T:
        preflight.make_data_folder(settings.data_dir)
        prepared = await first_run.prepare(settings)
        if prepared.new_key is not None:
            made = f"Made a new data folder, {settings.data_dir.absolute()}, with a first key, shown only now:"
            print(f"{made} {prepared.new_key}", file=sys.stderr)
        database = open_database(settings.sqlalchemy_url)
        try:
            return await work(database, prepared.organization_id)
        finally:
            await database.close()

    return asyncio.run(run())
