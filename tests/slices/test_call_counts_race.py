"""Writers, deleters and sealers at once: totals stay exact, and nobody waits for ever."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.accounts import service as account_service
from ringdown.accounts import store as account_store
from ringdown.calls import counting, sealing, tables
from ringdown.calls.counting import Scheme
from ringdown.calls.models import Call
from ringdown.calls.store import calls as call_store
from ringdown.calls.store import counted, seals
from ringdown.calls.store.counted import CountedFilter
from ringdown.db import engine
from ringdown.db.engine import Database, open_database
from tests.slices.call_rows import AGENTS, CallRows

_PATIENCE_SECONDS = 60
_WRITERS, _CALLS_OF_EACH = 8, 9


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SCHEME", Scheme(block_size=4, fan_out=3))


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[list[Database]]:
    """The database as two programs have it open."""
    opened = [open_database(database_url) for _ in range(2)]
    yield opened
    for database in opened:
        await database.close()


@pytest.fixture
async def owners(databases: list[Database]) -> list[str]:
    """Two organizations."""
    return [(await account_service.create_organization(databases[0], name=name)).id for name in ("Ours", "Theirs")]


async def test_totals_stay_exact_while_calls_are_placed_ended_deleted_and_sealed(
    databases: list[Database], owners: list[str]
) -> None:
    is_over = asyncio.Event()
    async with asyncio.timeout(_PATIENCE_SECONDS), asyncio.TaskGroup() as others:
        for database in databases:
            others.create_task(_repeat(lambda database=database: sealing.seal_due(database), is_over))  # type: ignore[misc]
        others.create_task(_repeat(lambda: _compare_totals(databases[0], owners), is_over))
        async with asyncio.TaskGroup() as writers:
            for number in range(_WRITERS):
                writers.create_task(_write(databases[number % 2], owners, random.Random(number)))
        is_over.set()
    await _compare_totals(databases[0], owners)
    for owner in owners:
        await sealing.seal_due(databases[0])
        found = await sealing.verify(databases[0], owner)
        assert found.differences == 0
        assert found.sealed_blocks > 0


async def _repeat(work: Callable[[], object], is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        await work()  # type: ignore[misc]
        await asyncio.sleep(0)


async def _write(database: Database, owners: list[str], chance: random.Random) -> None:
    """Place calls; end some at once, some later and together, of both organizations; delete some."""
    rows = {owner: CallRows(database, owner, chance, {}) for owner in owners}
    for _ in range(_CALLS_OF_EACH):
        owner = chance.choice(owners)
        await rows[owner].add(chance.choice((1, 1, 3)), live=0.5)
        if chance.random() < 0.5:
            await _end_some(database, rows, chance)
        if chance.random() < 0.4:
            ended = [call for call in rows[owner].calls.values() if not call.is_live]
            await rows[owner].delete(chance.sample(ended, min(len(ended), 3)))


async def _end_some(database: Database, rows: dict[str, CallRows], chance: random.Random) -> None:
    """One transaction that changes calls of both organizations in any order, as a gateway that claims calls does."""
    live = [call for of_owner in rows.values() for call in of_owner.calls.values() if call.is_live]
    chance.shuffle(live)
    async with database.write() as connection:
        for call in live[:4]:
            locked = await call_store.get_call(connection, call.organization_id, call.id, lock=True)
            ended = await call_store.update_call(connection, locked, status="failed", ended_reason="busy")
            rows[call.organization_id].calls[call.seq] = ended


async def _compare_totals(database: Database, owners: list[str]) -> None:
    async with database.read() as connection:
        for owner in owners:
            for agent_id, status in ((None, None), (AGENTS[0], None), (None, "failed"), (AGENTS[1], "completed")):
                wanted = CountedFilter(organization_id=owner, agent_id=agent_id, status=status)
                calls = tables.calls.c
                condition = (calls.organization_id == owner) & (calls.agent_id == (agent_id or calls.agent_id))
                condition &= calls.status == (status or calls.status)
                query = sa.select(sa.func.count()).select_from(tables.calls).where(condition)
                brute = (await connection.execute(query)).scalar_one()
                assert await counted.count_calls(connection, wanted) == brute


@pytest.fixture
async def rows(postgresql_url: str) -> AsyncIterator[CallRows]:
    """An organization with one full block on PostgreSQL, where transactions that write run at once."""
    database = open_database(postgresql_url)
    organization = await account_service.create_organization(database, name="Ours")
    rows = CallRows(database, organization.id, random.Random(3), {})
    await rows.add(4)
    yield rows
    await database.close()


async def _delete_first(connection: AsyncConnection, rows: CallRows) -> None:
    call: Call = rows.calls[1]
    await call_store.delete_calls(connection, rows.organization_id, [call.id])


async def test_a_change_that_the_sealer_could_not_see_is_made_to_the_counters(rows: CallRows) -> None:
    async with rows.database.write() as connection:
        await _delete_first(connection, rows)
        assert await sealing.seal_everything(rows.database, rows.organization_id) == 1
    found = await sealing.verify(rows.database, rows.organization_id)
    assert (found.calls, found.differences) == (3, 0)


async def test_the_sealer_waits_for_a_change_that_took_the_block_for_open(rows: CallRows) -> None:
    async with rows.database.write() as connection:
        await _delete_first(connection, rows)
        for step in engine.get_last_steps(connection).values():
            await step()
        sealer = asyncio.create_task(sealing.seal_everything(rows.database, rows.organization_id))
        await _wait_until_blocked(rows.database)
        assert not sealer.done()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        assert await sealer == 1
    found = await sealing.verify(rows.database, rows.organization_id)
    assert (found.calls, found.differences) == (3, 0)


async def test_a_change_waits_for_the_sealer_and_then_knows_what_it_sealed(rows: CallRows) -> None:
    async with rows.database.write() as sealing_connection:
        assert await seals.seal_blocks(sealing_connection, rows.organization_id) == 1
        deletion = asyncio.create_task(rows.delete([rows.calls[1]]))
        await _wait_until_blocked(rows.database)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await deletion
    found = await sealing.verify(rows.database, rows.organization_id)
    assert (found.calls, found.differences) == (3, 0)


async def test_placing_a_call_waits_for_no_sealer(rows: CallRows) -> None:
    async with rows.database.write() as connection:
        assert await seals.seal_blocks(connection, rows.organization_id) == 1
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await rows.add(1)


async def _wait_until_blocked(database: Database) -> None:
    """Wait until some transaction waits for a lock that another one has."""
    waiting = sa.text("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            async with database.read_alone() as connection:
                if (await connection.execute(waiting)).scalar_one():
                    return
            await asyncio.sleep(0.01)


async def test_calls_are_numbered_and_dated_alike_when_many_are_placed_at_once(
    databases: list[Database], owners: list[str]
) -> None:
    async def place(database: Database) -> None:
        async with database.write() as connection:
            now_ms = values.now_ms() - random.randrange(1_000)
            seq, created_at = await account_store.take_call_seq(connection, owners[0], now_ms)
            rows = CallRows(database, owners[0], random.Random(seq), {})
            await call_store.insert_call(connection, rows.make(seq, created_at, is_live=False))

    async with asyncio.timeout(_PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(place(databases[number % 2]))
    calls = tables.calls.c
    query = sa.select(calls.seq, calls.created_at).where(calls.organization_id == owners[0]).order_by(calls.seq)
    async with databases[0].read() as connection:
        found = [tuple(row) for row in await connection.execute(query)]
    assert [seq for seq, _ in found] == list(range(1, 21))
    assert [created_at for _, created_at in found] == sorted(created_at for _, created_at in found)
