"""The databases of the list benchmark hold what a database has that was filled by calls."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks import list_calls_databases as databases
from benchmarks import list_calls_texts as texts
from benchmarks.list_calls_databases import Filled
from ringdown.calls import tables, words
from ringdown.calls.store import listing
from ringdown.calls.store.listing import CallQuery
from ringdown.db import engine
from ringdown.db.engine import Database

_TOTAL = 6_000
calls = tables.calls


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return asyncio.run(_open(tmp_path_factory.mktemp("lists")))


async def _open(folder: Path) -> Filled:
    fingerprint = await databases.describe_schema(folder)
    return await databases.open_filled(_TOTAL, folder=folder, server=None, fingerprint=fingerprint)


@pytest.fixture
async def database(filled: Filled) -> AsyncIterator[Database]:
    opened = engine.open_database(filled.settings.sqlalchemy_url)
    yield opened
    await opened.close()


async def _count(database: Database, *conditions: sa.ColumnElement[bool]) -> int:
    async with database.read() as connection:
        query = sa.select(sa.func.count()).select_from(calls).where(*conditions)
        return int((await connection.execute(query)).scalar_one())


async def _list_total(database: Database, query: CallQuery) -> int:
    async with database.read() as connection:
        return (await listing.find_page(connection, query, limit=10)).total


async def test_totals_of_lists_are_those_of_the_rows(filled: Filled, database: Database) -> None:
    owner = filled.organizations[0]
    async with database.read() as connection:
        sealed = (await connection.execute(sa.select(tables.seals.c.sealed_blocks))).scalars().all()
    assert max(sealed) == 1  # so that counters are asked, too
    for agent_id in owner.agent_ids[:2]:
        query = CallQuery(organization_id=owner.id, agent_id=agent_id, status="completed", direction="outbound")
        found = await _count(
            database,
            calls.c.organization_id == owner.id,
            calls.c.agent_id == agent_id,
            calls.c.status == "completed",
            calls.c.direction == "outbound",
        )
        assert await _list_total(database, query) == found > 0


@pytest.mark.parametrize("word", [texts.RARE, texts.MIDDLING, texts.FREQUENT])
async def test_words_of_summaries_are_found(filled: Filled, database: Database, word: str) -> None:
    owner = filled.organizations[0]
    query = CallQuery(organization_id=owner.id, phrases=words.parse_query(word))
    found = await _count(database, calls.c.organization_id == owner.id, calls.c.summary.contains(word))
    assert await _list_total(database, query) == found > 0


async def test_metadata_is_found(filled: Filled, database: Database) -> None:
    owner = filled.organizations[0]
    query = CallQuery(organization_id=owner.id, metadata=(("source", "web"),))
    found = await _count(
        database, calls.c.organization_id == owner.id, sa.cast(calls.c.metadata, sa.Text).contains('"web"')
    )
    assert await _list_total(database, query) == found > 0


async def test_a_database_that_is_there_is_used_again(filled: Filled) -> None:
    assert await _open(filled.folder.parent) == filled
