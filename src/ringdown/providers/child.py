"""Keeps one child program running and carries framed messages; knows nothing of what they mean."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Protocol

import structlog

from ringdown.providers import frames
from ringdown.voice.ports import ProviderError

_log = structlog.get_logger(__name__)

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 2.0
_STEADY_S = 5.0  # a child that lived this long is started again at once
_LONGEST_PAUSE_S = 5.0
_SOURCE_ROOT = str(Path(__file__).resolve().parents[2])


class ChildListener(Protocol):
    """Who is told what the child does; called in the event loop."""

    def child_ready(self) -> None:
        """A (new) child takes messages."""

    def child_message(self, header: frames.Header, payload: bytes) -> None:
        """The child sent a frame."""

    def child_gone(self) -> None:
        """The child ended; another one follows."""


class Child:
    """A module run as `python -m`, started again when it ends.

    The child's first frame says that it is ready. Its standard error is discarded, because it could hold what
    callers said; a child tells why it cannot go on with a frame `{"fatal": …}`.
    """

    def __init__(self, *, module: str, provider: str, listener: ChildListener) -> None:
        self._module = module
        self._provider = provider
        self._listener = listener
        self._process: asyncio.subprocess.Process | None = None
        self._is_ready = False
        self._closing = asyncio.Event()
        self._first_outcome: asyncio.Future[str] | None = None
        self._supervision: asyncio.Task[None] | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The process id while a child is ready."""
        return self._process.pid if self._process is not None and self._is_ready else None

    async def start(self) -> None:
        """Start the child and wait until it is ready. Raises `ProviderError` when it does not get there."""
        self._first_outcome = asyncio.get_running_loop().create_future()
        self._supervision = asyncio.create_task(self._supervise(), name=f"{self._provider} child")
        try:
            async with asyncio.timeout(_START_TIMEOUT_S + _STOP_TIMEOUT_S):
                failure = await self._first_outcome
        except BaseException:
            await self.close()
            raise
        if failure:
            await self.close()
            raise ProviderError(self._provider, failure, retryable=False)

    def send(self, header: frames.Header, payload: bytes = b"") -> None:
        """Hand over a frame without waiting; dropped while no child is ready."""
        if self._process is None or not self._is_ready or self._process.stdin is None:
            return
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frames.serialize(header, payload))

    def kill(self) -> None:
        """End a child that hangs; another one follows. What is sent from now on waits for that one."""
        self._is_ready = False
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """End the child for good; safe to call twice."""
        self._closing.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._supervision is None:
            return
        _, unfinished = await asyncio.wait([self._supervision], timeout=_STOP_TIMEOUT_S)
        if unfinished:
            self.kill()
            self._supervision.cancel()
            await asyncio.wait([self._supervision], timeout=_STOP_TIMEOUT_S)

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = 0.0
        while not self._closing.is_set():
            began = loop.time()
            reason = await self._run_once()
            if self._closing.is_set():
                break
            _log.warning("provider child ended", provider=self._provider, reason=reason, starts=self.starts)
            pause_s = 0.0 if loop.time() - began > _STEADY_S else min(_LONGEST_PAUSE_S, max(0.05, pause_s * 2))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closing.wait()

    async def _run_once(self) -> str:
        """Run one child to its end and tell why it ended."""
        self.starts += 1
        path = os.pathsep.join(filter(None, (_SOURCE_ROOT, os.environ.get("PYTHONPATH"))))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", self._module),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
        except OSError as error:
            self._report_start(f"cannot start: {error.strerror}")
            return "cannot start"
        self._process = process
        try:
            reason = await self._converse(process)
        finally:
            self._is_ready, self._process = False, None
            await _end(process)
            self._listener.child_gone()
        self._report_start(reason)
        return f"{reason} ({process.returncode})"

    async def _converse(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                header, _ = await frames.read(process.stdout)
            if "fatal" in header:
                return str(header["fatal"])
            self._is_ready = True
            self._report_start("")
            self._listener.child_ready()
            while True:
                header, payload = await frames.read(process.stdout)
                if "fatal" in header:
                    return str(header["fatal"])
                self._listener.child_message(header, payload)
        except TimeoutError:
            return "did not become ready"
        except (asyncio.IncompleteReadError, ConnectionError):
            return "ended"
        except ValueError:
            return "sent a broken frame"

    def _report_start(self, failure: str) -> None:
        if self._first_outcome is not None and not self._first_outcome.done():
            self._first_outcome.set_result(failure)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait for a child whose pipes are done with, killing it when it lingers."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
