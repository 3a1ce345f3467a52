"""The running product and SIPp: its embedded scenarios, third-party call control, re-offers, and lost packets."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance import recordings
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_peers import HOST, Sipp, free_port, run_sipp
from tests.wire.trunk_product import make_line, wait_for_status

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCENARIOS = Path(__file__).parent.parent / "data" / "sip"
NUMBER = "+4930901820"
COMPLETED = ("completed", "user_hangup")
HUNG_UP = ("completed", "agent_hangup")
_lines = itertools.count(150)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product")) as running:
        yield running


def target(product: Product) -> str:
    return f"{HOST}:{product.ports['SIP_PORT']}"


def how(call: dict[str, Any]) -> tuple[str, str]:
    return call["status"], call["ended_reason"]


@contextlib.asynccontextmanager
async def patience(product: Product, join_timeout: str) -> AsyncIterator[None]:
    """How long the agent lets it ring, for a while."""
    async with product.client() as client:
        await client.patch(f"/agents/{product.agent_id}", json={"join_timeout": join_timeout})
        try:
            yield
        finally:
            await client.patch(f"/agents/{product.agent_id}", json={"join_timeout": "30s"})


@contextlib.asynccontextmanager
async def run_callee(
    product: Product, folder: Path, *arguments: str, **trunk: object
) -> AsyncIterator[tuple[Sipp, str]]:
    """A SIPp that is called over a trunk of its own; and our number on that.

    It would take the OPTIONS by which a gateway asks every half a minute whether a trunk is there for a call: the
    first one has gone to the empty port.
    """
    port, number = free_port(), f"+12025550{next(_lines)}"
    trunk_id = await make_line(product, number, f"{HOST}:{port}", **trunk)
    await wait_for_status(product, trunk_id, is_reachable=False)
    async with run_sipp(folder, *arguments, port=port, timeout_s=60) as sipp:
        yield sipp, number


async def call_and_hang_up(product: Product, number: str) -> dict[str, Any]:
    call_id = await product.place(NUMBER, from_number=number)
    await product.reach(call_id, "in_progress")
    await product.hang_up(call_id)
    ended: dict[str, Any] = await product.end_of(call_id)
    return ended


async def newest(product: Product, count: int) -> list[dict[str, Any]]:
    """The newest inbound calls, when they have ended."""
    calls = (await product.calls(direction="inbound"))[:count]
    return [await product.end_of(call["id"]) for call in calls]


async def test_the_regexp_scenario_finds_address_contact_and_origin(product: Product, tmp_path: Path) -> None:
    async with run_sipp(tmp_path, "-sn", "regexp", "-s", "agent", target(product)) as sipp:
        assert await sipp.wait() == 0
    assert how(*await newest(product, 1)) == COMPLETED


async def run_controller(folder: Path, party_a: str, party_b: str) -> tuple[int, int]:
    """SIPp as third party: asks A for an offer, B for the answer to it; the exit codes of its two halves."""
    meeting = f"{HOST}:{free_port()}"
    async with (
        run_sipp(folder, "-sn", "3pcc-C-B", "-s", "agent", "-3pcc", meeting, party_b) as b,
        run_sipp(folder, "-sn", "3pcc-C-A", "-s", "agent", "-3pcc", meeting, party_a) as a,
    ):
        return await a.wait(), await b.wait()


async def test_a_third_party_has_the_agent_offer_and_sipp_answer(product: Product, tmp_path: Path) -> None:
    async with run_sipp(tmp_path, "-sn", "3pcc-B") as party_b:
        assert await run_controller(tmp_path, target(product), f"{HOST}:{party_b.port}") == (0, 0)
        assert await party_b.wait() == 0
    [call] = await newest(product, 1)
    assert how(call) == COMPLETED
    assert call["recording_url"]  # of one second, less what the ACK's way takes


async def test_a_third_party_has_sipp_offer_and_the_agent_answer(product: Product, tmp_path: Path) -> None:
    async with run_sipp(tmp_path, "-sn", "3pcc-A") as party_a:
        assert await run_controller(tmp_path, f"{HOST}:{party_a.port}", target(product)) == (0, 0)
        assert await party_a.wait() == 0
    assert how(*await newest(product, 1)) == COMPLETED


async def test_a_third_party_lets_two_agents_hear_each_other(product: Product, tmp_path: Path) -> None:
    assert await run_controller(tmp_path, target(product), target(product)) == (0, 0)
    for call in await newest(product, 2):
        assert how(call) == COMPLETED
        far, near = await recordings.fetch(call["recording_url"])
        assert min(recordings.loudness(far, 0.4, 0.9), recordings.loudness(near, 0.4, 0.9)) > 0.02


async def test_a_caller_re_offers_at_will(product: Product, tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "caller_reoffers.xml")
    async with run_sipp(tmp_path, "-sf", scenario, target(product)) as sipp:
        assert await sipp.wait() == 0
    assert how(*await newest(product, 1)) == COMPLETED


async def test_callers_whose_packets_get_lost_are_served(product: Product, tmp_path: Path) -> None:
    count = 5
    # Long enough for an ACK that gets lost time and again: we repeat the answer after 0.5, 1.5, 3.5 and 7.5 s.
    arguments = ("-sn", "uac", "-s", "agent", "-d", "8000", "-m", str(count), "-lost", "10", target(product))
    async with run_sipp(tmp_path, *arguments, timeout_s=60) as sipp:
        assert await sipp.wait(65) == 0
    for call in await newest(product, count):
        assert how(call) == COMPLETED
        assert call["recording_url"]


async def test_a_callee_whose_packets_get_lost_is_called(product: Product, tmp_path: Path) -> None:
    count = 4
    async with run_callee(product, tmp_path, "-sn", "uas", "-m", str(count), "-lost", "10") as (sipp, number):
        for call in await asyncio.gather(*(call_and_hang_up(product, number) for _ in range(count))):
            assert how(call) == HUNG_UP
        assert await sipp.wait(65) == 0


async def test_a_callee_that_wants_digest_is_called(product: Product, tmp_path: Path) -> None:
    scenario, account = str(SCENARIOS / "callee_with_digest.xml"), {"username": "alice", "password": "secret"}
    async with run_callee(product, tmp_path, "-sf", scenario, **account) as (sipp, number):
        assert how(await call_and_hang_up(product, number)) == HUNG_UP
        assert await sipp.wait() == 0


async def test_an_answer_in_a_reliable_183_alone_is_enough(product: Product, tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "callee_with_early_answer.xml")
    async with run_callee(product, tmp_path, "-sf", scenario) as (sipp, number):
        call = await call_and_hang_up(product, number)
        assert await sipp.wait() == 0
    assert how(call) == HUNG_UP
    assert call["media_quality"]["codec"] == "PCMA"


async def test_an_answer_that_crosses_the_cancel_is_hung_up(product: Product, tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "callee_answers_too_late.xml")
    async with patience(product, "1s"), run_callee(product, tmp_path, "-sf", scenario) as (sipp, number):
        call = await product.end_of(await product.place(NUMBER, from_number=number))
        assert await sipp.wait() == 0
    assert (how(call), call["cost_credits"]) == (("failed", "no_answer"), 0)


@pytest.mark.parametrize("is_first_dead", [False, True])
async def test_a_redirect_is_followed_in_the_order_of_q(product: Product, tmp_path: Path, is_first_dead: bool) -> None:
    """A port where nobody listens gives way to the contact that is liked less; a stranger is not called at all."""
    scenario = tmp_path / "redirects.xml"
    async with run_sipp(tmp_path, "-sn", "uas") as there:
        first, second = (free_port(), there.port) if is_first_dead else (there.port, free_port())
        contacts = f"<sip:b@{HOST}:{second}>;q=0.3, <sip:evil@192.0.2.1>;q=0.9, <sip:a@{HOST}:{first}>;q=0.7"
        scenario.write_text((SCENARIOS / "callee_redirects.xml").read_text().replace("@CONTACTS@", contacts))
        async with run_callee(product, tmp_path, "-sf", str(scenario)) as (sipp, number):
            assert how(await call_and_hang_up(product, number)) == HUNG_UP
            assert await sipp.wait() == 0
        assert await there.wait() == 0
