"""What the transactions want sent, and whom to tell what became of it; does no I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from ringdown.sip.destination import Destination
from ringdown.sip.message import Response


@dataclass(frozen=True, slots=True)
class Transmission:
    """Bytes for the network; the edge calls `on_failure(now)` when they certainly could not be sent.

    `on_sent(connection, is_reused)` tells which stream took them, and whether it had been made for earlier ones.
    `connect_timeout_s` shortens the time that a new connection gets.
    """

    data: bytes
    destination: Destination
    on_failure: Callable[[float], None] | None = None
    on_sent: Callable[[int, bool], None] | None = None
    connect_timeout_s: float | None = None


class TransactionUser(Protocol):
    """Who is told what becomes of a client transaction."""

    def on_response(self, response: Response, now: float, /) -> None:
        """A response to pass on: every provisional one, the final one, each 2xx to an INVITE."""

    def on_failure(self, failure: Literal["timeout", "transport"], now: float, /) -> None:
        """No final response will come."""
