"""Fixtures of all tests: settings of their own, and an empty database on SQLite and on PostgreSQL."""

import asyncio
import gc
import itertools
import logging
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import structlog

from ringdown.config import Settings
from ringdown.db import engine, migrate
from ringdown.db.engine import Database
from tests import postgresql

_TEMPLATE = "ringdown_template"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """The session's server; every test clones its template."""

    socket_folder: Path

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={self.socket_folder}"

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(host=str(self.socket_folder), user="postgres", database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log lines without the local variables of tracebacks: rendering those takes seconds."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, renderer]
    )


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """A program that ran in a test set up logs on a standard error that closes with the test."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def _rare_collections() -> None:
    """What is imported is never looked through for garbage, and the rest rarely: that costs a third of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL of this test process with a migrated template database."""
    try:
        with postgresql.run_postgresql() as folder:
            server = PostgresqlServer(folder)
            _run(server.execute(f"CREATE DATABASE {_TEMPLATE}"))
            _run(migrate.migrate(server.url(_TEMPLATE)))
            yield server
    except postgresql.PostgresqlUnavailableError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _run(migrate.migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
async def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a new, migrated SQLite database."""
    path = tmp_path / "ringdown.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
async def postgresql_url(postgresql_server: PostgresqlServer) -> AsyncIterator[str]:
    """The URL of a new, migrated PostgreSQL database."""
    name = f"test_{next(_numbers)}"
    await postgresql_server.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    yield postgresql_server.url(name)
    await postgresql_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a new, migrated database; the test runs once for each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A new, migrated database; the test runs once for each kind."""
    opened = engine.open_database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The default settings in a folder of the test's own, whatever the developer's environment holds."""
    for name in [name for name in os.environ if name.startswith("RINGDOWN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Settings(data_dir=tmp_path / "data")


def _run(coroutine: Coroutine[object, object, None]) -> None:
    # In a thread of its own: a session's fixture may be asked for while a test's event loop runs.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, coroutine).result(60)
