"""Ends a call that a dead process left behind, from its stored dialog state; does no I/O."""

from typing import Any, Literal

from ringdown.sip import record, transaction
from ringdown.sip.dialog import Dialog
from ringdown.sip.digest import Authenticator, Credentials
from ringdown.sip.events import Ended
from ringdown.sip.hangup import Hangup
from ringdown.sip.message import Request, Response
from ringdown.sip.stack import Stack
from ringdown.sip.transaction import Destination

# How many T1 an ending waits for the far end (4 s); its transactions go on after that.
_PATIENCE = 8
# The dead process may have sent requests after it last stored its state; a gap in CSeq is allowed, a repeat is not.
_CSEQ_GAP = 1000
_MAX_ATTEMPTS = 3  # one per challenge: the proxy's, the server's, a stale nonce

Method = Literal["bye", "cancel", "reject", "none"]


class StaleEnding:
    """One call being ended; `Ended("local")` is emitted when it is over or the patience is.

    An INVITE without a final response is cancelled with the branch, number, target and route that it had; its
    487 is ACKed, a crossing 2xx is ACKed and BYEd. `method` tells what was sent.
    """

    def __init__(self, stack: Stack, state: dict[str, Any], *, credentials: Credentials | None = None) -> None:
        self._stack = stack
        self._authenticator = Authenticator(credentials)
        self._is_over = False
        try:
            self._role, self._phase = state["role"], state["phase"]
            self._source = Destination(state["transport"], state["host"], state["port"])
            self._dialog = None if state["dialog"] is None else Dialog.from_dict(state["dialog"])
            self._invite: Request = record.read_invite(state["invite"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a dialog state") from error
        self._attempts_left = _MAX_ATTEMPTS
        # The ACK of each crossing 2xx by its To tag.
        self._acks: dict[str, tuple[bytes, Destination]] = {}
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
            self._hang_up(now)

    def on_response(self, response: Response, now: float) -> None:
        """A response to the stale INVITE."""
        if 200 <= response.status < 300:
            self._receive_answer(response, now)
        elif response.status >= 300:
            self._finish(now)

    def on_failure(self, _failure: Literal["timeout", "transport"], now: float) -> None:
        """No final response to the stale INVITE came."""
        self._finish(now)

    def cancel_settled(self, status: int, now: float) -> None:
        """The peer answered our CANCEL: 481 means that it knows no such INVITE, or has answered it before.

        If it has, and the dead process sent the ACK, only a BYE ends the call; that needs the peer's tag. Without
        one the dead process may have been challenged and sent the INVITE again before it stored that.
        """
        if status == 481 and self._dialog is not None and self._dialog.remote_tag:
            self._hang_up(now)
        elif status == 481 and self._attempts_left:
            self._attempts_left -= 1
            self._invite = record.follow_attempt(self._invite)
            self._cancel(now)
        elif status >= 300:
            self._finish(now)

    def _receive_answer(self, response: Response, now: float) -> None:
        tag = response.to.tag or ""
        if tag not in self._acks:
            self._dialog = Dialog.from_answer(self._invite, response)
            destination = self._dialog.next_hop()
            via = self._stack.build_via(destination)
            ack = self._dialog.build_request("ACK", via=via, cseq=response.cseq)
            self._acks[tag] = (ack.serialize(), destination)
            self._stack.transactions.send(*self._acks[tag])
            self._hang_up(now)
        else:
            self._stack.transactions.send(*self._acks[tag])

    def _choose(self) -> Method:
        if self._phase == "confirmed" and self._dialog is not None:
            return "bye"
        if self._phase == "early":
            return "cancel" if self._role == "caller" else "reject"
        return "none"

    def _cancel(self, now: float) -> None:
        transactions = self._stack.transactions
        pending = transactions.resume(self._invite, destination=self._source, user=self)
        pending.expire_after(self._stack.timing.timeout, now)
        cancel = transaction.build_cancel(self._invite)
        transactions.request(cancel, destination=self._source, user=_CancelUser(self), now=now)

    def _reject(self, now: float) -> None:
        """Refuse, then BYE: one of the two is right, whatever the dead process had sent last."""
        assert self._dialog is not None
        response = Response.build(self._invite, 480, tag=self._dialog.local_tag)
        server = self._stack.transactions.serve(self._invite, source=self._source)
        server.respond(response, now)
        self._hang_up(now)

    def _hang_up(self, now: float) -> None:
        assert self._dialog is not None
        self._dialog.local_cseq += _CSEQ_GAP
        Hangup(self._stack, self._dialog, authenticator=self._authenticator, on_done=self._finish).send(now)

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
            self._ending.cancel_settled(response.status, now)

    def on_failure(self, _failure: Literal["timeout", "transport"], now: float) -> None:
        """The peer is gone."""
        self._ending.cancel_settled(408, now)
