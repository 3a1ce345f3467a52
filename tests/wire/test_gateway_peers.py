"""The running product and real SIP peers: SIPp and baresip, ringing the agent and being rung."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.acceptance import recordings
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_peers import run_baresip, run_sipp

pytestmark = pytest.mark.asyncio(loop_scope="module")
PCAPS = Path("/usr/share/sip-tester")
NUMBER = "+4930901820"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product")) as running:
        yield running


def target(product: Product) -> str:
    return f"127.0.0.1:{product.ports['SIP_PORT']}"


@pytest.mark.parametrize("flag", ["u1", "t1"])
async def test_the_standard_sipp_caller_reaches_the_agent(product: Product, tmp_path: Path, flag: str) -> None:
    arguments = ("-sn", "uac", "-s", "agent", "-d", "2500", "-t", flag, target(product))
    async with run_sipp(tmp_path, *arguments) as sipp:
        assert await sipp.wait() == 0
    call = await product.newest_ended()
    assert (call["status"], call["ended_reason"]) == ("completed", "user_hangup")
    assert call["duration_seconds"] == 2
    _, near = await recordings.fetch(call["recording_url"])
    assert recordings.loudness(near, 0.5, 1.5) > 0.02


async def test_a_sipp_caller_with_audio_is_heard(product: Product, tmp_path: Path) -> None:
    (tmp_path / "pcap").symlink_to(PCAPS)
    async with run_sipp(tmp_path, "-sn", "uac_pcap", "-s", "agent", target(product)) as sipp:
        # It calls it a failure when the agent hangs up before its nine seconds are over; either may be first.
        await sipp.wait()
    call = await product.newest_ended()
    assert call["status"] == "completed"
    assert call["duration_seconds"] > 5
    far, _ = await recordings.fetch(call["recording_url"])
    assert recordings.loudness(far, 0.2, 5.0) > 0.005


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_baresip_rings_the_agent_and_answers_by_keypad(product: Product, tmp_path: Path, transport: str) -> None:
    async with run_baresip(tmp_path, transport=transport) as baresip:
        await baresip.command("dial", f"{product.agent_uri};transport={transport}")
        await baresip.wait_for("CALL_ESTABLISHED")
        await baresip.wait_for("CALL_RTPESTAB")  # it hears us
        await asyncio.sleep(1)
        await baresip.command("sndcode", "2")  # while the agent asks
        call = await product.newest_ended()
        await baresip.wait_for("CALL_CLOSED")
    assert (call["ended_reason"], call["summary"]) == ("agent_hangup", "Deliver today: no.")
    turns = await product.turns_of(call["id"])
    assert [turn["speaker"] for turn in turns] == ["agent", "contact", "agent"]


async def test_baresip_hangs_up_on_the_agent(product: Product, tmp_path: Path) -> None:
    async with run_baresip(tmp_path) as baresip:
        await baresip.command("dial", product.agent_uri)
        await baresip.wait_for("CALL_ESTABLISHED")
        await baresip.command("hangup")
        call = await product.newest_ended()
    assert (call["status"], call["ended_reason"]) == ("completed", "user_hangup")


async def test_baresip_answers_a_call_of_ours_and_hangs_up(product: Product, tmp_path: Path) -> None:
    async with run_baresip(tmp_path, port=product.ports["PEER_PORT"], user=NUMBER) as baresip:
        call_id = await product.place(NUMBER)
        await baresip.wait_for("CALL_INCOMING")
        await baresip.command("accept")
        await baresip.wait_for("CALL_ESTABLISHED")
        await product.reach(call_id, "in_progress")
        await baresip.command("hangup")
        call = await product.end_of(call_id)
    assert (call["status"], call["ended_reason"], call["direction"]) == ("completed", "user_hangup", "outbound")


async def test_a_busy_baresip_is_busy(product: Product, tmp_path: Path) -> None:
    async with run_baresip(tmp_path, port=product.ports["PEER_PORT"], user=NUMBER) as baresip:
        call_id = await product.place(NUMBER)
        await baresip.wait_for("CALL_INCOMING")
        await baresip.command("hangup")
        call = await product.end_of(call_id)
    assert (call["status"], call["ended_reason"], call["cost_credits"]) == ("failed", "busy", 0)


async def test_a_baresip_that_does_not_answer_is_cancelled(product: Product, tmp_path: Path) -> None:
    async with product.client() as client:
        await client.patch(f"/agents/{product.agent_id}", json={"join_timeout": "1s"})
    try:
        async with run_baresip(tmp_path, port=product.ports["PEER_PORT"], user=NUMBER) as baresip:
            call_id = await product.place(NUMBER)
            await baresip.wait_for("CALL_INCOMING")
            call = await product.end_of(call_id)
            await baresip.wait_for("CALL_CLOSED")
    finally:
        async with product.client() as client:
            await client.patch(f"/agents/{product.agent_id}", json={"join_timeout": "30s"})
    assert (call["status"], call["ended_reason"]) == ("failed", "no_answer")
