"""The tools of one call: what the model may use, and using it; MCP servers stay connected for the call's life."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from ringdown.secret import SecretUnreadable
from ringdown.tools import arguments, mcp_loading, requests
from ringdown.tools.arguments import UnusableArguments
from ringdown.tools.mcp_loading import McpFailed
from ringdown.tools.models import BUILTIN_NAMES, Tool
from ringdown.tools.requests import NotSetUp
from ringdown.tools.results import RunResult
from ringdown.tools.runner import UNREADABLE, ToolRunner
from ringdown.voice.ports import ToolRequest, ToolSpec

if TYPE_CHECKING:
    from mcp.types import Tool as ServerTool

    from ringdown.tools.mcp import McpServer

_log = structlog.get_logger(__name__)

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
_MAX_NAME_LENGTH = 64
_MAX_DESCRIPTION_CHARACTERS = 4096
_MAX_SCHEMA_CHARACTERS = 32_768


class ToolSession:
    """The tools of one call; a `ToolBox` beside the built-in tools.

    `context` are the facts of the call (`call_id`, `agent_id`, `organization_id`, `caller_number`, `called_number`,
    `direction`) and its variables, as texts. `failures` holds one sentence per MCP server that could not be used.
    """

    def __init__(
        self,
        tools: Sequence[Tool],
        *,
        runner: ToolRunner,
        context: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner = runner
        self._context = dict(context)
        self._clock = clock
        self._http = {tool.model_tool_name: tool for tool in tools if tool.kind == "http"}
        self._sources = [tool for tool in tools if tool.kind == "mcp"]
        self._servers: list[McpServer] = []
        self._remote: dict[str, tuple[Tool, McpServer, str]] = {}
        self._specs = [runner.spec(tool) for tool in self._http.values()]
        self.failures: list[str] = []

    async def open(self) -> None:
        """Connect to the MCP servers, all at once and within a few seconds; failures are noted, not raised."""
        async with asyncio.TaskGroup() as group:
            opening = [group.create_task(self._open_source(source)) for source in self._sources]
        for source, opened in zip(self._sources, opening, strict=True):
            server, offered = opened.result()
            if server is not None:
                self._offer(source, server, offered)

    def specs(self) -> Sequence[ToolSpec]:
        """The tools that the model may use."""
        return tuple(self._specs)

    async def call(self, request: ToolRequest) -> RunResult:
        """Use a tool. Faults are results, too: never raises, and takes at most the tool's timeout."""
        started = self._clock()
        try:
            given = arguments.parse_arguments(request.arguments)
        except UnusableArguments as error:
            return RunResult(str(error), is_error=True)
        if request.name in self._http:
            return await self._runner.run(self._http[request.name], given, context=self._context)
        if request.name not in self._remote:
            return RunResult(f"There is no tool {request.name[:_MAX_NAME_LENGTH]}.", is_error=True)
        source, server, name = self._remote[request.name]
        result = await server.call(name, given, timeout_s=source.timeout_ms / 1000)
        duration_ms = round((self._clock() - started) * 1000)
        return RunResult(result.content, is_error=result.is_error, duration_ms=duration_ms)

    async def close(self) -> None:
        """Leave the MCP servers, all at once, within a few seconds; safe to call twice and after a cancelled `open`."""
        servers, self._servers = self._servers, []
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.close())

    async def _open_source(self, source: Tool) -> "tuple[McpServer | None, list[ServerTool]]":
        try:
            server = await open_server(source, runner=self._runner, context=self._context)
        except (NotSetUp, UnusableArguments) as error:
            return self._note(source, str(error))
        except SecretUnreadable:
            return self._note(source, UNREADABLE)
        self._servers.append(server)
        try:
            return server, await server.open()
        except McpFailed as error:
            await server.close()
            return self._note(source, str(error))

    def _note(self, source: Tool, failure: str) -> "tuple[None, list[ServerTool]]":
        # A server may say anything, as what it was asked.
        _log.warning("mcp_server_failed", tool_id=source.id, **{"pii.error": failure})
        self.failures.append(f"{source.name}: {failure}")
        return None, []

    def _offer(self, source: Tool, server: "McpServer", offered: "Sequence[ServerTool]") -> None:
        for tool in offered:
            name = self._find_free_name(source, tool.name)
            is_wanted = source.include is None or tool.name in source.include
            if not is_wanted or name is None or len(json.dumps(tool.input_schema)) > _MAX_SCHEMA_CHARACTERS:
                continue
            description = (tool.description or tool.title or tool.name)[:_MAX_DESCRIPTION_CHARACTERS]
            self._remote[name] = source, server, tool.name
            self._specs.append(ToolSpec(name, description, tool.input_schema))

    def _find_free_name(self, source: Tool, wanted: str) -> str | None:
        own = _NOT_IN_NAMES.sub("_", wanted)[:_MAX_NAME_LENGTH]
        longer = f"{source.model_tool_name}_{own}"[:_MAX_NAME_LENGTH]
        taken = BUILTIN_NAMES | self._http.keys() | self._remote.keys()
        return next((name for name in (own, longer) if name and name not in taken), None)


async def open_server(source: Tool, *, runner: ToolRunner, context: Mapping[str, str]) -> "McpServer":
    """The MCP server of a tool, not connected yet. Raises `NotSetUp`, `UnusableArguments` and `SecretUnreadable`."""
    if source.url is None:
        raise NotSetUp("This tool is not set up.")
    headers = requests.render_headers(source, context=context, open_secret=runner.open_secret)
    return await mcp_loading.new_server(source.url, headers=headers, client=runner.client)
