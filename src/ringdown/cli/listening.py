"""A receiver of webhooks on a developer's machine: prints each, and checks its signature and order."""

import contextlib
import json
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ringdown.lifecycle import CannotStart
from ringdown.webhooks import signing

_HOST = "127.0.0.1"
_MAX_BODY = 1_000_000
_IDLE_S = 60.0
# What comes first of a call; the rest follows in the order of its time.
_PLACES = {"call.started": 0, "call.joined": 1, "call.ended": 2, "call.failed": 2}
_LAST_PLACE = 3


class CannotListen(CannotStart):
    """Nothing can come here; the message is for the operator."""


@dataclass
class Journal:
    """What has come: pure but for its memory."""

    secret: str
    as_json: bool = False
    _seen: set[str] = field(default_factory=set)
    _places: dict[str, tuple[str, int]] = field(default_factory=dict)

    def receive(self, headers: Mapping[str, str], body: bytes, *, now_s: float) -> tuple[int, str]:
        """The status to answer a request with, and the line to print; names of headers in lower case."""
        fault = signing.find_fault(headers, body, secret=self.secret, now_s=now_s)
        if fault is not None:
            return 401, f"REFUSED: {fault}"
        try:
            event: dict[str, Any] = json.loads(body)
            event_id, name, data = str(event["id"]), str(event["event"]), dict(event["data"])
            at = str(event["timestamp"])
        except (ValueError, KeyError, TypeError):
            return 400, "REFUSED: it is no event"
        subject = next((str(data[one]) for one in ("call_id", "batch_id", "voice_id") if one in data), "-")
        words = [name.ljust(20), subject, event_id, *self._judge(event_id, subject, (at, name))]
        return 204, body.decode() if self.as_json else "  ".join([at, *words])

    def _judge(self, event_id: str, subject: str, event: tuple[str, str]) -> list[str]:
        if event_id in self._seen:
            return ["signature ok, again"]
        self._seen.add(event_id)
        place = event[0], _PLACES.get(event[1], _LAST_PLACE)
        before = self._places.get(subject, place)
        is_late = subject != "-" and (place[0] < before[0] or (place[0] == before[0] and place[1] < before[1]))
        self._places[subject] = max(place, before)
        return ["signature ok, OUT OF ORDER" if is_late else "signature ok"]


class Server(ThreadingHTTPServer):
    """Listens on a port of this machine."""

    daemon_threads = True

    def __init__(self, port: int, *, as_json: bool) -> None:
        super().__init__((_HOST, port), _Handler)
        self._as_json = as_json
        self.journal = Journal("", as_json)
        self.turn = threading.Lock()
        self.url = f"http://{_HOST}:{self.server_address[1]}/"

    def serve(self, secret: str) -> None:
        """Print what comes until Ctrl-C, or SIGTERM."""
        self.journal = Journal(secret, self._as_json)
        if not self._as_json:
            print(f"Listening on {self.url}; Ctrl-C ends it.", flush=True)
        for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job is born deaf to the first
            signal.signal(number, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            self.serve_forever()


def open_server(port: int, *, as_json: bool) -> Server:
    """A receiver, as a context manager. Raises `CannotListen`."""
    try:
        return Server(port, as_json=as_json)
    except OSError as error:
        raise CannotListen(f"Port {port} of this machine cannot be listened on: {error.strerror}.") from error


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def do_POST(self) -> None:
        """One webhook, whatever its path."""
        server = self.server
        assert isinstance(server, Server)
        length = self.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or int(length) > _MAX_BODY:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with server.turn:
            status, line = server.journal.receive(headers, body, now_s=time.time())
            print(line, flush=True)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is its parent's
        """Nothing: the journal tells more."""
