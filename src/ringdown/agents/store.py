"""Agents in the database."""

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.agents.models import Agent, AgentStatus
from ringdown.db import engine

# What is looked up has a column; the rest of an agent is one document, so that a version of it is one value.
agents = sa.Table(
    "agents",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("configuration", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index("ix_agents_listing", "organization_id", "created_at", "id"),
)

_COLUMNS = ("organization_id", "id", "name", "status", "created_at", "updated_at")


def _to_row(agent: Agent) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(agent)
    row = {column: document.pop(column) for column in _COLUMNS}
    return {**row, "configuration": document}


def _from_row(row: sa.Row[Any]) -> Agent:
    columns = {column: getattr(row, column) for column in _COLUMNS}
    return msgspec.convert({**row.configuration, **columns}, type=Agent)


async def insert_agent(connection: AsyncConnection, agent: Agent) -> None:
    """Store a new agent."""
    await connection.execute(agents.insert().values(_to_row(agent)))


async def update_agent(connection: AsyncConnection, agent: Agent) -> None:
    """Store an agent that exists."""
    condition = _is_agent(agent.organization_id, agent.id)
    await connection.execute(agents.update().where(condition).values(_to_row(agent)))


async def get_agent(
    connection: AsyncConnection, organization_id: str, agent_id: str, *, lock: bool = False, share: bool = False
) -> Agent:
    """The agent; raises `NotFound`.

    `lock` keeps others from changing or deleting it until the transaction ends, `share` lets them read it only.
    """
    query = agents.select().where(_is_agent(organization_id, agent_id))
    if lock or share:
        query = query.with_for_update(read=share)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise errors.NotFound("Agent", agent_id)
    return _from_row(row)


async def find_agent(connection: AsyncConnection, organization_id: str, agent_id: str) -> Agent | None:
    """The agent, or None."""
    row = (await connection.execute(agents.select().where(_is_agent(organization_id, agent_id)))).one_or_none()
    return None if row is None else _from_row(row)


async def list_statuses(
    connection: AsyncConnection, organization_id: str, agent_ids: Collection[str]
) -> dict[str, AgentStatus]:
    """The status of each of these agents that exists, by id."""
    query = sa.select(agents.c.id, agents.c.status).where(
        agents.c.organization_id == organization_id, agents.c.id.in_(agent_ids)
    )
    return {row.id: row.status for row in await connection.execute(query)}


async def find_oldest_active(connection: AsyncConnection, organization_id: str) -> Agent | None:
    """The active agent that was made first, or None."""
    is_active = (agents.c.organization_id == organization_id) & (agents.c.status == "active")
    oldest = agents.select().where(is_active).order_by(agents.c.created_at, agents.c.id).limit(1)
    row = (await connection.execute(oldest)).one_or_none()
    return None if row is None else _from_row(row)


async def list_agents(
    connection: AsyncConnection,
    organization_id: str,
    *,
    status: str | None = None,
    name: str | None = None,
    limit: int,
    offset: int,
) -> tuple[list[Agent], int]:
    """A page of agents, newest first, and how many there are; `name` is a part of the name in any case."""
    condition = agents.c.organization_id == organization_id
    if status is not None:
        condition &= agents.c.status == status
    if name is not None:
        condition &= agents.c.name.icontains(name, autoescape=True)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(agents).where(condition))).scalar_one()
    page = agents.select().where(condition).order_by(agents.c.created_at.desc(), agents.c.id.desc())
    rows = await connection.execute(page.limit(limit).offset(offset))
    return [_from_row(row) for row in rows], total


async def delete_agent(connection: AsyncConnection, organization_id: str, agent_id: str) -> None:
    """Delete the agent; nothing happens when it is not there."""
    await connection.execute(agents.delete().where(_is_agent(organization_id, agent_id)))


def _is_agent(organization_id: str, agent_id: str) -> sa.ColumnElement[bool]:
    return (agents.c.organization_id == organization_id) & (agents.c.id == agent_id)
