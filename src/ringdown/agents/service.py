"""The use cases of agents: create, change, publish, delete; each is one transaction."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.agents import brains, conversion, crm_webhook, flow_check, references, store, version_store, versions
from ringdown.agents.models import BUILTIN_MODEL, DEFAULT_MODEL, Agent, Greeting
from ringdown.agents.schemas import CreateAgent, UpdateAgent
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.telephony import store as number_store
from ringdown.tools import store as tool_store
from ringdown.voices import store as voice_store
from ringdown.web import idempotency
from ringdown.webhooks import endpoint_store

#: Tells whether calls that have not ended use an agent: `(connection, organization_id, agent_id)`.
HasLiveCalls = Callable[[AsyncConnection, str, str], Awaitable[bool]]
# Whether a flow can run depends on all of these together.
_FLOW_FIELDS = frozenset(("flow", "language_hint", "model", "tools", "transfer_numbers"))


async def create_agent(
    database: Database, *, settings: Settings, organization_id: str, body: CreateAgent, changed_by: str | None = None
) -> Agent:
    """A new agent, `active` unless it is to be a draft. Raises `ValidationFailed`."""
    changes = await _collect_changes(database, settings, organization_id, body, greeting=Greeting())
    now = values.now_ms()
    defaults: dict[str, Any] = {"status": "active", "model": DEFAULT_MODEL}
    own = {"organization_id": organization_id, "id": values.new_id("agt"), "created_at": now, "updated_at": now}
    agent = Agent(**{**defaults, **changes, **own})
    await _check_flow(database, settings, agent, changes)
    async with database.write() as connection:
        await idempotency.bind_resource(connection, agent.id)
        await store.insert_agent(connection, agent)
        await versions.keep_first(connection, agent, changed_by=changed_by)
        await crm_webhook.keep(connection, settings, agent, body)
    return agent


async def update_agent(
    database: Database,
    *,
    settings: Settings,
    organization_id: str,
    agent_id: str,
    body: UpdateAgent,
    changed_by: str | None = None,
) -> Agent:
    """Change what the body names; the state before stays as a version.

    Raises `NotFound`, `ValidationFailed`, and `Conflict` when what the flow was checked with has changed meanwhile.
    """
    async with database.read() as connection:
        present = await store.get_agent(connection, organization_id, agent_id)
    # Checked outside the transaction that writes: pronunciations come from a child process.
    changes = await _collect_changes(database, settings, organization_id, body, greeting=present.greeting)
    await _check_flow(database, settings, dataclasses.replace(present, **changes), changes)
    async with database.write() as connection:
        checked, present = present, await store.get_agent(connection, organization_id, agent_id, lock=True)
        if changes.keys() & _FLOW_FIELDS and any(
            getattr(present, name) != getattr(checked, name) for name in _FLOW_FIELDS
        ):
            raise errors.Conflict("The agent was changed at the same time; send the request again.")
        changes |= conversion.read_changes(body, greeting=present.greeting)
        agent = dataclasses.replace(present, **changes, updated_at=values.now_ms())
        await store.update_agent(connection, agent)
        await versions.keep_next(connection, present, agent, changed_by=changed_by)
        await crm_webhook.keep(connection, settings, agent, body)
    return agent


async def restore_version(
    database: Database, *, settings: Settings, organization_id: str, agent_id: str, number: int, changed_by: str | None
) -> Agent:
    """Give an agent the state of a version, which makes a new version; it stays active or draft as it is.

    Raises `NotFound`, and `ValidationFailed` naming the voices, models, tools and knowledge bases that are gone.
    """
    async with database.read() as connection:
        present = await store.get_agent(connection, organization_id, agent_id)
        version = await version_store.get_version(connection, organization_id, agent_id, number)
    wanted = versions.to_restored(version.agent, present)
    body = versions.to_body(wanted)
    await _collect_changes(database, settings, organization_id, body, greeting=wanted.greeting)
    await _check_flow(database, settings, wanted, {"flow": wanted.flow})
    async with database.write() as connection:
        present = await store.get_agent(connection, organization_id, agent_id, lock=True)
        if gone := await references.check_resources(connection, organization_id, body):
            raise errors.ValidationFailed(gone)
        agent = dataclasses.replace(versions.to_restored(version.agent, present), updated_at=values.now_ms())
        await idempotency.bind_resource(connection, agent.id)
        await store.update_agent(connection, agent)
        await versions.keep_next(connection, present, agent, changed_by=changed_by, restored_from=number)
    return agent


async def publish_agent(
    database: Database, *, organization_id: str, agent_id: str, changed_by: str | None = None
) -> Agent:
    """Make a draft active; an active agent stays as it is. Raises `NotFound`."""
    async with database.write() as connection:
        present = await store.get_agent(connection, organization_id, agent_id, lock=True)
        if present.status == "active":
            return present
        agent = dataclasses.replace(present, status="active", updated_at=values.now_ms())
        await store.update_agent(connection, agent)
        await versions.keep_next(connection, present, agent, changed_by=changed_by)
    return agent


async def delete_agent(
    database: Database, *, organization_id: str, agent_id: str, has_live_calls: HasLiveCalls
) -> None:
    """Delete an agent with its webhook endpoints and take it off its phone numbers; its calls keep its id.

    Raises `NotFound`, and `ValidationFailed` while calls that have not ended use it.
    """
    async with database.write() as connection:
        await store.get_agent(connection, organization_id, agent_id, lock=True)
        if await has_live_calls(connection, organization_id, agent_id):
            raise errors.invalid("agent_id", "calls of this agent have not ended yet; hang them up first")
        await number_store.unassign_agent(
            connection, organization_id=organization_id, agent_id=agent_id, updated_at=values.now_ms()
        )
        await store.delete_agent(connection, organization_id, agent_id)
        await version_store.delete_versions(connection, organization_id, agent_id)
        await endpoint_store.delete_of_agent(connection, organization_id, agent_id)


async def _check_flow(database: Database, settings: Settings, agent: Agent, changes: dict[str, Any]) -> None:
    if agent.flow is None or not changes.keys() & _FLOW_FIELDS:
        return
    async with database.read() as connection:
        tools = await tool_store.find_tools(connection, agent.organization_id, agent.tools)
    has_model = brains.find_model(settings, agent.model) != BUILTIN_MODEL
    await flow_check.check_flow(
        agent.flow,
        has_model=has_model,
        language=agent.language_hint,
        tools=tools,
        destinations=[entry.name for entry in agent.transfer_numbers],
    )


async def _collect_changes(
    database: Database, settings: Settings, organization_id: str, body: UpdateAgent, *, greeting: Greeting
) -> dict[str, Any]:
    changes = conversion.read_changes(body, greeting=greeting)
    crm_webhook.check(settings, body)
    async with database.read() as connection:
        own_voices = await voice_store.list_usable(connection, organization_id)
        named, refused = references.read_providers(settings, body, own_voices=own_voices)
        refused.extend(await references.check_resources(connection, organization_id, body))
    if refused:
        raise errors.ValidationFailed(refused)
    return changes | named
