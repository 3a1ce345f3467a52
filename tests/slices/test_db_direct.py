"""Reads through the driver alone, on both databases."""

import asyncio
import sqlite3

import asyncpg
import pytest
import sqlalchemy as sa

from ringdown.db.engine import Database

things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("details", sa.JSON(none_as_null=True)),
)
_OF_IDS = (
    sa.select(things.c.id, things.c.name, things.c.details)
    .where(things.c.id.in_(sa.bindparam("ids", expanding=True)), things.c.name != "hidden")
    .order_by(things.c.id)
    .limit(sa.bindparam("limit"))
)
_COUNT = sa.select(sa.func.count()).select_from(things)
_ONE = sa.select(things.c.name).where(things.c.id == sa.bindparam("id"))
_DELETE = things.delete()
_SETTINGS = ("plan_cache_mode", "jit", "application_name")


@pytest.fixture
async def filled(database: Database) -> Database:
    async with database.write() as connection:
        await connection.run_sync(things.metadata.create_all)
        names = ["ape", "bee", "cat", "hidden", "dog"]
        rows = [{"id": number, "name": name, "details": {"é": number}} for number, name in enumerate(names, 1)]
        await connection.execute(things.insert(), rows)
    return database


@pytest.mark.parametrize(("ids", "limit", "expected"), [
    ([1, 2, 3], 10, [1, 2, 3]),
    ([3, 1], 10, [1, 3]),
    ([2], 10, [2]),
    ([], 10, []),
    ([1, 2, 3, 4, 5], 2, [1, 2]),
    ([4, 5, 99], 10, [5]),
])  # fmt: skip
async def test_a_kept_statement_takes_lists_of_any_length(
    filled: Database, ids: list[int], limit: int, expected: list[int]
) -> None:
    for _ in range(2):  # compiled, then known
        async with filled.read_direct() as connection:
            found = await connection.execute(_OF_IDS, {"ids": ids, "limit": limit})
        assert found.scalars() == expected


async def test_rows_are_what_the_driver_returns_and_json_is_text(filled: Database) -> None:
    found = await filled.direct.execute(_OF_IDS, {"ids": [2], "limit": 1})
    [(thing_id, name, details)] = found
    assert (thing_id, name) == (2, "bee")
    assert isinstance(details, str)
    assert '"\\u00e9": 2' in details


async def test_one_row_at_most(filled: Database) -> None:
    assert (await filled.direct.execute(_ONE, {"id": 9})).one_or_none() is None
    assert (await filled.direct.execute(_ONE, {"id": 1})).scalar_one() == "ape"
    with pytest.raises(ValueError, match="unpack"):
        (await filled.direct.execute(_OF_IDS, {"ids": [1, 2], "limit": 2})).one()


async def test_a_block_sees_one_snapshot(filled: Database) -> None:
    async with filled.read_direct() as connection:
        before = (await connection.execute(_COUNT)).scalar_one()
        async with filled.write() as writing:
            await writing.execute(_DELETE)
        assert (await connection.execute(_COUNT)).scalar_one() == before
    assert (await filled.direct.execute(_COUNT)).scalar_one() == 0


async def test_nothing_can_be_written(filled: Database) -> None:
    with pytest.raises((sqlite3.OperationalError, asyncpg.PostgresError)):
        async with filled.read_direct() as connection:
            await connection.execute(_DELETE)
    assert (await filled.direct.execute(_COUNT)).scalar_one() == 5


async def test_many_read_at_once_and_after_an_error(filled: Database) -> None:
    async def read(thing_id: int) -> str:
        async with filled.read_direct() as connection:
            await asyncio.sleep(0)
            return str((await connection.execute(_ONE, {"id": thing_id})).scalar_one())

    with pytest.raises(ValueError, match="unpack"):
        await read(99)
    assert await asyncio.gather(*(read(1 + number % 3) for number in range(60))) == ["ape", "bee", "cat"] * 20


async def test_a_closed_database_opens_again(filled: Database) -> None:
    assert (await filled.direct.execute(_COUNT)).scalar_one() == 5
    await filled.direct.close()
    assert (await filled.direct.execute(_COUNT)).scalar_one() == 5


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_kept_statements_are_not_planned_anew_for_their_values(database: Database) -> None:
    async with database.read_direct() as connection:
        settings = [(await connection.execute(sa.text(f"SHOW {name}"))).scalar_one() for name in _SETTINGS]
    assert settings == ["force_generic_plan", "off", "ringdown"]
