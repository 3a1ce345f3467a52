"""Whom an INVITE rings: an active agent by its number, by its id or as the oldest; nobody else."""

from typing import Any

from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.gateway import reception
from tests.slices.conftest import Tenant

NUMBER = "+12025550101"


async def find(tenant: Tenant, user: str) -> str | None:
    agent = await reception.find_agent(tenant.database, f"sip:{user}@127.0.0.1:5060")
    return None if agent is None else agent.id


async def add_reachable(tenant: Tenant, **fields: Any) -> Agent:
    agent = await tenant.add_agent(**fields)
    await tenant.add_number(NUMBER, inbound_agent_id=agent.id)
    return agent


async def test_an_active_agent_is_reached_in_three_ways(tenant: Tenant) -> None:
    agent = await add_reachable(tenant)
    await tenant.add_agent()
    assert [await find(tenant, user) for user in (NUMBER, agent.id, "agent")] == [agent.id] * 3


async def test_a_draft_answers_no_call(tenant: Tenant) -> None:
    draft = await add_reachable(tenant, status="draft")
    assert [await find(tenant, user) for user in (NUMBER, draft.id, "agent")] == [None] * 3


async def test_a_deleted_agent_and_an_unassigned_number_answer_no_call(tenant: Tenant) -> None:
    agent = await add_reachable(tenant)
    assert (await tenant.client.delete(f"/api/public/v1/agents/{agent.id}")).status_code == 200
    async with tenant.database.read() as connection:
        assert await agent_store.find_agent(connection, tenant.organization_id, agent.id) is None
    assert [await find(tenant, user) for user in (NUMBER, agent.id, "agent", "+12025550199")] == [None] * 4
