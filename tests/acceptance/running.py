"""Starts the real product and real phones as child processes, and speaks to them as their users do."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx

from ringdown.cli.preflight import find_free_port

HOST = "127.0.0.1"
_START_S = 60.0


class Ringdown:
    """`ringdown serve` with its own data folder and ports.

    `launcher` stands before its command, as in `ip netns exec …`.
    """

    launcher: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ("HTTP_PORT", "SIP_PORT", "WEBRTC_PORT", "TEST_PHONE_PORT", "PEER_PORT")
        self.ports = {name: find_free_port(HOST) for name in names}
        self.key = ""
        self.environment = {
            **os.environ,
            "RINGDOWN_DATA_DIR": str(folder / "data"),
            "RINGDOWN_HTTP_PORT": str(self.ports["HTTP_PORT"]),
            "RINGDOWN_SIP_PORT": str(self.ports["SIP_PORT"]),
            "RINGDOWN_WEBRTC_PORT": str(self.ports["WEBRTC_PORT"]),
            "RINGDOWN_TEST_PHONE_PORT": str(self.ports["TEST_PHONE_PORT"]),
            "RINGDOWN_OUTBOUND_PEER": f"sip:ringdown:secret@{HOST}:{self.ports['PEER_PORT']}",
            "RINGDOWN_RATE_LIMIT_ENABLED": "false",
            "RINGDOWN_PRIVATE_URLS_ALLOWED": "true",
            "PYTHONUNBUFFERED": "1",
        }
        self._process: asyncio.subprocess.Process | None = None
        self.output = ""

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.ports['HTTP_PORT']}"

    @property
    def agent_uri(self) -> str:
        return f"sip:agent@{HOST}:{self.ports['SIP_PORT']}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self.launcher, sys.executable, "-m", "ringdown", "serve",
            env=self.environment, cwd=self.folder,
            stdout=asyncio.subprocess.PIPE, stderr=(self.folder / "log").open("a"),
        )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(_START_S):
            while "Ready." not in self.output:
                line = await self._process.stdout.readline()
                assert line, f"ringdown ended: {(self.folder / 'log').read_text()[-3000:]}"
                self.output += line.decode()
        if found := re.search(r"truedy_\w{32}", self.output):
            self.key = found[0]

    async def stop(self) -> int:
        """Stop as Ctrl-C does; returns the exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            self.output += (await self._process.stdout.read()).decode()
            return await self._process.wait()

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"{self.base_url}/api/public/v1", headers={"Authorization": f"Bearer {self.key}"}, timeout=20
        )

    def find_process(self, module: str) -> int:
        """The process id of one program of the tree."""
        assert self._process is not None
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parent = int(path.read_text().rpartition(")")[2].split()[1])
                command = (path.parent / "cmdline").read_bytes().split(b"\0")
                if parent == self._process.pid and module.encode() in command:
                    return int(path.parent.name)
        raise AssertionError(f"{module} does not run")


async def wait_for_call(client: httpx.AsyncClient, call_id: str, *statuses: str, timeout_s: float = 60) -> Any:
    """The call once it has one of the statuses."""
    async with asyncio.timeout(timeout_s):
        while True:
            call = (await client.get(f"/calls/{call_id}")).json()["data"]
            if call["status"] in statuses:
                return call
            await asyncio.sleep(0.1)


class Phone:
    """`ringdown phone --json` and what it said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.events: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())
        self._changed = asyncio.Event()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.events.append({**json.loads(line), "wall": time.monotonic()})
            self._changed.set()

    async def wait_for(self, kind: str, timeout_s: float = 60) -> dict[str, Any]:
        """The first event of this kind."""
        async with asyncio.timeout(timeout_s):
            while True:
                for event in self.events:
                    if event["kind"] == kind:
                        return event
                self._changed.clear()
                await self._changed.wait()

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]

    async def close(self) -> int:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        async with asyncio.timeout(20):
            await self._reading
            return await self._process.wait()


@contextlib.asynccontextmanager
async def run_phone(
    port: int, *arguments: str, host: str = HOST, launcher: tuple[str, ...] = ()
) -> AsyncIterator[Phone]:
    """A phone that listens on `port` (0: any) and follows `--step`s or other options."""
    process = await asyncio.create_subprocess_exec(
        *launcher, sys.executable, "-m", "ringdown.phone", "--json", "--listen", f"{host}:{port}", *arguments,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    phone = Phone(process)
    try:
        await phone.wait_for("listening", 30)
        yield phone
    finally:
        await phone.close()


def steps(*texts: str) -> Iterator[str]:
    """`--step` options."""
    for text in texts:
        yield from ("--step", text)
