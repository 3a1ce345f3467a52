"""The session timer of one call at work (RFC 4028): fields, refreshes, expiry; does no I/O."""

from typing import TYPE_CHECKING

from ringdown.sip import refresh
from ringdown.sip.errand import Errand, Outcome
from ringdown.sip.message import Request, Response
from ringdown.sip.refresh import Interval, Refresh, SessionTimer
from ringdown.sip.stack import SUPPORTED

if TYPE_CHECKING:
    from ringdown.sip.session import Session

_ALL_TAGS = ", ".join(SUPPORTED)
_TAGS_WITHOUT_TIMER = ", ".join(tag for tag in SUPPORTED if tag != "timer")


class Expiry:
    """What we want of session timers, and the running one."""

    def __init__(self, session: "Session", wish: SessionTimer) -> None:
        self.wish = wish
        self._session = session
        self._refresh: Refresh | None = None

    def supported_fields(self) -> list[tuple[str, str]]:
        """The option tags that we support in this call."""
        return [("Supported", _ALL_TAGS if self.wish.mode != "off" else _TAGS_WITHOUT_TIMER)]

    def answer(self, request: Request, now: float) -> list[tuple[str, str]]:
        """The fields of our 2xx to this request; starts the timer anew (§9). An early dialog has none."""
        if not self._session.is_up:
            return []
        interval = refresh.answer_interval(request, self.wish)
        self._restart(interval, is_ours=interval is not None and interval.refresher == "uas", now=now)
        return refresh.describe_answer(request, interval)

    def request_fields(self) -> list[tuple[str, str]]:
        """The fields of a re-INVITE or UPDATE of ours (§7.4)."""
        interval = None
        if self._refresh is not None and self._refresh.seconds:
            seconds = max(self._refresh.seconds, self.wish.min_se_s)
            interval = Interval(seconds, "uac" if self._refresh.is_ours else "uas")
        return [*self.supported_fields(), *refresh.describe_request(interval, self.wish)]

    def take_response(self, response: Response, now: float) -> None:
        """Start the timer anew as a 2xx to our request says (§7.2)."""
        self._session.note_peer(response)
        if self.wish.mode != "off":
            interval = refresh.accepted_interval(response)
            self._restart(interval, is_ours=interval is not None and interval.refresher == "uac", now=now)

    def take_refusal(self, refusal: Response) -> None:
        """The peer wants a longer interval (422)."""
        self.wish = self.wish.raised_to(refresh.read_minimum(refusal))

    def stop(self) -> None:
        """The call is over."""
        if self._refresh is not None:
            self._refresh.stop()

    def _restart(self, interval: Interval | None, *, is_ours: bool, now: float) -> None:
        if interval is None:
            self.stop()
            return
        if self._refresh is None:
            timers = self._session.stack.transactions.timers
            self._refresh = Refresh(timers, on_refresh=self._send, on_expiry=self._expire)
        self._refresh.restart(interval.seconds, is_ours=is_ours, now=now)

    def _send(self, now: float) -> None:
        """By an UPDATE without SDP if the peer allows it, else by a re-INVITE that changes nothing (§7.4)."""
        session = self._session
        if not session.is_allowed("UPDATE"):
            session.reoffer(session.local_sdp, self._settle_offer, now)
            return
        assert session.dialog is not None
        errand = Errand(
            session.stack,
            session.dialog,
            "UPDATE",
            authenticator=session.authenticator,
            on_done=self._settle_update,
            fields=[("Contact", session.dialog.contact), *self.request_fields()],
        )
        errand.send(now)

    def _settle_update(self, outcome: Outcome, now: float) -> None:
        session = self._session
        if session.is_over:
            return
        if outcome.response is not None and outcome.status < 300:
            self.take_response(outcome.response, now)
        elif outcome.status in (408, 481):
            self._expire(now)
        else:
            if outcome.status == 422 and outcome.response is not None:
                self.take_refusal(outcome.response)
            session.reoffer(session.local_sdp, self._settle_offer, now)

    def _settle_offer(self, outcome: Outcome, now: float) -> None:
        if outcome.status in (408, 481):
            self._expire(now)
        elif outcome.response is not None and outcome.status < 300:
            self._session.take_answer(outcome.response.body, now)

    def _expire(self, now: float) -> None:
        self._session.hang_up("expired", now)
