"""The API hands WebSockets on to the gateway; here a gateway of the tests that tells what it got."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve

from ringdown.api import server
from ringdown.config import Settings

_PATIENCE_S = 30.0
_ECHO = "/join/echo%20x?resume=k%26y"
_CLIENT = Path(server.__file__).parent / "static" / "ringdown-webrtc.js"
_SCRIPT = Path(__file__).parent.parent / "data" / "browser_client.mjs"


async def _answer(connection: ServerConnection) -> None:
    """Tell the path, and each message; close when asked to."""
    assert connection.request is not None
    await connection.send(connection.request.path)
    async for text in connection:
        if text == "close":
            await connection.close(4404, "no such link")
            return
        await connection.send(f"got {text!s}")


@contextlib.asynccontextmanager
async def _run_api(settings: Settings, *, gateway_port: int) -> AsyncIterator[str]:
    """The API as a process has it; the beginning of its links."""
    with contextlib.closing(server._listen(settings.model_copy(update={"http_port": 0}))) as found:
        port = found.getsockname()[1]
    changes = {"http_port": port, "webrtc_port": gateway_port, "database_url": None}
    asked, is_ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        serving = server.serve(settings.model_copy(update=changes), asked=asked, ready=is_ready.set)
        group.create_task(serving)
        async with asyncio.timeout(_PATIENCE_S):
            await is_ready.wait()
        yield f"ws://127.0.0.1:{port}"
        asked.set()


@pytest.fixture
async def gateway() -> AsyncIterator[Server]:
    async with serve(_answer, "127.0.0.1", 0) as running:
        yield running


@pytest.fixture
async def api(settings: Settings, gateway: Server) -> AsyncIterator[str]:
    async with _run_api(settings, gateway_port=gateway.sockets[0].getsockname()[1]) as url:
        yield url


async def _read(browser: ClientConnection) -> str:
    async with asyncio.timeout(_PATIENCE_S):
        return str(await browser.recv())


async def _read_end(browser: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(_PATIENCE_S):
        await browser.wait_closed()
    return browser.close_code, browser.close_reason


async def test_messages_pass_both_ways_with_the_token_and_the_query(api: str) -> None:
    async with connect(f"{api}{_ECHO}", proxy=None) as browser:
        assert await _read(browser) == _ECHO
        for text in ("{}", "ä" * 10_000):
            await browser.send(text)
            assert await _read(browser) == f"got {text}"


async def test_the_gateways_close_code_and_reason_reach_the_browser(api: str) -> None:
    async with connect(f"{api}/join/token", proxy=None) as browser:
        await browser.send("close")
        assert await _read_end(browser) == (4404, "no such link")


async def test_the_gateway_hears_that_the_browser_has_gone(settings: Settings) -> None:
    gone: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def watch(connection: ServerConnection) -> None:
        await connection.wait_closed()
        gone.set_result(True)

    async with (
        serve(watch, "127.0.0.1", 0) as running,
        _run_api(settings, gateway_port=running.sockets[0].getsockname()[1]) as url,
        asyncio.timeout(_PATIENCE_S),
    ):
        async with connect(f"{url}/join/token", proxy=None):
            pass
        assert await gone


@pytest.mark.parametrize("message", [b"bytes", "x" * 200_000])
async def test_what_is_no_text_or_too_long_ends_the_connection(api: str, message: str | bytes) -> None:
    async with connect(f"{api}/join/token", proxy=None) as browser:
        await _read(browser)
        await browser.send(message)
        code, _ = await _read_end(browser)
    assert code in (1001, 1009)


async def test_without_a_gateway_the_browser_may_try_later(settings: Settings, gateway: Server) -> None:
    port = gateway.sockets[0].getsockname()[1]
    gateway.close()
    await gateway.wait_closed()
    async with _run_api(settings, gateway_port=port) as url, connect(f"{url}/join/token", proxy=None) as browser:
        assert await _read_end(browser) == (1013, "no gateway is there")


@pytest.mark.skipif(shutil.which("node") is None, reason="the client module is run by Node.js")
async def test_the_client_module_joins_tells_and_comes_back() -> None:
    """The module in Node.js, with a browser's microphone, peer connection and WebSocket played by a script."""
    process = await asyncio.create_subprocess_exec(
        "node", str(_SCRIPT), _CLIENT.as_uri(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(_PATIENCE_S):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    told = json.loads(output)
    assert told["sent"] == [
        {"type": "offer", "sdp": "offered"},
        {"type": "candidate", "candidate": "candidate:early"},
        {"type": "candidate", "candidate": "candidate:late"},
        {"type": "digits", "digits": "1#"},
        {"type": "hangup"},
    ]
    assert told["urls"] == ["wss://calls.example/join/token", "wss://calls.example/join/token?resume=key"]
    assert told["events"] == [
        ["status", {"status": "speaking"}],
        ["transcript", {"speaker": "agent", "text": "Hello.", "isFinal": True}],
        ["error", {"message": "careful"}],
        ["status", {"status": "listening"}],
        ["status", {"status": "ended"}],
        ["ended", {"code": 1000, "reason": "user_hangup"}],
    ]
    assert told["facts"] == {
        "callId": "call_1", "agentName": "Front desk", "answer": {"type": "answer", "sdp": "answered"},
        "isMuted": True, "isTrackEnabled": False, "isPlaying": True, "isStopped": True, "isPeerClosed": True,
        "refused": "the link is unknown",
    }  # fmt: skip
