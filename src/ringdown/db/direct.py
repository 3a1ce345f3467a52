"""Reads that speak to the driver, for what nearly every request asks: SQLAlchemy compiles, and does no more.

Statements are made once and kept by their callers; each is compiled once. On SQLite they run in the event loop's own
thread: a reader waits for no writer, and handing work to a thread costs more than these statements do. So only
statements whose cost is bounded belong here. Rows are plain tuples of what the driver returns; JSON is text.
"""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

_TIMEOUT_SECONDS = 20
_POOL_SIZE = 10

Row = Sequence[Any]
Parameters = Mapping[str, Any]


class Rows:
    """The rows that a statement found, all of them at once."""

    def __init__(self, found: Sequence[Row]) -> None:
        self._found = found

    def __iter__(self) -> Iterator[Row]:
        return iter(self._found)

    def all(self) -> Sequence[Row]:
        """Every row."""
        return self._found

    def one(self) -> Row:
        """The only row."""
        [row] = self._found
        return row

    def one_or_none(self) -> Row | None:
        """The only row, if there is one."""
        return self.one() if self._found else None

    def scalar_one(self) -> Any:
        """The only value of the only row."""
        [value] = self.one()
        return value

    def scalars(self) -> list[Any]:
        """The first value of every row."""
        return [row[0] for row in self._found]


class DirectConnection(ABC):
    """One snapshot of the database."""

    def __init__(self, statements: "_Statements") -> None:
        self._statements = statements

    @property
    def dialect(self) -> Dialect:
        """What statements are compiled for."""
        return self._statements.dialect

    @abstractmethod
    async def execute(self, statement: sa.Executable, parameters: Parameters | None = None) -> Rows:
        """Run a kept statement that reads."""


class DirectReader(ABC):
    """Opens snapshots of one database."""

    def __init__(self, dialect: Dialect) -> None:
        self._statements = _Statements(dialect)

    @asynccontextmanager
    @abstractmethod
    def read(self) -> AsyncIterator[DirectConnection]:
        """One snapshot for the block."""

    @abstractmethod
    async def execute(self, statement: sa.Executable, parameters: Parameters | None = None) -> Rows:
        """Run one kept statement that reads, alone."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""


class _Statements:
    """Compiled statements: by the statement, which its caller keeps, and by the lengths of the lists in it."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._compiled: dict[int, _Compiled] = {}

    def bind(self, statement: sa.Executable, parameters: Parameters) -> tuple[str, list[Any]]:
        """The statement as text, and its values in the order of their places."""
        compiled = self._compiled.get(id(statement))
        if compiled is None:
            compiled = self._compiled[id(statement)] = _Compiled(statement, self.dialect)
        return compiled.bind(parameters)


class _Compiled:
    """One statement; it is kept here, so that its id stays its own."""

    def __init__(self, statement: sa.Executable, dialect: Dialect) -> None:
        self.statement = statement
        self._compiler: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        self._constants: Parameters = self._compiler.params
        self._lists = [
            parameter.key for parameter in self._compiler.post_compile_params if parameter.key in self._constants
        ]
        self._texts: dict[tuple[int, ...], tuple[str, list[tuple[str, int | None]]]] = {}

    def bind(self, parameters: Parameters) -> tuple[str, list[Any]]:
        """The text for lists of these lengths, and the values in the order of their places."""
        given = {**self._constants, **parameters}
        lengths = tuple(len(given[name]) for name in self._lists)
        known = self._texts.get(lengths)
        if known is None:
            known = self._texts[lengths] = self._expand(given)
        text, places = known
        return text, [given[name] if index is None else given[name][index] for name, index in places]

    def _expand(self, given: Parameters) -> tuple[str, list[tuple[str, int | None]]]:
        expanded = self._compiler.construct_expanded_state(given)
        members = {f"{name}_{index + 1}": (name, index) for name in self._lists for index in range(len(given[name]))}
        return expanded.statement, [members.get(name, (name, None)) for name in expanded.positiontup]


class SqliteReader(DirectReader):
    """Reads a SQLite file in the thread that asks."""

    def __init__(self, url: sa.URL, dialect: Dialect) -> None:
        super().__init__(dialect)
        self._path = url.database or ""
        self._free: list[sqlite3.Connection] = []

    @asynccontextmanager
    async def read(self) -> AsyncIterator[DirectConnection]:
        """As `DirectReader.read`."""
        connection = self._free.pop() if self._free else self._connect()
        connection.execute("BEGIN")
        try:
            yield _SqliteSnapshot(self._statements, connection)
        finally:
            connection.execute("ROLLBACK")
            self._free.append(connection)

    async def execute(self, statement: sa.Executable, parameters: Parameters | None = None) -> Rows:
        """As `DirectReader.execute`."""
        connection = self._free.pop() if self._free else self._connect()
        try:
            return await _SqliteSnapshot(self._statements, connection).execute(statement, parameters)
        finally:
            self._free.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_TIMEOUT_SECONDS, isolation_level=None, cached_statements=512)
        connection.execute("PRAGMA query_only=ON")
        return connection

    async def close(self) -> None:
        """As `DirectReader.close`."""
        while self._free:
            self._free.pop().close()


class _SqliteSnapshot(DirectConnection):
    def __init__(self, statements: _Statements, connection: sqlite3.Connection) -> None:
        super().__init__(statements)
        self._connection = connection

    async def execute(self, statement: sa.Executable, parameters: Parameters | None = None) -> Rows:
        """As `DirectConnection.execute`."""
        text, values = self._statements.bind(statement, parameters or {})
        return Rows(self._connection.execute(text, values).fetchall())


class PostgresqlReader(DirectReader):
    """Reads a PostgreSQL database by connections of its own."""

    def __init__(self, url: sa.URL, dialect: Dialect, **options: Any) -> None:
        super().__init__(dialect)
        [[], arguments] = dialect.create_connect_args(url)
        # Planning a kept statement anew for each of its values costs more than these statements do.
        settings = {**options.pop("server_settings", {}), "plan_cache_mode": "force_generic_plan"}
        self._arguments = {**arguments, **options, "server_settings": settings}
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[DirectConnection]:
        """As `DirectReader.read`."""
        pool = self._pool or await self._open()
        async with (
            pool.acquire(timeout=_TIMEOUT_SECONDS) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield _PostgresqlSnapshot(self._statements, connection)

    async def execute(self, statement: sa.Executable, parameters: Parameters | None = None) -> Rows:
        """As `DirectReader.execute`."""
        pool = self._pool or await self._open()
        async with pool.acquire(timeout=_TIMEOUT_SECONDS) as connection:
            return await _PostgresqlSnapshot(self._statements, connection).execute(statement, parameters)

    async def _open(self) -> "asyncpg.Pool":
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    min_size=0, max_size=_POOL_SIZE, reset=_leave_as_is, **self._arguments
                )
        return self._pool

    async def close(self) -> None:
        """As `DirectReader.close`."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None


async def _leave_as_is(_connection: Any) -> None:
    """Nothing of a session is changed here: to reset it after each use would be one more trip to the server."""


class _PostgresqlSnapshot(DirectConnection):
    def __init__(self, statements: _Statements, connection: Any) -> None:
        super().__init__(statements)
        self._connection = connection

    async def execute(self, statement: sa.Executable, parameters: Parameters | None = None) -> Rows:
        """As `DirectConnection.execute`."""
        text, values = self._statements.bind(statement, parameters or {})
        return Rows(await self._connection.fetch(text, *values))
