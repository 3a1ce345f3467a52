"""Takes the WebSockets of browsers that join calls, and carries messages between each and its `Browser`."""

import asyncio
import contextlib
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ringdown.calls.browser import JOIN_PATH
from ringdown.config import Settings
from ringdown.gateway import webrtc_loading
from ringdown.gateway.switchboard import Switchboard
from ringdown.gateway.webrtc_peer import BROKEN, UNKNOWN_LINK, BadMessage, Browser
from ringdown.lifecycle import CannotStart

log = structlog.get_logger(__name__)

_MAX_MESSAGE_BYTES = 128 * 1024
_PING_S = 20
_CLOSE_TIMEOUT_S = 2


class JoinServer:
    """Serves `/join/<token>` between `async with`, if browser calls are on. Raises `CannotStart` at its begin."""

    def __init__(self, switchboard: Switchboard, settings: Settings) -> None:
        self._switchboard = switchboard
        self._settings = settings
        self._server: Server | None = None
        # The browsers in calls, by their resume keys.
        self._browsers: dict[str, tuple[Browser, asyncio.Event]] = {}

    async def __aenter__(self) -> "JoinServer":
        host, port = self._settings.webrtc_host, self._settings.webrtc_port
        if not port:
            return self
        await webrtc_loading.load()
        try:
            self._server = await serve(
                self._handle,
                host,
                port,
                compression=None,
                max_size=_MAX_MESSAGE_BYTES,
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
                close_timeout=_CLOSE_TIMEOUT_S,
                server_header=None,
            )
        except OSError as error:
            raise CannotStart(
                f"The gateway cannot take browser calls on {host} port {port} ({error.strerror or error}); "
                "set RINGDOWN_WEBRTC_PORT to another port, or to 0."
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        url = urlsplit(connection.request.path)
        if not url.path.startswith(JOIN_PATH):
            await connection.close(UNKNOWN_LINK, "there is nothing here")
            return
        if resume_keys := parse_qs(url.query).get("resume"):
            await self._resume(connection, resume_keys[0])
            return
        browser = Browser()
        replaced = asyncio.Event()
        self._browsers[browser.resume_key] = browser, replaced
        call = self._switchboard.join(url.path.removeprefix(JOIN_PATH), browser)
        call.add_done_callback(lambda _: self._forget(browser))
        await self._carry(connection, browser, replaced)

    def _forget(self, browser: Browser) -> None:
        del self._browsers[browser.resume_key]
        browser.close()

    async def _resume(self, connection: ServerConnection, resume_key: str) -> None:
        """Go on with a browser on another WebSocket, in place of the one before."""
        found = self._browsers.get(resume_key)
        if found is None:
            await connection.close(UNKNOWN_LINK, "the call has ended")
            return
        browser, former = found
        former.set()
        replaced = asyncio.Event()
        self._browsers[resume_key] = browser, replaced
        browser.found()
        await self._carry(connection, browser, replaced)

    async def _carry(self, connection: ServerConnection, browser: Browser, replaced: asyncio.Event) -> None:
        """Pass messages on until the call is over, the WebSocket is closed, or another takes its place."""
        reading = asyncio.create_task(self._read(connection, browser))
        writing = asyncio.create_task(self._write(connection, browser))
        leaving = asyncio.create_task(replaced.wait())
        tasks = (reading, writing, leaving)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not replaced.is_set():
                browser.lost()
        await connection.close(*browser.verdict)

    async def _read(self, connection: ServerConnection, browser: Browser) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                try:
                    browser.take(text)
                except BadMessage as error:
                    browser.tell(type="error", message=f"{error}")
                    await connection.close(BROKEN, f"{error}"[:100])

    async def _write(self, connection: ServerConnection, browser: Browser) -> None:
        with contextlib.suppress(ConnectionClosed):
            while (message := await browser.outbox.get()) is not None:
                await connection.send(msgspec.json.encode(message).decode())
