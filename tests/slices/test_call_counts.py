"""Totals and pages from counters are what brute force says, whatever was sealed, changed, deleted or cut off."""

import random
from dataclasses import replace

import pytest
import sqlalchemy as sa

from ringdown.accounts import service as account_service
from ringdown.calls import counting, sealing, tables
from ringdown.calls.counting import Scheme
from ringdown.calls.store import calls as call_store
from ringdown.calls.store import counted, seals
from ringdown.calls.store.counted import CountedFilter
from ringdown.db import engine
from ringdown.db.direct import DirectConnection, Parameters, Rows
from ringdown.db.engine import Database
from tests.slices.call_rows import CallRows


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SCHEME", Scheme(block_size=4, fan_out=3))


@pytest.fixture
async def rows(database: Database) -> CallRows:
    """An organization without calls."""
    organization = await account_service.create_organization(database, name="Ours")
    return CallRows(database, organization.id, random.Random(5), {})


async def _check(rows: CallRows, *, filters: int, is_direct: bool = True) -> None:
    """Ask for totals and pages of chance, by offset and by cursor."""
    database, choose = rows.database, rows.chance.choice
    async with database.read_direct() if is_direct else database.read() as connection:
        for _ in range(filters):
            wanted, limit, newest_first = rows.choose_filter(), choose((1, 2, 7, 100)), choose((True, False))
            matching = rows.list_matching(wanted, newest_first=newest_first)
            offset = rows.chance.randrange(len(matching) + 2)
            asked = (wanted, limit, offset, newest_first)
            found = await counted.find_seqs(connection, wanted, limit=limit, offset=offset, newest_first=newest_first)
            assert found == (matching[offset : offset + limit], len(matching)), asked
            shown = await counted.find_rows(
                connection, wanted, columns=("seq", "id"), limit=limit, offset=offset, newest_first=newest_first
            )
            assert [tuple(row) for row in shown[0]] == [(seq, rows.calls[seq].id) for seq in found[0]], asked
            after = rows.chance.randint(0, max(rows.calls, default=0) + 1)
            rest = [seq for seq in matching if (seq < after if newest_first else seq > after)]
            cut = await counted.find_seqs_after(
                connection, wanted, limit=limit, after_seq=after, newest_first=newest_first
            )
            assert cut == (rest[:limit], len(matching), len(matching) - len(rest)), (asked, after)
            assert await counted.count_calls(connection, wanted) == len(matching)


async def test_any_filter_and_page_is_what_brute_force_finds(rows: CallRows) -> None:
    await _check(rows, filters=5)
    added = await rows.add(170, live=0.2)
    await _check(rows, filters=40)
    assert await sealing.seal_everything(rows.database, rows.organization_id) == 42
    await _check(rows, filters=80)
    await rows.end([call for call in added if call.is_live][::2])
    await rows.delete([call for call in rows.calls.values() if not call.is_live][::3])
    await rows.add(9)
    await _check(rows, filters=80)
    await _check(rows, filters=20, is_direct=False)


async def test_another_organization_s_calls_are_not_counted(database: Database, rows: CallRows) -> None:
    stranger = await account_service.create_organization(database, name="Theirs")
    theirs = CallRows(database, stranger.id, random.Random(6), {})
    for one in (rows, theirs):
        await one.add(30)
        await sealing.seal_everything(database, one.organization_id)
    await theirs.delete(list(theirs.calls.values())[:11])
    await _check(rows, filters=20)
    await _check(theirs, filters=20)


async def test_lists_stay_exact_when_blocks_are_sealed_or_counters_deleted_between_two_pages(rows: CallRows) -> None:
    await rows.add(170)
    for _ in range(4):
        assert await sealing.seal_everything(rows.database, rows.organization_id) > 0
        await _check(rows, filters=4)
        await rows.add(33)
        await _check(rows, filters=4)
    async with rows.database.write() as connection:
        await seals.delete_counters(connection, rows.organization_id)
    await _check(rows, filters=4)


@pytest.mark.parametrize("is_direct", [True, False])
async def test_a_wrong_guess_of_what_was_counted_changes_no_total_and_no_page(
    rows: CallRows, monkeypatch: pytest.MonkeyPatch, *, is_direct: bool
) -> None:
    chance = rows.chance

    class Numbers(dict[object, int]):
        def __contains__(self, _place: object) -> bool:
            return chance.random() < 0.95

        def __getitem__(self, _place: object) -> int:
            return chance.choice((0, 0, 1, 3, 10, 100))

    class Guesses(dict[object, object]):
        def get(self, _filter: object, _default: object = None) -> object:
            blocks = chance.choice((0, 1, 2, 8, 9, 10, 26, 27, 28, 41, 42, 43, 80, 81, 200))
            return counted._Seen(blocks, Numbers())  # type: ignore[arg-type]

    monkeypatch.setattr(counted, "_seen", Guesses())
    await rows.add(170)
    await _check(rows, filters=20, is_direct=is_direct)
    await sealing.seal_everything(rows.database, rows.organization_id)
    await rows.add(9)
    await _check(rows, filters=100, is_direct=is_direct)


async def test_of_few_filters_it_is_kept_what_was_counted(
    database: Database, rows: CallRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counted, "_seen", {})
    monkeypatch.setattr(counted, "_MAX_SEEN", 2)
    monkeypatch.setattr(counted, "_MAX_SEEN_PLACES", 12)
    for number in range(5):
        async with database.read_direct() as connection:
            wanted = CountedFilter(organization_id=f"org_{number}")
            assert await counted.find_seqs(connection, wanted, limit=1) == ([], 0)
        assert len(counted._seen) <= 2
    await rows.add(170)
    await sealing.seal_everything(database, rows.organization_id)
    await _check(rows, filters=20)
    assert all(0 < len(seen.known) <= 60 for seen in counted._seen.values())


@pytest.mark.parametrize(
    ("is_cut", "is_of_time", "most"),
    [(False, False, 4), (True, False, 2), (False, True, 5), (True, True, 3)],
)
async def test_a_page_is_found_in_few_trips(rows: CallRows, *, is_cut: bool, is_of_time: bool, most: int) -> None:
    await rows.add(170)
    await sealing.seal_everything(rows.database, rows.organization_id)
    created_after = rows.calls[20].created_at if is_of_time else None
    wanted = CountedFilter(organization_id=rows.organization_id, created_after=created_after)
    async with rows.database.read_direct() as connection:
        await counted.count_calls(connection, wanted)
        for at_most in (most, 3 if is_of_time else 2):  # once it is known how many calls are where
            trips = _count_trips(connection)
            if is_cut:
                await counted.find_seqs_after(connection, wanted, limit=3, after_seq=77)
            else:
                await counted.find_seqs(connection, wanted, limit=3, offset=77)
            assert 1 < len(trips) <= at_most


def _count_trips(connection: DirectConnection) -> list[object]:
    """The statements that are run from now on."""
    trips: list[object] = []
    execute = connection.execute

    async def note(statement: sa.Executable, parameters: Parameters | None = None) -> Rows:
        trips.append(statement)
        return await execute(statement, parameters)

    connection.execute = note  # type: ignore[method-assign]
    return trips


async def test_a_block_is_sealed_when_its_calls_have_ended(rows: CallRows) -> None:
    added = await rows.add(4, live=1)
    assert await sealing.seal_due(rows.database) == 0
    await rows.end(added[1:])
    assert await sealing.seal_due(rows.database) == 0
    await rows.end(added[:1])
    assert await sealing.seal_due(rows.database) == 1
    assert await sealing.seal_due(rows.database) == 0
    await _check(rows, filters=10)


async def test_a_block_that_is_not_full_is_not_sealed(rows: CallRows) -> None:
    await rows.add(3)
    assert await sealing.seal_everything(rows.database, rows.organization_id) == 0
    await rows.add(1)
    assert await sealing.seal_everything(rows.database, rows.organization_id) == 1


async def test_a_call_that_does_not_end_holds_up_no_more_than_two_blocks(rows: CallRows) -> None:
    await rows.add(4, live=1)
    await rows.add(4 * seals.MAX_WAITING_BLOCKS)
    assert await sealing.seal_due(rows.database) == 1 + seals.MAX_WAITING_BLOCKS
    await rows.add(4, live=1)
    await rows.add(4 * (seals.MAX_WAITING_BLOCKS - 1))
    assert await sealing.seal_due(rows.database) == 0
    await _check(rows, filters=20)


async def test_what_one_transaction_seals_is_bounded_and_the_rest_follows(
    rows: CallRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "_MAX_BLOCKS", 5)
    await rows.add(4 * 13 + 1)
    async with rows.database.write() as connection:
        assert await seals.seal_blocks(connection, rows.organization_id) == 5
    await _check(rows, filters=20)
    assert await sealing.seal_due(rows.database) == 8
    await _check(rows, filters=20)


async def test_a_change_that_is_rolled_back_changes_no_counter(rows: CallRows) -> None:
    added = await rows.add(20)
    await sealing.seal_everything(rows.database, rows.organization_id)
    with pytest.raises(RuntimeError):
        async with rows.database.write() as connection:
            await call_store.delete_calls(connection, rows.organization_id, [call.id for call in added[:5]])
            for step in engine.get_last_steps(connection).values():
                await step()
            raise RuntimeError("killed before the commit")
    await _check(rows, filters=20)
    assert (await sealing.verify(rows.database, rows.organization_id)).differences == 0


async def test_sealing_that_is_cut_off_is_as_if_it_had_not_begun(
    rows: CallRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rows.add(30)

    async def fail(*_arguments: object) -> None:
        raise RuntimeError("killed between the counters and the seal")

    with monkeypatch.context() as patch:
        patch.setattr(seals, "set_sealed_blocks", fail)
        with pytest.raises(RuntimeError):
            await sealing.seal_everything(rows.database, rows.organization_id)
    await _check(rows, filters=20)
    assert await sealing.seal_everything(rows.database, rows.organization_id) == 7
    await _check(rows, filters=20)
    assert (await sealing.verify(rows.database, rows.organization_id)).differences == 0


async def test_rebuilding_that_is_cut_off_leaves_lists_exact_and_can_be_repeated(
    rows: CallRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "_MAX_BLOCKS", 2)
    await rows.add(30)
    await sealing.seal_everything(rows.database, rows.organization_id)
    async with rows.database.write() as connection:
        await seals.delete_counters(connection, rows.organization_id)
    async with rows.database.write() as connection:
        assert await seals.seal_blocks(connection, rows.organization_id) == 2
    await _check(rows, filters=20)
    assert await sealing.rebuild(rows.database, rows.organization_id) == 7
    await _check(rows, filters=20)


# The counters are checked by our own code: one level is enough to see that the other database does as well.
_EACH_LEVEL = [("sqlite", level) for level in range(counting.ROOT_LEVEL + 1)]


@pytest.mark.parametrize(("database_url", "level"), [*_EACH_LEVEL, ("postgresql", 1)], indirect=["database_url"])
async def test_verifying_finds_a_wrong_counter_of_any_level_and_rebuilding_repairs_it(
    rows: CallRows, level: int
) -> None:
    await rows.add(170)
    await sealing.seal_everything(rows.database, rows.organization_id)
    found = await sealing.verify(rows.database, rows.organization_id)
    assert (found.sealed_blocks, found.calls, found.differences) == (42, 168, 0)
    is_wrong = (tables.counts.c.node == counting.find_node(20, level)) & (tables.counts.c.key == "||||")
    async with rows.database.write() as connection:
        changed = await connection.execute(sa.update(tables.counts).where(is_wrong).values(calls=1_000))
    assert changed.rowcount == 1
    assert (await sealing.verify(rows.database, rows.organization_id)).differences == 1
    assert await sealing.rebuild(rows.database, rows.organization_id) == 42
    assert (await sealing.verify(rows.database, rows.organization_id)).differences == 0
    await _check(rows, filters=10)


async def test_verifying_finds_counters_of_nothing_and_counters_that_are_not_there(rows: CallRows) -> None:
    await rows.add(12)
    await sealing.seal_everything(rows.database, rows.organization_id)
    owner = tables.counts.c.organization_id == rows.organization_id
    async with rows.database.write() as connection:
        stray = {"organization_id": rows.organization_id, "node": 99, "key": "||||", "calls": 4}
        await connection.execute(tables.counts.insert(), stray)
        await connection.execute(sa.delete(tables.counts).where(owner, tables.counts.c.node == 1))
    found = await sealing.verify(rows.database, rows.organization_id)
    assert found.differences > 1
    await sealing.rebuild(rows.database, rows.organization_id)
    assert (await sealing.verify(rows.database, rows.organization_id)).differences == 0


async def test_a_call_of_a_batch_that_was_not_dialled_is_refused(rows: CallRows) -> None:
    call = replace(rows.make(1, 0, is_live=False), batch_call_id="batch_1", direction="inbound")
    with pytest.raises(sa.exc.IntegrityError):
        async with rows.database.write() as connection:
            await call_store.insert_call(connection, call)
