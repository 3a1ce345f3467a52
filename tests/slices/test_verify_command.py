"""`ringdown verify` tells by its exit status whether counters are right, and repairs those that are not."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from ringdown import log
from ringdown.accounts import service as account_service
from ringdown.billing import balance_store
from ringdown.billing import service as billing
from ringdown.calls import counting, sealing, tables
from ringdown.calls.counting import Scheme
from ringdown.cli.app import app
from ringdown.config import Settings
from ringdown.db.engine import open_database
from ringdown.worker import program
from tests.slices.call_rows import CallRows


@pytest.fixture
async def rows(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CallRows]:
    """An organization with three sealed blocks in the data folder of the command."""
    monkeypatch.setattr(counting, "SCHEME", Scheme(block_size=4, fan_out=3))
    monkeypatch.setenv("RINGDOWN_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(log, "configure", lambda settings: None)  # the runner closes its standard error
    database = open_database(sqlite_url)
    organization = await account_service.create_organization(database, name="Ours")
    rows = CallRows(database, organization.id, random.Random(1), {})
    await rows.add(14)
    assert await sealing.seal_due(database) == 3
    yield rows
    await database.close()


async def _run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["verify", *arguments])


async def test_right_counters_are_status_0_and_wrong_ones_1_until_they_are_repaired(rows: CallRows) -> None:
    right = await _run()
    assert right.exit_code == 0
    assert f"{rows.organization_id}: 3 sealed blocks, 12 calls," in right.stdout
    assert right.stdout.endswith("1 organizations, 0 differences\n")
    async with rows.database.write() as connection:
        is_one = (tables.counts.c.node == 1) & (tables.counts.c.key == "||||")
        await connection.execute(sa.update(tables.counts).where(is_one).values(calls=3))
    wrong = await _run()
    assert wrong.exit_code == 1
    assert wrong.stdout.endswith("1 organizations, 1 differences\n")
    repaired = await _run("--repair")
    assert repaired.exit_code == 0
    assert f"{rows.organization_id} repaired: 3 sealed blocks, 12 calls," in repaired.stdout
    assert (await _run()).exit_code == 0


async def test_the_worker_seals(rows: CallRows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    await rows.add(6)
    sealed, asked = asyncio.Event(), asyncio.Event()
    seal_due = sealing.seal_due

    async def seal(*arguments: object) -> int:
        blocks = await seal_due(*arguments)  # type: ignore[arg-type]
        sealed.set()
        return blocks

    monkeypatch.setattr(sealing, "seal_due", seal)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(program.serve(Settings(data_dir=tmp_path), asked=asked, ready=lambda: None))
        await sealed.wait()
        asked.set()
    assert (await sealing.verify(rows.database, rows.organization_id)).sealed_blocks == 5


async def _settle_calls(rows: CallRows) -> list[str]:
    """Three ended calls of the organization, whose money is right."""
    calls = tables.calls.c
    async with rows.database.write() as connection:
        await connection.execute(sa.update(tables.calls).values(cost_credits=0))
        query = sa.select(calls.id).where(calls.status == "completed").order_by(calls.seq).limit(3)
        call_ids = list((await connection.execute(query)).scalars())
        changed = sa.update(tables.calls).where(calls.id.in_(call_ids)).values(cost_credits=4)
        await connection.execute(changed)
        for call_id in call_ids:
            owner = {"organization_id": rows.organization_id, "call_id": call_id}
            await billing.hold_for_call(connection, settings=Settings(), **owner)
            await billing.settle_call(connection, cost_credits=4, **owner)
    return call_ids


async def test_a_wrong_balance_is_found_and_made_anew_from_the_ledger(rows: CallRows) -> None:
    await _settle_calls(rows)
    right = await _run()
    assert f"{rows.organization_id}: 9 ledger entries, balance -12, 0 differences, 0 calls not settled" in right.stdout
    assert right.exit_code == 0
    async with rows.database.write() as connection:
        await connection.execute(sa.update(balance_store.balances).values(balance=7, hold_entries=1))
        await connection.execute(sa.update(balance_store.spending).values(credits=1))
    wrong = await _run()
    assert (wrong.exit_code, wrong.stdout.splitlines()[-1]) == (1, "1 organizations, 3 differences")
    assert (await _run("--repair")).exit_code == 0
    assert (await _run()).stdout == right.stdout


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM ledger_entries WHERE kind = 'release' AND call_id = :call",
        "DELETE FROM ledger_entries WHERE kind = 'charge' AND call_id = :call",
        "DELETE FROM ledger_entries WHERE call_id = :call",
        "UPDATE ledger_entries SET amount = -5 WHERE kind = 'charge' AND call_id = :call",
        "UPDATE calls SET cost_credits = 0 WHERE id = :call",
        "UPDATE calls SET status = 'in_progress' WHERE id = :call",
    ],
)
async def test_a_call_that_was_not_charged_what_it_cost_is_found(rows: CallRows, spoil: str) -> None:
    call_ids = await _settle_calls(rows)
    async with rows.database.write() as connection:
        await connection.execute(sa.text(spoil), {"call": call_ids[1]})
    wrong = await _run()
    assert wrong.exit_code == 1
    assert wrong.stdout.splitlines()[-2].endswith(" 1 calls not settled")
