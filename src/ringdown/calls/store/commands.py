"""Commands to live calls: written by the API, taken by the gateway that carries the call."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.calls import tables
from ringdown.calls.models import Call, CallCommand, CommandKind

commands, attempts = tables.commands, tables.attempts


async def insert_command(
    connection: AsyncConnection, call: Call, kind: CommandKind, arguments: Mapping[str, object] | None = None
) -> None:
    """Ask the call's gateway for something."""
    row = {
        "organization_id": call.organization_id,
        "id": values.new_id("cmd"),
        "call_id": call.id,
        "kind": kind,
        "arguments": dict(arguments or {}),
        "created_at": values.now_ms(),
    }
    await connection.execute(commands.insert().values(row))


async def has_commands(connection: AsyncConnection, gateway_id: str) -> bool:
    """Whether calls of this gateway have commands."""
    return bool(
        (await connection.execute(sa.select(sa.select(commands.c.id).where(_is_to(gateway_id)).exists()))).scalar_one()
    )


async def take_commands(connection: AsyncConnection, gateway_id: str) -> list[CallCommand]:
    """Remove and return the commands to this gateway's calls, oldest first."""
    rows = await connection.execute(commands.delete().where(_is_to(gateway_id)).returning(commands))
    ordered = sorted(rows, key=lambda row: (row.created_at, row.id))
    return [CallCommand(row.organization_id, row.call_id, row.kind, row.arguments) for row in ordered]


async def delete_commands(connection: AsyncConnection, call: Call) -> None:
    """Remove what nobody can do any more."""
    condition = (commands.c.organization_id == call.organization_id) & (commands.c.call_id == call.id)
    await connection.execute(commands.delete().where(condition))


def _is_to(gateway_id: str) -> sa.ColumnElement[bool]:
    is_ours = (
        (attempts.c.organization_id == commands.c.organization_id)
        & (attempts.c.call_id == commands.c.call_id)
        & (attempts.c.gateway_id == gateway_id)
    )
    return sa.exists().where(is_ours)
