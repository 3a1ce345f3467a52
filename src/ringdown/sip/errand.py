"""One request of ours within a dialog: sends it, answers challenges, ACKs a 2xx, tells the outcome; does no I/O."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from ringdown.sip.destination import Destination
from ringdown.sip.dialog import Dialog
from ringdown.sip.digest import Authenticator
from ringdown.sip.events import NO_RESPONSE, TRANSPORT_FAILED
from ringdown.sip.message import Response
from ringdown.sip.stack import Stack
from ringdown.sip.transaction import ClientTransaction


@dataclass(frozen=True, slots=True)
class Outcome:
    """The final response, or without one our own verdict: 408 `NO_RESPONSE`, 503 `TRANSPORT_FAILED`."""

    status: int
    reason: str
    response: Response | None = None


class Errand:
    """A BYE, PRACK, UPDATE, REFER, NOTIFY or re-INVITE; `on_done(outcome, now)` is called once."""

    def __init__(
        self,
        stack: Stack,
        dialog: Dialog,
        method: str,
        *,
        authenticator: Authenticator,
        on_done: Callable[[Outcome, float], None],
        fields: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        self.cseq = 0
        self._stack = stack
        self._dialog = dialog
        self._method = method
        self._authenticator = authenticator
        self._on_done = on_done
        self._fields = tuple(fields)
        self._body = body
        self._credentials: list[tuple[str, str]] = []
        self._ack: tuple[bytes, Destination] | None = None
        self._transaction: ClientTransaction | None = None
        authenticator.begin_request()

    def send(self, now: float) -> None:
        """Send it, with the next number of the dialog."""
        dialog = self._dialog
        destination = dialog.next_hop()
        dialog.local_cseq += 1
        self.cseq = dialog.local_cseq
        self._credentials = self._authenticator.authorize(self._method, dialog.remote_target)
        request = dialog.build_request(
            self._method,
            via=self._stack.build_via(destination),
            cseq=self.cseq,
            fields=[
                *self._credentials,
                ("User-Agent", self._stack.user_agent),
                *self._fields,
            ],
            body=self._body,
        )
        transactions = self._stack.transactions
        self._transaction = transactions.request(request, destination=destination, user=self, now=now)

    def on_response(self, response: Response, now: float) -> None:
        """Retry after a challenge; any other final response settles it."""
        if response.status < 200:
            if self._method == "INVITE" and self._transaction is not None:
                # A re-INVITE rings nobody: without a final response within 64*T1 the peer is gone.
                self._transaction.expire_after(self._stack.timing.timeout, now)
        elif self._ack is not None:
            self._stack.transactions.send(*self._ack)
        elif response.status in (401, 407) and self._authenticator.accept_challenge(response):
            self.send(now)
        else:
            if response.status < 300 and self._method in ("INVITE", "UPDATE"):
                self._refresh_target(response)
            if response.status < 300 and self._method == "INVITE":
                self._acknowledge()
            self._on_done(Outcome(response.status, response.reason, response), now)

    def on_failure(self, failure: Literal["timeout", "transport"], now: float) -> None:
        """No final response will come."""
        outcome = Outcome(408, NO_RESPONSE) if failure == "timeout" else Outcome(503, TRANSPORT_FAILED)
        self._on_done(outcome, now)

    def _refresh_target(self, response: Response) -> None:
        try:
            self._dialog.refresh_target(response)
        except ValueError:
            self._stack.statistics.malformed += 1  # the old target still holds

    def _acknowledge(self) -> None:
        destination = self._dialog.next_hop()
        via = self._stack.build_via(destination)
        ack = self._dialog.build_request("ACK", via=via, cseq=self.cseq, fields=self._credentials)  # §22.1
        self._ack = ack.serialize(), destination
        self._stack.transactions.send(*self._ack)
