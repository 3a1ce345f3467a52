"""Ends a call that a dead process left behind, from its stored dialog state; does no I/O."""

from typing import Any, Literal

from ringdown.sip import hop, record
from ringdown.sip.destination import Destination, TlsClient
from ringdown.sip.dialog import Dialog
from ringdown.sip.digest import Authenticator, Credentials
from ringdown.sip.errand import Errand, Outcome
from ringdown.sip.events import Ended
from ringdown.sip.message import Request, Response
from ringdown.sip.stack import Stack
from ringdown.sip.timers import Timer
from ringdown.sip.transaction import ClientTransaction

# How many T1 an ending waits for the far end (4 s); its transactions go on after that.
_PATIENCE = 8
# The dead process may have sent requests after it last stored its state; a gap in CSeq is allowed, a repeat is not.
_CSEQ_GAP = 1000
# How many T1 a CANCEL may stay unanswered, and how many the 487 may come after its 200, before a BYE follows. On an
# early dialog that is as good as a CANCEL (§15), on an answered one it is the only thing that helps.
_CANCEL_PATIENCE = 4
_REFUSAL_PATIENCE = 1
_MAX_ATTEMPTS = 3  # one per challenge: the proxy's, the server's, a stale nonce

Method = Literal["bye", "cancel", "reject", "none"]


class StaleEnding:
    """One call being ended; `Ended("local")` is emitted when it is over or the patience is.

    An INVITE without a final response is cancelled with the branch, number, target and route that it had; its
    487 is ACKed, a crossing 2xx is ACKed and BYEd. Without either, the call may have been answered, and the answer
    ACKed, between the last storing and the crash: a BYE follows, once per dialog, if the peer's tag is known.
    `method` tells what was sent first.
    """

    def __init__(
        self,
        stack: Stack,
        state: dict[str, Any],
        *,
        credentials: Credentials | None = None,
        security: TlsClient | None = None,
    ) -> None:
        self._stack = stack
        self._authenticator = Authenticator(credentials)
        self._is_over = False
        try:
            self._role, self._phase = state["role"], state["phase"]
            if security is None and state.get("server_name") is not None:
                security = TlsClient(server_name=state["server_name"])
            self._security = security
            self._source = Destination(state["transport"], state["host"], state["port"], security=security)
            self._dialog = None if state["dialog"] is None else Dialog.from_dict(state["dialog"])
            self._invite: Request = record.read_invite(state["invite"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a dialog state") from error
        if self._dialog is not None:
            self._dialog.security = security
        self._attempts_left = _MAX_ATTEMPTS
        # The ACK of each crossing 2xx by its To tag.
        self._acks: dict[str, tuple[bytes, Destination]] = {}
        # The To tags of the dialogs that were hung up, and of those whose BYE came before they existed.
        self._hung_up: set[str] = set()
        self._missed: set[str] = set()
        self._is_tag_guessed = False
        self._cseq_gap = 0
        # Whether the INVITE has its final response, so that the CANCEL does not matter any more.
        self._is_settled = False
        self._pending: ClientTransaction | None = None
        # Runs while the CANCEL may still bring the 487.
        self._insistence: Timer | None = None
        self.method: Method = self._choose()

    def begin(self, now: float) -> None:
        """Send the first request or response."""
        if self.method == "none":
            self._finish(now)
            return
        self._stack.transactions.timers.start(now + _PATIENCE * self._stack.timing.t1, self._finish)
        if self.method == "cancel":
            self._cancel(now)
        elif self.method == "reject":
            self._reject(now)
        else:
            assert self._dialog is not None
            self._hang_up(self._dialog, now)

    def on_response(self, response: Response, now: float) -> None:
        """A response to the stale INVITE."""
        if 200 <= response.status < 300:
            self._receive_answer(response, now)
        elif response.status >= 300:
            self._settle_invite()
            self._finish(now)
        else:
            if self._pending is not None:  # a ringing INVITE has no deadline of its own, a cancelled one needs it
                self._pending.expire_after(self._stack.timing.timeout, now)
            if response.to.tag and (self._dialog is None or self._is_tag_guessed):
                self._dialog, self._is_tag_guessed = self._build_dialog(response), False

    def on_failure(self, _failure: Literal["timeout", "transport"], now: float) -> None:
        """No final response to the stale INVITE came."""
        self._finish(now)

    def cancel_settled(self, status: int, tag: str | None, now: float) -> None:
        """The peer answered our CANCEL, with this To tag, or is silent (408).

        481 means that it knows no such INVITE, or has answered it before. After a 2xx the 487 is due; the tag is the
        one of the dialog then (§9.2), unless a proxy answered.
        """
        if self._is_settled:
            return
        if status >= 300:
            self._insist(now)
            return
        if tag and self._dialog is None:
            self._dialog = self._build_dialog(Response.build(self._invite, 200, tag=tag))
            self._dialog.route_set = self._invite.headers.get_all("Route")
            self._is_tag_guessed = True
        self._insist_after(_REFUSAL_PATIENCE, now)

    def _insist(self, now: float) -> None:
        """The CANCEL did not end the INVITE: hang up, or follow a challenge.

        Without a tag the dead process may have been challenged and sent the INVITE again before it stored that.
        """
        self._stop_insisting()
        if self._dialog is not None and self._dialog.remote_tag:
            self._hang_up(self._dialog, now)
        elif self._attempts_left:
            self._follow(now)
        else:
            self._finish(now)

    def _follow(self, now: float) -> None:
        self._attempts_left -= 1
        self._dialog, self._is_tag_guessed = None, False
        try:
            self._invite = record.follow_attempt(self._invite)
        except ValueError:
            self._finish(now)
        else:
            self._cancel(now)

    def _receive_answer(self, response: Response, now: float) -> None:
        tag = response.to.tag or ""
        if tag in self._acks:
            self._stack.transactions.send(*self._acks[tag])
            return
        self._settle_invite()
        dialog = self._build_dialog(response)
        destination = dialog.next_hop()
        ack = dialog.build_request("ACK", via=self._stack.build_via(destination), cseq=response.cseq)
        self._acks[tag] = (ack.serialize(), destination)
        self._stack.transactions.send(*self._acks[tag])
        self._hang_up(dialog, now, again=tag in self._missed)

    def _build_dialog(self, response: Response) -> Dialog:
        dialog = Dialog.from_answer(self._invite, response)
        dialog.security = self._security
        dialog.note_source(self._stack.source)
        return dialog

    def _choose(self) -> Method:
        if self._phase == "confirmed" and self._dialog is not None:
            return "bye"
        if self._phase == "early":
            return "cancel" if self._role == "caller" else "reject"
        return "none"

    def _cancel(self, now: float) -> None:
        transactions = self._stack.transactions
        self._pending = transactions.resume(self._invite, destination=self._source, user=self)
        self._pending.expire_after(self._stack.timing.timeout, now)
        cancel = hop.build_cancel(self._invite)
        self._insist_after(_CANCEL_PATIENCE, now)
        transactions.request(cancel, destination=self._source, user=_CancelUser(self), now=now)

    def _insist_after(self, patience: int, now: float) -> None:
        self._stop_insisting()
        when = now + patience * self._stack.timing.t1
        self._insistence = self._stack.transactions.timers.start(when, self._insist)

    def _stop_insisting(self) -> None:
        if self._insistence is not None:
            self._insistence.cancel()

    def _reject(self, now: float) -> None:
        """Refuse, then BYE: one of the two is right, whatever the dead process had sent last."""
        assert self._dialog is not None
        response = Response.build(self._invite, 480, tag=self._dialog.local_tag)
        server = self._stack.transactions.serve(self._invite, source=self._source)
        server.respond(response, now)
        self._hang_up(self._dialog, now)

    def _hang_up(self, dialog: Dialog, now: float, *, again: bool = False) -> None:
        if dialog.remote_tag in self._hung_up and not again:
            return
        self._hung_up.add(dialog.remote_tag)
        self._cseq_gap += _CSEQ_GAP
        dialog.local_cseq += self._cseq_gap
        was_answered = dialog.remote_tag in self._acks

        def settle(outcome: Outcome, at: float) -> None:
            if outcome.status == 481 and self._phase == "early" and not was_answered:
                self._hang_up_missed(dialog, at)
            else:
                self._finish(at)

        errand = Errand(self._stack, dialog, "BYE", authenticator=self._authenticator, on_done=settle)
        errand.send(now)

    def _hang_up_missed(self, dialog: Dialog, now: float) -> None:
        """The BYE of an early dialog ended nothing (481): a 2xx that crossed it, or comes later, needs its own."""
        self._missed.add(dialog.remote_tag)
        if dialog.remote_tag in self._acks:
            self._hang_up(dialog, now, again=True)
        elif self._is_tag_guessed and self._attempts_left and not self._is_settled:
            self._follow(now)
        else:
            self._finish(now)

    def _settle_invite(self) -> None:
        self._is_settled = True
        self._stop_insisting()

    def _finish(self, _now: float) -> None:
        if not self._is_over:
            self._is_over = True
            self._stack.emit(self, Ended("local"))


class _CancelUser:
    """Passes the final status of the CANCEL on."""

    def __init__(self, ending: StaleEnding) -> None:
        self._ending = ending

    def on_response(self, response: Response, now: float) -> None:
        """A response to the CANCEL."""
        if response.status >= 200:
            self._ending.cancel_settled(response.status, response.to.tag, now)

    def on_failure(self, _failure: Literal["timeout", "transport"], now: float) -> None:
        """The peer is gone."""
        self._ending.cancel_settled(408, None, now)
