"""An incoming call: ring, answer, refuse, the caller's CANCEL (RFC 3261 §13.3, §9.2); does no I/O."""

from collections.abc import Iterable
from typing import Any, Literal

from ringdown.sip import record
from ringdown.sip.address import Uri
from ringdown.sip.dialog import Dialog, new_tag
from ringdown.sip.digest import Authenticator
from ringdown.sip.events import Ended, Rejected
from ringdown.sip.message import Request, Response
from ringdown.sip.session import Session
from ringdown.sip.stack import ALLOW, Stack
from ringdown.sip.transaction import ServerTransaction


class IncomingSession(Session):
    """One call that a peer places; raises `ValueError` when its INVITE cannot start a dialog."""

    def __init__(self, stack: Stack, server: ServerTransaction) -> None:
        super().__init__(stack, authenticator=Authenticator(None))
        self.invite: Request = server.request
        self.source = server.source
        self._server = server
        self._phase: Literal["ringing", "answered", "refused"] = "ringing"
        contact = stack.build_contact(_called_user(self.invite), server.source)
        self.dialog: Dialog = Dialog.from_invite(self.invite, local_tag=new_tag(), contact=contact)
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

    def ring(self, now: float) -> None:
        """Send 180 Ringing; may be repeated."""
        if self._phase == "ringing" and not self.is_over:
            self._respond(self._server, 180, now=now, fields=[("Contact", self.dialog.contact), ("Allow", ALLOW)])

    def answer(self, body: bytes, now: float) -> None:
        """Send 200 OK with our SDP, until the ACK comes; `Answered` follows with it."""
        if self._phase != "ringing" or self.is_over:
            return
        self._phase = "answered"
        self._local_sdp = body
        self._changed()
        self._accept(self._server, body, now=now, is_first=True)

    def reject(
        self, status: int, *, reason: str | None = None, fields: Iterable[tuple[str, str]] = (), now: float
    ) -> None:
        """Send a final refusal; `Rejected` follows at once. Raises `ValueError` unless 300 <= status <= 699."""
        if not 300 <= status <= 699:
            raise ValueError("not a refusal")
        if self._phase != "ringing" or self.is_over:
            return
        tag = self.dialog.local_tag
        response = Response.build(self.invite, status, reason=reason, tag=tag, fields=[*fields, *self._server_fields()])
        self._phase = "refused"
        self._server.respond(response, now)
        self._finish(Rejected(status, response.reason, is_local=True))

    def bye(self, now: float) -> None:
        """Hang up; before the answer this is a 480."""
        if self._phase == "ringing":
            self.reject(480, now=now)
        else:
            super().bye(now)

    def _may_renegotiate(self) -> bool:
        return self._phase == "answered"

    def _refuse_early_offer(self, server: ServerTransaction, now: float) -> None:
        self._stack.refuse(server, 500, now=now, fields=[("Retry-After", "3")])  # §14.2, RFC 3311 §5.2

    def _receive_bye(self, server: ServerTransaction, now: float) -> None:
        if self._phase == "ringing":  # the caller ends the early dialog; its INVITE still needs an end (§15.1.2)
            self._respond(server, 200, now=now)
            self.receive_cancel(server.request, now)
        else:
            super()._receive_bye(server, now)

    def receive_cancel(self, request: Request, now: float) -> None:
        """The caller gave up: 487, unless we have answered already (§9.2)."""
        if self._phase == "ringing" and not self.is_over:
            self._phase = "refused"
            self._respond(self._server, 487, now=now)
            self._finish(Ended("cancelled", request.headers.get("Reason")))


def _called_user(invite: Request) -> str | None:
    try:
        return Uri.parse(invite.uri).user
    except ValueError:
        return None
