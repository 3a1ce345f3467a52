"""Keeps databases full of calls in a folder: makes those that are missing or of another schema, opens the rest."""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg

from benchmarks import list_calls_loading as loading
from benchmarks.list_calls_rows import CallMaker, Organization
from ringdown.accounts import service as accounts
from ringdown.accounts import store as account_store
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.calls import sealing, word_bitmaps
from ringdown.config import Settings
from ringdown.db import engine, migrate
from ringdown.db.engine import Database, Dialect
from tests import postgresql

#: What a server of this size of database is given; the rest is PostgreSQL's default.
_SERVER_OPTIONS = {
    "shared_buffers": "4GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # It is vacuumed once, when it is full: nothing else disturbs what is measured.
    "autovacuum": "off",
}


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


async def open_filled(total: int, *, folder: Path, server: Server | None, fingerprint: str) -> Filled:
    """The database of so many calls in the folder, which is filled first if need be; that of 10 M takes a while.

    `fingerprint` is that of `describe_schema`: a database of another one is made anew.
    """
    dialect: Dialect = "sqlite" if server is None else "postgresql"
    own = folder / f"{dialect}-{total}"
    url = None if server is None else f"postgresql://postgres@/calls_{total}?host={server.socket}"
    settings = Settings(data_dir=own, database_url=url)
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


async def describe_schema(folder: Path) -> str:
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
    print(f"{format_count(total)} calls in {settings.sqlalchemy_url}", file=sys.stderr, flush=True)
    await migrate.migrate(settings.sqlalchemy_url)
    maker = CallMaker(total)
    path = settings.data_dir / "ringdown.db"
    if settings.database_url is None:
        loading.load_sqlite(path, maker)
    else:
        await loading.load_postgresql(settings.database_url, maker)
    database = engine.open_database(settings.sqlalchemy_url, statement_timeout_s=None)
    try:
        key = await _add_owners(database, maker.organizations)
        with loading.telling("counters"):
            for organization in maker.organizations:
                await sealing.seal_everything(database, organization.id)
        with loading.telling("bitmaps of words"):
            await word_bitmaps.make_all(database)
    finally:
        await database.close()
    await loading.finish(path, settings.database_url)
    return key, maker.organizations


async def _add_owners(database: Database, organizations: Sequence[Organization]) -> str:
    """Store organizations and agents; returns a key of the first organization."""
    table = account_store.organizations
    async with database.write() as connection:
        for owner in organizations:
            row = {"id": owner.id, "name": owner.id, "created_at": 0}
            counted = {"call_seq": owner.call_seq, "last_call_at": owner.last_call_at}
            await connection.execute(table.insert().values(row | counted))
            for agent_id in owner.agent_ids:
                agent = Agent(
                    organization_id=owner.id, id=agent_id, name=agent_id, status="active", voice_id="voice",
                    system_prompt="Answer.", created_at=0, updated_at=0,
                )  # fmt: skip
                await agent_store.insert_agent(connection, agent)
    _, key = await accounts.create_key(database, organization_id=organizations[0].id, name="benchmark")
    return key
