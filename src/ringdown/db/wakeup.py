"""Wake-ups across processes: they only shorten a wait; whoever waits looks into the database anyway.

PostgreSQL tells (`LISTEN`/`NOTIFY`); SQLite is asked whether the file has changed (`PRAGMA data_version`), so that
there every change wakes every channel.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine
from ringdown.db.engine import Database

_log = structlog.get_logger(__name__)

# One look costs about 0.1 ms of CPU.
_SQLITE_POLL_SECONDS = 0.05
_CONNECT_SECONDS = 5


async def notify(connection: AsyncConnection, channel: str) -> None:
    """Wake those who wait on `channel` once this transaction commits."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("SELECT pg_notify(:channel, '')"), {"channel": channel})


class Wakeup:
    """Waits for `notify` on one channel; an async context manager that holds one connection of its own.

    A lost connection makes waits last as long as their timeout until it is there again.
    """

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        self._data_version: int | None = None
        self._told = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._disconnect()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a wake-up since the last wait, at most `timeout_s` seconds; whether there was one."""
        if self._driver is None:
            await self._disconnect()
            await self._connect()
        try:
            async with asyncio.timeout(timeout_s):
                if self._driver is not None and self._database.dialect == "sqlite":
                    await self._poll()
                else:
                    await self._told.wait()
        except TimeoutError:
            return False
        self._told.clear()
        return True

    async def _poll(self) -> None:
        while not await self._has_changed():  # noqa: ASYNC110 - another process changes the file
            await asyncio.sleep(_SQLITE_POLL_SECONDS)

    async def _has_changed(self) -> bool:
        # On the driver's own connection: a transaction would see its snapshot for ever.
        [(version,)] = await self._driver.execute_fetchall("PRAGMA data_version")
        before, self._data_version = self._data_version, int(version)
        return before != self._data_version

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                self._connection = await self._database.reader.connect()
                pooled = await self._connection.get_raw_connection()
                driver: Any = pooled.driver_connection
                if self._database.dialect == "sqlite":
                    self._driver = driver
                    await self._has_changed()
                else:
                    driver.add_termination_listener(self._on_lost)
                    await driver.add_listener(self._channel, self._on_told)
                    self._driver = driver
        except engine.UNAVAILABLE as error:
            _log.warning("wakeup_unavailable", channel=self._channel, error=str(error))
            await self._disconnect()

    async def _disconnect(self) -> None:
        connection, driver = self._connection, self._driver
        self._connection = self._driver = None
        if connection is not None:
            if self._database.dialect == "postgresql":
                # A connection that listens must not go back to the pool.
                if driver is not None:
                    driver.remove_termination_listener(self._on_lost)
                await connection.invalidate()
            await connection.close()

    def _on_told(self, *_notification: object) -> None:
        self._told.set()

    def _on_lost(self, _driver: object) -> None:
        self._driver = None
