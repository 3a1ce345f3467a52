"""What must hold before anything starts: a writable folder that is ours alone, free ports. One sentence each if not."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from ringdown.config import Settings
from ringdown.gateway.routes import find_test_phone_host, parse_peer
from ringdown.lifecycle import CannotStart
from ringdown.providers.registry import read_providers
from ringdown.telephony import service


def make_data_folder(folder: Path) -> None:
    """Make the data folder if needed. Raises `CannotStart`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> CannotStart:
    return CannotStart(
        f"The data folder {folder} cannot be written ({error.strerror}); "
        "choose another with --data-dir or RINGDOWN_DATA_DIR."
    )


@contextlib.contextmanager
def hold_data_folder(folder: Path) -> Iterator[None]:
    """Make the data folder if needed and keep it for this process tree. Raises `CannotStart`."""
    make_data_folder(folder)
    try:
        lock = (folder / "ringdown.lock").open("a+")
    except OSError as error:
        raise _cannot_write(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise CannotStart(
                f"Ringdown already runs on the data folder {folder} (process {owner}); "
                "stop it first, or start this one with another --data-dir."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def check_ports(settings: Settings) -> None:
    """Refuse to start on a port that another program holds. Raises `CannotStart`."""
    _check(settings.http_host, settings.http_port, "HTTP", "RINGDOWN_HTTP_PORT", (socket.SOCK_STREAM,))
    both = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    _check(settings.sip_host, settings.sip_port, "SIP", "RINGDOWN_SIP_PORT", both)
    if settings.webrtc_port:
        stream = (socket.SOCK_STREAM,)
        _check(settings.webrtc_host, settings.webrtc_port, "joins of browser calls", "RINGDOWN_WEBRTC_PORT", stream)
    if settings.test_phone_enabled:
        _check(
            find_test_phone_host(settings), settings.test_phone_port, "the test phone", "RINGDOWN_TEST_PHONE_PORT", both
        )


def check_peer(settings: Settings) -> None:
    """Refuse an outbound peer that cannot be read. Raises `CannotStart`."""
    if settings.outbound_peer is None:
        return
    try:
        parse_peer(settings.outbound_peer.get_secret_value())
    except ValueError as error:
        raise CannotStart(f"{error}.") from error


def check_trunks(settings: Settings) -> None:
    """Refuse trunks of the settings that cannot be read. Raises `CannotStart`."""
    try:
        service.read_trunks(settings)
    except ValueError as error:
        raise CannotStart(f"{error}.") from error


def check_providers(settings: Settings) -> None:
    """Refuse providers of the settings that cannot be read. Raises `CannotStart`."""
    try:
        read_providers(settings)
    except ValueError as error:
        raise CannotStart(f"{error}.") from error


def _check(host: str, port: int, purpose: str, setting: str, kinds: tuple[socket.SocketKind, ...]) -> None:
    for kind in kinds:
        try:
            with _bound(host, port, kind):
                pass
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} for {purpose} cannot be used ({error.strerror}); "
                f"stop the program that holds it, or set {setting} to another port."
            ) from error


def find_free_port(host: str) -> int:
    """A port that is free for both UDP and TCP at this moment."""
    while True:
        with _bound(host, 0, socket.SOCK_STREAM) as stream:
            port: int = stream.getsockname()[1]
            try:
                with _bound(host, port, socket.SOCK_DGRAM):
                    return port
            except OSError:
                continue


@contextlib.contextmanager
def _bound(host: str, port: int, kind: socket.SocketKind) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:  # connections of the previous run may still be in TIME_WAIT
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        if kind == socket.SOCK_STREAM:
            probe.listen(1)
        yield probe
