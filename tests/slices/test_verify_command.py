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
