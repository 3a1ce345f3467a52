"""Versions of agents: which states are kept, and what a state takes back when it is restored."""

import dataclasses

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.agents import version_store
from ringdown.agents.models import DEFAULT_MODEL, Agent
from ringdown.agents.schemas import UpdateAgent
from ringdown.agents.setting_schemas import FallbacksBody
from ringdown.agents.version_store import AgentVersion

#: Older ones are dropped: a version holds the whole agent, prompt and flow.
MAX_VERSIONS = 100


async def keep_first(connection: AsyncConnection, agent: Agent, *, changed_by: str | None) -> None:
    """Keep the state of a new agent."""
    first = AgentVersion(number=1, agent=agent, changed_by=changed_by, restored_from=None, created_at=agent.created_at)
    await version_store.insert_version(connection, first)


async def keep_next(
    connection: AsyncConnection,
    present: Agent,
    agent: Agent,
    *,
    changed_by: str | None,
    restored_from: int | None = None,
) -> None:
    """Keep a state that has changed, in the transaction that holds the agent locked; no change makes no version."""
    if dataclasses.replace(agent, updated_at=present.updated_at) == present:
        return
    owner, agent_id = agent.organization_id, agent.id
    number = await version_store.find_last_number(connection, owner, agent_id)
    if number == 0:  # the agent is older than versions are
        await keep_first(connection, present, changed_by=None)
        number = 1
    version = AgentVersion(
        number=number + 1,
        agent=agent,
        changed_by=changed_by,
        restored_from=restored_from,
        created_at=agent.updated_at,
    )
    await version_store.insert_version(connection, version)
    await version_store.delete_versions(connection, owner, agent_id, up_to=version.number - MAX_VERSIONS)


def to_restored(past: Agent, present: Agent) -> Agent:
    """The agent as it was, but active or draft as it is: taking back a prompt must not take it off its numbers."""
    return dataclasses.replace(past, status=present.status, updated_at=present.updated_at)


def to_body(agent: Agent) -> UpdateAgent:
    """What the agent names that lies elsewhere, as a request that can be checked."""
    fallbacks = agent.fallbacks
    return UpdateAgent(
        voice_id=agent.voice_id,
        model=None if agent.model == DEFAULT_MODEL else agent.model,
        recognizer=agent.recognizer,
        fallbacks=FallbacksBody(
            recognizers=list(fallbacks.recognizers), models=list(fallbacks.models), voices=list(fallbacks.voices)
        ),
        tools=list(agent.tools),
        knowledge_bases=list(agent.knowledge_bases),
    )
