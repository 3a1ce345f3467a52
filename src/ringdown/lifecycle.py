"""How a program lives: reads its settings, says when it is ready, stops on a signal or when its supervisor is gone."""

import asyncio
import contextlib
import os
import signal
import sys
import tomllib
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_settings import SettingsError

from ringdown import log
from ringdown.config import Settings

# File descriptors that a supervisor hands to its children.
READY_FD = "RINGDOWN_READY_FD"
LIFELINE_FD = "RINGDOWN_LIFELINE_FD"

#: The environment of a program whose memory lies in large pages where the C library can do so (glibc 2.35): with
#: hundreds of calls the keys and states of all of them are touched every 20 ms, which costs 3 to 10 % less so.
ALLOCATION = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

#: Exit status of a supervised program that has said why it cannot start (EX_CONFIG of sysexits.h).
CANNOT_START_STATUS = 78


class CannotStart(Exception):
    """A program cannot start; the message is one sentence for the operator."""


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
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def load_settings(**changes: Any) -> Settings:
    """The settings, with `changes` that are not None; logging is set up by them. Raises `CannotStart`."""
    try:
        settings = Settings(**{name: value for name, value in changes.items() if value is not None})
    except (ValidationError, SettingsError) as error:
        raise CannotStart(_describe(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CannotStart(f"ringdown.toml cannot be read: {error}.") from error
    log.configure(settings)
    return settings


def _describe(error: ValidationError | SettingsError) -> str:
    if isinstance(error, SettingsError):
        return f"The settings cannot be read: {error}."
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    where = f"The setting {name} (RINGDOWN_{name.upper()})" if name else "The settings together"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}."


def run_with_settings(
    program: Callable[[Settings, Stop, Callable[[], None]], Awaitable[None]], *, loop_factory: LoopFactory | None = None
) -> None:
    """Run `program(settings, stop, ready)` as `run_program` does, with the settings of the environment."""
    try:
        settings = load_settings()
    except CannotStart as error:
        fail(str(error))
    run_program(lambda stop, ready: program(settings, stop, ready), loop_factory=loop_factory)


def run_program(program: Program, *, loop_factory: LoopFactory | None = None) -> None:
    """Run `program(stop, ready)` until it returns; it must return soon after `stop.asked`.

    What keeps it from starting is printed as one sentence, with exit status 1.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_run(program))
    except CannotStart as error:
        fail(str(error))


def fail(sentence: str) -> NoReturn:
    """End this process with one sentence on standard error, and a status that tells a supervisor not to try again."""
    sys.stderr.write(f"ringdown: {sentence}\n")
    raise SystemExit(CANNOT_START_STATUS if LIFELINE_FD in os.environ else 1)


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
