"""Transfers and hold with baresip: the agent hands a caller over, by REFER or by joining two legs, and is itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_peers import Baresip, run_baresip

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBER = "+4930901820"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product")) as running:
        yield running


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "caller", tmp_path / "person"
    for folder in made:
        folder.mkdir()
    return made


async def ring_agent(product: Product, caller: Baresip) -> str:
    """The id of the call once the agent talks."""
    await caller.command("dial", product.agent_uri)
    await caller.wait_for("CALL_ESTABLISHED")
    [newest, *_] = await product.calls(direction="inbound")
    await product.reach(newest["id"], "in_progress")
    call_id: str = newest["id"]
    return call_id


async def ask_transfer(product: Product, call_id: str, **body: Any) -> None:
    async with product.client() as client:
        answer = await client.post(f"/calls/{call_id}/transfer", json={"phone_number": NUMBER, **body})
        assert answer.status_code == 201, answer.text


async def transfer_reaches(product: Product, call_id: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(20), product.client() as client:
        while True:
            call: dict[str, Any] = (await client.get(f"/calls/{call_id}")).json()["data"]
            if call["transfer"] and call["transfer"]["status"] == status:
                return call
            await asyncio.sleep(0.2)


async def test_a_person_who_takes_the_call_is_joined_with_the_caller(
    product: Product, folders: tuple[Path, Path]
) -> None:
    async with (
        run_baresip(folders[0]) as caller,
        run_baresip(folders[1], port=product.ports["PEER_PORT"], answer_mode="auto", user=NUMBER) as person,
    ):
        call_id = await ring_agent(product, caller)
        await ask_transfer(product, call_id, mode="attended", introduction="Ana is on the line.")
        await transfer_reaches(product, call_id, "talking")
        await asyncio.sleep(2)
        await person.command("sndcode", "1")
        await transfer_reaches(product, call_id, "connected")
        await person.command("hangup")
        call = await product.end_of(call_id)
        await caller.wait_for("CALL_CLOSED")
    assert (call["status"], call["ended_reason"], call["outcome"]) == ("completed", "transferred", "escalated")


async def test_a_blind_transfer_has_the_caller_dial_the_other_person(
    product: Product, folders: tuple[Path, Path]
) -> None:
    async with (
        run_baresip(folders[0]) as caller,
        run_baresip(folders[1], port=product.ports["PEER_PORT"], answer_mode="auto", user=NUMBER) as person,
    ):
        call_id = await ring_agent(product, caller)
        await ask_transfer(product, call_id)
        await person.wait_for("CALL_ESTABLISHED")
        call = await product.end_of(call_id)
    assert (call["status"], call["ended_reason"]) == ("completed", "transferred")
    assert call["transfer"]["status"] == "connected"


async def test_a_caller_may_hand_the_agent_over_to_another_phone(product: Product, folders: tuple[Path, Path]) -> None:
    async with (
        run_baresip(folders[0]) as caller,
        run_baresip(folders[1], answer_mode="auto") as person,
    ):
        call_id = await ring_agent(product, caller)
        await caller.command("transfer", person.uri)
        await person.wait_for("CALL_ESTABLISHED")
        await caller.wait_for("CALL_CLOSED")
        await asyncio.sleep(1)
        await person.command("sndcode", "1")  # it talks with the agent now
        call = await product.end_of(call_id)
        await person.wait_for("CALL_CLOSED")
    assert (call["ended_reason"], call["summary"]) == ("agent_hangup", "Deliver today: yes.")


async def test_the_agent_rests_while_the_caller_holds_and_asks_again_after_it(
    product: Product, folders: tuple[Path, Path]
) -> None:
    async with run_baresip(folders[0]) as caller:
        call_id = await ring_agent(product, caller)
        await asyncio.sleep(1)
        await caller.command("hold")
        await asyncio.sleep(3)
        held = len(await product.turns_of(call_id))
        await asyncio.sleep(2)
        assert len(await product.turns_of(call_id)) == held
        await caller.command("resume")
        await asyncio.sleep(4)
        await caller.command("sndcode", "2")
        call = await product.end_of(call_id)
    assert call["summary"] == "Deliver today: no."
    turns = [turn["text"] for turn in await product.turns_of(call_id) if turn["speaker"] == "agent"]
    assert "Please say yes or no." in turns


async def test_a_call_held_by_the_api_is_told_so_and_goes_on_afterwards(
    product: Product, folders: tuple[Path, Path]
) -> None:
    async with run_baresip(folders[0]) as caller, product.client() as client:
        call_id = await ring_agent(product, caller)
        await asyncio.sleep(1)
        assert (await client.post(f"/calls/{call_id}/hold")).status_code == 201
        await asyncio.sleep(3)
        assert (await client.post(f"/calls/{call_id}/resume")).status_code == 201
        await asyncio.sleep(3)
        await caller.command("sndcode", "1")
        call = await product.end_of(call_id)
    assert call["summary"] == "Deliver today: yes."
    # Who is on hold sends nothing: baresip has understood.
    assert call["media_quality"]["packets_received"] < call["duration_seconds"] * 50 - 60
