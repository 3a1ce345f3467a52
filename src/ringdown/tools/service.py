"""The use cases of tools: create, change, delete and try one."""

import dataclasses
import json
import time
from collections.abc import Mapping
from typing import Any

from ringdown import errors, values
from ringdown.accounts import store as account_store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.tools import checks, definition, session, store
from ringdown.tools.arguments import UnusableArguments
from ringdown.tools.mcp_loading import McpFailed
from ringdown.tools.models import Tool
from ringdown.tools.requests import NotSetUp
from ringdown.tools.results import RunResult
from ringdown.tools.runner import UNREADABLE, ToolRunner
from ringdown.tools.schemas import CreateTool, ToolTrial, UpdateTool
from ringdown.web import idempotency


async def create_tool(
    database: Database, *, settings: Settings, box: SecretBox, organization_id: str, body: CreateTool
) -> Tool:
    """A new tool. Raises `ValidationFailed`, and `Conflict` when the model knows another tool by its name."""
    now = values.now_ms()
    blank = Tool(
        organization_id=organization_id,
        id=values.new_id("tool"),
        name="",
        model_tool_name="",
        created_at=now,
        updated_at=now,
    )
    tool = definition.read_tool(body, present=blank)
    checks.check_tool(tool, private_allowed=settings.private_urls_allowed)
    tool = definition.keep_secrets(tool, None, seal=box.seal)
    async with database.write() as connection:
        await account_store.lock_organization(connection, organization_id)  # as renaming does: a name is taken once
        if not await store.insert_tool(connection, tool):
            raise _name_taken(tool)
        await idempotency.bind_resource(connection, tool.id)
    return tool


async def update_tool(
    database: Database, *, settings: Settings, box: SecretBox, organization_id: str, tool_id: str, body: UpdateTool
) -> Tool:
    """Change what the body names. Raises `NotFound`, `ValidationFailed` and `Conflict`."""
    async with database.write() as connection:
        await account_store.lock_organization(connection, organization_id)
        present = await store.get_tool(connection, organization_id, tool_id, lock=True)
        tool = definition.read_tool(body, present=present)
        checks.check_tool(tool, private_allowed=settings.private_urls_allowed)
        tool = definition.keep_secrets(tool, present, seal=box.seal)
        namesake = await store.find_by_model_tool_name(connection, organization_id, tool.model_tool_name)
        if namesake is not None and namesake.id != tool.id:
            raise _name_taken(tool)
        tool = dataclasses.replace(tool, updated_at=values.now_ms())
        await store.update_tool(connection, tool)
    return tool


async def delete_tool(database: Database, *, organization_id: str, tool_id: str) -> None:
    """Delete a tool; agents that name it go on without it. Raises `NotFound`."""
    async with database.write() as connection:
        if not await store.delete_tool(connection, organization_id, tool_id):
            raise errors.NotFound("Tool", tool_id)


async def try_tool(tool: Tool, *, runner: ToolRunner, trial: ToolTrial) -> RunResult:
    """Use a tool as a call would. Faults of the tool are results."""
    if tool.kind == "http":
        if trial.tool is not None:
            raise errors.invalid("tool", "is for MCP servers only")
        return await runner.run(tool, trial.arguments, context=trial.context)
    started = time.monotonic()
    content, is_error = await _try_server(tool, runner=runner, trial=trial)
    duration_ms = round((time.monotonic() - started) * 1000)
    return RunResult(content, is_error=is_error, duration_ms=duration_ms, request=_describe(tool, trial))


async def _try_server(tool: Tool, *, runner: ToolRunner, trial: ToolTrial) -> tuple[str, bool]:
    try:
        server = await session.open_server(tool, runner=runner, context=trial.context)
    except (NotSetUp, UnusableArguments) as error:
        return str(error), True
    except SecretUnreadable:
        return UNREADABLE, True
    try:
        offered = await server.open()
        if trial.tool is None:
            listed = [{"name": one.name, "description": one.description} for one in offered]
            return json.dumps(listed, ensure_ascii=False), False
        result = await server.call(trial.tool, trial.arguments, timeout_s=tool.timeout_ms / 1000)
        return result.content, result.is_error
    except McpFailed as error:
        return str(error), True
    finally:
        await server.close()


def _describe(tool: Tool, trial: ToolTrial) -> Mapping[str, Any]:
    return {"url": tool.url, "tool": trial.tool, "arguments": trial.arguments}


def _name_taken(tool: Tool) -> errors.Conflict:
    name = tool.model_tool_name
    return errors.Conflict(
        f"The organization has a tool that the model knows as {name} already; send another definition.modelToolName.",
        {"modelToolName": name},
    )
