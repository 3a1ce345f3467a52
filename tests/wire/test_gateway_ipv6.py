"""The product on IPv6: the agent is rung and rings over UDP and TCP, with audio, and so is the test phone."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from ringdown.cli.preflight import find_free_port
from tests.acceptance.running import Phone
from tests.wire.gateway_product import Product, run_product

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOST = "[::1]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    port = find_free_port("::1")
    peer = f"sip:{HOST}:{port};transport=tcp"
    async with run_product(tmp_path_factory.mktemp("product"), sip_host="::1", outbound_peer=peer) as running:
        running.ports["PEER_PORT"] = port
        yield running


@contextlib.asynccontextmanager
async def run_phone(*arguments: str, port: int = 0) -> AsyncIterator[Phone]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringdown.phone", "--json", "--listen", f"{HOST}:{port}", *arguments,
        "--step", "digits 1", "--step", "wait 30", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    phone = Phone(process)
    try:
        await phone.wait_for("listening", 30)
        yield phone
    finally:
        await phone.close()


def assert_it_talked(call: dict[str, Any], phone: Phone) -> None:
    assert (call["status"], call["summary"]) == ("completed", "Deliver today: yes.")
    assert call["recording_url"] is not None
    assert {"answered", "heard", "digits"} <= set(phone.kinds())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_rings_the_agent(product: Product, transport: str) -> None:
    agent = f"sip:agent@{HOST}:{product.ports['SIP_PORT']};transport={transport}"
    async with run_phone("--dial", agent) as phone:
        await phone.wait_for("ended")
    assert_it_talked(await product.newest_ended(), phone)


async def test_the_agent_rings_the_peer_over_tcp(product: Product) -> None:
    async with run_phone("--answer-after", "0", port=product.ports["PEER_PORT"]) as phone:
        call = await product.end_of(await product.place())
    assert_it_talked(call, phone)


async def test_the_agent_rings_the_built_in_test_phone(product: Product) -> None:
    call_id = await product.place("+12025550142")
    await product.reach(call_id, "in_progress")
    await product.hang_up(call_id)
    assert (await product.end_of(call_id))["ended_reason"] == "agent_hangup"
