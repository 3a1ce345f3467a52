"""A killed gateway: whoever rings or talks is told, no call stays live, and calls work again at once."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.acceptance import recordings
from tests.acceptance.running import run_phone, steps
from tests.wire.gateway_product import Product, run_product

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product")) as running:
        yield running


async def kill_gateway(product: Product) -> int:
    """Kill it and wait for its successor and for the end of its child processes; how many those were."""
    pid = product.gateway_pid
    children = list_children(pid)
    os.kill(pid, signal.SIGKILL)
    started = time.monotonic()
    await product.wait_for_new_gateway(pid)
    assert time.monotonic() - started < 5
    async with asyncio.timeout(30):
        while any(map(is_running, children)):
            await asyncio.sleep(0.1)
    return len(children)


def list_children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def assert_nothing_is_live(product: Product) -> None:
    assert product.rows("SELECT id, status FROM calls WHERE status NOT IN ('completed', 'failed')") == []
    assert product.rows("SELECT call_id, state FROM attempts WHERE state != 'ended'") == []
    assert list((product.folder / "data" / "spool").iterdir()) == []


async def assert_calls_work(product: Product) -> None:
    async with run_phone(product.ports["PEER_PORT"], "--answer-after", "0", *steps("digits 1", "wait 30")):
        call = await product.end_of(await product.place())
    assert (call["status"], call["summary"]) == ("completed", "Deliver today: yes.")


async def test_a_phone_that_rings_is_told_when_the_gateway_is_killed(product: Product) -> None:
    async with run_phone(product.ports["PEER_PORT"], "--answer-after", "60") as phone:
        call_id = await product.place()
        await phone.wait_for("ringing")
        await asyncio.sleep(0.3)
        assert await kill_gateway(product) > 0
        await phone.wait_for("ended")
        call = await product.end_of(call_id)
    assert (call["status"], call["ended_reason"]) == ("failed", "recovered_after_crash")
    assert (call["duration_seconds"], call["cost_credits"], call["recording_url"]) == (0, 0, None)
    assert_nothing_is_live(product)


async def test_a_caller_is_told_when_the_gateway_is_killed_twice(product: Product) -> None:
    async with run_phone(0, "--dial", product.agent_uri, *steps("wait 60")) as phone:
        await phone.wait_for("answered")
        await asyncio.sleep(3)
        await kill_gateway(product)
        await kill_gateway(product)
        await phone.wait_for("ended")
    call = await product.newest_ended()
    assert (call["status"], call["ended_reason"]) == ("completed", "recovered_after_crash")
    assert call["duration_seconds"] in (2, 3)
    _, near = await recordings.fetch(call["recording_url"])
    assert recordings.loudness(near, 0.3, 1.5) > 0.02
    assert_nothing_is_live(product)
    await assert_calls_work(product)


async def test_a_call_that_the_database_alone_knows_is_ended(product: Product) -> None:
    """As after a claim whose commit was stored while the connection was lost."""
    async with run_phone(product.ports["PEER_PORT"], "--reaction", "busy"):
        call_id = await product.place()
        assert (await product.end_of(call_id))["ended_reason"] == "busy"
    product.write(f"UPDATE calls SET status = 'ringing', ended_at = NULL WHERE id = '{call_id}'")
    product.write(f"UPDATE attempts SET state = 'dialling', dialog_state = NULL WHERE call_id = '{call_id}'")
    call = await product.end_of(call_id, 45)
    assert (call["status"], call["ended_reason"]) == ("failed", "recovered_after_crash")


async def test_a_call_that_has_ended_in_the_database_alone_is_hung_up(product: Product) -> None:
    """As after the gateway was taken for dead while its machine slept."""
    async with run_phone(product.ports["PEER_PORT"], "--answer-after", "0", *steps("wait 60")) as phone:
        call_id = await product.place()
        await product.reach(call_id, "in_progress")
        ended = "status = 'completed', ended_reason = 'recovered_after_crash', ended_at = started_at"
        product.write(f"UPDATE attempts SET state = 'ended' WHERE call_id = '{call_id}'")
        product.write(f"UPDATE calls SET {ended} WHERE id = '{call_id}'")
        await phone.wait_for("ended", 30)
    assert (await product.end_of(call_id))["ended_reason"] == "recovered_after_crash"


async def test_speech_processes_that_die_in_a_call_are_replaced(product: Product) -> None:
    script = steps("wait 1", "say yes", "wait 30")
    async with run_phone(product.ports["PEER_PORT"], "--answer-after", "0", *script) as phone:
        call_id = await product.place()
        await phone.wait_for("answered")
        await asyncio.sleep(0.5)
        children = list_children(product.gateway_pid)
        assert children
        for child in children:
            os.kill(child, signal.SIGKILL)
        call = await product.end_of(call_id)
    assert (call["status"], call["ended_reason"]) == ("completed", "agent_hangup")
    assert (await product.turns_of(call_id))[0]["speaker"] == "agent"
