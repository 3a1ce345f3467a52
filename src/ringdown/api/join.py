"""What a browser needs of us: the module that joins calls, and a WebSocket that is handed on to the gateway."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from importlib import resources
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Response, WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from ringdown.calls.browser import JOIN_PATH
from ringdown.config import Settings
from ringdown.web import route

log = structlog.get_logger(__name__)

_CLIENT = resources.files("ringdown.api") / "static" / "ringdown-webrtc.js"
_CLIENT_SECONDS = 3600

MAX_MESSAGE_BYTES = 128 * 1024
_OPEN_TIMEOUT_S = 5
_GONE, _TRY_LATER = 1001, 1013
# What may not be sent as a code (RFC 6455 §7.4.1): nobody said anything, or the connection broke.
_UNSPOKEN = (1005, 1006, 1015)

# What sending to a browser raises then, depending on when it went.
_BROWSER_HAS_GONE = (RuntimeError, WebSocketDisconnect)

router = APIRouter()
client_router = route.new_public_router(prefix="/webrtc", tag="WebRTC")


@client_router.get("/ringdown.js", summary="The module that joins calls", include_in_schema=False)
async def get_client() -> Response:
    """An ES module that pages of any origin may import."""
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": f"max-age={_CLIENT_SECONDS}"}
    return Response(_CLIENT.read_bytes(), media_type="text/javascript; charset=utf-8", headers=headers)


@router.websocket(JOIN_PATH + "{token}")
async def join(browser: WebSocket, token: str) -> None:
    """A browser joins the call of its token."""
    settings: Settings = browser.app.state.web.settings
    await browser.accept()
    try:
        async with connect(_make_url(settings, token, browser.url.query), **_OPTIONS) as gateway:
            await _first_of(_pass_in(browser, gateway), _pass_out(browser, gateway))
            code, reason = gateway.close_code, gateway.close_reason
    except (OSError, TimeoutError, WebSocketException) as error:
        log.warning("no gateway takes browser calls", host=settings.webrtc_host, error=str(error))
        code, reason = _TRY_LATER, "no gateway is there"
    with suppress(*_BROWSER_HAS_GONE):
        await browser.close(_GONE if code is None or code in _UNSPOKEN else code, reason)


_OPTIONS: dict[str, Any] = {
    "open_timeout": _OPEN_TIMEOUT_S,
    "close_timeout": 2,
    "max_size": MAX_MESSAGE_BYTES,
    "compression": None,
    "proxy": None,
}


def _make_url(settings: Settings, token: str, query: str) -> str:
    host = f"[{settings.webrtc_host}]" if ":" in settings.webrtc_host else settings.webrtc_host
    return f"ws://{host}:{settings.webrtc_port}{JOIN_PATH}{quote(token, safe='')}{'?' if query else ''}{query}"


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until one is done."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_in(browser: WebSocket, gateway: ClientConnection) -> None:
    with suppress(WebSocketDisconnect, ConnectionClosed, KeyError):  # KeyError: bytes where text belongs
        while True:
            await gateway.send(await browser.receive_text())


async def _pass_out(browser: WebSocket, gateway: ClientConnection) -> None:
    with suppress(ConnectionClosed, *_BROWSER_HAS_GONE):
        async for text in gateway:
            await browser.send_text(str(text))
