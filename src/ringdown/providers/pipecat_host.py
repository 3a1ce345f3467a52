"""Runs single Pipecat services outside a pipeline, and keeps those that may be used again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
from pipecat.clocks.base_clock import BaseClock
from pipecat.frames.frames import CancelFrame, ErrorFrame, Frame, InterruptionFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor, FrameProcessorSetup
from pipecat.utils.asyncio.task_manager import TaskManager
from pipecat.utils.errors import ErrorCategory

from ringdown.voice import ports

# Pipecat's own rate of what is spoken: every service can do it, not every one can do less.
OUT_HZ = 24_000
_NANOSECONDS = 1_000_000_000
_LAP_S = 3_600
_CLOSE_TIMEOUT_S = 3.0
_SETTLE_TIMEOUT_S = 1.0
_IDLE_S = 60.0
_MOST_IDLE = 8

T = TypeVar("T")


class LapClock(BaseClock):
    """A clock that stands still within a lap: times of words then count from the beginning of their text."""

    def __init__(self) -> None:
        self._now = _NANOSECONDS

    def start(self) -> None:
        """Nothing runs."""

    def get_time(self) -> int:
        """The lap's own time, in nanoseconds."""
        return self._now

    def next_lap(self) -> None:
        """Begin a new text, later than all words of the one before."""
        self._now += _LAP_S * _NANOSECONDS

    def since_lap_ms(self, at: int) -> int:
        """Milliseconds from the beginning of the text."""
        return max(0, at - self._now) // 1_000_000


class _Edge(FrameProcessor):
    """Where frames leave the service, downstream or upstream."""

    def __init__(self, receive: Callable[[Frame], None], *, direction: FrameDirection) -> None:
        super().__init__(enable_direct_mode=True)
        self._receive = receive
        self._outwards = direction

    async def queue_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM, callback: Any = None
    ) -> None:
        """Take a frame of the service."""
        del callback
        if direction is self._outwards:
            self._receive(frame)


class ServiceHost:
    """One service with its two edges. `open` first; frames then go to the `listener`, or into `frames`."""

    def __init__(self, name: str, *, in_hz: int = 16_000) -> None:
        self.name = name
        self.clock = LapClock()
        self.service: Any = None
        self.listener: Callable[[Frame], None] | None = None
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._in_hz = in_hz
        self._task_manager = TaskManager()
        self._started = asyncio.Event()

    @property
    def is_usable(self) -> bool:
        """Whether the service can be given more work."""
        return bool(self.service.is_usable)

    async def open(self, build: Callable[[], Any], *, timeout_s: float) -> None:
        """Build the service and start it. Raises `ports.ProviderError`."""
        await attempt(self._open(build), name=self.name, timeout_s=timeout_s)

    async def _open(self, build: Callable[[], Any]) -> None:
        self.service = service = build()
        _Edge(self._take, direction=FrameDirection.UPSTREAM).link(service)
        service.link(_Edge(self._take, direction=FrameDirection.DOWNSTREAM))
        no_worker: Any = SimpleNamespace(app_resources=None, worker_runner=None)
        await service.setup(
            FrameProcessorSetup(
                clock=self.clock,
                task_manager=self._task_manager,
                pipeline_worker=no_worker,
                audio_in_sample_rate=self._in_hz,
                audio_out_sample_rate=OUT_HZ,
            )
        )
        await service.queue_frame(StartFrame(audio_in_sample_rate=self._in_hz, audio_out_sample_rate=OUT_HZ))
        await self._started.wait()

    async def send(self, frame: Frame) -> None:
        """Give the service a frame; it queues, and does not wait for work."""
        await self.service.queue_frame(frame)

    async def receive(self, *, timeout_s: float | None) -> Frame:
        """The next frame that left the service.

        Raises `ports.ProviderError` for the service's errors, and when none comes in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                frame = await self.frames.get()
        except TimeoutError:
            raise ports.ProviderError(self.name, "no answer in time", retryable=True) from None
        if isinstance(frame, ErrorFrame):
            raise to_provider_error(self.name, frame)
        return frame

    async def settle(self) -> bool:
        """Stop what the service is doing; what is left of it is dropped. False when it does not settle."""
        interruption = InterruptionFrame()
        await self.send(interruption)
        try:
            async with asyncio.timeout(_SETTLE_TIMEOUT_S):
                while (await self.frames.get()) is not interruption:
                    pass
        except TimeoutError:
            return False
        return self.is_usable

    async def close(self) -> None:
        """End the service and its tasks."""
        if self.service is not None:
            with contextlib.suppress(ports.ProviderError):
                await attempt(self._close(), name=self.name, timeout_s=_CLOSE_TIMEOUT_S)
        for task in self._task_manager.current_tasks():
            task.cancel()

    async def _close(self) -> None:
        await self.service.queue_frame(CancelFrame())
        await self.service.cleanup()

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, StartFrame):
            self._started.set()
        elif self.listener is not None:
            self.listener(frame)
        else:
            self.frames.put_nowait(frame)


class ServicePool:
    """Services of one kind that are used one after the other, each by one user at a time.

    One that was idle for a minute is closed: its connection would be, too. One whose work was broken off is used
    again if `can_be_interrupted`.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[aiohttp.ClientSession], Any],
        *,
        timeout_s: float,
        in_hz: int = 16_000,
        can_be_interrupted: bool = True,
    ) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self._build = build
        self._in_hz = in_hz
        self._can_be_interrupted = can_be_interrupted
        self._idle: dict[ServiceHost, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    @contextlib.asynccontextmanager
    async def borrow(self) -> AsyncIterator[ServiceHost]:
        """A started service. It is settled afterwards, and kept unless it failed. Raises `ports.ProviderError`."""
        host = await self._take_or_open()
        try:
            yield host
        except ports.ProviderError:
            self._spawn(host.close())
            raise
        except BaseException:  # the answer is not wanted any more
            self._spawn(self._settle(host))
            raise
        self._keep(host)

    async def close(self) -> None:
        """Close all services that are not in use; those that are close when they come back."""
        self._is_closed = True
        for host in list(self._idle):
            self._expire(host)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_TIMEOUT_S + _SETTLE_TIMEOUT_S)
        if self._session is not None:
            await self._session.close()

    async def _take_or_open(self) -> ServiceHost:
        while self._idle:
            host, expiry = self._idle.popitem()
            expiry.cancel()
            if host.is_usable:
                _drain(host.frames)
                return host
            self._spawn(host.close())
        host = ServiceHost(self.name, in_hz=self._in_hz)
        try:
            await host.open(self._make, timeout_s=self.timeout_s)
        except BaseException:
            self._spawn(host.close())
            raise
        return host

    def _make(self) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._build(self._session)

    async def _settle(self, host: ServiceHost) -> None:
        if self._can_be_interrupted and await host.settle():
            self._keep(host)
        else:
            await host.close()

    def _keep(self, host: ServiceHost) -> None:
        if self._is_closed or len(self._idle) >= _MOST_IDLE or not host.is_usable:
            self._spawn(host.close())
            return
        self._idle[host] = asyncio.get_running_loop().call_later(_IDLE_S, self._expire, host)

    def _expire(self, host: ServiceHost) -> None:
        expiry = self._idle.pop(host, None)
        if expiry is not None:
            expiry.cancel()
            self._spawn(host.close())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def attempt(work: Coroutine[Any, Any, T], *, name: str, timeout_s: float) -> T:
    """Do what a service may fail at in any way. Raises `ports.ProviderError`."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        task.cancel()
    if not task.done():
        raise ports.ProviderError(name, "no answer in time", retryable=True)
    if task.cancelled():
        raise ports.ProviderError(name, "the service gave up", retryable=True)
    failure = task.exception()
    if isinstance(failure, ports.ProviderError):
        raise failure
    if failure is not None:
        # Its text may repeat keys and what was said.
        raise ports.ProviderError(name, f"failed ({type(failure).__name__})", retryable=True) from failure
    return task.result()


def to_provider_error(name: str, frame: ErrorFrame) -> ports.ProviderError:
    """A service's error without its text, which repeats keys and what was said."""
    category = frame.category or ErrorCategory.UNKNOWN
    kind = category.value if category is not ErrorCategory.UNKNOWN or frame.exception is None else None
    message = f"failed ({kind or type(frame.exception).__name__})"
    return ports.ProviderError(name, message, retryable=not category.is_permanent)


def _drain(queue: asyncio.Queue[Frame]) -> None:
    while not queue.empty():
        queue.get_nowait()
