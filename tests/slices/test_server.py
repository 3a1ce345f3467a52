"""The API as a process: it says when it is ready, stops gracefully, and tells why it cannot start."""

import asyncio
import errno
import os
import socket
from pathlib import Path

import httpx
import pytest

from ringdown.api import server
from ringdown.config import Settings
from ringdown.lifecycle import CannotStart


def _take_port() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


async def test_the_server_answers_once_it_is_ready_and_stops_when_asked(sqlite_url: str, settings: Settings) -> None:
    with _take_port() as found:
        port = found.getsockname()[1]
    folder = Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")).parent
    bound = settings.model_copy(update={"http_port": port, "data_dir": folder, "database_url": None})
    asked, is_ready = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(bound, asked=asked, ready=is_ready.set))
        await is_ready.wait()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/healthz")).json() == {"status": "ok"}
            refused = await client.get("/api/public/v1/calls")
            assert refused.status_code == 401
            assert refused.headers["x-request-id"] == refused.json()["meta"]["request_id"]
        asked.set()
        await serving
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/healthz")


async def test_a_port_in_use_is_told_in_one_sentence(settings: Settings) -> None:
    with _take_port() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart) as refused:
            await server.serve(settings.model_copy(update={"http_port": port}), asked=asyncio.Event())
    assert str(refused.value) == f"The API cannot listen on 127.0.0.1 port {port}: {os.strerror(errno.EADDRINUSE)}."


async def test_an_address_that_is_not_of_this_machine_is_told_in_one_sentence(settings: Settings) -> None:
    for host in ("203.0.113.1", "no-such-host.invalid"):
        with pytest.raises(CannotStart, match=f"The API cannot listen on {host}"):
            await server.serve(settings.model_copy(update={"http_host": host, "http_port": 0}), asked=asyncio.Event())
