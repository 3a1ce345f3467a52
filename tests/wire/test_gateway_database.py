"""A database that is locked or restarted in the middle of a call: the call goes on and is recorded."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests import postgresql
from tests.acceptance import recordings
from tests.acceptance.running import run_phone, steps
from tests.wire.gateway_product import run_product


async def test_a_locked_sqlite_holds_up_no_audio_and_loses_no_turn(tmp_path: Path) -> None:
    async with run_product(tmp_path) as product:
        with contextlib.closing(sqlite3.connect(product.database, timeout=10, isolation_level=None)) as other:
            async with run_phone(
                product.ports["PEER_PORT"], "--answer-after", "1.5", *steps("digits 1", "wait 30")
            ) as phone:
                call_id = await product.place()
                await phone.wait_for("ringing")
                await asyncio.sleep(0.5)
                other.execute("BEGIN IMMEDIATE")
                await phone.wait_for("answered")
                # The agent is heard at once, although nothing can be stored.
                heard = await phone.wait_for("heard", 30)
                other.execute("ROLLBACK")
                call = await product.end_of(call_id)
        assert heard["at_ms"] < 1500
        assert (call["status"], call["summary"]) == ("completed", "Deliver today: yes.")
        turns = await product.turns_of(call_id)
        assert [turn["speaker"] for turn in turns] == ["agent", "contact", "agent"]
        far, _ = await recordings.fetch(call["recording_url"])
        assert len(far) / recordings.RATE_HZ == pytest.approx(call["duration_seconds"], abs=1.1)


async def restart(folder: Path, name: str) -> None:
    """Crash the server, so that it recovers and refuses connections meanwhile; then refuse them for three seconds."""
    admin = await asyncpg.connect(host=str(folder), user="postgres", database="postgres")
    victim = await admin.fetchval("SELECT pid FROM pg_stat_activity WHERE datname = $1", name)
    os.kill(victim, signal.SIGKILL)  # the server then ends all connections and starts anew
    await admin.close(timeout=1)
    admin = await connect(folder)
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await asyncio.sleep(3)
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    finally:
        await admin.close()


async def connect(folder: Path) -> Any:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return await asyncpg.connect(host=str(folder), user="postgres", database="postgres")
            await asyncio.sleep(0.1)


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A server that this test may crash."""
    with postgresql.run_postgresql() as folder:
        yield folder


async def test_a_call_outlives_a_restart_of_postgresql(tmp_path: Path, server_folder: Path) -> None:
    name = "gateway"
    admin = await connect(server_folder)
    await admin.execute(f"CREATE DATABASE {name}")
    # As anywhere but in tests: what is committed survives the crash of the server.
    await admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
    await admin.close()
    url = f"postgresql://postgres@/{name}?host={server_folder}"
    async with run_product(tmp_path, is_clean=False, database_url=url) as product:
        gateway = product.gateway_pid
        script = steps("wait 6", "digits 1", "wait 30")
        async with run_phone(product.ports["PEER_PORT"], "--answer-after", "0", *script) as phone:
            call_id = await product.place()
            await phone.wait_for("answered")
            await product.reach(call_id, "in_progress")
            await restart(server_folder, name)
            assert "ended" not in phone.kinds()
            call = await product.end_of(call_id)
        assert (call["status"], call["summary"]) == ("completed", "Deliver today: yes.")
        assert [turn["speaker"] for turn in await product.turns_of(call_id)] == ["agent", "contact", "agent"]
        assert call["recording_url"] is not None

        async with run_phone(0, "--dial", product.agent_uri, *steps("digits 2", "wait 30")) as phone:
            await phone.wait_for("ended")
        assert (await product.newest_ended())["summary"] == "Deliver today: no."
        assert product.gateway_pid == gateway


async def test_what_a_locked_sqlite_does_not_take_is_billed_after_a_crash(tmp_path: Path) -> None:
    """Nothing of the answer was stored when the gateway is killed."""
    async with run_product(tmp_path) as product:
        with contextlib.closing(sqlite3.connect(product.database, timeout=10, isolation_level=None)) as other:
            async with run_phone(product.ports["PEER_PORT"], "--answer-after", "2.5", *steps("wait 60")) as phone:
                call_id = await product.place()
                await product.reach(call_id, "ringing")
                await phone.wait_for("ringing")
                other.execute("BEGIN IMMEDIATE")
                answered = await phone.wait_for("answered")
                await asyncio.sleep(3)
                os.kill(product.gateway_pid, signal.SIGKILL)
                talked_s = time.monotonic() - answered["wall"]
                other.execute("ROLLBACK")
                await phone.wait_for("ended")
                call = await product.end_of(call_id)
    assert (call["status"], call["ended_reason"]) == ("completed", "recovered_after_crash")
    assert talked_s - 2 <= call["duration_seconds"] <= talked_s
