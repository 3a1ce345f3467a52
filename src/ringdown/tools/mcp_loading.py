"""Loads the MCP client at its first use: its import takes most of a second, and few installations have such tools."""

import asyncio
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ringdown.outbound import OutboundClient

if TYPE_CHECKING:
    from ringdown.tools.mcp import McpServer


class McpFailed(Exception):
    """The server could not be used; the text is one sentence. `is_sent` is False when it surely did nothing."""

    def __init__(self, message: str, *, is_sent: bool) -> None:
        super().__init__(message)
        self.is_sent = is_sent


async def new_server(url: str, *, headers: Mapping[str, str], client: OutboundClient) -> "McpServer":
    """A server that is not connected yet. The import runs in a thread, so that live calls go on meanwhile."""
    module = await asyncio.to_thread(importlib.import_module, "ringdown.tools.mcp")
    server: McpServer = module.McpServer(url, headers=headers, client=client)
    return server
