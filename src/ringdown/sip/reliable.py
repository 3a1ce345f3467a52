"""Provisional responses that must arrive (RFC 3262): repeated until their PRACK, taken in order; does no I/O."""

import secrets
from collections import deque
from collections.abc import Callable

from ringdown.sip.message import Request, Response
from ringdown.sip.repetition import Repetition
from ringdown.sip.stack import Stack
from ringdown.sip.transaction import ServerTransaction

_MAX_FIRST_RSEQ = 2**31 - 1  # §3


def is_reliable(response: Response) -> bool:
    """Whether a provisional response wants a PRACK."""
    return "100rel" in response.headers.get_all("Require") and response.headers.get("RSeq") is not None


class ReliableProgress:
    """The callee's side: one response at a time, numbered; `on_timeout(now)` when a PRACK stays out."""

    def __init__(self, stack: Stack, server: ServerTransaction, *, on_timeout: Callable[[float], None]) -> None:
        self._stack = stack
        self._server = server
        self._on_timeout = on_timeout
        self._rseq = secrets.randbelow(_MAX_FIRST_RSEQ) + 1
        self._pending: Repetition | None = None
        self._queue: deque[Response] = deque()
        self.is_answered = False
        """Whether the caller has confirmed a description of ours, so that others may follow."""

    @property
    def is_description_open(self) -> bool:
        """Whether a description of ours is not confirmed yet: then no 2xx may leave (§3)."""
        responses = [*self._queue, *([self._pending.response] if self._pending is not None else [])]
        return any(response.body for response in responses)

    def send(self, response: Response, now: float) -> None:
        """Send it once the earlier ones are confirmed."""
        self._queue.append(response)
        self._advance(now)

    def receive_prack(self, request: Request, now: float) -> bool:
        """Take a PRACK; false when it confirms nothing that is open."""
        pending = self._pending
        expected = f"{self._rseq} {self._server.request.cseq} INVITE"
        if pending is None or (request.headers.get("RAck") or "").split() != expected.split():
            return False
        pending.stop()
        self.is_answered = self.is_answered or bool(pending.response.body)
        self._pending = None
        self._rseq += 1
        self._advance(now)
        return True

    def stop(self) -> None:
        """The INVITE has its final response."""
        self._queue.clear()
        if self._pending is not None:
            self._pending.stop()
            self._pending = None

    def _advance(self, now: float) -> None:
        if self._pending is None and self._queue:
            response = self._queue.popleft()
            response.headers.add("RSeq", str(self._rseq))
            self._pending = Repetition(self._stack, self._server, response, on_timeout=self._on_timeout)
            self._pending.send(now)


class ProgressOrder:
    """The caller's side: which reliable responses are new, in each early dialog."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def take(self, response: Response) -> int | None:
        """The RSeq to confirm; `None` for one that is repeated, or comes before its turn (§4)."""
        text = (response.headers.get("RSeq") or "").strip()
        tag = response.to.tag or ""
        if not (text.isascii() and text.isdigit()) or len(text) > 10:
            return None
        rseq = int(text)
        last = self._last.get(tag)
        if last is not None and rseq != last + 1:
            return None
        self._last[tag] = rseq
        return rseq
