"""Transactions of `db.engine` on both databases."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from ringdown.db import engine
from ringdown.db.engine import Database

_WRITER = """
import asyncio, sys
import sqlalchemy as sa
from ringdown.db import engine

async def main(url):
    database = engine.open_database(url)
    for _ in range(25):
        async with database.write() as connection:
            # Read, then write: the pattern that fails with a deferred BEGIN.
            value = (await connection.execute(sa.text("SELECT value FROM counter"))).scalar_one()
            await connection.execute(sa.text("UPDATE counter SET value = value + 1"))
            assert value >= 0
    await database.close()

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
async def counter(database: Database) -> Database:
    async with database.write() as connection:
        await connection.execute(sa.text("CREATE TABLE counter (value INTEGER NOT NULL)"))
        await connection.execute(sa.text("INSERT INTO counter VALUES (0)"))
    return database


async def _value(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(sa.text("SELECT value FROM counter"))).scalar_one())


async def _add(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(sa.text("UPDATE counter SET value = value + 1"))


async def test_a_write_that_raises_leaves_nothing(counter: Database) -> None:
    with pytest.raises(ValueError, match="stop"):
        async with counter.write() as connection:
            await connection.execute(sa.text("UPDATE counter SET value = 5"))
            raise ValueError("stop")
    assert await _value(counter) == 0


async def test_a_read_sees_one_snapshot_while_others_write(counter: Database) -> None:
    async with counter.read() as connection:
        before = (await connection.execute(sa.text("SELECT value FROM counter"))).scalar_one()
        await _add(counter)
        after = (await connection.execute(sa.text("SELECT value FROM counter"))).scalar_one()
    assert (before, after) == (0, 0)
    assert await _value(counter) == 1


async def test_a_statement_alone_commits_by_itself_and_leaves_transactions_as_they_are(counter: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with counter.write_alone() as connection:
            await connection.execute(sa.text("UPDATE counter SET value = 7"))
            raise ZeroDivisionError
    async with counter.read_alone() as connection:
        assert (await connection.execute(sa.text("SELECT value FROM counter"))).scalar_one() == 7
    with pytest.raises(ZeroDivisionError):
        async with counter.write() as connection:
            await connection.execute(sa.text("UPDATE counter SET value = 8"))
            raise ZeroDivisionError
    async with counter.read() as connection:
        assert (await connection.execute(sa.text("SELECT value FROM counter"))).scalar_one() == 7


async def test_a_write_in_a_read_transaction_is_refused(counter: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        async with counter.read() as connection:
            await connection.execute(sa.text("UPDATE counter SET value = 5"))
    await _add(counter)
    assert await _value(counter) == 1


async def test_an_error_does_not_repeat_the_values_of_its_statement(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError) as raised:
        async with database.write() as connection:
            await connection.execute(sa.text("INSERT INTO absent VALUES (:number)"), {"number": "+12125551234"})
    assert "absent" in str(raised.value)
    assert "+12125551234" not in str(raised.value)


async def test_fifty_concurrent_writers_of_one_process_lose_no_update(counter: Database) -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(_add(counter))
    assert await _value(counter) == 50


async def test_writers_of_several_processes_lose_no_update(
    counter: Database, database_url: str, tmp_path: Path
) -> None:
    script = tmp_path / "writer.py"
    script.write_text(_WRITER)
    writers = [subprocess.Popen([sys.executable, str(script), database_url]) for _ in range(3)]
    codes = await asyncio.gather(*(asyncio.to_thread(writer.wait, 60) for writer in writers))
    assert codes == [0, 0, 0]
    assert await _value(counter) == 75


async def test_a_cancelled_write_is_rolled_back_and_frees_the_lock(counter: Database) -> None:
    holding = asyncio.Event()

    async def hold() -> None:
        async with counter.write() as connection:
            await connection.execute(sa.text("UPDATE counter SET value = 9"))
            holding.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    await holding.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(30):
        await _add(counter)
    assert await _value(counter) == 1


async def test_a_write_cancelled_in_the_middle_of_a_statement_frees_the_lock(counter: Database) -> None:
    for delay in range(20):
        task = asyncio.create_task(_add(counter))
        await asyncio.sleep(delay * 0.0003)
        task.cancel()
        await asyncio.wait([task])
    before = await _value(counter)
    async with asyncio.timeout(30):
        await _add(counter)
    assert await _value(counter) == before + 1


async def test_writers_that_are_cancelled_at_any_moment_never_keep_the_lock(counter: Database) -> None:
    chance = random.Random(7)
    for _ in range(150):
        writers = [asyncio.create_task(_add(counter)) for _ in range(chance.randint(1, 4))]
        for _ in range(chance.randint(0, 60)):
            await asyncio.sleep(0)
        for writer in writers:
            if chance.random() < 0.7:
                writer.cancel()
        _, stuck = await asyncio.wait(writers, timeout=30)
        assert not stuck
    before = await _value(counter)
    async with asyncio.timeout(30):
        await _add(counter)
    assert await _value(counter) == before + 1


async def test_several_processes_may_open_a_new_sqlite_file_at_once(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"
    script = tmp_path / "opener.py"
    script.write_text(
        "import asyncio, sys, sqlalchemy as sa\nfrom ringdown.db import engine\n"
        "async def main():\n    database = engine.open_database(sys.argv[1])\n"
        "    async with database.write() as c:\n"
        "        await c.execute(sa.text('CREATE TABLE IF NOT EXISTS t (a INTEGER)'))\n"
        "    await database.close()\nasyncio.run(main())\n"
    )
    openers = [subprocess.Popen([sys.executable, str(script), url]) for _ in range(4)]
    codes = await asyncio.gather(*(asyncio.to_thread(opener.wait, 60) for opener in openers))
    assert codes == [0, 0, 0, 0]
    assert engine.open_database(url).dialect == "sqlite"
