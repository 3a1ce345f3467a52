"""Equal requests at once create one thing, whatever they create; fifty of them, on both databases."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from tests.slices.conftest import BASE, Tenant

# One of each use case that creates; where the things are counted.
CREATED: dict[str, dict[str, Any]] = {
    "agents": {"name": "Front desk", "voice_id": "espeak:en-us", "system_prompt": "Be kind."},
    "tools": {"name": "Find order"},
    "knowledge-bases": {"name": "Prices"},
    "contacts": {"first_name": "Ana", "last_name": "Lopez", "phone_number": "+12125551234"},
    "contacts/folders": {"name": "Leads"},
    "calls": {"phone_number": "+12025550142"},
    "webhook-endpoints": {"url": "https://crm.example/hooks"},
    "api-keys": {"name": "CRM"},
}
# The crowd is for what keeps a key, which all have in common; a few find the use case that forgets to.
_CROWD = [(kind, resource, 50) for kind in ("sqlite", "postgresql") for resource in ("calls", "webhook-endpoints")]
_FEW = [("postgresql", resource, 6) for resource in CREATED]


@pytest.mark.parametrize(("database_url", "resource", "at_once"), [*_CROWD, *_FEW], indirect=["database_url"])
async def test_equal_requests_at_once_create_one(tenant: Tenant, resource: str, at_once: int) -> None:
    client, path, body = tenant.client, f"{BASE}/{resource}", CREATED[resource]
    if resource == "calls":
        body = {**body, "agent_id": (await tenant.add_agent(outbound_number="+12025550100")).id}
    before = await _count(tenant, path)
    headers = {"X-Idempotency-Key": "once"}
    answers = await asyncio.gather(*(client.post(path, json=body, headers=headers) for _ in range(at_once)))
    created = {answer.json()["data"]["id"] for answer in answers if answer.status_code == 201}
    # The others came while the first one was worked on, or got its answer again.
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(created) == 1
    assert await _count(tenant, path) - before == 1
    again = await client.post(path, json=body, headers=headers)
    assert (again.status_code, again.json()["data"]["id"]) == (201, *created)
    assert again.headers["X-Idempotent-Replay"] == "true"


@pytest.mark.parametrize(("resource", "secret"), [("webhook-endpoints", "secret"), ("api-keys", "key")])
async def test_a_secret_is_answered_again_and_lies_sealed_until_then(
    tenant: Tenant, resource: str, secret: str
) -> None:
    headers = {"X-Idempotency-Key": "once"}
    first = await tenant.client.post(f"{BASE}/{resource}", json=CREATED[resource], headers=headers)
    async with tenant.database.read() as connection:
        [kept] = (await connection.execute(sa.text("SELECT body FROM idempotency_keys"))).scalars()
    assert first.json()["data"][secret].encode() not in bytes(kept)
    again = await tenant.client.post(f"{BASE}/{resource}", json=CREATED[resource], headers=headers)
    assert again.content == first.content
    (tenant.settings.data_dir / "secret.key").write_text("another key than before, as long as one")
    lost = await tenant.client.post(f"{BASE}/{resource}", json=CREATED[resource], headers=headers)
    assert lost.status_code == 409


async def _count(tenant: Tenant, path: str) -> int:
    listed = (await tenant.client.get(path)).json()
    return len(listed["data"])
