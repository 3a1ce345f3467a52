"""Our wish that the peer calls somebody else: one REFER and the notifications after it (RFC 3515); does no I/O."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from ringdown.sip.address import NameAddr, Uri
from ringdown.sip.errand import Errand, Outcome
from ringdown.sip.events import ReferResult
from ringdown.sip.message import Request
from ringdown.sip.replaces import Replaces
from ringdown.sip.sipfrag import parse_fragment

if TYPE_CHECKING:
    from ringdown.sip.session import Session

_HUNG_UP = ReferResult(202, "accepted, then hung up")
_NO_RESULT = ReferResult(500, "the notifications ended without a result", is_refused=True)


class Transfer:
    """One REFER within a call; `on_done(result)` is called once. Raises `ValueError` for a target that is no URI."""

    def __init__(
        self,
        session: "Session",
        *,
        target: str,
        replaces: str | None,
        referred_by: str | None,
        on_done: Callable[[ReferResult], None],
    ) -> None:
        assert session.dialog is not None
        self._session = session
        self._on_done = on_done
        self._is_over = False
        self._is_accepted = False
        self._is_tried = False
        self._errand = Errand(
            session.stack,
            session.dialog,
            "REFER",
            authenticator=session.authenticator,
            on_done=self._settle,
            fields=[
                ("Contact", session.dialog.contact),
                ("Refer-To", _refer_to(target, replaces)),
                ("Referred-By", f"<{referred_by or NameAddr.parse(session.dialog.local_party).uri}>"),
            ],
        )

    def send(self, timeout_s: float, now: float) -> None:
        """Send the REFER; the result comes within `timeout_s`."""
        timers = self._session.stack.transactions.timers
        self._deadline = timers.start(now + timeout_s, lambda _: self._time_out())
        self._errand.send(now)

    def receive_notify(self, request: Request) -> bool:
        """Take a NOTIFY; false when it belongs to another subscription. Raises `ValueError` if it is malformed."""
        event, _, params = (request.headers.get("Event") or "").partition(";")
        if event.strip().lower() != "refer":
            return False
        name, _, number = params.partition("=")
        if name.strip() == "id" and number.strip() != str(self._errand.cseq):
            return False
        self._is_accepted = True  # a NOTIFY may overtake the 202 (RFC 3515 §2.4.4)
        status, reason = parse_fragment(request.body)
        self._is_tried = self._is_tried or status > 100
        is_last = (request.headers.get("Subscription-State") or "").lower().startswith("terminated")
        if status >= 200:
            self._finish(ReferResult(status, reason))
        elif is_last:
            self._finish(_NO_RESULT)
        return True

    def close(self) -> None:
        """The call is over."""
        self._finish(_HUNG_UP if self._is_accepted else ReferResult(481, "the call has ended", is_refused=True))

    def _settle(self, outcome: Outcome, now: float) -> None:
        if outcome.response is not None and outcome.status < 300:
            self._is_accepted = True
        else:
            self._finish(ReferResult(outcome.status, outcome.reason, is_refused=not self._is_accepted))
            if outcome.status in (408, 481) and not self._is_accepted:
                self._session.hang_up("timeout", now)  # RFC 3261 §12.2.1.2

    def _time_out(self) -> None:
        self._finish(ReferResult(408, "nothing final was notified in time", is_refused=not self._is_tried))

    def _finish(self, result: ReferResult) -> None:
        if not self._is_over:
            self._is_over = True
            self._deadline.cancel()
            self._session.transfer = None
            self._on_done(result)


def _refer_to(target: str, replaces: str | None) -> str:
    uri = Uri.parse(target)
    if replaces is None:
        return f"<{target}>"
    Replaces.parse(replaces)
    joiner = "&" if uri.headers else "?"
    return f"<{target}{joiner}Replaces={quote(replaces, safe='')}>"
