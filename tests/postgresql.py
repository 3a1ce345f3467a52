"""A PostgreSQL server of one's own, on a unix socket: temporary, unless a benchmark wants to keep its folder."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 30
_STOP_SECONDS = 20
# Nothing here has to survive a power cut.
_SERVER_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "120",
    "listen_addresses": "",
}

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class PostgresqlUnavailableError(Exception):
    """There is no PostgreSQL to test with."""


@contextmanager
def run_postgresql(*, data: Path | None = None, options: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Start a server for the block; yields the folder of its socket (user `postgres`, no password).

    `data` is a folder that is kept: made if it is not there, used as it is otherwise. `options` are more settings.
    """
    programs = _find_programs()
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="ringdown-pg-", dir="/tmp"))  # short: a socket path has 107 bytes at most
    if user is not None:
        shutil.chown(folder, user)
    try:
        cluster = data or folder / "data"
        if not (cluster / "PG_VERSION").exists():
            _initialise(cluster, programs=programs, user=user)
        settings = {**_SERVER_OPTIONS, **(options or {})}
        given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [programs / "postgres", "-D", cluster, "-k", folder, *given]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                command, user=user, cwd=folder, stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        try:
            _wait_until_ready(server, programs=programs, folder=folder)
            yield folder
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(cluster: Path, *, programs: Path, user: str | None) -> None:
    cluster.mkdir(exist_ok=True)
    if user is not None:
        shutil.chown(cluster, user)
    command: list[str | Path] = [programs / "initdb", "-D", cluster, "-A", "trust", "-U", "postgres"]
    made = subprocess.run(
        [*command, "-E", "UTF8", "--no-sync"], user=user, cwd=cluster, capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        raise PostgresqlUnavailableError(f"initdb failed: {made.stderr.strip()}")


def _die_with_parent() -> None:
    # A test run that is killed leaves no server behind; Linux alone can say so.
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _find_programs() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if installed:
        return installed[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise PostgresqlUnavailableError("The tests need PostgreSQL: install it (Debian: apt-get install postgresql).")


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):  # PostgreSQL refuses to run as root
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise PostgresqlUnavailableError("PostgreSQL does not run as root and there is no user `postgres` or `nobody`.")


def _wait_until_ready(server: subprocess.Popen[bytes], *, programs: Path, folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    probe: list[str | Path] = [programs / "pg_isready", "-q", "-h", folder, "-U", "postgres"]
    while subprocess.run(probe, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise PostgresqlUnavailableError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.05)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # "fast shutdown"
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
