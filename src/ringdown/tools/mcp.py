"""MCP servers as sources of tools: one session per server and call, over streamable HTTP, guarded and bounded."""

import asyncio
import json
import logging
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import httpx2
import pydantic
from mcp import Client, MCPError
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    EmbeddedResource,
    Implementation,
    ListToolsResult,
    PaginatedRequestParams,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
)

from ringdown.outbound import OutboundClient
from ringdown.tools.mcp_loading import McpFailed
from ringdown.tools.results import cut
from ringdown.voice.ports import ToolResult

_T = TypeVar("_T")

#: How long a server may take to be connected to and to list its tools.
OPEN_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 2.0
_MAX_BYTES = 4 * 1024 * 1024
_MAX_PAGES = 8
_MAX_TOOLS = 64
_MAX_MESSAGE_CHARACTERS = 300
_CLIENT = Implementation(name="Ringdown", version="0.1")

# The package logs whole answers of the server, and those are personal data.
logging.getLogger("mcp").setLevel(logging.CRITICAL)


class McpServer:
    """The session of one call with one server; a lost one is opened again."""

    def __init__(self, url: str, *, headers: Mapping[str, str], client: OutboundClient) -> None:
        self._url = url
        self._headers = dict(headers)
        self._client = client
        self._link: _Link | None = None

    async def open(self) -> list[Tool]:
        """Connect and list the server's tools, within `OPEN_TIMEOUT_S`. Raises `McpFailed`."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                link = await self._get_link()
                return await link.list_tools()
        except TimeoutError:
            raise McpFailed("The MCP server did not answer in time.", is_sent=True) from None

    async def call(self, name: str, arguments: Mapping[str, Any], *, timeout_s: float) -> ToolResult:
        """Use a tool. Faults are results; what the server surely did not do is tried once more on a new session."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._call(name, arguments)
        except TimeoutError:
            return ToolResult(f"The tool did not answer within {timeout_s:.3g} seconds.", is_error=True)
        except McpFailed as error:
            return ToolResult(f"The tool failed. {error}", is_error=True)

    async def close(self) -> None:
        """End the session, within a few seconds; safe to call twice."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        link = await self._get_link()
        try:
            return await link.call(name, arguments)
        except McpFailed as error:
            if error.is_sent:
                raise
        # Another call of the same moment may have opened a new session already.
        if self._link is link:
            await self.close()
        return await (await self._get_link()).call(name, arguments)

    async def _get_link(self) -> "_Link":
        if self._link is not None and self._link.is_lost:
            await self.close()
        if self._link is None:
            self._link = _Link(self._url, headers=self._headers, client=self._client)
        await self._link.connect()
        return self._link


class _Link:
    """One connection. The package wants its contexts left by the task that entered them: that task is `_serving`."""

    def __init__(self, url: str, *, headers: Mapping[str, str], client: OutboundClient) -> None:
        self._url = url
        self._headers = headers
        self._client = client
        self._session: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._is_over = asyncio.Event()
        self._serving = asyncio.create_task(self._serve())

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended by itself."""
        return self._serving.done()

    async def connect(self) -> ClientSession:
        """The session, once it is there. Raises `McpFailed`."""
        waited: list[asyncio.Future[Any]] = [self._serving, self._session]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not self._session.done() or self._serving.done():
            raise self._explain_loss()
        return self._session.result()

    async def list_tools(self) -> list[Tool]:
        """All tools of the server, within bounds. Raises `McpFailed`."""
        tools: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self._ask(self._list_page(cursor))
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None or len(tools) >= _MAX_TOOLS:
                break
        return tools[:_MAX_TOOLS]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """What the tool answers. Raises `McpFailed`."""
        return _read_result(await self._ask(self._call(name, arguments)))

    async def close(self) -> None:
        """End the connection; one that does not end by itself is cut."""
        self._is_over.set()
        try:
            if self._session.done():
                await asyncio.wait({self._serving}, timeout=_CLOSE_TIMEOUT_S)
        finally:
            await _stop(self._serving)

    async def _serve(self) -> None:
        wanted = {"User-Agent": "Ringdown/0.1", **self._headers, "Accept-Encoding": "identity"}
        headers = [(name.encode(), value.encode()) for name, value in wanted.items()]
        # Every wait for an answer has the timeout of its asker; the stream of notifications may be silent for long.
        async with httpx2.AsyncClient(
            transport=self._client.open_transport(max_bytes=_MAX_BYTES), headers=headers, timeout=None, trust_env=False
        ) as http:
            transport = streamable_http_client(self._url, http_client=http)
            async with Client(transport, client_info=_CLIENT, cache=None) as client:
                self._session.set_result(client.session)
                await self._is_over.wait()

    async def _list_page(self, cursor: str | None) -> ListToolsResult:
        return await self._session.result().list_tools(params=PaginatedRequestParams(cursor=cursor))

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        # Not `call_tool`: that checks results by the server's own schemas, whose patterns could take forever.
        request = CallToolRequest(params=CallToolRequestParams(name=name, arguments=dict(arguments)))
        return await self._session.result().send_request(request, CallToolResult)

    async def _ask(self, question: Coroutine[Any, Any, _T]) -> _T:
        asking = asyncio.create_task(question)
        try:
            await asyncio.wait({asking, self._serving}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise self._explain_loss()
            error = asking.exception()
            if error is None:
                return asking.result()
            if isinstance(error, MCPError) and error.error.code == CONNECTION_CLOSED:
                await asyncio.wait({self._serving}, timeout=_CLOSE_TIMEOUT_S)
                if self._serving.done():
                    raise self._explain_loss()
            raise _explain([error])
        finally:
            await _stop(asking)

    def _explain_loss(self) -> McpFailed:
        error = self._serving.exception() if not self._serving.cancelled() else None
        return _explain(list(_list_leaves(error)) if error is not None else [])


async def _stop(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for it; whatever it raised, the call goes on without it."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


def _list_leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for child in error.exceptions:
            yield from _list_leaves(child)
    else:
        yield error


def _explain(faults: list[BaseException]) -> McpFailed:
    """One sentence for what went wrong, without URLs, headers or what the server was told."""
    for fault in faults:
        if isinstance(fault, MCPError):
            message = fault.error.message[:_MAX_MESSAGE_CHARACTERS].rstrip(".")
            is_forgotten = fault.error.code == INVALID_REQUEST and "terminated" in message
            return McpFailed(f"The MCP server said: {message}.", is_sent=not is_forgotten)
        if isinstance(fault, httpx2.ConnectError):
            return McpFailed(f"The MCP server could not be reached: {fault}.", is_sent=False)
        if isinstance(fault, (pydantic.ValidationError, ValueError)):
            return McpFailed("The MCP server answered something that is not MCP.", is_sent=True)
    return McpFailed("The connection to the MCP server broke.", is_sent=True)


def _read_result(result: CallToolResult) -> ToolResult:
    pieces = [text for block in result.content if (text := _to_text(block))]
    if not pieces and result.structured_content is not None:
        pieces = [json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))]
    return ToolResult(cut("\n".join(pieces)) or "The tool answered nothing.", is_error=result.is_error)


def _to_text(block: object) -> str:
    if isinstance(block, TextContent):
        return block.text
    if isinstance(block, EmbeddedResource) and isinstance(block.resource, TextResourceContents):
        return block.resource.text
    if isinstance(block, ResourceLink):
        return f"[{block.name}: {block.uri}]"
    return "[something that is not text]"
