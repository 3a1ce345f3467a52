"""The life of one call after its INVITE: requests within the dialog, re-offers, hanging up; does no I/O."""

import abc
from collections.abc import Callable
from typing import Any

from ringdown.sip.dialog import Dialog
from ringdown.sip.digest import Authenticator
from ringdown.sip.events import Answered, Ended, Event, Rejected
from ringdown.sip.hangup import Hangup
from ringdown.sip.message import Request, Response
from ringdown.sip.stack import ALLOW, Stack, describe_sdp, list_unsupported
from ringdown.sip.timers import Timer
from ringdown.sip.transaction import ServerTransaction

# After our own BYE or CANCEL the owner is told of the end at the latest after this many T1 (4 s); the
# transactions go on in the background.
_PATIENCE = 8


class Session(abc.ABC):
    """What outgoing and incoming calls share. The owner sets the hooks; events go out through the stack."""

    def __init__(self, stack: Stack, *, authenticator: Authenticator) -> None:
        self.on_reoffer: Callable[[bytes], bytes] | None = None
        self.on_dialog_change: Callable[[dict[str, Any]], None] | None = None
        self.dialog: Dialog | None = None
        self.is_over = False
        self._stack = stack
        self._authenticator = authenticator
        self._local_sdp = b""
        # Our 2xx to an INVITE by its CSeq, repeated until its ACK comes.
        self._unacknowledged: dict[int, _RepeatedAnswer] = {}
        # Set when we want to hang up but must wait for the ACK of our 2xx (§15).
        self._is_bye_due = False
        self._is_bye_sent = False
        # Runs out when the peer does not confirm our BYE or CANCEL.
        self._patience: Timer | None = None

    @abc.abstractmethod
    def state(self) -> dict[str, Any]:
        """What another process needs to end this call: JSON-serializable, without the password."""

    @abc.abstractmethod
    def _may_renegotiate(self) -> bool:
        """Whether the first offer has its answer, so that another one may follow."""

    @abc.abstractmethod
    def _refuse_early_offer(self, server: ServerTransaction, now: float) -> None:
        """Answer an offer that came before that."""

    def receive_request(self, server: ServerTransaction, now: float) -> None:
        """A request within the dialog, other than ACK and CANCEL; raises `ValueError` if it is malformed."""
        request, dialog = server.request, self.dialog
        if dialog is None or self.is_over or (dialog.remote_tag and request.from_.tag != dialog.remote_tag):
            self._stack.refuse(server, 481, now=now)
            return
        if dialog.remote_cseq is not None and request.cseq <= dialog.remote_cseq:
            self._stack.refuse(server, 500, now=now)  # §12.2.2: out of order
            return
        dialog.remote_cseq = request.cseq
        if unsupported := list_unsupported(request):
            self._stack.refuse(server, 420, now=now, fields=[("Unsupported", ", ".join(unsupported))])
        elif request.method == "BYE":
            self._receive_bye(server, now)
        elif request.method in ("INVITE", "UPDATE"):
            self._receive_offer(server, now)
        elif request.method == "OPTIONS":
            self._respond(server, 200, now=now, fields=[("Allow", ALLOW)])
        else:
            self._stack.refuse(server, 405, now=now, fields=[("Allow", ALLOW)])

    def receive_ack(self, request: Request, now: float) -> None:
        """The ACK of one of our 2xx."""
        repeated = self._unacknowledged.pop(request.cseq, None)
        if repeated is None:
            return
        repeated.stop()
        if not self.is_over and repeated.is_first:
            self._stack.emit(self, Answered(request.body))
        if self._is_bye_due and not self._unacknowledged:
            self._send_bye(now)

    def bye(self, now: float) -> None:
        """Hang up an answered call; `Ended("local")` follows once the peer confirms, or after 8*T1."""
        if self.is_over or self._is_bye_due or self._is_bye_sent:
            return
        self._wait_for_peer(Ended("local"), now)
        if self._unacknowledged:
            self._is_bye_due = True
        else:
            self._send_bye(now)

    def _receive_bye(self, server: ServerTransaction, now: float) -> None:
        self._respond(server, 200, now=now)
        self._finish(Ended("local" if self._is_bye_sent else "bye", server.request.headers.get("Reason")))

    def _receive_offer(self, server: ServerTransaction, now: float) -> None:
        request = server.request
        assert self.dialog is not None
        if not self._may_renegotiate() and (request.method == "INVITE" or request.body):
            self._refuse_early_offer(server, now)
            return
        self.dialog.refresh_target(request)
        if request.body and self.on_reoffer is not None:
            try:
                self._local_sdp = self.on_reoffer(request.body)
            except ValueError:
                self._stack.refuse(server, 488, now=now)
                return
            body = self._local_sdp
        else:
            # An UPDATE without a body only refreshes; an INVITE without one asks for our offer (§14.2).
            body = self._local_sdp if request.method == "INVITE" else b""
        if request.method == "INVITE":
            self._accept(server, body, now=now, is_first=False)
        else:
            self._respond(server, 200, now=now, fields=[("Contact", self.dialog.contact)], body=body)
        self._changed()

    def _accept(self, server: ServerTransaction, body: bytes, *, now: float, is_first: bool) -> None:
        assert self.dialog is not None
        response = Response.build(
            server.request,
            200,
            tag=self.dialog.local_tag,
            fields=[("Contact", self.dialog.contact), ("Allow", ALLOW), *self._server_fields(), *describe_sdp(body)],
            body=body,
        )
        repeated = _RepeatedAnswer(self._stack, server, response, is_first=is_first, on_timeout=self._ack_timed_out)
        self._unacknowledged[server.request.cseq] = repeated
        repeated.send(now)

    def _ack_timed_out(self, now: float) -> None:
        self._unacknowledged.clear()
        if not self._is_bye_sent:
            self._send_bye(now)  # §13.3.1.4
        self._finish(Ended("timeout"))

    def _send_bye(self, now: float) -> None:
        assert self.dialog is not None
        self._is_bye_due, self._is_bye_sent = False, True
        hangup = Hangup(self._stack, self.dialog, authenticator=self._authenticator, on_done=self._bye_settled)
        hangup.send(now)

    def _bye_settled(self, _now: float) -> None:
        self._finish(Ended("local"))
        self._forget()

    def _wait_for_peer(self, event: Ended, now: float) -> None:
        when = now + _PATIENCE * self._stack.timing.t1
        self._patience = self._stack.transactions.timers.start(when, lambda _: self._finish(event))

    def _finish(self, event: Ended | Rejected) -> None:
        if self.is_over:
            return
        self.is_over = True
        if self._patience is not None:
            self._patience.cancel()
        if not self._is_bye_due:
            self._forget()
        self._stack.emit(self, event)
        self._changed()

    def _register(self, call_id: str, local_tag: str) -> None:
        self._key = (call_id, local_tag)
        self._stack.sessions[self._key] = self

    def _forget(self) -> None:
        for repeated in self._unacknowledged.values():
            repeated.stop()
        self._unacknowledged.clear()
        self._stack.sessions.pop(self._key, None)

    def _emit(self, event: Event) -> None:
        if not self.is_over:
            self._stack.emit(self, event)

    def _changed(self) -> None:
        if self.on_dialog_change is not None:
            self.on_dialog_change(self.state())

    def _respond(
        self,
        server: ServerTransaction,
        status: int,
        *,
        now: float,
        fields: list[tuple[str, str]] | None = None,
        body: bytes = b"",
    ) -> None:
        tag = self.dialog.local_tag if self.dialog is not None else None
        all_fields = [*(fields or []), *self._server_fields(), *describe_sdp(body)]
        server.respond(Response.build(server.request, status, tag=tag, fields=all_fields, body=body), now)

    def _server_fields(self) -> list[tuple[str, str]]:
        return [("Server", self._stack.user_agent)]


class _RepeatedAnswer:
    """A 2xx to an INVITE, sent until stopped or 64*T1 have passed, over any transport (§13.3.1.4)."""

    def __init__(
        self,
        stack: Stack,
        server: ServerTransaction,
        response: Response,
        *,
        is_first: bool,
        on_timeout: Callable[[float], None],
    ) -> None:
        self.is_first = is_first
        self._stack = stack
        self._server = server
        self._response = response
        self._on_timeout = on_timeout
        self._interval = stack.timing.t1
        self._timer: Timer | None = None
        self._give_up_at = 0.0

    def send(self, now: float) -> None:
        """Send it for the first time."""
        self._give_up_at = now + self._stack.timing.timeout
        self._server.respond(self._response, now)
        self._timer = self._stack.transactions.timers.start(now + self._interval, self._repeat)

    def stop(self) -> None:
        """The ACK came."""
        if self._timer is not None:
            self._timer.cancel()

    def _repeat(self, now: float) -> None:
        if now >= self._give_up_at:
            self._on_timeout(now)
            return
        self._stack.transactions.retransmissions += 1
        self._server.respond(self._response, now)
        self._interval = min(self._interval * 2, self._stack.timing.t2)
        when = min(now + self._interval, self._give_up_at)
        self._timer = self._stack.transactions.timers.start(when, self._repeat)
