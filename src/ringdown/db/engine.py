"""The database: one engine, read and write transactions, and the few dialect differences."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ringdown.db.direct import DirectConnection, DirectReader, PostgresqlReader, SqliteReader
from ringdown.db.wholeness import WholeConnection, WholeEngine, whole

#: Every table of the product; each slice's `store.py` adds its own.
metadata = sa.MetaData()

Dialect = Literal["sqlite", "postgresql"]

#: What a database that is away, restarting or overloaded raises. Connecting is not translated by SQLAlchemy.
UNAVAILABLE: tuple[type[Exception], ...] = (
    sa.exc.SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # A connection that the server has ended may say that it is busy instead.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


# SQLSTATE classes and codes of a server that starts, stops, is full or undid the transaction for another's sake:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_STATES = ("08", "25006", "40", "53", "55000", "55P03", "57", "58")


def is_away(error: BaseException) -> bool:
    """Whether an error of `UNAVAILABLE` may pass by itself; a refused statement is a bug and never does."""
    if isinstance(error, sa.exc.DBAPIError):
        is_about_connection = isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError))
        state: str = getattr(error.orig, "sqlstate", None) or ""
        return is_about_connection or error.connection_invalidated or state.startswith(_PASSING_STATES)
    # The pool's own timeout: the writers before us took too long.
    return isinstance(error, sa.exc.TimeoutError) or not isinstance(error, sa.exc.SQLAlchemyError)


# Marks a connection of SQLite on which each statement is a transaction; its driver needs no other isolation level.
_ALONE = "ringdown_alone"
# A writer waits this long for the writers of this and of other processes before it fails.
_SQLITE_WRITER_WAIT_SECONDS = 20
_POOL_TIMEOUT_SECONDS = 20
_CONNECT_TIMEOUT_SECONDS = 10
STATEMENT_TIMEOUT_SECONDS = 60


class Database:
    """One database and its transactions.

    `read()` sees one snapshot and cannot write; `write()` commits when its block ends and rolls back when it raises.
    On SQLite a write begins with `BEGIN IMMEDIATE`, so that two writers queue instead of failing at their first
    statement. Transactions do not nest: a `write()` inside a `write()` of the same task waits for itself.
    """

    def __init__(self, engine: AsyncEngine, reader: AsyncEngine, direct: DirectReader) -> None:
        self.engine = engine
        self.reader = reader
        self.direct = direct
        self.dialect: Dialect = "sqlite" if engine.dialect.name == "sqlite" else "postgresql"
        alone: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if self.dialect == "postgresql" else {_ALONE: True}
        self._lone_writer = engine.execution_options(**alone)
        self._lone_reader = reader.execution_options(**alone)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, on one snapshot."""
        async with whole(self.reader.connect()) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write."""
        async with whole(self.engine.begin()) as connection:
            yield connection
            for _, step in sorted(get_last_steps(connection).items()):  # they lock in one order
                await step()

    @asynccontextmanager
    async def read_alone(self) -> AsyncIterator[AsyncConnection]:
        """For exactly one statement that reads: it costs no round trips of a transaction."""
        async with whole(self._lone_reader.connect()) as connection:
            yield connection

    @asynccontextmanager
    async def write_alone(self) -> AsyncIterator[AsyncConnection]:
        """For exactly one statement that writes: it commits by itself, even when the block raises after it."""
        async with whole(self._lone_writer.connect()) as connection:
            yield connection

    @asynccontextmanager
    async def read_direct(self) -> AsyncIterator[DirectConnection]:
        """`read()` for kept statements of bounded cost: the driver alone runs them, on SQLite in this thread."""
        async with self.direct.read() as connection:
            yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self.direct.close()
        await self.reader.dispose()
        await self.engine.dispose()


def open_database(sqlalchemy_url: str, *, statement_timeout_s: float | None = STATEMENT_TIMEOUT_SECONDS) -> Database:
    """Open the database named by a SQLAlchemy URL (`sqlite+aiosqlite` or `postgresql+asyncpg`).

    PostgreSQL gives a statement up after `statement_timeout_s` seconds; None lets it run for as long as it takes.
    Errors name the statement but not its values, which are numbers and words of callers.
    """
    if sqlalchemy_url.startswith("sqlite"):
        return _open_sqlite(sqlalchemy_url)
    options: dict[str, Any] = {
        "timeout": _CONNECT_TIMEOUT_SECONDS,
        "command_timeout": statement_timeout_s,
        # Compiling costs more than these short statements do.
        "server_settings": {"application_name": "ringdown", "jit": "off"},
    }
    engine = _create_engine(
        sqlalchemy_url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=_POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=options,
    )
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(engine, reader, PostgresqlReader(engine.url, engine.dialect, **options))


def _create_engine(sqlalchemy_url: str, **options: Any) -> WholeEngine:
    return WholeEngine(create_async_engine(sqlalchemy_url, **options).sync_engine)


def get_last_steps(connection: AsyncConnection) -> dict[str, Callable[[], Awaitable[None]]]:
    """By name, what the transaction of a `Database.write()` does just before it commits; add to it."""
    assert isinstance(connection, WholeConnection)
    return connection.last_steps


def insert(connection: AsyncConnection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An `INSERT` of the connection's dialect, which knows `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return insert_for(connection.dialect.name, table)


def insert_for(dialect_name: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """`insert` for a statement that is made once per dialect and kept."""
    return sqlite.insert(table) if dialect_name == "sqlite" else postgresql.insert(table)


class _SqliteCompiler(SQLiteCompiler):
    """Writes the hints of statements, such as `INDEXED BY`, which SQLAlchemy leaves out for SQLite."""

    def get_from_hint_text(self, table: sa.FromClause, text: str | None) -> str | None:  # noqa: ARG002 - theirs
        return text


def _open_sqlite(sqlalchemy_url: str) -> Database:
    # One writing connection: the writers of this process queue first come, first served, in the pool instead of
    # sleeping in SQLite's busy handler, which is neither fair nor prompt.
    writer = _create_engine(
        sqlalchemy_url,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_SQLITE_WRITER_WAIT_SECONDS,
        hide_parameters=True,
    )
    reader = _create_engine(
        sqlalchemy_url, pool_size=8, max_overflow=8, pool_timeout=_POOL_TIMEOUT_SECONDS, hide_parameters=True
    )
    for of_file in (writer, reader):
        of_file.sync_engine.dialect.statement_compiler = _SqliteCompiler
    sa.event.listen(writer.sync_engine, "connect", _prepare_sqlite)
    sa.event.listen(writer.sync_engine, "begin", _begin_sqlite_write)
    sa.event.listen(reader.sync_engine, "connect", _prepare_sqlite_reader)
    sa.event.listen(reader.sync_engine, "begin", _begin_sqlite_read)
    return Database(writer, reader, SqliteReader(writer.url, writer.dialect))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would start as a reader
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_SQLITE_WRITER_WAIT_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_sqlite_reader(connection: Any, record: object) -> None:
    _prepare_sqlite(connection, record)
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")  # a forgotten write() fails loudly, as it does on PostgreSQL
    cursor.close()


def _begin_sqlite_write(connection: sa.Connection) -> None:
    if not _is_alone(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_sqlite_read(connection: sa.Connection) -> None:
    if not _is_alone(connection):
        connection.exec_driver_sql("BEGIN")


def _is_alone(connection: sa.Connection) -> bool:
    return _ALONE in connection.get_execution_options()
