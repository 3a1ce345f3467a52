"""Starts the phone farm as a process of its own and stops it; its log is read with `farm_log`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STOP_S = 20


@dataclass(frozen=True, slots=True)
class FarmProcess:
    """A running farm: the SIP port of its phones on loopback, its log, its process."""

    port: int
    log: Path
    process_id: int


@contextmanager
def run_farm(log: Path, *, seed: int = 1, drop: int = 50) -> Iterator[FarmProcess]:
    """A farm for the block. It ends with this process, however that ends: its standard input does.

    Raises `RuntimeError` when it does not start, or failed meanwhile.
    """
    command = [sys.executable, "-m", "benchmarks.farm", "--log", str(log), "--seed", str(seed), "--drop", str(drop)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        said = process.stdout.readline()
        if not said:
            raise RuntimeError("the phone farm did not start")
        yield FarmProcess(json.loads(said)["port"], log, process.pid)
    finally:
        process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        if process.returncode != 0:
            raise RuntimeError(f"the phone farm failed with status {process.returncode}; nothing was witnessed")
