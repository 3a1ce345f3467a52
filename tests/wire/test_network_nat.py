"""A caller behind NAT rings a gateway on the public network: both hear each other, whatever its SDP and its NAT say."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.running import Phone, run_phone, steps
from tests.wire.namespaces import PRIVATE_HOST, PUBLIC_HOST, ROUTER_HOST, NatNetwork, build_nat_network
from tests.wire.nat_product import HostedProduct, heard_seconds, run_product_on

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBER = "+12025550188"


@pytest.fixture(scope="module", params=[False, True], ids=["ports kept", "ports changed"])
def network(request: pytest.FixtureRequest) -> Iterator[NatNetwork]:
    with build_nat_network(changes_ports=request.param) as built:
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(network: NatNetwork, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostedProduct]:
    async with run_product_on(network.public, tmp_path_factory.mktemp("product")) as running:
        await add_trunk(running)
        yield running


async def add_trunk(product: HostedProduct) -> None:
    """The network behind the router may ring the agent by a number; returns when the gateway knows it."""
    async with product.client() as client:

        async def post(path: str, **body: object) -> dict[str, Any]:
            answer = await client.post(f"/telephony/{path}", json=body)
            assert answer.status_code == 201, answer.text
            created: dict[str, Any] = answer.json()["data"]
            return created

        trunk = await post("trunks", name="Behind the router", hosts=[ROUTER_HOST])
        number = await post("numbers/import", phone_number=NUMBER, trunk_id=trunk["id"])
        await post("numbers/assign", number_id=number["id"], agent_id=product.agent_id, assignment_type="inbound")
        async with asyncio.timeout(20):
            while not (await client.get(f"/telephony/trunks/{trunk['id']}")).json()["data"]["status"]["gateways"]:
                await asyncio.sleep(0.2)


async def call_the_agent(product: HostedProduct, network: NatNetwork, *said: str) -> Phone:
    """The phone behind the NAT after its call; its SDP and Contact name its private address."""
    target = f"sip:{NUMBER}@{PUBLIC_HOST}:{product.ports['SIP_PORT']}"
    launcher = network.private.launcher
    async with run_phone(0, "--dial", target, *steps(*said), host=PRIVATE_HOST, launcher=launcher) as phone:
        await phone.wait_for("ended", 30)
    return phone


async def test_both_hear_each_other(product: HostedProduct, network: NatNetwork) -> None:
    # The caller hangs up before the agent has said its last words.
    phone = await call_the_agent(product, network, "say yes", "wait 1.2", "hang_up")
    call = await product.newest_ended()
    assert [turn["text"] for turn in await product.turns_of(call["id"])][:2] == [
        "Shall we deliver your parcel today?",
        "yes",
    ]
    assert call["summary"] == "Deliver today: yes."
    assert heard_seconds(phone) > 1


async def test_keys_pass_and_the_agents_bye_reaches_the_caller(product: HostedProduct, network: NatNetwork) -> None:
    phone = await call_the_agent(product, network, "digits 2", "wait 30")
    call = await product.newest_ended()
    assert (call["ended_reason"], call["summary"]) == ("agent_hangup", "Deliver today: no.")
    assert "finished" not in phone.kinds()
