"""An outgoing call: INVITE, challenges, progress, answer, cancel, forks (RFC 3261 §13.2, §9.1); does no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ringdown.sip import hop, record, transaction
from ringdown.sip.address import NameAddr, Uri
from ringdown.sip.destination import Destination
from ringdown.sip.dialog import Dialog, new_tag
from ringdown.sip.digest import Authenticator, Credentials
from ringdown.sip.events import NO_RESPONSE, TRANSPORT_FAILED, Answered, Ended, Provisional, Rejected
from ringdown.sip.hangup import Hangup
from ringdown.sip.message import Request, Response
from ringdown.sip.session import Session
from ringdown.sip.stack import ALLOW, Stack, describe_sdp, parse_seconds
from ringdown.sip.transaction import ClientTransaction, ServerTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What to dial. `target` is the Request-URI; a `Route` header decides the next hop instead of it."""

    target: str
    from_uri: str
    from_display: str | None = None
    to_uri: str | None = None
    body: bytes = b""
    credentials: Credentials | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class OutgoingSession(Session):
    """One call that we place; raises `ValueError` when the target or a header cannot be used."""

    def __init__(self, stack: Stack, invitation: Invitation, *, call_id: str) -> None:
        super().__init__(stack, authenticator=Authenticator(invitation.credentials))
        self._invitation = invitation
        self._local_sdp = invitation.body
        route = invitation.headers.get("Route")
        hop = NameAddr.parse(route).uri if route else invitation.target
        self.destination = Destination.from_uri(Uri.parse(hop))
        self._from = NameAddr(invitation.from_uri, invitation.from_display, {"tag": new_tag()}).serialize()
        self._to = NameAddr(invitation.to_uri or _without_transport(invitation.target)).serialize()
        self._call_id = call_id
        self._branch = transaction.new_branch()
        self.invite = self._build_invite(cseq=1)
        # unsent, calling (no response yet), proceeding, confirmed: what has happened on the wire.
        self._phase: Literal["unsent", "calling", "proceeding", "confirmed", "failed"] = "unsent"
        self._transaction: ClientTransaction | None = None
        self._is_cancelled = False
        # The ACK of each 2xx by its To tag, repeated when the 2xx is (§13.2.2.4).
        self._acks: dict[str, tuple[bytes, Destination]] = {}
        self._register(call_id, self.invite.from_.tag or "")

    def state(self) -> dict[str, Any]:
        """See `Session.state`; sufficient for a CANCEL while early and for a BYE once answered."""
        # Early even before it is sent: whoever reads this after a crash cannot know whether it was.
        phase = "ended" if self.is_over else "confirmed" if self._phase == "confirmed" else "early"
        return {
            "role": "caller",
            "phase": phase,
            "invite": record.write_invite(self.invite),
            "transport": self.destination.transport,
            "host": self.destination.host,
            "port": self.destination.port,
            "dialog": None if self.dialog is None else self.dialog.to_dict(),
        }

    def send(self, now: float) -> None:
        """Send the INVITE."""
        if self._phase != "unsent" or self.is_over:
            return
        self._phase = "calling"
        self._transaction = self._stack.transactions.request(
            self.invite, destination=self.destination, user=self, now=now
        )
        self._changed()

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
            self._finish(Ended("cancelled"))
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

    def on_failure(self, failure: Literal["timeout", "transport"], _now: float) -> None:
        """Nobody answered the INVITE, or it could not be sent."""
        self._phase = "failed"
        if self._is_cancelled:
            self._finish(Ended("cancelled"))
        elif failure == "timeout":
            self._finish(Rejected(408, NO_RESPONSE, is_local=True))
        else:
            self._finish(Rejected(503, TRANSPORT_FAILED, is_local=True))

    def _may_renegotiate(self) -> bool:
        return self._phase == "confirmed"

    def _refuse_early_offer(self, server: ServerTransaction, now: float) -> None:
        self._stack.refuse(server, 491, now=now)  # §14.2, RFC 3311 §5.2: our own offer is still open

    def _receive_progress(self, response: Response, now: float) -> None:
        is_first = self._phase == "calling"
        if is_first:
            self._phase = "proceeding"
        if response.to.tag is not None:
            self.dialog = Dialog.from_answer(self.invite, response)
        if is_first or response.to.tag is not None:
            self._changed()
        if response.status > 100:
            self._emit(Provisional(response.status, response.reason, response.body))
        if is_first and self._is_cancelled:
            self._send_cancel(now)

    def _receive_answer(self, response: Response, now: float) -> None:
        tag = response.to.tag or ""
        if tag in self._acks:
            self._stack.transactions.send(*self._acks[tag])
            return
        dialog = Dialog.from_answer(self.invite, response)
        is_fork = self._phase == "confirmed"
        self._send_ack(dialog, tag, is_fork=is_fork)
        if is_fork or self._is_cancelled or self.is_over:
            if not is_fork:
                self._phase, self.dialog = "confirmed", dialog
            self._hang_up_fork(dialog, now)
            return
        self.dialog = dialog
        self._phase = "confirmed"
        self._changed()
        self._emit(Answered(response.body))

    def _receive_refusal(self, response: Response, now: float) -> None:
        if response.status in (401, 407) and not self._is_cancelled and self._authenticator.accept_challenge(response):
            self.dialog = None
            self.invite = self._build_invite(cseq=self.invite.cseq + 1)
            self._phase = "unsent"
            self.send(now)
            return
        self._phase = "failed"
        if self._is_cancelled:
            self._finish(Ended("cancelled"))
        else:
            retry_after = parse_seconds(response.headers.get("Retry-After"))
            self._finish(Rejected(response.status, response.reason, retry_after))

    def _send_cancel(self, now: float) -> None:
        assert self._transaction is not None
        cancel = hop.build_cancel(self.invite)
        self._stack.transactions.request(cancel, destination=self.destination, user=_Ignored(), now=now)
        self._transaction.expire_after(self._stack.timing.timeout, now)  # §9.1: then treat it as cancelled

    def _send_ack(self, dialog: Dialog, tag: str, *, is_fork: bool) -> None:
        destination = dialog.next_hop()
        credentials = [(name, value) for name, value in self.invite.headers if name.endswith("Authorization")]
        ack = dialog.build_request(
            "ACK", via=self._stack.build_via(destination), cseq=self.invite.cseq, fields=credentials
        )
        data = ack.serialize()
        self._acks[tag] = (data, destination)
        on_failure = None if is_fork else self._fail_ack
        self._stack.transactions.send(data, destination, on_failure)

    def _fail_ack(self, _now: float) -> None:
        self._finish(Ended("transport"))

    def _hang_up_fork(self, dialog: Dialog, now: float) -> None:
        hangup = Hangup(self._stack, dialog, authenticator=self._authenticator, on_done=self._fork_settled)
        hangup.send(now)

    def _fork_settled(self, _now: float) -> None:
        if self._is_cancelled:
            self._finish(Ended("cancelled"))

    def _build_invite(self, *, cseq: int) -> Request:
        invitation = self._invitation
        extra = [(name, value) for name, value in invitation.headers.items() if name != "Route"]
        route = invitation.headers.get("Route")
        branch = record.name_attempt(self._branch, cseq)
        fields = [("Via", self._stack.build_via(self.destination, branch))]
        fields += [("Route", route)] if route else []
        fields += [
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", self._to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{cseq} INVITE"),
            ("Contact", self._stack.build_contact(_user_of(invitation.from_uri), self.destination)),
            ("Allow", ALLOW),
            ("User-Agent", self._stack.user_agent),
            *self._authenticator.authorize("INVITE", invitation.target),
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


def _user_of(uri: str) -> str | None:
    return Uri.parse(uri).user


def _without_transport(uri: str) -> str:
    parsed = Uri.parse(uri)
    return Uri(parsed.scheme, parsed.user, parsed.host, parsed.port).serialize()
