"""An MCP server over streamable HTTP for tests, made with the protocol's own package and served by uvicorn."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.types import ImageContent
from starlette.types import ASGIApp, Receive, Scope, Send

_PATIENCE_S = 20.0


@dataclass(slots=True)
class FakeMcpServer:
    """Offers some tools; `headers` are those of each request, `calls` the tools that ran."""

    headers: list[dict[str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    blocker: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    @contextlib.contextmanager
    def reserve_port(self) -> Iterator[None]:
        """Keep the port for several runs: bound, but not listened on, so that connections are refused in between."""
        with socket.socket() as reserved:
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            reserved.bind(("127.0.0.1", 0))
            self.port = reserved.getsockname()[1]
            yield

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}/mcp"

    @contextlib.asynccontextmanager
    async def run(self, *, is_stateless: bool = False, sends_json: bool = False) -> AsyncIterator["FakeMcpServer"]:
        """Serve on a free port, or on the reserved one."""
        with socket.create_server(("127.0.0.1", self.port), reuse_port=True) as listener:
            self.port = listener.getsockname()[1]
            app = self._build().streamable_http_app(stateless_http=is_stateless, json_response=sends_json)
            config = uvicorn.Config(
                self._record(app), log_config=None, access_log=False, timeout_graceful_shutdown=0, lifespan="on"
            )
            server = _Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            async with asyncio.timeout(_PATIENCE_S):
                await server.is_ready.wait()
            try:
                yield self
            finally:
                self.blocker.set()
                server.should_exit = True
                await serving

    def _record(self, app: ASGIApp) -> ASGIApp:
        async def recording(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
            await app(scope, receive, send)

        return recording

    def _build(self) -> MCPServer:
        server: MCPServer = MCPServer("shop")

        @server.tool(description="Adds two numbers.")
        def add(a: int, b: int) -> int:
            self.calls.append("add")
            return a + b

        @server.tool(description="Finds an order.")
        def find_order(number: str) -> dict[str, Any]:
            self.calls.append("find_order")
            return {"number": number, "state": "shipped"}

        @server.tool()
        def fail() -> str:
            self.calls.append("fail")
            raise ValueError("no such order")

        @server.tool()
        async def wait() -> str:
            self.calls.append("wait")
            await self.blocker.wait()
            return "done"

        @server.tool()
        def tell_all() -> str:
            return "x" * 100_000

        @server.tool()
        def show() -> ImageContent:
            return ImageContent(data="aGk=", mime_type="image/png")

        @server.tool(name="end_call", description="Ends something of its own.")
        def end() -> str:
            return "ended"

        return server


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Signals are the test's."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.is_ready.set()
