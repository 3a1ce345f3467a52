"""Trunks of the running product, for the wire tests: made over its API, watched until they stand, given numbers."""

import asyncio
from typing import Any

from tests.wire.gateway_product import Product

_PATIENCE_S = 20.0


async def make_trunk(product: Product, name: str, *hosts: object, **fields: object) -> str:
    """A trunk; its id. The gateway knows it."""
    trunk_id = await post_trunk(product, name, *hosts, **fields)
    await wait_for_status(product, trunk_id)
    return trunk_id


async def post_trunk(product: Product, name: str, *hosts: object, **fields: object) -> str:
    """A trunk that the gateway need not know yet; its id."""
    async with product.client() as client:
        answer = await client.post("/telephony/trunks", json={"name": name, "hosts": list(hosts), **fields})
        assert answer.status_code == 201, answer.text
    trunk_id: str = answer.json()["data"]["id"]
    return trunk_id


async def get_status(product: Product, trunk_id: str) -> dict[str, Any]:
    """How the gateway finds the trunk."""
    async with product.client() as client:
        answer = await client.get(f"/telephony/trunks/{trunk_id}")
    status: dict[str, Any] = answer.json()["data"]["status"]
    return status


async def wait_for_status(product: Product, trunk_id: str, **wanted: object) -> dict[str, Any]:
    """The trunk's status once the gateway has one, with these values."""
    status: dict[str, Any] = {}
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while status.get("checked_at") is None or any(status[name] != value for name, value in wanted.items()):
                await asyncio.sleep(0.1)
                status = await get_status(product, trunk_id)
    except TimeoutError:
        raise AssertionError(f"not {wanted}: {status}") from None
    return status


async def give_number(product: Product, number: str, trunk_id: str, *directions: str) -> None:
    """Import a number onto the trunk, and assign it to the agent: in both directions unless some are named."""
    async with product.client() as client:
        body = {"phone_number": number, "trunk_id": trunk_id}
        answer = await client.post("/telephony/numbers/import", json=body)
        assert answer.status_code == 201, answer.text
        number_id = answer.json()["data"]["id"]
        for direction in directions or ("inbound", "outbound"):
            body = {"number_id": number_id, "agent_id": product.agent_id, "assignment_type": direction}
            answer = await client.post("/telephony/numbers/assign", json=body)
            assert answer.status_code == 201, answer.text


async def make_line(product: Product, number: str, *hosts: object, **fields: object) -> str:
    """A trunk with one number, of that name; the trunk's id."""
    trunk_id = await make_trunk(product, number, *hosts, **fields)
    await give_number(product, number, trunk_id)
    return trunk_id
