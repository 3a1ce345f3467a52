"""Wake-ups between two programs on one database."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from ringdown.db import engine, wakeup
from ringdown.db.engine import Database
from ringdown.db.wakeup import Wakeup


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    opened = engine.open_database(database_url)
    yield opened
    await opened.close()


async def _change(database: Database, channel: str = "calls") -> None:
    async with database.write() as connection:
        await connection.execute(sa.text("CREATE TABLE IF NOT EXISTS changed (at INTEGER)"))
        await connection.execute(sa.text("INSERT INTO changed VALUES (1)"))
        await wakeup.notify(connection, channel)


async def test_a_change_of_another_program_ends_the_wait(database: Database, other: Database) -> None:
    async with Wakeup(database, "calls") as waiting:
        started = time.monotonic()
        waiter = asyncio.create_task(waiting.wait(30))
        await asyncio.sleep(0.1)
        await _change(other)
        assert await waiter is True
        assert time.monotonic() - started < 10


async def test_a_change_between_two_waits_is_not_lost(database: Database) -> None:
    async with Wakeup(database, "calls") as waiting:
        await _change(database)
        assert await waiting.wait(10) is True


async def test_without_a_change_the_wait_ends_at_its_timeout(database: Database, other: Database) -> None:
    async with Wakeup(database, "calls") as waiting:
        await _change(other)
        await waiting.wait(10)
        assert await waiting.wait(0.2) is False


async def test_a_transaction_that_is_rolled_back_wakes_nobody(database: Database, other: Database) -> None:
    await _change(other)
    async with Wakeup(database, "calls") as waiting:
        with pytest.raises(ValueError, match="undo"):
            async with other.write() as connection:
                await connection.execute(sa.text("INSERT INTO changed VALUES (2)"))
                await wakeup.notify(connection, "calls")
                raise ValueError("undo")
        assert await waiting.wait(0.2) is False


async def test_on_postgresql_another_channel_wakes_nobody(postgresql_url: str) -> None:
    database = engine.open_database(postgresql_url)
    async with Wakeup(database, "calls") as waiting:
        await _change(database, "commands")
        assert await waiting.wait(0.2) is False
        await _change(database, "calls")
        assert await waiting.wait(10) is True
    await database.close()


async def test_a_lost_connection_is_opened_again(postgresql_url: str) -> None:
    database = engine.open_database(postgresql_url)
    async with Wakeup(database, "calls") as waiting:
        async with database.write() as connection:
            await connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        await waiting.wait(0.3)
        await waiting.wait(0.01)
        await _change(database)
        assert await waiting.wait(10) is True
    await database.close()


async def test_a_wakeup_leaves_no_connection_behind(postgresql_url: str) -> None:
    database = engine.open_database(postgresql_url)
    for _ in range(25):
        async with Wakeup(database, "calls"):
            pass
    async with database.read() as connection:
        count = await connection.execute(
            sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        )
        assert count.scalar_one() <= 3
    await database.close()
