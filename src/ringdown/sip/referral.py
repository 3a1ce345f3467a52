"""The peer's wish that we call somebody else: its REFER and our notifications (RFC 3515, 3891, 3892); does no I/O."""

from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from ringdown.sip.address import NameAddr, Uri
from ringdown.sip.errand import Errand, Outcome
from ringdown.sip.replaces import Replaces
from ringdown.sip.sipfrag import CONTENT_TYPE, build_fragment
from ringdown.sip.transaction import ServerTransaction

if TYPE_CHECKING:
    from ringdown.sip.session import Session

_PATIENCE = 10.0  # seconds that the owner has to decide
_EXPIRES = 180  # seconds that we say the subscription lasts; the new call's end ends it earlier


class ReceivedReferral:
    """One REFER within a call, and the subscription that it opens; raises `ValueError` when it is malformed."""

    def __init__(self, session: "Session", server: ServerTransaction, now: float) -> None:
        request = server.request
        values = request.headers.get_all("Refer-To")
        if len(values) != 1:
            raise ValueError("a REFER has one Refer-To")
        uri = Uri.parse(NameAddr.parse(values[0]).uri)
        self.replaces = _find_header(uri.headers, "replaces")
        if self.replaces is not None and (not self.replaces.isprintable() or not Replaces.parse(self.replaces)):
            raise ValueError("malformed Replaces")
        params = dict(uri.params)
        if params.pop("method", "INVITE") != "INVITE":
            raise ValueError("only a call can be asked for")
        self.target = Uri(uri.scheme, uri.user, uri.host, uri.port, params).serialize()
        self.referred_by = request.headers.get("Referred-By")
        self._session = session
        self._server = server
        self._state: Literal["asked", "accepted", "over"] = "asked"
        timers = session.stack.transactions.timers
        self._deadline = timers.start(now + _PATIENCE, lambda at: self.reject(603, at))

    @property
    def is_open(self) -> bool:
        """Whether nothing final has been said about it."""
        return self._state != "over"

    def accept(self, now: float) -> bool:
        """Send 202 and the first NOTIFY; false when it was declined meanwhile."""
        if self._state != "asked" or self._session.is_over:
            return False
        self._state = "accepted"
        self._deadline.cancel()
        assert self._session.dialog is not None
        self._session.respond(self._server, 202, now=now, fields=[("Contact", self._session.dialog.contact)])
        self.notify(100, "Trying", now)
        return True

    def notify(self, status: int, reason: str, now: float) -> None:
        """Send a NOTIFY; a final status ends the subscription. Raises `ValueError` for what is no status line."""
        body = build_fragment(status, reason)
        session = self._session
        if self._state != "accepted" or session.is_over:
            return
        if status >= 200:
            self._state = "over"
        assert session.dialog is not None
        state = "terminated;reason=noresource" if status >= 200 else f"active;expires={_EXPIRES}"
        errand = Errand(
            session.stack,
            session.dialog,
            "NOTIFY",
            authenticator=session.authenticator,
            on_done=self._settle,
            fields=[
                ("Contact", session.dialog.contact),
                ("Event", f"refer;id={self._server.request.cseq}"),
                ("Subscription-State", state),
                ("Content-Type", CONTENT_TYPE),
            ],
            body=body,
        )
        errand.send(now)

    def reject(self, status: int, now: float) -> None:
        """Refuse; raises `ValueError` unless 300 <= status <= 699."""
        if not 300 <= status <= 699:
            raise ValueError("not a refusal")
        if self._state == "asked":
            self._state = "over"
            self._deadline.cancel()
            self._session.respond(self._server, status, now=now)

    def _settle(self, outcome: Outcome, _now: float) -> None:
        if outcome.status >= 300:  # the peer does not listen, or no longer (RFC 6665 §4.2.2)
            self._state = "over"


def _find_header(headers: str, name: str) -> str | None:
    for pair in headers.split("&"):
        key, _, value = pair.partition("=")
        if key.lower() == name:
            return unquote(value)
    return None
