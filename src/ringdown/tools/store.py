"""Tools in the database; the secrets in them are ciphertext."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.db import engine
from ringdown.tools.models import Tool

tools = sa.Table(
    "tools",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("model_tool_name", sa.Text, nullable=False),
    sa.Column("configuration", sa.JSON, nullable=False, comment="secrets in it are sealed"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index("ix_tools_listing", "organization_id", "created_at", "id"),
    sa.Index("ux_tools_organization_id_model_tool_name", "organization_id", "model_tool_name", unique=True),
)
_COLUMNS = ("organization_id", "id", "name", "model_tool_name", "created_at", "updated_at")


def _to_row(tool: Tool) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(tool)
    row = {column: document.pop(column) for column in _COLUMNS}
    return {**row, "configuration": document}


def _from_row(row: sa.Row[Any]) -> Tool:
    columns = {column: getattr(row, column) for column in _COLUMNS}
    return msgspec.convert({**row.configuration, **columns}, type=Tool)


async def insert_tool(connection: AsyncConnection, tool: Tool) -> bool:
    """Store a new tool; False when its model tool name is taken in the organization."""
    insert = engine.insert(connection, tools).values(_to_row(tool)).on_conflict_do_nothing()
    return (await connection.execute(insert)).rowcount == 1


async def update_tool(connection: AsyncConnection, tool: Tool) -> None:
    """Store a tool that exists; that its model tool name is free is the caller's to know."""
    condition = _is_tool(tool.organization_id, tool.id)
    await connection.execute(tools.update().where(condition).values(_to_row(tool)))


async def get_tool(connection: AsyncConnection, organization_id: str, tool_id: str, *, lock: bool = False) -> Tool:
    """The tool; raises `NotFound`. `lock` keeps others from changing it until the transaction ends."""
    query = tools.select().where(_is_tool(organization_id, tool_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise errors.NotFound("Tool", tool_id)
    return _from_row(row)


async def find_tools(connection: AsyncConnection, organization_id: str, ids: Sequence[str]) -> list[Tool]:
    """Those of the tools that exist, in the order of `ids`."""
    if not ids:
        return []
    condition = (tools.c.organization_id == organization_id) & tools.c.id.in_(ids)
    found = {row.id: _from_row(row) for row in await connection.execute(tools.select().where(condition))}
    return [found[tool_id] for tool_id in dict.fromkeys(ids) if tool_id in found]


async def find_by_model_tool_name(connection: AsyncConnection, organization_id: str, name: str) -> Tool | None:
    """The tool that the model calls by this name."""
    condition = (tools.c.organization_id == organization_id) & (tools.c.model_tool_name == name)
    row = (await connection.execute(tools.select().where(condition))).one_or_none()
    return None if row is None else _from_row(row)


async def list_tools(
    connection: AsyncConnection, organization_id: str, *, name: str | None = None, limit: int, offset: int
) -> tuple[list[Tool], int]:
    """A page of tools, newest first, and how many there are; `name` is a part of the name in any case."""
    condition = tools.c.organization_id == organization_id
    if name is not None:
        condition &= tools.c.name.icontains(name, autoescape=True)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(tools).where(condition))).scalar_one()
    page = tools.select().where(condition).order_by(tools.c.created_at.desc(), tools.c.id.desc())
    rows = await connection.execute(page.limit(limit).offset(offset))
    return [_from_row(row) for row in rows], total


async def delete_tool(connection: AsyncConnection, organization_id: str, tool_id: str) -> bool:
    """Delete the tool; False when it is not there. Agents that name it go on without it."""
    deleted = await connection.execute(tools.delete().where(_is_tool(organization_id, tool_id)))
    return deleted.rowcount == 1


def _is_tool(organization_id: str, tool_id: str) -> sa.ColumnElement[bool]:
    return (tools.c.organization_id == organization_id) & (tools.c.id == tool_id)
