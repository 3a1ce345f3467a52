"""A response that is sent until its ACK or PRACK comes (RFC 3261 §13.3.1.4, RFC 3262 §3); does no I/O."""

from collections.abc import Callable

from ringdown.sip.message import Response
from ringdown.sip.stack import Stack
from ringdown.sip.timers import Timer
from ringdown.sip.transaction import ServerTransaction


class Repetition:
    """Sends a response over any transport until stopped; `on_timeout(now)` is called after 64*T1."""

    def __init__(
        self,
        stack: Stack,
        server: ServerTransaction,
        response: Response,
        *,
        on_timeout: Callable[[float], None],
    ) -> None:
        self.response = response
        self._stack = stack
        self._server = server
        self._on_timeout = on_timeout
        self._interval = stack.timing.t1
        # Only a 2xx is repeated at least every T2; the interval of a provisional response doubles on (RFC 3262 §3).
        self._longest = stack.timing.t2 if response.status >= 200 else stack.timing.timeout
        self._timer: Timer | None = None
        self._give_up_at = 0.0

    def send(self, now: float) -> None:
        """Send it for the first time."""
        self._give_up_at = now + self._stack.timing.timeout
        self._server.respond(self.response, now)
        self._timer = self._stack.transactions.timers.start(now + self._interval, self._repeat)

    def stop(self) -> None:
        """The peer has it, or it does not matter any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _repeat(self, now: float) -> None:
        if now >= self._give_up_at:
            self._on_timeout(now)
            return
        self._stack.transactions.retransmissions += 1
        self._server.respond(self.response, now)
        self._interval = min(self._interval * 2, self._longest)
        when = min(now + self._interval, self._give_up_at)
        self._timer = self._stack.transactions.timers.start(when, self._repeat)
