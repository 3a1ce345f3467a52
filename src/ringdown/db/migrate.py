"""Brings a database to the schema of this version; forward only, safe when several programs start at once."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ringdown.db import engine

# Any number of our own; one program migrates, the others wait.
_POSTGRESQL_LOCK = 0x52_69_6E_67


async def migrate(sqlalchemy_url: str) -> None:
    """Apply the migrations that are missing, all in one transaction."""
    database = engine.open_database(sqlalchemy_url, statement_timeout_s=None)
    try:
        async with database.write() as connection:
            if database.dialect == "postgresql":
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_LOCK)))
            await connection.run_sync(_upgrade)
    finally:
        await database.close()


async def is_current(sqlalchemy_url: str) -> bool:
    """Whether the database has the schema of this version."""
    database = engine.open_database(sqlalchemy_url)
    try:
        async with database.read() as connection:
            heads = await connection.run_sync(_read_heads)
    finally:
        await database.close()
    return set(heads) == set(ScriptDirectory.from_config(_configure()).get_heads())


def _upgrade(connection: sa.Connection) -> None:
    config = _configure()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _read_heads(connection: sa.Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _configure() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
