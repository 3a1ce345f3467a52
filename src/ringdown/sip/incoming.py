"""An incoming call: ring, answer, refuse, the caller's CANCEL (RFC 3261 §13.3, §9.2); does no I/O."""

from collections.abc import Iterable
from typing import Any, Literal

from ringdown.sip import record, refresh
from ringdown.sip.address import Uri
from ringdown.sip.dialog import Dialog, new_tag
from ringdown.sip.digest import Authenticator
from ringdown.sip.events import Ended, Rejected
from ringdown.sip.message import Request, Response
from ringdown.sip.refresh import SessionTimer
from ringdown.sip.reliable import ReliableProgress
from ringdown.sip.session import Session
from ringdown.sip.stack import ALLOW, Stack
from ringdown.sip.transaction import ServerTransaction


class IncomingSession(Session):
    """One call that a peer places; raises `ValueError` when its INVITE cannot start a dialog."""

    is_caller = False

    def __init__(self, stack: Stack, server: ServerTransaction, *, replaced: Session | None = None) -> None:
        super().__init__(stack, authenticator=Authenticator(None), session_timer=SessionTimer())
        self.invite: Request = server.request
        self.replaced = replaced
        """The call that this one takes over (RFC 3891)."""
        self.source = server.source
        self._server = server
        self._phase: Literal["ringing", "answered", "refused"] = "ringing"
        contact = stack.build_contact(_called_user(self.invite), server.source)
        self.dialog: Dialog = Dialog.from_invite(self.invite, local_tag=new_tag(), contact=contact)
        self._reliable: ReliableProgress | None = None
        # Our answer while early media is not confirmed yet.
        self._held_answer: bytes | None = None
        self.note_peer(self.invite)
        self._note_source(self.dialog, server.source, self.invite)
        self._register(self.invite.call_id, self.dialog.local_tag)

    def state(self) -> dict[str, Any]:
        """See `Session.state`; sufficient for a final response while ringing and for a BYE once answered."""
        phase = "ended" if self.is_over else "confirmed" if self._phase == "answered" else "early"
        return {
            "role": "callee",
            "phase": phase,
            "invite": record.write_invite(self.invite),
            "transport": self.source.transport,
            "host": self.source.host,
            "port": self.source.port,
            "dialog": self.dialog.to_dict(),
        }

    @property
    def is_up(self) -> bool:
        """Whether we have answered."""
        return self._phase == "answered"

    def may_renegotiate(self, _remote_tag: str) -> bool:
        """See `Session.may_renegotiate`."""
        return self.is_up or (self._reliable is not None and self._reliable.is_answered)

    def ring(self, now: float) -> None:
        """Send 180 Ringing; may be repeated."""
        self.progress(180, b"", now)

    def progress(self, status: int, body: bytes, now: float) -> None:
        """Send a 101-199 response, with early media if `body` is SDP; raises `ValueError` for another status.

        Reliable when the caller requires that, or supports it and there is SDP. A caller that wants our offer gets
        it in the 2xx only.
        """
        if not 101 <= status <= 199:
            raise ValueError("not a provisional status")
        if self._phase != "ringing" or self.is_over:
            return
        body = body if self.invite.body else b""
        if body:
            self.local_sdp = body
        fields = [("Contact", self.dialog.contact), ("Allow", ALLOW)]
        if not self._is_reliability_wanted(body):
            self.respond(self._server, status, now=now, fields=fields, body=body)
            return
        if self._reliable is None:
            self._reliable = ReliableProgress(self.stack, self._server, on_timeout=self._prack_timed_out)
        response = self._build_response(self._server, status, fields=[*fields, ("Require", "100rel")], body=body)
        self._reliable.send(response, now)

    def answer(self, body: bytes, now: float, *, session_timer: SessionTimer | None = None) -> None:
        """Send 200 OK with our SDP, until the ACK comes; `Answered` follows with it.

        A session timer that we do not accept is refused instead (420, 422). Early media that the caller has not
        confirmed yet is waited for.
        """
        if self._phase != "ringing" or self.is_over:
            return
        if session_timer is not None:
            self.expiry.wish = session_timer
        refusal = refresh.find_refusal(self.invite, self.expiry.wish)
        if refusal is not None:
            self.reject(refusal[0], fields=refusal[1], now=now)
        elif self._reliable is not None and self._reliable.is_description_open:
            self._held_answer = body
        else:
            self._answer(body, now)

    def reject(
        self, status: int, *, reason: str | None = None, fields: Iterable[tuple[str, str]] = (), now: float
    ) -> None:
        """Send a final refusal; `Rejected` follows at once. Raises `ValueError` unless 300 <= status <= 699."""
        if not 300 <= status <= 699:
            raise ValueError("not a refusal")
        if self._phase != "ringing" or self.is_over:
            return
        tag = self.dialog.local_tag
        response = Response.build(self.invite, status, reason=reason, tag=tag, fields=[*fields, *self.server_fields()])
        self._leave_ringing("refused")
        self._server.respond(response, now)
        self._finish(Rejected(status, response.reason, is_local=True), now)

    def bye(self, now: float) -> None:
        """Hang up; before the answer this is a 480."""
        if self._phase == "ringing":
            self.reject(480, now=now)
        else:
            super().bye(now)

    def _refuse_early_offer(self, server: ServerTransaction, now: float) -> None:
        self.stack.refuse(server, 500, now=now, fields=[("Retry-After", "3")])  # §14.2, RFC 3311 §5.2

    def _receive_bye(self, server: ServerTransaction, now: float) -> None:
        if self._phase == "ringing":  # the caller ends the early dialog; its INVITE still needs an end (§15.1.2)
            self.respond(server, 200, now=now)
            self.receive_cancel(server.request, now)
        else:
            super()._receive_bye(server, now)

    def receive_cancel(self, request: Request, now: float) -> None:
        """The caller gave up: 487, unless we have answered already (§9.2)."""
        if self._phase == "ringing" and not self.is_over:
            self._leave_ringing("refused")
            self.respond(self._server, 487, now=now)
            self._finish(Ended("cancelled", request.headers.get("Reason")), now)

    def _receive_prack(self, server: ServerTransaction, now: float) -> None:
        request = server.request
        if self._reliable is None or not self._reliable.receive_prack(request, now):
            super()._receive_prack(server, now)
            return
        body = b""
        if request.body:  # another offer (RFC 3262 §5)
            try:
                body = self._renegotiation.answer_offer(request.body)
            except ValueError:
                self.stack.refuse(server, 488, now=now)
                return
        self.respond(server, 200, now=now, body=body)
        if self._held_answer is not None and not self._reliable.is_description_open:
            self._answer(self._held_answer, now)

    def _prack_timed_out(self, now: float) -> None:
        self.reject(504, now=now)  # RFC 3262 §3: a 5xx

    def _is_reliability_wanted(self, body: bytes) -> bool:
        headers = self.invite.headers
        return "100rel" in headers.get_all("Require") or (bool(body) and "100rel" in headers.get_all("Supported"))

    def _answer(self, body: bytes, now: float) -> None:
        self._leave_ringing("answered")
        self.local_sdp = body
        self.changed()
        self._renegotiation.accept(self._server, body, now=now, is_first=True)

    def _leave_ringing(self, phase: Literal["answered", "refused"]) -> None:
        self._phase, self._held_answer = phase, None
        if self._reliable is not None:
            self._reliable.stop()


def _called_user(invite: Request) -> str | None:
    try:
        return Uri.parse(invite.uri).user
    except ValueError:
        return None
