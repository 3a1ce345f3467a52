"""The migrations make exactly the schema that the stores describe, on both databases."""

import asyncio
import importlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

import ringdown
from ringdown.db import engine, migrate
from ringdown.db.engine import Database
from tests.conftest import PostgresqlServer

_CATALOGUES = {
    "sqlite": ["SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"],
    "postgresql": [
        "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace",
    ],
}


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_urls(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[str]]:
    """The URLs of two databases without a table, of one kind."""
    if request.param == "sqlite":
        yield [f"sqlite+aiosqlite:///{tmp_path / name}" for name in ("a.db", "b.db")]
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    for name in ("empty_a", "empty_b"):
        await server.execute(f"CREATE DATABASE {name}")
    yield [server.url("empty_a"), server.url("empty_b")]
    for name in ("empty_a", "empty_b"):
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _import_every_table() -> None:
    root = Path(ringdown.__file__).parent
    for path in root.rglob("*.py"):
        if "sa.Table(" in path.read_text():
            importlib.import_module(".".join(("ringdown", *path.relative_to(root).with_suffix("").parts)))


def _join_words(value: object) -> object:
    """The value; of a text, with single spaces: SQLite keeps the statement as an added column has left it."""
    return " ".join(value.split()).replace("( ", "(").replace(" )", ")") if isinstance(value, str) else value


async def _read_catalogue(url: str) -> set[tuple[object, ...]]:
    database = engine.open_database(url)
    async with database.read() as connection:
        found = {
            tuple(_join_words(value) for value in row)
            for query in _CATALOGUES[database.dialect]
            for row in await connection.execute(sa.text(query))
            if "alembic_version" not in str(row)
        }
    await database.close()
    return found


async def test_migrating_makes_exactly_the_tables_of_the_stores(empty_urls: list[str]) -> None:
    described_url, migrated_url = empty_urls
    _import_every_table()
    database = engine.open_database(described_url)
    async with database.write() as connection:
        await connection.run_sync(engine.metadata.create_all)
    await database.close()
    await migrate.migrate(migrated_url)
    described, migrated = await _read_catalogue(described_url), await _read_catalogue(migrated_url)
    assert migrated - described == set()
    assert described - migrated == set()
    assert len(described) > 20


async def test_migrating_again_changes_nothing(empty_urls: list[str]) -> None:
    url = empty_urls[0]
    assert not await migrate.is_current(url)
    await migrate.migrate(url)
    before = await _read_catalogue(url)
    assert await migrate.is_current(url)
    await migrate.migrate(url)
    assert await _read_catalogue(url) == before


async def test_programs_that_start_at_once_migrate_once(empty_urls: list[str]) -> None:
    url = empty_urls[0]
    code = "import asyncio, sys; from ringdown.db import migrate; asyncio.run(migrate.migrate(sys.argv[1]))"

    def start() -> int:
        return subprocess.run([sys.executable, "-c", code, url], check=False, timeout=60).returncode

    codes = await asyncio.gather(*(asyncio.to_thread(start) for _ in range(3)))
    assert codes == [0, 0, 0]
    assert await migrate.is_current(url)


async def test_events_from_before_they_named_an_agent_are_those_of_their_calls_agents(empty_urls: list[str]) -> None:
    def upgrade(connection: sa.Connection, revision: str) -> None:
        config = migrate._configure()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    def insert(connection: sa.Connection, table: str, **given: str) -> None:
        """A row in which all that must be there, and is not given, is empty."""
        empty = {bool: "false", int: "0"}
        row = {
            column["name"]: empty.get(getattr(column["type"], "python_type", dict), "'{}'")
            for column in sa.inspect(connection).get_columns(table)
            if not column["nullable"] and column["default"] is None
        } | {name: f"'{value}'" for name, value in given.items()}
        connection.execute(sa.text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})"))

    def fill(connection: sa.Connection) -> None:
        insert(connection, "organizations", id="org_1")
        insert(connection, "calls", organization_id="org_1", id="call_1", agent_id="agt_1")
        for event_id, event, subject_id in (
            ("evt_1", "call.ended", "call_1"),
            ("evt_2", "call.ended", "call_gone"),
            ("evt_3", "batch.completed", "batch_1"),
        ):
            insert(connection, "events", organization_id="org_1", id=event_id, event=event, subject_id=subject_id)

    database = engine.open_database(empty_urls[0])
    async with database.write() as connection:
        await connection.run_sync(upgrade, "0017")
        await connection.run_sync(fill)
        await connection.run_sync(upgrade, "0018")
        found = await connection.execute(sa.text("SELECT id, agent_id FROM events ORDER BY id"))
        assert [tuple(row) for row in found] == [("evt_1", "agt_1"), ("evt_2", None), ("evt_3", None)]
    await database.close()


async def test_every_key_and_index_begins_with_the_organization() -> None:
    _import_every_table()
    # These are read across organizations: by what selects the organization, or by the installation itself.
    exceptions = {
        "ux_api_keys_key_hash",
        "ux_phone_numbers_phone_number",
        "ix_idempotency_keys_started_at",
        "ix_jobs_due_at",
        "ux_call_joins_token_hash",
        "ix_calls_queued",
        "ix_attempts_live",
        "ix_knowledge_chunks_words",
        "ix_call_texts_words",
        "ix_call_word_bitmaps_range",
        "ux_knowledge_chunks_number",
    }
    leading = {
        str(index.name): next((column.name for column in index.columns), None)
        for table in engine.metadata.tables.values()
        for index in table.indexes
    }
    assert {name for name, column in leading.items() if column != "organization_id"} == exceptions
    for table in engine.metadata.tables.values():
        if table.name not in ("organizations", "secrets", "call_text_ranges", "call_word_bitmaps"):
            assert next(iter(table.primary_key.columns)).name == "organization_id", table.name


async def test_a_migrated_database_takes_rows(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(
            sa.text("INSERT INTO organizations (id, name, created_at) VALUES ('org_1', 'Acme', 1)")
        )
        seq = await connection.execute(sa.text("SELECT call_seq FROM organizations"))
        assert seq.scalar_one() == 0
