"""Bitmaps of frequent words: searches count by them what brute force counts, whatever changes meanwhile."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from ringdown import values
from ringdown.calls import sealing, search_tables, word_bitmaps
from ringdown.calls.models import Call
from ringdown.calls.store import asked as asked_of_lists
from ringdown.calls.store import bitmaps, search
from ringdown.calls.store import calls as call_store
from ringdown.db.engine import Database, open_database
from tests.slices.conftest import BASE, Tenant

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_WIDTH = 1 << search_tables.RANGE_BITS
_AGENTS = ("agt_0000000000000000000000000a", "agt_0000000000000000000000000b")
_SAID = ("The blue door.", "A blue umbrella, please.", "The door is open.", "Nothing at all.")
_START = values.parse_wire_time("2026-04-05T09:00:00Z")
_PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few calls are looked for as if they were many."""
    monkeypatch.setattr(bitmaps, "FREQUENT", 3)
    monkeypatch.setattr(asked_of_lists, "NARROW", 1)


async def _add_call(tenant: Tenant, seq: int, text: str, **fields: Any) -> Call:
    call = await tenant.add_call(seq=seq, created_at=_START + seq, **fields)
    async with tenant.database.write() as connection:
        await search.index_text(connection, call, [text])
    return call


async def _add_many(tenant: Tenant) -> dict[str, tuple[Call, str]]:
    """Calls in the first three ranges and in the fourth, which is not full; what was said, by id."""
    chance = random.Random(3)
    said = {}
    for seq in (*sorted(chance.sample(range(1, 3 * _WIDTH), 60)), 3 * _WIDTH + 5, 3 * _WIDTH + 9):
        text = chance.choice(_SAID)
        call = await _add_call(
            tenant, seq, text, status=chance.choice(("completed", "failed")), agent_id=chance.choice(_AGENTS),
            direction=chance.choice(("inbound", "outbound")),
        )  # fmt: skip
        said[call.id] = (call, text)
    await sealing.seal_everything(tenant.database, tenant.organization_id)
    return said


async def _fetch(tenant: Tenant, **query: str) -> tuple[list[str], int]:
    response = await tenant.client.get(f"{BASE}/calls", params={"limit": "100", **query})
    assert response.status_code == 200, response.text
    body = response.json()
    return [call["id"] for call in body["data"]], body["pagination"]["total"]


async def _count_ranges(database: Database) -> int:
    """How many ranges have bitmaps."""
    ranges = search_tables.ranges
    async with database.read() as connection:
        query = sa.select(sa.func.count()).where(ranges.c.has_bitmaps)
        return int((await connection.execute(query)).scalar_one())


async def test_totals_and_pages_are_what_brute_force_finds(tenant: Tenant) -> None:
    said = await _add_many(tenant)
    full = 3 if tenant.database.dialect == "postgresql" else 0
    assert await word_bitmaps.make_all(tenant.database) == full
    assert await word_bitmaps.make_all(tenant.database) == 0  # nothing is made twice
    filters: list[dict[str, str]] = [{}, {"status": "completed"}, {"agent_id": _AGENTS[0], "direction": "inbound"}]
    cuts = [(0, 9 * _WIDTH), (0, 2 * _WIDTH), (1, 9 * _WIDTH), (_WIDTH // 2, 3 * _WIDTH), (_WIDTH, 2 * _WIDTH)]
    for query, asked, (begin, end) in itertools.product(("blue", "door blue", '"blue door"', "open"), filters, cuts):
        words = query.strip('"').split()
        expected = [
            call.id
            for call, text in said.values()
            if begin <= call.seq < end
            and all(getattr(call, name) == value for name, value in asked.items())
            and ("blue door" in text if query.startswith('"') else all(word in text for word in words))
        ]
        times = {
            "created_after": str(values.to_wire_time(_START + begin)),
            "created_before": str(values.to_wire_time(_START + end)),
        }
        assert await _fetch(tenant, q=query, **asked, **times) == (expected[::-1], len(expected))


@on_postgresql
async def test_full_ranges_are_counted_by_bitmaps_alone(tenant: Tenant) -> None:
    await _add_many(tenant)
    ids, total = await _fetch(tenant, q="blue")
    await word_bitmaps.make_all(tenant.database)
    async with tenant.database.write() as connection:
        table = search_tables.bitmaps
        await connection.execute(sa.update(table).where(table.c.word == "blue").values(calls=table.c.calls + 100))
    assert await _fetch(tenant, q="blue") == (ids, total + 300)


@on_postgresql
async def test_many_words_are_left_to_the_index(tenant: Tenant) -> None:
    seqs = range(1, _WIDTH, _WIDTH // 5)
    text = " ".join(f"word{number}" for number in range(40))
    calls = [await _add_call(tenant, seq, text) for seq in seqs]
    await _add_call(tenant, 2 * _WIDTH, "The end.")
    await sealing.seal_everything(tenant.database, tenant.organization_id)
    assert await word_bitmaps.make_all(tenant.database) == 2
    for count in (7, 8, 9, 25):
        query = " ".join(text.split()[:count])
        assert await _fetch(tenant, q=query) == ([call.id for call in reversed(calls)], len(calls))


@on_postgresql
async def test_a_change_of_a_text_leaves_its_range_to_the_index_until_it_was_quiet(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await _add_many(tenant)
    await word_bitmaps.make_all(tenant.database)
    ids, _ = await _fetch(tenant, q="blue")
    deleted, changed = said[ids[-1]][0], said[ids[len(ids) // 2]][0]
    assert deleted.seq < _WIDTH < changed.seq
    async with tenant.database.write() as connection:
        await call_store.delete_calls(connection, tenant.organization_id, [deleted.id])
    assert await _count_ranges(tenant.database) == 2
    async with tenant.database.write() as connection:
        await search.index_text(connection, changed, ["Grey."])
    assert await _count_ranges(tenant.database) == 1
    expected = [call_id for call_id in ids if call_id not in (deleted.id, changed.id)]
    assert await _fetch(tenant, q="blue") == (expected, len(expected))
    assert await word_bitmaps.make_due(tenant.database) == 0
    later = values.now_ms() + word_bitmaps.QUIET_MS
    monkeypatch.setattr(values, "now_ms", lambda: later)
    assert await word_bitmaps.make_due(tenant.database) == 2
    assert await _count_ranges(tenant.database) == 3
    assert await _fetch(tenant, q="blue") == (expected, len(expected))


@on_postgresql
async def test_what_is_rolled_back_forgets_nothing(tenant: Tenant) -> None:
    said = await _add_many(tenant)
    await word_bitmaps.make_all(tenant.database)
    before = await _fetch(tenant, q="blue")
    with pytest.raises(ZeroDivisionError):
        async with tenant.database.write() as connection:
            await call_store.delete_calls(connection, tenant.organization_id, list(said))
            raise ZeroDivisionError
    assert await _count_ranges(tenant.database) == 3
    assert await _fetch(tenant, q="blue") == before


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """The database as another program has it open."""
    opened = open_database(database_url)
    yield opened
    await opened.close()


@on_postgresql
async def test_counts_stay_exact_while_texts_change_and_bitmaps_are_made(tenant: Tenant, other: Database) -> None:
    known = [call for call, _ in (await _add_many(tenant)).values()]
    is_over = asyncio.Event()
    made = 0

    async def make(database: Database) -> None:
        nonlocal made
        while not is_over.is_set():
            made += await word_bitmaps.make_all(database)

    async def compare() -> None:
        while not is_over.is_set():
            await _compare(tenant)

    async def change(number: int) -> None:
        chance = random.Random(number)
        for _ in range(40):
            calls = chance.sample(known[number::2], 2)  # whoever changes a call has locked it
            async with tenant.database.write() as connection:
                for call in sorted(calls, key=lambda one: one.seq):
                    await search.index_text(connection, call, [chance.choice(_SAID)])
                    await asyncio.sleep(chance.random() / 200)
            await asyncio.sleep(chance.random() / 10)

    async with asyncio.timeout(_PATIENCE_SECONDS), asyncio.TaskGroup() as others:
        others.create_task(make(tenant.database))
        others.create_task(make(other))
        others.create_task(compare())
        await asyncio.gather(*(change(number) for number in range(2)))
        is_over.set()
    await word_bitmaps.make_all(tenant.database)
    assert await _count_ranges(tenant.database) == 3
    await _compare(tenant)
    assert made > 3


async def _compare(tenant: Tenant) -> None:
    """What the bitmaps count is what the texts of the same snapshot hold."""
    texts = search_tables.texts
    async with tenant.database.read() as connection:
        owner = await search.find_owner(connection, tenant.organization_id)
        assert owner is not None
        counted = await search.count_ranges(
            connection, owner=owner, phrases=[("blue",), ("door",)], facts={}, first=1, last=4 * _WIDTH
        )
        rows = (await connection.execute(sa.select(texts.c.number, texts.c.words))).all()
    for number, count in counted.items():
        held = [row for row in rows if bitmaps.find_range(row.number) == number]
        assert count == sum({"blue", "door"} <= set(row.words.split()) for row in held)


@on_postgresql
async def test_wrong_bitmaps_are_found_and_made_anew(tenant: Tenant) -> None:
    await _add_many(tenant)
    await word_bitmaps.make_all(tenant.database)
    found = await word_bitmaps.verify(tenant.database, tenant.organization_id)
    assert (found.bitmaps > 10, found.differences, found.wrong_ranges) == (True, 0, [])
    table = search_tables.bitmaps
    async with tenant.database.write() as connection:
        query = sa.select(table).where(table.c.word.in_(("blue", "door"))).order_by(table.c.range_number, table.c.word)
        blue, door, *_ = (await connection.execute(query)).all()
        of_blue = (table.c.word == "blue") & (table.c.range_number == blue.range_number)
        await connection.execute(sa.update(table).where(of_blue).values(bits=sa.text(f"B'{door.bits}'")))
    found = await word_bitmaps.verify(tenant.database, tenant.organization_id)
    assert (found.differences, found.wrong_ranges) == (1, [blue.range_number])
    await word_bitmaps.forget(tenant.database, found)
    assert await word_bitmaps.make_all(tenant.database) == 1
    assert (await word_bitmaps.verify(tenant.database, tenant.organization_id)).differences == 0
