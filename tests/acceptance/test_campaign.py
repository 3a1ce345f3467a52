"""A batch call from its creation to its end: everybody is dialled once over real SIP, no faster than allowed."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from ringdown.sip.address import Uri
from tests.acceptance.running import Ringdown
from tests.acceptance.test_calls import make_agent
from tests.fakes.carrier import Behaviour, Carrier

# The product runs for all tests; what speaks to it must live on the same event loop.
pytestmark = pytest.mark.asyncio(loop_scope="package")

NUMBER = "+12025550177"
FLOW: dict[str, Any] = {"start": "bye", "nodes": {"bye": {"say": "Hello {{first_name}}.", "end": "hang_up"}}}
PEOPLE = [{"phone_number": f"+1212555{number:04}", "first_name": "Ana"} for number in range(10)]
CONCURRENCY = 3


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


async def make_campaign(client: httpx.AsyncClient, carrier: Carrier) -> dict[str, Any]:
    """A batch call whose calls go to the carrier."""
    hosts = [f"127.0.0.1:{carrier.port}"]
    trunk = await post(client, "/telephony/trunks", {"name": "Campaign", "hosts": hosts})
    agent_id = await make_agent(client, flow=FLOW)
    number = await post(client, "/telephony/numbers/import", {"phone_number": NUMBER, "trunk_id": trunk["id"]})
    line = {"number_id": number["id"], "agent_id": agent_id, "assignment_type": "outbound"}
    await post(client, "/telephony/numbers/assign", line)
    body = {
        "name": "Recall",
        "agent_id": agent_id,
        "contacts": PEOPLE,
        "max_concurrent_calls": CONCURRENCY,
        "calls_per_second": 5,
    }
    return await post(client, "/batch-calls", body)


async def wait_until_over(client: httpx.AsyncClient, batch_id: str, *, timeout_s: float = 90) -> dict[str, Any]:
    async with asyncio.timeout(timeout_s):
        while True:
            batch: dict[str, Any] = (await client.get(f"/batch-calls/{batch_id}")).json()["data"]
            if batch["status"] != "active":
                return batch
            await asyncio.sleep(0.2)


async def test_everybody_in_a_batch_call_is_dialled_once(ringdown: Ringdown, client: httpx.AsyncClient) -> None:
    async with Carrier(Behaviour(asks_caller=False)).run() as carrier:
        batch = await wait_until_over(client, (await make_campaign(client, carrier))["id"])
        invites = {request.call_id: request for request in carrier.requests if request.method == "INVITE"}
    assert (batch["status"], batch["completed"], batch["failed"]) == ("completed", 10, 0)
    dialled = Counter(Uri.parse(request.uri).user for request in invites.values())
    assert dialled == Counter(person["phone_number"] for person in PEOPLE)
    assert 1 < carrier.most_calls <= CONCURRENCY
    placed = (await client.get("/calls", params={"batch_call_id": batch["id"], "limit": 100})).json()["data"]
    assert {(call["status"], call["ended_reason"]) for call in placed} == {("completed", "agent_hangup")}
    contacts = (await client.get(f"/batch-calls/{batch['id']}/contacts")).json()["data"]
    assert {(contact["status"], contact["attempts"]) for contact in contacts} == {("completed", 1)}
    assert {contact["call_id"] for contact in contacts} == {call["id"] for call in placed}
