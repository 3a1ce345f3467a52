"""Keeps databases full of calls in a folder: makes those that are missing or of another schema, opens the rest."""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg

from benchmarks.list_calls_rows import CallMaker, Organization
from ringdown.accounts import service as accounts
from ringdown.accounts import store as account_store
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.calls import tables
from ringdown.config import Settings
from ringdown.db import engine, migrate
from ringdown.db.engine import Database, Dialect
from tests import postgresql

#: What a server of this size of database is given; the rest is PostgreSQL's default.
_SERVER_OPTIONS = {
    "shared_buffers": "512MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # It is vacuumed once, when it is full: nothing else disturbs what is measured.
    "autovacuum": "off",
}
_COLUMNS = tuple(column.name for column in tables.calls.columns)


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL: the folder of its socket, and its first process."""

    socket: Path
    pid: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A database of `total` calls: its URL as the settings take it, and what to ask it with."""

    dialect: Dialect
    total: int
    url: str | None
    folder: Path
    key: str
    organizations: tuple[Organization, ...]

    @property
    def name(self) -> str:
        """As figures name it."""
        return f"{self.dialect} {format_count(self.total)}"

    @property
    def settings(self) -> Settings:
        """The settings of programs that use it."""
        return Settings(data_dir=self.folder, database_url=self.url)


def format_count(count: int) -> str:
    """`10 k`, `1 M`."""
    return f"{count // 10**6} M" if count >= 10**6 else f"{count // 1000} k"


@contextmanager
def run_server(folder: Path) -> Iterator[Server]:
    """PostgreSQL with the databases of the folder, for the block."""
    data = folder / "postgresql"
    with postgresql.run_postgresql(data=data, options=_SERVER_OPTIONS) as socket:
        yield Server(socket, int((data / "postmaster.pid").read_text().split()[0]))


async def open_filled(total: int, *, folder: Path, server: Server | None) -> Filled:
    """The database of so many calls in the folder, which is filled first if need be; that of 10 M takes a while."""
    dialect: Dialect = "sqlite" if server is None else "postgresql"
    own = folder / f"{dialect}-{total}"
    url = None if server is None else f"postgresql://postgres@/calls_{total}?host={server.socket}"
    settings = Settings(data_dir=own, database_url=url)
    fingerprint = await _describe_schema(folder)
    marker = own / "filled.json"
    known = json.loads(marker.read_text()) if marker.exists() else {}
    if known.get("fingerprint") != fingerprint:
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        if server is not None:
            await recreate(f"calls_{total}", server)
        key, organizations = await _fill(settings, total)
        facts = [asdict(organization) for organization in organizations]
        known = {"fingerprint": fingerprint, "key": key, "organizations": facts}
        marker.write_text(json.dumps(known))
    owners = [Organization(**{**facts, "agent_ids": tuple(facts["agent_ids"])}) for facts in known["organizations"]]
    return Filled(dialect, total, url, own, known["key"], tuple(owners))


async def _describe_schema(folder: Path) -> str:
    """A digest of the schema of calls and of the rows that are made."""
    path = folder / "schema"
    path.mkdir(parents=True, exist_ok=True)
    try:
        await migrate.migrate(Settings(data_dir=path, database_url=None).sqlalchemy_url)
        with contextlib.closing(sqlite3.connect(path / "ringdown.db")) as connection:
            made = connection.execute("SELECT sql FROM sqlite_master WHERE sql LIKE '%call%' ORDER BY name").fetchall()
    finally:
        shutil.rmtree(path)
    [sample] = CallMaker(1_000).make()
    return hashlib.sha256(repr((made, sample)).encode()).hexdigest()


async def recreate(name: str, server: Server) -> None:
    """Make an empty database of this name in the place of the one that is there."""
    connection = await asyncpg.connect(host=str(server.socket), user="postgres", database="postgres")
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()


async def _fill(settings: Settings, total: int) -> tuple[str, list[Organization]]:
    url = settings.sqlalchemy_url
    await migrate.migrate(url)
    maker = CallMaker(total)
    with _telling(f"{total} calls and their turns"):
        if settings.database_url is None:
            load_sqlite(settings.data_dir / "ringdown.db", maker)
        else:
            await load_postgresql(settings.database_url, maker)
    database = engine.open_database(url, statement_timeout_s=None)
    try:
        key = await _add_owners(database, maker.organizations)
    finally:
        await database.close()
    return key, maker.organizations


def load_sqlite(path: Path, maker: CallMaker) -> None:
    """Insert the rows, with the indices made after them."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-500000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    kept = "FROM sqlite_master WHERE type='index' AND sql IS NOT NULL AND tbl_name IN ('calls', 'turns')"
    indices = connection.execute(f"SELECT name, sql {kept}").fetchall()
    for name, _ in indices:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("BEGIN")
    for chunk in maker.make():
        connection.executemany(_insert("calls", _COLUMNS), chunk.list_rows(_COLUMNS))
        connection.executemany(_insert("turns", maker.turn_columns), chunk.turns)
    connection.execute("COMMIT")
    with _telling("its indices"):
        for _, statement in indices:
            connection.execute(statement)
        connection.execute("ANALYZE")
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.close()


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


async def load_postgresql(url: str, maker: CallMaker) -> None:
    """Copy the rows, with the indices made after them."""
    connection = await asyncpg.connect(url)
    try:
        indices = await connection.fetch(
            "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index "
            "WHERE indrelid IN ('calls'::regclass, 'turns'::regclass) "
            "AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)"
        )
        for index in indices:
            await connection.execute(f"DROP INDEX {index['name']}")
        async with connection.transaction():
            # What is copied into a table that the same transaction emptied is not logged.
            await connection.execute("TRUNCATE calls, turns")
            for chunk in maker.make():
                await connection.copy_records_to_table("calls", records=chunk.list_rows(_COLUMNS), columns=_COLUMNS)
                await connection.copy_records_to_table("turns", records=chunk.turns, columns=maker.turn_columns)
        with _telling("its indices"):
            for index in indices:
                await connection.execute(index["made"])
        with _telling("its vacuum"):
            await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


async def _add_owners(database: Database, organizations: Sequence[Organization]) -> str:
    """Store organizations and agents; returns a key of the first organization."""
    table = account_store.organizations
    async with database.write() as connection:
        for owner in organizations:
            rows = {"id": owner.id, "name": owner.id, "call_seq": owner.call_seq, "created_at": 0}
            known = {"last_call_at": owner.last_call_at} if "last_call_at" in table.c else {}
            await connection.execute(table.insert().values(rows | known))
            for agent_id in owner.agent_ids:
                agent = Agent(
                    organization_id=owner.id, id=agent_id, name=agent_id, status="active", voice_id="voice",
                    system_prompt="Answer.", created_at=0, updated_at=0,
                )  # fmt: skip
                await agent_store.insert_agent(connection, agent)
    _, key = await accounts.create_key(database, organization_id=organizations[0].id, name="benchmark")
    return key


@contextmanager
def _telling(what: str) -> Iterator[None]:
    began_s = time.monotonic()
    yield
    print(f"  made {what} in {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
