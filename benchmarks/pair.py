"""Runs the process under test and the feeder of its calls side by side, and reads what the first one costs."""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ringdown import lifecycle

_ANSWER_TIMEOUT_S = 30.0


def run_pair(
    *,
    subject: Callable[..., None],
    arguments: tuple[Any, ...],
    feeder: Callable[..., None],
    seconds: float,
    warm_up_s: float,
) -> tuple[Any, Any]:
    """What `subject(connection, *arguments)` and `feeder(connection, arguments[0])` measured in `seconds`.

    `arguments[0]` is the number of calls. Each gets a core of its own where there are two. The feeder sends its ports,
    the subject gets them and sends its own, both get the instants of begin and end (the feeder the ports too), and
    send their result. Raises `TimeoutError`.
    """
    os.environ.update(lifecycle.ALLOCATION | os.environ)  # as `serve` starts its programs
    context = multiprocessing.get_context("spawn")
    subject_end, subject_connection = context.Pipe()
    feeder_end, feeder_connection = context.Pipe()
    subject_process = context.Process(target=subject, args=(subject_connection, *arguments), daemon=True)
    feeder_process = context.Process(target=feeder, args=(feeder_connection, arguments[0]), daemon=True)
    subject_process.start()
    feeder_process.start()
    _pin(subject_process.pid, feeder_process.pid)
    try:
        subject_end.send(_receive(feeder_end))
        ports = _receive(subject_end)
        begin_s = time.monotonic() + warm_up_s
        end_s = begin_s + seconds
        feeder_end.send((ports, begin_s, end_s))
        subject_end.send((begin_s, end_s))
        results = _receive(subject_end, seconds), _receive(feeder_end, seconds)
        subject_process.join(_ANSWER_TIMEOUT_S)
        feeder_process.join(_ANSWER_TIMEOUT_S)
    finally:
        subject_process.kill()
        feeder_process.kill()
    return results


def read_cpu_s() -> float:
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def read_core_wait_s() -> float:
    """How long this process was ready to run while another program had its core: that makes the figures worse."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def read_rss_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _receive(connection: Connection, seconds: float = 0) -> Any:
    if not connection.poll(_ANSWER_TIMEOUT_S + seconds):
        raise TimeoutError("a process of the benchmark does not answer")
    return connection.recv()


def _pin(subject_pid: int | None, feeder_pid: int | None) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(subject_pid or 0, {cores[0]})
        os.sched_setaffinity(feeder_pid or 0, {cores[1]})
