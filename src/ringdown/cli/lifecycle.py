"""How a program lives: it says when it is ready, and stops on a signal or when its supervisor is gone."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable

# File descriptors that a supervisor hands to its children.
READY_FD = "RINGDOWN_READY_FD"
LIFELINE_FD = "RINGDOWN_LIFELINE_FD"


class Stop:
    """A wish to stop: first politely (live calls finish), then at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urgent = asyncio.Event()

    def ask(self) -> None:
        """Ask to stop; asking again makes it urgent."""
        if self.asked.is_set():
            self.urgent.set()
        self.asked.set()


Program = Callable[[Stop, Callable[[], None]], Awaitable[None]]


def run_program(program: Program) -> None:
    """Run `program(stop, ready)` until it returns; it must return soon after `stop.asked`."""
    asyncio.run(_run(program))


async def _run(program: Program) -> None:
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.ask)
    if lifeline := os.environ.get(LIFELINE_FD):
        _watch_lifeline(loop, int(lifeline), stop)
    await program(stop, _say_ready)


def _watch_lifeline(loop: asyncio.AbstractEventLoop, fd: int, stop: Stop) -> None:
    """The supervisor holds the other end of a pipe: when it dies, even by `kill -9`, the pipe reads as ended."""

    def ended() -> None:
        loop.remove_reader(fd)
        stop.ask()

    os.set_blocking(fd, False)
    loop.add_reader(fd, ended)


def _say_ready() -> None:
    fd = os.environ.pop(READY_FD, None)
    if fd is not None:
        with contextlib.suppress(OSError):
            os.write(int(fd), b"ready\n")
            os.close(int(fd))
