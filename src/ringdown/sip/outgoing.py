"""An outgoing call: INVITE, challenges, progress, answer, cancel, forks (RFC 3261 §13.2, §9.1); does no I/O."""

from typing import Any, Literal

from ringdown.sip import hop, record, transaction
from ringdown.sip.address import NameAddr, Uri
from ringdown.sip.destination import Destination
from ringdown.sip.dialog import Dialog, new_tag
from ringdown.sip.digest import Authenticator
from ringdown.sip.errand import Errand, Outcome
from ringdown.sip.events import NO_RESPONSE, TRANSPORT_FAILED, Answered, Ended, Provisional, Rejected
from ringdown.sip.invitation import Invitation
from ringdown.sip.message import Request, Response
from ringdown.sip.refresh import Interval, SessionTimer, describe_request
from ringdown.sip.refusal import describe_refusal
from ringdown.sip.reliable import ProgressOrder, is_reliable
from ringdown.sip.session import Session
from ringdown.sip.stack import ALLOW, Stack, describe_sdp
from ringdown.sip.transaction import ClientTransaction, ServerTransaction

_MAX_EARLY_DIALOGS = 16


class OutgoingSession(Session):
    """One call that we place; raises `ValueError` when the target or a header cannot be used."""

    is_caller = True

    def __init__(self, stack: Stack, invitation: Invitation, *, call_id: str) -> None:
        timer = invitation.session_timer or SessionTimer()
        super().__init__(stack, authenticator=Authenticator(invitation.credentials), session_timer=timer)
        self._invitation = invitation
        self.local_sdp = invitation.body
        self.destination = invitation.destination()
        self._from = NameAddr(invitation.from_uri, invitation.from_display, {"tag": new_tag()}).serialize()
        self._to = NameAddr(invitation.to_uri or _without_transport(invitation.target)).serialize()
        self._call_id = call_id
        self._branch = transaction.new_branch()
        self.invite = self._build_invite(cseq=1)
        # unsent, calling (no response yet), proceeding, confirmed: what has happened on the wire.
        self._phase: Literal["unsent", "calling", "proceeding", "confirmed", "failed"] = "unsent"
        self._transaction: ClientTransaction | None = None
        self._is_cancelled = False
        # The early dialogs of this INVITE and their descriptions, by To tag.
        self._early: dict[str, Dialog] = {}
        self._descriptions: dict[str, bytes] = {}
        self._order = ProgressOrder()
        # The tags of the dialogs whose offer was answered before the call was.
        self._answered_early: set[str] = set()
        self._may_raise_interval = timer.mode != "off"
        # The ACK of each 2xx by its To tag, repeated when the 2xx is (§13.2.2.4).
        self._acks: dict[str, tuple[bytes, Destination]] = {}
        self._register(call_id, self.invite.from_.tag or "")

    def state(self) -> dict[str, Any]:
        """See `Session.state`; sufficient for a CANCEL while early and for a BYE once answered."""
        # Early even before it is sent: whoever reads this after a crash cannot know whether it was.
        phase = "ended" if self.is_over else "confirmed" if self._phase == "confirmed" else "early"
        # A large INVITE may have taken TCP instead of UDP (§18.1.1).
        way = self.destination if self._transaction is None else self._transaction.destination
        return {
            "role": "caller",
            "phase": phase,
            "invite": record.write_invite(self.invite),
            "transport": way.transport,
            "host": way.host,
            "port": way.port,
            "server_name": None if way.security is None else way.security.server_name,
            "dialog": None if self.dialog is None else self.dialog.to_dict(),
        }

    def send(self, now: float) -> None:
        """Send the INVITE."""
        if self._phase != "unsent" or self.is_over:
            return
        self._phase = "calling"
        self._transaction = self.stack.transactions.request(
            self.invite, destination=self.destination, user=self, now=now
        )
        self.changed()

    def cancel(self, now: float) -> None:
        """Stop ringing; `Ended("cancelled")` follows with the final response, or after 8*T1.

        Before the first response the CANCEL waits for it (§9.1). An answer that crosses is ACKed and BYEd.
        """
        if self.is_over or self._is_cancelled:
            return
        if self._phase == "confirmed":
            self.bye(now)
            return
        self._is_cancelled = True
        if self._phase == "unsent":
            self._finish(Ended("cancelled"), now)
            return
        self._wait_for_peer(Ended("cancelled"), now)
        if self._phase == "proceeding":
            self._send_cancel(now)

    def bye(self, now: float) -> None:
        """Hang up; before the answer this is a CANCEL."""
        if self._phase == "confirmed":
            super().bye(now)
        else:
            self.cancel(now)

    def on_response(self, response: Response, now: float) -> None:
        """A response to the INVITE."""
        if response.status < 200:
            self._receive_progress(response, now)
        elif response.status < 300:
            self._receive_answer(response, now)
        else:
            self._receive_refusal(response, now)

    def on_failure(self, failure: Literal["timeout", "transport"], now: float) -> None:
        """Nobody answered the INVITE, or it could not be sent."""
        self._phase = "failed"
        if self._is_cancelled:
            self._finish(Ended("cancelled"), now)
        elif failure == "timeout":
            self._finish(Rejected(408, NO_RESPONSE, is_local=True), now)
        else:
            fault = None if self._transaction is None else self._transaction.fault
            self._finish(Rejected(503, TRANSPORT_FAILED, is_local=True, fault=fault), now)

    @property
    def is_up(self) -> bool:
        """Whether the peer has answered."""
        return self._phase == "confirmed"

    @property
    def is_proceeding(self) -> bool:
        """Whether the peer has answered anything to the INVITE under way, be it 100 Trying."""
        return self._phase not in ("unsent", "calling")

    def may_renegotiate(self, remote_tag: str) -> bool:
        """See `Session.may_renegotiate`."""
        return self.is_up or remote_tag in self._answered_early

    def _refuse_early_offer(self, server: ServerTransaction, now: float) -> None:
        self.stack.refuse(server, 491, now=now)  # §14.2, RFC 3311 §5.2: our own offer is still open

    def _find_dialog(self, remote_tag: str) -> Dialog | None:
        return super()._find_dialog(remote_tag) if self.is_up else self._early.get(remote_tag)

    def _receive_progress(self, response: Response, now: float) -> None:
        is_first = self._phase == "calling"
        if is_first:
            self._phase = "proceeding"
        tag = response.to.tag
        if tag is not None:
            self.dialog = self._keep_early(tag, response)
        if is_first or tag is not None:
            self.changed()
        if response.status > 100 and self._is_in_order(response, now):
            if response.body and tag is not None:
                self._descriptions[tag] = response.body
            self._emit(Provisional(response.status, response.reason, response.body, tag or ""))
        if is_first and self._is_cancelled:
            self._send_cancel(now)

    def _keep_early(self, tag: str, response: Response) -> Dialog:
        dialog = self._early.get(tag)
        if dialog is None:
            dialog = self._build_dialog(response)
            if len(self._early) < _MAX_EARLY_DIALOGS:
                self._early[tag] = dialog
        else:
            fresh = self._build_dialog(response)
            dialog.remote_target, dialog.route_set = fresh.remote_target, fresh.route_set
        return dialog

    def _build_dialog(self, response: Response) -> Dialog:
        dialog = Dialog.from_answer(self.invite, response)
        dialog.security = self.destination.security
        self._note_source(dialog, self.stack.source)
        return dialog

    def _is_in_order(self, response: Response, now: float) -> bool:
        """Whether the owner hears of it; a reliable one is confirmed with a PRACK (RFC 3262 §4)."""
        if not is_reliable(response):
            return True
        rseq = self._order.take(response)
        dialog = self._early.get(response.to.tag or "")
        if rseq is None or dialog is None:
            return False
        if response.body:
            self._answered_early.add(dialog.remote_tag)
        body = self._answer_offer(response)
        errand = Errand(
            self.stack,
            dialog,
            "PRACK",
            authenticator=self.authenticator,
            on_done=_ignore,
            fields=[("RAck", f"{rseq} {self.invite.cseq} INVITE"), *describe_sdp(body)],
            body=body,
        )
        errand.send(now)
        return True

    def _answer_offer(self, response: Response) -> bytes:
        """Our answer to the offer of a peer whom we sent none; raises `ValueError` when it cannot be met."""
        if self._invitation.body or not response.body or self.local_sdp:
            return b""
        return self._renegotiation.answer_offer(response.body)

    def _receive_answer(self, response: Response, now: float) -> None:
        tag = response.to.tag or ""
        if tag in self._acks:
            self.stack.transactions.send(*self._acks[tag])
            return
        dialog = self._build_dialog(response)
        early = self._early.get(tag)
        if early is not None:
            dialog.local_cseq, dialog.remote_cseq = early.local_cseq, early.remote_cseq
        is_fork = self._phase == "confirmed"
        is_unwanted = is_fork or self._is_cancelled or self.is_over
        if is_unwanted:
            self._send_ack(dialog, tag, is_fork=is_fork)
            if not is_fork:
                self._phase, self.dialog = "confirmed", dialog
            self._hang_up_fork(dialog, now)
            return
        self.dialog = dialog
        self._phase = "confirmed"
        try:
            body = self._answer_offer(response)
        except ValueError:  # the offer of the 2xx cannot be met: it is acknowledged all the same
            self._send_ack(dialog, tag, is_fork=False)
            self.bye(now)
            return
        self._send_ack(dialog, tag, is_fork=False, body=body)
        self.expiry.take_response(response, now)
        self.changed()
        self._emit(Answered(response.body or self._descriptions.get(tag, b"")))

    def _receive_refusal(self, response: Response, now: float) -> None:
        if not self._is_cancelled and self._is_curable(response):
            self.dialog = None
            self._early.clear()
            self.invite = self._build_invite(cseq=self.invite.cseq + 1)
            self._phase = "unsent"
            self.send(now)
            return
        self._phase = "failed"
        self._finish(Ended("cancelled") if self._is_cancelled else describe_refusal(response), now)

    def _is_curable(self, response: Response) -> bool:
        """Whether the INVITE may be sent again: with credentials, or once with a longer session interval."""
        if response.status in (401, 407):
            return self.authenticator.accept_challenge(response)
        if response.status == 422 and self._may_raise_interval:
            self._may_raise_interval = False
            self.expiry.take_refusal(response)
            return True
        return False

    def _send_cancel(self, now: float) -> None:
        assert self._transaction is not None
        cancel = hop.build_cancel(self.invite)
        self.stack.transactions.request(cancel, destination=self.destination, user=_Ignored(), now=now)
        self._transaction.expire_after(self.stack.timing.timeout, now)  # §9.1: then treat it as cancelled

    def _send_ack(self, dialog: Dialog, tag: str, *, is_fork: bool, body: bytes = b"") -> None:
        destination = dialog.next_hop()
        credentials = [(name, value) for name, value in self.invite.headers if name.endswith("Authorization")]
        ack = dialog.build_request(
            "ACK",
            via=self.stack.build_via(destination),
            cseq=self.invite.cseq,
            fields=[*credentials, *describe_sdp(body)],
            body=body,
        )
        data = ack.serialize()
        self._acks[tag] = (data, destination)
        on_failure = None if is_fork else self._fail_ack
        self.stack.transactions.send(data, destination, on_failure)

    def _fail_ack(self, now: float) -> None:
        self._finish(Ended("transport"), now)

    def _hang_up_fork(self, dialog: Dialog, now: float) -> None:
        errand = Errand(self.stack, dialog, "BYE", authenticator=self.authenticator, on_done=self._fork_settled)
        errand.send(now)

    def _fork_settled(self, _outcome: Outcome, now: float) -> None:
        if self._is_cancelled:
            self._finish(Ended("cancelled"), now)

    def _build_invite(self, *, cseq: int) -> Request:
        invitation = self._invitation
        extra = [(name, value) for name, value in invitation.header_fields() if name.lower() != "route"]
        wish = self.expiry.wish
        interval = Interval(wish.expires_s) if wish.mode == "request" else None
        branch = record.name_attempt(self._branch, cseq)
        fields = [("Via", self.stack.build_via(self.destination, branch))]
        fields += [("Route", route) for route in invitation.routes()]
        fields += [
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", self._to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{cseq} INVITE"),
            ("Contact", self.stack.build_contact(_user_of(invitation.from_uri), self.destination)),
            ("Allow", ALLOW),
            *self.expiry.supported_fields(),
            *describe_request(interval, wish),
            ("User-Agent", self.stack.user_agent),
            *self.authenticator.authorize("INVITE", invitation.target),
            *extra,
            *describe_sdp(invitation.body),
        ]
        return Request.build("INVITE", invitation.target, fields, invitation.body)


class _Ignored:
    """The user of a CANCEL: what counts is the final response of the INVITE."""

    def on_response(self, response: Response, now: float) -> None:
        """Nothing to do."""

    def on_failure(self, failure: Literal["timeout", "transport"], now: float) -> None:
        """Nothing to do."""


def _ignore(_outcome: Outcome, _now: float) -> None:
    """A PRACK changes nothing for the call, whatever becomes of it."""


def _user_of(uri: str) -> str | None:
    return Uri.parse(uri).user


def _without_transport(uri: str) -> str:
    parsed = Uri.parse(uri)
    return Uri(parsed.scheme, parsed.user, parsed.host, parsed.port).serialize()
