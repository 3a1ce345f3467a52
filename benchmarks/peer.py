"""Installs the peer that our figures are compared with into a throw-away folder, runs it and reads what it costs."""

import asyncio
import os
import resource
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import setups
from ringdown.sip import sdp
from ringdown.sip.call import Call
from ringdown.sip.events import Answered

NAME = "baresip-python 0.5.2a3"
_REQUIREMENT = "baresip-python==0.5.2a3"
_INSTALL_TIMEOUT_S = 60
_ANSWER_TIMEOUT_S = 10.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def install(folder: Path) -> bool:
    """Whether the peer was installed from the package index; says why not on stderr."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run(
            [*command, "--target", str(folder), _REQUIREMENT],
            check=True,
            capture_output=True,
            text=True,
            timeout=_INSTALL_TIMEOUT_S,
        )
    except (subprocess.SubprocessError, OSError) as error:
        print(f"{NAME} is left out, it cannot be installed: {error}", file=sys.stderr)
        return False
    return True


class Peer:
    """The peer's process, on the core of the one that starts it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.baresip_echo", str(self.port)],
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        """Waits until it listens. Raises `RuntimeError` when it does not."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{NAME} did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def read_cpu_s(self) -> float:
        """CPU seconds of all its threads so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def read_core_wait_s(self) -> float:
        """How long its threads were ready while another had the core."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[1]) for thread in threads) / 1e9

    def read_rss_bytes(self) -> int:
        """Its memory."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def run_media(connection: Connection, calls: int, folder: Path) -> None:
    """As `media.run_subject`, with the peer in place of our media; we only dial its calls."""
    with Peer(folder) as peer:
        asyncio.run(_run_media(connection, calls, peer))


async def _run_media(connection: Connection, calls: int, peer: Peer) -> None:
    far_ports = connection.recv()
    rss_before = peer.read_rss_bytes()
    endpoint, _ = await setups.start_endpoint()
    ports = []
    for far_port in far_ports[:calls]:
        call = endpoint.prepare_invite(
            target=f"sip:echo@127.0.0.1:{peer.port}",
            from_uri=endpoint.local_uri("caller"),
            body=sdp.build_offer("127.0.0.1", far_port, encodings=("PCMU",)),
        )
        await call.send()
        ports.append(sdp.read_answer(await _wait_for_answer(call)).port)
    connection.send(ports)
    begin_s, end_s = connection.recv()
    await asyncio.sleep(begin_s - time.monotonic())
    cpu_before, waited_before = peer.read_cpu_s(), peer.read_core_wait_s()
    await asyncio.sleep(end_s - time.monotonic())
    waited_s = peer.read_core_wait_s() - waited_before
    cpu_s, rss_bytes = peer.read_cpu_s() - cpu_before, peer.read_rss_bytes() - rss_before
    connection.send((cpu_s, rss_bytes, 100 * waited_s / (end_s - begin_s)))
    await endpoint.close()


async def _wait_for_answer(call: Call) -> bytes:
    async with asyncio.timeout(_ANSWER_TIMEOUT_S):
        async for event in call.events():
            if isinstance(event, Answered):
                return event.body
    raise RuntimeError(f"{NAME} refused a call")


def run_callee(connection: Connection, _rate: float, folder: Path) -> None:
    """As `setups.run_callee`, with the peer answering."""
    connection.recv()
    with Peer(folder) as peer:
        connection.send([peer.port])
        begin_s, end_s = connection.recv()
        time.sleep(max(0.0, begin_s - time.monotonic()))
        before_s = peer.read_cpu_s()
        time.sleep(max(0.0, end_s - time.monotonic()))
        cpu_s = peer.read_cpu_s() - before_s
        time.sleep(setups.SETTLE_S)
        connection.send(cpu_s)
