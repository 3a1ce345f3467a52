"""Starts the programs as child processes, restarts what dies, and stops them in an order that lets calls finish."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from ringdown import lifecycle
from ringdown.lifecycle import CannotStart

log = structlog.get_logger(__name__)

_READY_TIMEOUT_S = 60.0
_RESTART_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 5.0)
# A child that lived this long starts again without delay.
_STABLE_S = 30.0
# Beyond the drain a child gets this long to end before it is killed.
_STOP_GRACE_S = 15.0


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """One program of the tree: its name, and what follows `python -m`."""

    name: str
    arguments: Sequence[str]


class Child:
    """One supervised program: restarted whenever it ends without being asked to."""

    def __init__(self, spec: ProgramSpec, *, environment: Mapping[str, str], lifeline: int) -> None:
        self.spec = spec
        self.is_ready = asyncio.Event()
        self._environment = environment
        self._lifeline = lifeline
        self._running: asyncio.subprocess.Process | None = None
        self._is_stopping = False

    async def keep_running(self) -> None:
        """Run the program again and again until `stop` was called."""
        failures = 0
        while not self._is_stopping:
            started_at = time.monotonic()
            code = await self._run_once()
            if self._is_stopping:
                return
            if code == lifecycle.CANNOT_START_STATUS and not self.is_ready.is_set():
                raise CannotStart(f"The {self.spec.name} cannot start; its reason stands above.")
            failures = 1 if time.monotonic() - started_at > _STABLE_S else failures + 1
            if not self.is_ready.is_set() and failures >= 3:
                raise CannotStart(f"The {self.spec.name} ended {failures} times while starting (exit code {code}).")
            delay_s = _RESTART_DELAYS_S[min(failures - 1, len(_RESTART_DELAYS_S) - 1)]
            log.warning("program ended, restarting", program=self.spec.name, exit_code=code, delay_s=delay_s)
            await asyncio.sleep(delay_s)

    async def _run_once(self) -> int:
        ready_read, ready_write = os.pipe()
        environment = {
            **self._environment,
            lifecycle.READY_FD: str(ready_write),
            lifecycle.LIFELINE_FD: str(self._lifeline),
        }
        try:
            self._running = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self.spec.arguments,
                env=environment,
                pass_fds=(ready_write, self._lifeline),
                # Ctrl-C in a terminal reaches the whole group; only the supervisor shall decide what it means.
                start_new_session=True,
            )
        finally:
            os.close(ready_write)
        if self._is_stopping:  # asked while it was being started
            self.ask_to_stop()
        asyncio.get_running_loop().add_reader(ready_read, self._note_ready, ready_read)
        try:
            return await self._running.wait()
        finally:
            asyncio.get_running_loop().remove_reader(ready_read)
            os.close(ready_read)

    def _note_ready(self, fd: int) -> None:
        if os.read(fd, 16):
            self.is_ready.set()
        asyncio.get_running_loop().remove_reader(fd)

    @property
    def process_id(self) -> int | None:
        """The process that runs the program now."""
        return self._running.pid if self._running is not None and self._running.returncode is None else None

    def ask_to_stop(self) -> None:
        """Ask the program to stop; asking twice makes it urgent."""
        self._is_stopping = True
        if self.process_id is not None and self._running is not None:
            with contextlib.suppress(ProcessLookupError):
                self._running.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the program now."""
        if self.process_id is not None and self._running is not None:
            with contextlib.suppress(ProcessLookupError):
                self._running.kill()


class Supervisor:
    """The process tree: use as `async with Supervisor(...)`; leaving stops every program.

    `drain_s` bounds how long live calls may go on after the stop.
    """

    def __init__(self, specs: Sequence[ProgramSpec], *, environment: Mapping[str, str], drain_s: float) -> None:
        self._lifeline_read, self._lifeline_write = os.pipe()
        self.children = {
            spec.name: Child(spec, environment=environment, lifeline=self._lifeline_read) for spec in specs
        }
        self._drain_s = drain_s
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.is_draining = False

    async def __aenter__(self) -> "Supervisor":
        for name, child in self.children.items():
            self._tasks[name] = asyncio.create_task(child.keep_running(), name=name)
        try:
            await self._wait_until_ready()
        except BaseException:
            await self._stop_all()
            raise
        return self

    async def _wait_until_ready(self) -> None:
        ready = asyncio.create_task(self._all_ready())
        done, _ = await asyncio.wait(
            [ready, *self._tasks.values()], timeout=_READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if ready in done:
            return
        ready.cancel()
        for task in done:
            await task
        late = [name for name, child in self.children.items() if not child.is_ready.is_set()]
        raise CannotStart(f"Not ready within {_READY_TIMEOUT_S:.0f} s: {', '.join(late)}.")

    async def _all_ready(self) -> None:
        for child in self.children.values():
            await child.is_ready.wait()

    async def wait(self, stop: lifecycle.Stop) -> None:
        """Return when a stop was asked for; raises what ended a program for good."""
        asked = asyncio.create_task(_until_asked(stop))
        try:
            done, _ = await asyncio.wait([asked, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task is not asked:
                    await task
        finally:
            asked.cancel()

    async def drain(self, stop: lifecycle.Stop) -> None:
        """Let the gateway finish its calls; a second wish to stop ends them at once."""
        self.is_draining = True
        gateway = self.children.get("gateway")
        if gateway is None:
            return
        gateway.ask_to_stop()
        hurry = asyncio.create_task(self._pass_on_urgency(stop, gateway))
        try:
            await asyncio.wait([self._tasks["gateway"]], timeout=self._drain_s + _STOP_GRACE_S)
        finally:
            hurry.cancel()

    async def _pass_on_urgency(self, stop: lifecycle.Stop, gateway: Child) -> None:
        await stop.urgent.wait()
        gateway.ask_to_stop()

    async def __aexit__(self, *_: object) -> None:
        await self._stop_all()

    async def _stop_all(self) -> None:
        for child in self.children.values():
            child.ask_to_stop()
        _, late = await asyncio.wait(self._tasks.values(), timeout=_STOP_GRACE_S)
        for task in late:
            self.children[task.get_name()].kill()
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        os.close(self._lifeline_write)
        os.close(self._lifeline_read)


async def _until_asked(stop: lifecycle.Stop) -> None:
    await stop.asked.wait()
