"""Stopping: the gateway drains, the second wish ends calls at once, and what is queued waits for the next start."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ringdown.sip.events import Rejected
from tests.acceptance.running import run_phone, steps
from tests.wire.gateway_product import Product
from tests.wire.sip_owner import collect, run_owner

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    folder: Path = tmp_path_factory.mktemp("product")
    made = Product(folder)
    await made.start()
    await made.prepare()
    yield made
    await made.stop()
    _, found, trace = made.log.read_text().partition("Traceback")
    assert not found, trace[:4000]


async def test_a_stop_lets_the_call_finish_refuses_new_ones_and_keeps_the_queue(product: Product) -> None:
    peer_port = product.ports["PEER_PORT"]
    async with run_phone(peer_port, "--answer-after", "0", *steps("wait 4", "digits 1", "wait 30")) as phone:
        talking = await product.place()
        await phone.wait_for("answered")
        os.kill(product.pid, signal.SIGTERM)
        await asyncio.sleep(0.5)
        queued = await product.place()
        async with run_owner() as owner:
            refused = (await collect(await owner.dial(product.agent_uri)))[-1]
            assert isinstance(refused, Rejected)
            assert refused.status == 503
        assert (await product.calls())[0]["status"] == "queued"
        await phone.wait_for("ended")
        assert await product.stop() == 0
        assert phone.kinds().count("ringing") == 1
    assert product.rows(f"SELECT status, summary FROM calls WHERE id = '{talking}'") == [
        ("completed", "Deliver today: yes.")
    ]
    assert product.rows(f"SELECT status FROM calls WHERE id = '{queued}'") == [("queued",)]

    async with run_phone(peer_port, "--reaction", "busy"):
        await product.start()
        assert (await product.end_of(queued))["ended_reason"] == "busy"


async def test_a_second_stop_hangs_up_ringing_and_talking_calls(product: Product) -> None:
    peer_port = product.ports["PEER_PORT"]
    async with run_phone(0, "--dial", product.agent_uri, *steps("wait 60")) as caller:
        await caller.wait_for("answered")
        async with run_phone(peer_port, "--answer-after", "60") as callee:
            await product.place()
            await callee.wait_for("ringing")
            os.kill(product.pid, signal.SIGTERM)
            await asyncio.sleep(1)
            assert "ended" not in caller.kinds() + callee.kinds()
            os.kill(product.pid, signal.SIGTERM)
            await asyncio.gather(caller.wait_for("ended", 30), callee.wait_for("ended", 5))
            assert await product.stop() == 0
    newest = product.rows("SELECT direction, status, ended_reason FROM calls ORDER BY seq DESC LIMIT 2")
    assert newest == [("outbound", "failed", "cancelled"), ("inbound", "completed", "agent_hangup")]
    assert product.rows("SELECT call_id FROM attempts WHERE state != 'ended'") == []
    await product.start()
