"""The life of one call after its INVITE: sorts the requests within the dialog, hangs up, ends; does no I/O."""

import abc
from collections.abc import Callable
from typing import Any, Literal

from ringdown.sip import info
from ringdown.sip.destination import Destination
from ringdown.sip.dialog import Dialog
from ringdown.sip.digest import Authenticator
from ringdown.sip.errand import Errand, Outcome
from ringdown.sip.events import Answered, DigitPressed, Ended, Event, ReferralReceived, ReferResult, Rejected
from ringdown.sip.expiry import Expiry
from ringdown.sip.message import Message, Request, Response
from ringdown.sip.referral import ReceivedReferral
from ringdown.sip.refresh import SessionTimer
from ringdown.sip.renegotiation import CALL_ENDED, NOT_UP, Offer, Renegotiation
from ringdown.sip.replaces import Replaces
from ringdown.sip.stack import ALLOW, Stack, describe_sdp, list_unsupported
from ringdown.sip.timers import Timer
from ringdown.sip.transaction import ServerTransaction
from ringdown.sip.transfer import Transfer

# After our own BYE or CANCEL the owner is told of the end at the latest after this many T1 (4 s); the
# transactions go on in the background.
_PATIENCE = 8
_OVERLAPPING = [("Retry-After", "3")]


class Session(abc.ABC):
    """What outgoing and incoming calls share. The owner sets the hooks; events go out through the stack.

    The parts of a call (renegotiation, transfer, referral) work on its public attributes; the owner only on the
    methods that outgoing and incoming calls have, and on the hooks.
    """

    is_caller: bool

    def __init__(self, stack: Stack, *, authenticator: Authenticator, session_timer: SessionTimer) -> None:
        self.on_reoffer: Callable[[bytes], bytes] | None = None
        self.make_offer: Callable[[], bytes] | None = None
        self.on_answer: Callable[[bytes], None] | None = None
        self.on_dialog_change: Callable[[dict[str, Any]], None] | None = None
        self.dialog: Dialog | None = None
        self.is_over = False
        self.stack = stack
        self.authenticator = authenticator
        self.expiry = Expiry(self, session_timer)
        self.local_sdp = b""
        self.transfer: Transfer | None = None
        self.signalling_host = ""
        self._referral: ReceivedReferral | None = None
        self._renegotiation = Renegotiation(self)
        # The peer's last INVITE, UPDATE or 2xx that said what it allows.
        self._peer: Message | None = None
        # Set when we want to hang up but must wait for the ACK of our 2xx (§15).
        self._is_bye_due = False
        self._is_bye_sent = False
        # Runs out when the peer does not confirm our BYE or CANCEL.
        self._patience: Timer | None = None

    @property
    @abc.abstractmethod
    def is_up(self) -> bool:
        """Whether the dialog is confirmed."""

    @abc.abstractmethod
    def may_renegotiate(self, remote_tag: str) -> bool:
        """Whether the first offer has its answer in this dialog, so that another one may follow in an UPDATE."""

    @abc.abstractmethod
    def state(self) -> dict[str, Any]:
        """What another process needs to end this call: JSON-serializable, without the password."""

    @abc.abstractmethod
    def _refuse_early_offer(self, server: ServerTransaction, now: float) -> None:
        """Answer an offer that came before that."""

    def receive_request(self, server: ServerTransaction, now: float) -> None:
        """A request within the dialog, other than ACK and CANCEL; raises `ValueError` if it is malformed."""
        request, dialog = server.request, self._find_dialog(server.request.from_.tag or "")
        if dialog is None or self.is_over:
            self.stack.refuse(server, 481, now=now)
            return
        if dialog.remote_cseq is not None and request.cseq <= dialog.remote_cseq:
            self.stack.refuse(server, 500, now=now, fields=_OVERLAPPING)  # §12.2.2: out of order
            return
        dialog.remote_cseq = request.cseq
        self.dialog = dialog
        self._note_source(dialog, server.source, request)
        if unsupported := list_unsupported(request):
            self.stack.refuse(server, 420, now=now, fields=[("Unsupported", ", ".join(unsupported))])
            return
        self._dispatch(server, now)

    def receive_ack(self, request: Request, now: float) -> None:
        """The ACK of one of our 2xx."""
        if self._renegotiation.receive_ack(request, now) and not self.is_over:
            self.stack.emit(self, Answered(request.body))
        if self._is_bye_due and not self._renegotiation.is_unacknowledged:
            self._send_bye(now)

    def bye(self, now: float) -> None:
        """Hang up an answered call; `Ended("local")` follows once the peer confirms, or after 8*T1."""
        if self.is_over or self._is_bye_due or self._is_bye_sent:
            return
        self._wait_for_peer(Ended("local"), now)
        if self._renegotiation.is_unacknowledged:
            self._is_bye_due = True
        else:
            self._send_bye(now)

    def reoffer(self, body: bytes, on_done: Callable[[Outcome, float], None], now: float) -> None:
        """Send a re-INVITE with this SDP; `on_done(outcome, now)` is called once. A 481 or 408 ends the call."""
        self._renegotiation.offer(Offer(body, on_done), now)

    def refer(
        self,
        target: str,
        *,
        replaces: str | None,
        referred_by: str | None,
        timeout_s: float,
        on_done: Callable[[ReferResult], None],
        now: float,
    ) -> None:
        """Ask the peer to call `target`; raises `ValueError` for what is no URI. One at a time, else 491."""
        if self.is_over or not self.is_up:
            outcome = CALL_ENDED if self.is_over else NOT_UP
            on_done(ReferResult(outcome.status, outcome.reason, is_refused=True))
        elif self.transfer is not None:
            on_done(ReferResult(491, "another transfer is under way", is_refused=True))
        else:
            self.transfer = Transfer(self, target=target, replaces=replaces, referred_by=referred_by, on_done=on_done)
            self.transfer.send(timeout_s, now)

    def replaces(self) -> Replaces:
        """How a third party names this dialog to our peer (RFC 3891); raises `ValueError` before the answer."""
        if self.dialog is None or not self.is_up:
            raise ValueError("only an answered call can be replaced")
        return Replaces(self.dialog.call_id, to_tag=self.dialog.remote_tag, from_tag=self.dialog.local_tag)

    def note_peer(self, message: Message) -> None:
        """The peer allows and supports what this message says, if it says so."""
        if message.headers.get("Allow") is not None:
            self._peer = message

    def is_allowed(self, method: str) -> bool:
        """Whether the peer has said that it takes this method."""
        return self._peer is not None and method in self._peer.headers.get_all("Allow")

    def is_supported(self, tag: str) -> bool:
        """Whether the peer has said that it knows this option tag."""
        return self._peer is not None and tag in self._peer.headers.get_all("Supported")

    def has_peer(self, remote_tag: str) -> bool:
        """Whether a dialog of this call has this tag of the peer."""
        return self._find_dialog(remote_tag) is not None

    def hang_up(self, cause: Literal["timeout", "expired"], now: float) -> None:
        """Send a BYE and end at once, for this cause."""
        if self.is_over:
            return
        if not self._is_bye_sent:
            self._send_bye(now)
        self._finish(Ended(cause), now)

    def take_answer(self, body: bytes, now: float) -> None:
        """Give the answer to an offer of ours to the owner; one that cannot be used ends the call."""
        if body and self.on_answer is not None and not self.is_over:
            try:
                self.on_answer(body)
            except ValueError:
                self.bye(now)

    def changed(self) -> None:
        """Tell the owner the new state."""
        if self.on_dialog_change is not None:
            self.on_dialog_change(self.state())

    def respond(
        self,
        server: ServerTransaction,
        status: int,
        *,
        now: float,
        fields: list[tuple[str, str]] | None = None,
        body: bytes = b"",
    ) -> None:
        """Answer a request within the dialog."""
        server.respond(self._build_response(server, status, fields=fields or [], body=body), now)

    def server_fields(self) -> list[tuple[str, str]]:
        """What each response of ours says about us."""
        return [("Server", self.stack.user_agent)]

    def _dispatch(self, server: ServerTransaction, now: float) -> None:
        match server.request.method:
            case "BYE":
                self._receive_bye(server, now)
            case "INVITE" | "UPDATE":
                self._receive_offer(server, now)
            case "PRACK":
                self._receive_prack(server, now)
            case "INFO":
                self._receive_info(server, now)
            case "REFER":
                self._receive_refer(server, now)
            case "NOTIFY":
                self._receive_notify(server, now)
            case "SUBSCRIBE" | "PUBLISH":
                self.stack.refuse(server, 489, now=now)
            case "OPTIONS":
                fields = [("Allow", ALLOW), *self.expiry.supported_fields()]
                self.respond(server, 200, now=now, fields=fields)
            case _:
                self.stack.refuse(server, 405, now=now, fields=[("Allow", ALLOW)])

    def _receive_bye(self, server: ServerTransaction, now: float) -> None:
        self.respond(server, 200, now=now)
        self._finish(Ended("local" if self._is_bye_sent else "bye", server.request.headers.get("Reason")), now)

    def _receive_offer(self, server: ServerTransaction, now: float) -> None:
        request = server.request
        is_early = not self.is_up and (request.method == "INVITE" or bool(request.body))
        if is_early and (request.method == "INVITE" or not self.may_renegotiate(request.from_.tag or "")):
            self._refuse_early_offer(server, now)
        else:
            self._renegotiation.receive(server, now)

    def _receive_prack(self, server: ServerTransaction, now: float) -> None:
        self.stack.refuse(server, 481, now=now)  # RFC 3262 §3: nothing of ours is unconfirmed

    def _receive_info(self, server: ServerTransaction, now: float) -> None:
        request = server.request
        if request.headers.get("Info-Package") is not None:  # RFC 6086 §4.2.2: we have announced none
            self.stack.refuse(server, 469, now=now, fields=[("Recv-Info", "")])
            return
        if request.body:
            try:
                digit = info.read_digit(request)
            except ValueError:
                self.stack.refuse(server, 415, now=now, fields=[("Accept", info.KEY_TYPES)])
                return
            if digit is not None:
                self._emit(DigitPressed(digit))
        self.respond(server, 200, now=now)

    def _receive_refer(self, server: ServerTransaction, now: float) -> None:
        if not self.is_up:
            self.stack.refuse(server, 603, now=now)
        elif self._referral is not None and self._referral.is_open:
            self.stack.refuse(server, 491, now=now)  # one after the other, however many are asked for
        else:
            self._referral = ReceivedReferral(self, server, now)
            self._emit(ReferralReceived(self._referral))

    def _receive_notify(self, server: ServerTransaction, now: float) -> None:
        if self.transfer is not None and self.transfer.receive_notify(server.request):
            self.respond(server, 200, now=now)
        else:
            self.stack.refuse(server, 481, now=now)  # RFC 6665 §4.1.3

    def _find_dialog(self, remote_tag: str) -> Dialog | None:
        """The dialog with this tag of the peer."""
        dialog = self.dialog
        return dialog if dialog is not None and (not dialog.remote_tag or dialog.remote_tag == remote_tag) else None

    def _note_source(self, dialog: Dialog, source: Destination, request: Request | None = None) -> None:
        self.signalling_host = source.host
        dialog.note_source(source, None if request is None else request.via.host)

    def _send_bye(self, now: float) -> None:
        assert self.dialog is not None
        self._is_bye_due, self._is_bye_sent = False, True
        errand = Errand(self.stack, self.dialog, "BYE", authenticator=self.authenticator, on_done=self._bye_settled)
        errand.send(now)

    def _bye_settled(self, _outcome: Outcome, now: float) -> None:
        self._finish(Ended("local"), now)
        self._forget()

    def _wait_for_peer(self, event: Ended, now: float) -> None:
        when = now + _PATIENCE * self.stack.timing.t1
        self._patience = self.stack.transactions.timers.start(when, lambda at: self._finish(event, at))

    def _finish(self, event: Ended | Rejected, now: float) -> None:
        if self.is_over:
            return
        self.is_over = True
        if self._patience is not None:
            self._patience.cancel()
        self.expiry.stop()
        if not self._is_bye_due:
            self._forget()
        self.stack.emit(self, event)
        self.changed()
        self._renegotiation.close(now)
        if self.transfer is not None:
            self.transfer.close()

    def _register(self, call_id: str, local_tag: str) -> None:
        self._key = (call_id, local_tag)
        self.stack.sessions[self._key] = self

    def _forget(self) -> None:
        self._renegotiation.stop_repeating()
        self.stack.sessions.pop(self._key, None)

    def _emit(self, event: Event) -> None:
        if not self.is_over:
            self.stack.emit(self, event)

    def _build_response(
        self, server: ServerTransaction, status: int, *, fields: list[tuple[str, str]], body: bytes = b""
    ) -> Response:
        tag = self.dialog.local_tag if self.dialog is not None else None
        all_fields = [*fields, *self.server_fields(), *describe_sdp(body)]
        return Response.build(server.request, status, tag=tag, fields=all_fields, body=body)
