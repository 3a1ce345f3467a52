"""Versions of agents in the database: every state an agent had, numbered from 1."""

import dataclasses
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.agents.models import Agent
from ringdown.db import engine

versions = sa.Table(
    "agent_versions",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("agent", sa.JSON, nullable=False, comment="the whole agent"),
    sa.Column("changed_by", sa.Text, comment="id of the API key"),
    sa.Column("restored_from", sa.Integer, comment="number of the version that it repeats"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersion:
    """A state of an agent, who made it and when; `restored_from` is the version it repeats."""

    number: int
    agent: Agent
    changed_by: str | None
    restored_from: int | None
    created_at: int


_COLUMNS = [versions.c[field.name] for field in dataclasses.fields(AgentVersion)]


async def insert_version(connection: AsyncConnection, version: AgentVersion) -> None:
    """Store a version; its number is the caller's to know."""
    row = {
        "organization_id": version.agent.organization_id,
        "agent_id": version.agent.id,
        "number": version.number,
        "agent": msgspec.to_builtins(version.agent),
        "changed_by": version.changed_by,
        "restored_from": version.restored_from,
        "created_at": version.created_at,
    }
    await connection.execute(versions.insert().values(row))


async def find_last_number(connection: AsyncConnection, organization_id: str, agent_id: str) -> int:
    """The number of the newest version; 0 when none is stored."""
    query = sa.select(sa.func.max(versions.c.number)).where(_is_agent(organization_id, agent_id))
    return int((await connection.execute(query)).scalar_one() or 0)


async def get_version(connection: AsyncConnection, organization_id: str, agent_id: str, number: int) -> AgentVersion:
    """The version; raises `NotFound`."""
    query = sa.select(*_COLUMNS).where(_is_agent(organization_id, agent_id), versions.c.number == number)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise errors.NotFound("Agent version", str(number))
    return _from_row(row)


async def list_versions(
    connection: AsyncConnection, organization_id: str, agent_id: str, *, limit: int, offset: int
) -> tuple[list[AgentVersion], int]:
    """A page of versions, newest first, and how many are kept."""
    condition = _is_agent(organization_id, agent_id)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(versions).where(condition))).scalar_one()
    page = sa.select(*_COLUMNS).where(condition).order_by(versions.c.number.desc()).limit(limit).offset(offset)
    return [_from_row(row) for row in await connection.execute(page)], total


async def delete_versions(
    connection: AsyncConnection, organization_id: str, agent_id: str, *, up_to: int | None = None
) -> None:
    """Delete the versions of an agent, all of them or those up to a number."""
    condition = _is_agent(organization_id, agent_id)
    if up_to is not None:
        condition &= versions.c.number <= up_to
    await connection.execute(versions.delete().where(condition))


def _from_row(row: sa.Row[Any]) -> AgentVersion:
    return AgentVersion(**{**row._mapping, "agent": msgspec.convert(row.agent, type=Agent)})


def _is_agent(organization_id: str, agent_id: str) -> sa.ColumnElement[bool]:
    return (versions.c.organization_id == organization_id) & (versions.c.agent_id == agent_id)
