"""Offers within a call after the first one, theirs and ours, one at a time (RFC 3261 §14, RFC 3311); does no I/O."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringdown.sip import refresh
from ringdown.sip.errand import Errand, Outcome
from ringdown.sip.message import Request, Response
from ringdown.sip.repetition import Repetition
from ringdown.sip.stack import ALLOW, describe_sdp
from ringdown.sip.timers import Timer
from ringdown.sip.transaction import ServerTransaction

if TYPE_CHECKING:
    from ringdown.sip.session import Session

CALL_ENDED = Outcome(481, "the call has ended")
NOT_UP = Outcome(481, "the call is not up")

_MAX_GLARES = 5
# Milliseconds to wait after a 491: longer for whoever made the Call-ID, so that one of the two is first (§14.1).
_WAIT_OF_CALLER = (2100, 4000)
_WAIT_OF_CALLEE = (0, 2000)
_STEP_MS = 10


@dataclass(slots=True)
class Offer:
    """A re-INVITE of ours: its SDP, and who is told the outcome."""

    body: bytes
    on_done: Callable[[Outcome, float], None]
    glares_left: int = _MAX_GLARES
    may_raise_interval: bool = True


@dataclass(slots=True)
class _Accepted:
    """A 2xx of ours that waits for its ACK; `is_late`: it carries our offer, the ACK the answer."""

    repetition: Repetition
    is_first: bool
    is_late: bool


class Renegotiation:
    """The INVITE and UPDATE requests within one call, and every 2xx of ours to an INVITE until its ACK."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._accepted: dict[int, _Accepted] = {}  # by CSeq
        self._queue: deque[Offer] = deque()
        # The offer that is on the wire, or waits for its next attempt after a 491.
        self._current: Offer | None = None
        self._is_on_wire = False
        self._wait: Timer | None = None

    @property
    def is_unacknowledged(self) -> bool:
        """Whether a 2xx of ours still waits for its ACK."""
        return bool(self._accepted)

    def receive(self, server: ServerTransaction, now: float) -> None:
        """A re-INVITE or UPDATE of the peer; raises `ValueError` if it is malformed."""
        session, request = self._session, server.request
        assert session.dialog is not None
        is_invite = request.method == "INVITE"
        if (is_invite or request.body) and self._is_glare():
            session.stack.refuse(server, 491, now=now)
            return
        refusal = refresh.find_refusal(request, session.expiry.wish)
        if refusal is not None:
            session.stack.refuse(server, refusal[0], now=now, fields=refusal[1])
            return
        session.dialog.refresh_target(request)
        session.note_peer(request)
        try:
            body = self._describe(request)
        except ValueError:
            session.stack.refuse(server, 488, now=now)
            return
        if is_invite:
            self.accept(server, body, now=now, is_first=False)
        else:
            fields = [("Contact", session.dialog.contact), ("Allow", ALLOW), *session.expiry.answer(request, now)]
            session.respond(server, 200, now=now, fields=fields, body=body)
        session.changed()

    def accept(self, server: ServerTransaction, body: bytes, *, now: float, is_first: bool) -> None:
        """Send a 200 to an INVITE until its ACK comes."""
        session = self._session
        assert session.dialog is not None
        response = Response.build(
            server.request,
            200,
            tag=session.dialog.local_tag,
            fields=[
                ("Contact", session.dialog.contact),
                ("Allow", ALLOW),
                *session.expiry.supported_fields(),
                *session.expiry.answer(server.request, now),
                *session.server_fields(),
                *describe_sdp(body),
            ],
            body=body,
        )
        repetition = Repetition(session.stack, server, response, on_timeout=self._ack_timed_out)
        self._accepted[server.request.cseq] = _Accepted(repetition, is_first, is_late=not server.request.body)
        repetition.send(now)

    def receive_ack(self, request: Request, now: float) -> bool:
        """An ACK; true when it is that of our first 2xx."""
        accepted = self._accepted.pop(request.cseq, None)
        if accepted is None:
            return False
        accepted.repetition.stop()
        if accepted.is_late and not accepted.is_first:
            self._session.take_answer(request.body, now)
        self._advance(now)
        return accepted.is_first

    def offer(self, offer: Offer, now: float) -> None:
        """Send a re-INVITE, as soon as no other offer is open."""
        session = self._session
        if session.is_over or not session.is_up:
            offer.on_done(CALL_ENDED if session.is_over else NOT_UP, now)
            return
        self._queue.append(offer)
        self._advance(now)

    def close(self, now: float) -> None:
        """The call is over: nothing will be offered any more."""
        if self._wait is not None:
            self._wait.cancel()
        waiting = [offer for offer in (self._current, *self._queue) if offer is not None]
        self._current = None
        self._queue.clear()
        for offer in waiting:
            offer.on_done(CALL_ENDED, now)

    def stop_repeating(self) -> None:
        """Nobody waits for our 2xx any more."""
        for accepted in self._accepted.values():
            accepted.repetition.stop()
        self._accepted.clear()

    def _is_glare(self) -> bool:
        return self._is_on_wire or any(accepted.is_late for accepted in self._accepted.values())

    def answer_offer(self, offer: bytes) -> bytes:
        """Our answer to an offer of the peer; raises `ValueError` when it cannot be met."""
        session = self._session
        if session.on_reoffer is not None:
            session.local_sdp = session.on_reoffer(offer)
        return session.local_sdp

    def _describe(self, request: Request) -> bytes:
        """The SDP of our 200: an answer, our own offer (§14.2), or nothing to an UPDATE that only refreshes."""
        session = self._session
        if request.body:
            return self.answer_offer(request.body)
        if request.method != "INVITE":
            return b""
        if session.make_offer is not None:
            session.local_sdp = session.make_offer()
        return session.local_sdp

    def _ack_timed_out(self, now: float) -> None:
        self.stop_repeating()
        self._session.hang_up("timeout", now)  # §13.3.1.4

    def _advance(self, now: float) -> None:
        if self._session.is_over or self._is_on_wire or self._accepted or self._wait is not None:
            return
        if self._current is None and self._queue:
            self._current = self._queue.popleft()
        if self._current is not None:
            self._send(self._current, now)

    def _send(self, offer: Offer, now: float) -> None:
        session = self._session
        assert session.dialog is not None
        self._is_on_wire = True
        errand = Errand(
            session.stack,
            session.dialog,
            "INVITE",
            authenticator=session.authenticator,
            on_done=self._settle,
            fields=[
                ("Contact", session.dialog.contact),
                ("Allow", ALLOW),
                *session.expiry.request_fields(),
                *describe_sdp(offer.body),
            ],
            body=offer.body,
        )
        errand.send(now)

    def _settle(self, outcome: Outcome, now: float) -> None:
        session, offer = self._session, self._current
        self._is_on_wire = False
        if offer is None:  # the call ended meanwhile
            return
        if outcome.status == 491 and offer.glares_left:
            offer.glares_left -= 1
            self._wait = session.stack.transactions.timers.start(now + self._glare_wait(), self._try_again)
            return
        if outcome.status == 422 and offer.may_raise_interval and outcome.response is not None:
            offer.may_raise_interval = False
            session.expiry.take_refusal(outcome.response)
            self._send(offer, now)
            return
        self._current = None
        if outcome.response is not None and outcome.status < 300:
            session.local_sdp = offer.body
            session.expiry.take_response(outcome.response, now)
            session.changed()
        offer.on_done(outcome, now)
        if outcome.status in (408, 481):  # §12.2.1.2
            session.hang_up("timeout", now)
        self._advance(now)

    def _glare_wait(self) -> float:
        shortest, longest = _WAIT_OF_CALLER if self._session.is_caller else _WAIT_OF_CALLEE
        return random.randrange(shortest, longest + 1, _STEP_MS) / 1000

    def _try_again(self, now: float) -> None:
        self._wait = None
        self._advance(now)
