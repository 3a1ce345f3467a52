"""One program of the product as a supervisor runs it: its real entry point, started again at once when it has died."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ringdown import lifecycle

_STOP_S = 30.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_TOO_OFTEN = 5
_TOO_SOON_S = 1.0


@dataclass(frozen=True, slots=True)
class Death:
    """A program that ended: when (ms UTC), with what status, whether it had started, and whether we killed it."""

    program: str
    at: int
    status: int
    was_ready: bool
    was_killed: bool


class Program:
    """Keeps one program running from `keep_running` to `stop`; `kill` is `kill -9` of whatever runs now."""

    def __init__(self, name: str, module: str, *, environment: Mapping[str, str], log: Path, lifeline: int) -> None:
        self.name = name
        self.is_ready = asyncio.Event()
        self.deaths: list[Death] = []
        self._module = module
        self._environment = environment
        self._log = log
        self._lifeline = lifeline
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopping = self._was_killed = False

    async def keep_running(self) -> None:
        """Start it again and again. Raises `RuntimeError` when it does not come up."""
        soon = 0
        while not self._is_stopping:
            began_s = time.monotonic()
            status = await self._run_once()
            if self._is_stopping:
                return
            self.deaths.append(Death(self.name, now_ms(), status, self.is_ready.is_set(), self._was_killed))
            soon = soon + 1 if not self._was_killed and time.monotonic() - began_s < _TOO_SOON_S else 0
            if soon >= _TOO_OFTEN:
                raise RuntimeError(f"{self.name} does not start; see {self._log}")

    async def _run_once(self) -> int:
        self.is_ready.clear()
        self._was_killed = False
        ready_read, ready_write = os.pipe()
        environment = {
            **self._environment,
            lifecycle.READY_FD: str(ready_write),
            lifecycle.LIFELINE_FD: str(self._lifeline),
        }
        try:
            with self._log.open("a") as log:
                self._process = process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", self._module,
                    env=environment, pass_fds=(ready_write, self._lifeline), stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
        finally:
            os.close(ready_write)
        loop = asyncio.get_running_loop()
        loop.add_reader(ready_read, self._note_ready, ready_read)
        try:
            return await process.wait()
        finally:
            loop.remove_reader(ready_read)
            os.close(ready_read)

    def _note_ready(self, descriptor: int) -> None:
        if os.read(descriptor, 16):
            self.is_ready.set()
        asyncio.get_running_loop().remove_reader(descriptor)

    @property
    def process_id(self) -> int | None:
        """The process that runs now, if one does."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def read_cpu_s(self) -> float:
        """CPU seconds of the process that runs now. Raises `FileNotFoundError` when none does."""
        fields = Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def kill(self) -> bool:
        """`kill -9`; False when nothing runs at this moment."""
        process_id = self.process_id
        if process_id is None:
            return False
        self._was_killed = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
        return True

    async def stop(self) -> None:
        """End it politely, and for good; `keep_running` returns then."""
        self._is_stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self._process.wait()
                    return


def now_ms() -> int:
    """Milliseconds UTC."""
    return time.time_ns() // 1_000_000
