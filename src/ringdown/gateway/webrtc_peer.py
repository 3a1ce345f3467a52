"""One browser in a call: what it is told and what it says over its WebSocket; knows neither sockets nor media."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NoReturn

from ringdown.calls.models import Call, TranscriptTurn
from ringdown.sip.events import DigitPressed, Ended, Event, ReferResult, ReofferFailed
from ringdown.voice.events import ConversationState

#: How long a call goes on without its WebSocket, for the browser to come back.
GRACE_S = 10.0
#: Why a WebSocket is closed (RFC 6455 §7.4): the call has ended; a later join may succeed; the browser broke the
#: protocol; the link is no good, which is no use to repeat.
ENDED, TRY_LATER, BROKEN, UNKNOWN_LINK = 1000, 1013, 4400, 4404
_MAX_WAITING = 256
_MAX_CANDIDATES = 64
_DIGITS = frozenset("0123456789*#ABCD")
_SPEAKERS = {"agent": "agent", "contact": "user"}

Message = dict[str, object]


class BadMessage(ValueError):
    """The browser broke the protocol; the text says how."""


class Browser:
    """The far end of a browser's call (`leg.FarEnd`), and its signalling.

    The owner of its WebSocket passes `take` what comes, sends what `outbox` gives, and says when the socket is `lost`
    or `found` again. `offer` and `candidates` hold what the browser wants of the media. `is_gone` is set when it hung
    up, or stayed away for longer than `grace_s`.
    """

    def __init__(self, *, grace_s: float = GRACE_S) -> None:
        self.resume_key = secrets.token_urlsafe(24)
        self.offer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.candidates: asyncio.Queue[str] = asyncio.Queue(_MAX_CANDIDATES)
        self.outbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self.is_gone = asyncio.Event()
        # How its WebSocket is to be closed, once there is nothing more to tell.
        self.verdict = (ENDED, "")
        # Lets go of the media path; set when there is one.
        self.say_goodbye: Callable[[], Awaitable[None]] | None = None
        self._grace_s = grace_s
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._is_over = False
        self._absence: asyncio.TimerHandle | None = None
        self._status = ""
        self._partial = ""
        self._turns_told = 0

    # --- its WebSocket -----------------------------------------------------------------------------------------------

    def take(self, text: str | bytes) -> None:
        """Take a message of the browser. Raises `BadMessage`."""
        message = _parse(text)
        match message.get("type"):
            case "offer":
                self._take_offer(message.get("sdp"))
            case "candidate":
                self._take_candidate(message.get("candidate"))
            case "digits":
                self._take_digits(message.get("digits"))
            case "hangup":
                self.hang_up()
            case kind:
                raise BadMessage(f"there is no message of type {kind!a}")

    def _take_offer(self, sdp: object) -> None:
        if not isinstance(sdp, str):
            raise BadMessage("an offer needs sdp, a string")
        if self.offer.done():
            raise BadMessage("a call has one offer")
        self.offer.set_result(sdp)

    def _take_candidate(self, candidate: object) -> None:
        if candidate is not None and not isinstance(candidate, str):
            raise BadMessage("a candidate is a string")
        if candidate and not self.candidates.full():  # an empty one is the end of them
            self.candidates.put_nowait(candidate)

    def _take_digits(self, digits: object) -> None:
        if not isinstance(digits, str) or not 0 < len(digits) <= 32 or not _DIGITS.issuperset(digits):
            raise BadMessage("digits are 1 to 32 of 0-9, *, #, A-D")
        for digit in digits:
            self._events.put_nowait(DigitPressed(digit))

    def lost(self) -> None:
        """The WebSocket is gone: the browser may come back for a while."""
        if self._absence is None and not self.is_gone.is_set():
            self._absence = asyncio.get_running_loop().call_later(self._grace_s, self.hang_up)

    def found(self) -> None:
        """The browser is back, on another WebSocket."""
        if self._absence is not None:
            self._absence.cancel()
            self._absence = None

    def hang_up(self) -> None:
        """The browser hung up. Safe twice."""
        if not self.is_gone.is_set():
            self.is_gone.set()
            self._events.put_nowait(Ended("bye"))

    # --- what it is told ---------------------------------------------------------------------------------------------

    def tell(self, **message: object) -> None:
        """Send a message; a browser that reads none for long misses some."""
        if self.outbox.qsize() < _MAX_WAITING:
            self.outbox.put_nowait(message)

    def welcome(self, call: Call, *, agent_name: str) -> None:
        """It has joined this call."""
        self.tell(type="joined", callId=call.id, agentName=agent_name, resumeKey=self.resume_key)
        self.tell_status("connecting")

    def tell_status(self, status: str) -> None:
        """Tell what goes on, when that is new."""
        if status != self._status:
            self._status = status
            self.tell(type="status", status=status)

    def follow(self, state: ConversationState, partial: str, turns: Sequence[TranscriptTurn]) -> None:
        """Tell what is new in the conversation."""
        for turn in turns[self._turns_told :]:
            self._tell_words(_SPEAKERS[turn.speaker], turn.text, is_final=True)
        self._turns_told = len(turns)
        if partial and partial != self._partial:
            self._tell_words("user", partial, is_final=False)
        self._partial = partial
        if not self._is_over:
            self.tell_status(state)

    def _tell_words(self, speaker: str, text: str, *, is_final: bool) -> None:
        self.tell(type="transcript", speaker=speaker, text=text, isFinal=is_final)

    # --- the far end of a talk ---------------------------------------------------------------------------------------

    signalling_host = ""

    async def events(self) -> AsyncIterator[Event]:
        """Its key presses, and that it hung up."""
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Ended):
                return

    def allows(self, _method: str) -> bool:
        """It can call nobody else."""
        return False

    async def refer(self, _target: str, *, timeout_s: float) -> ReferResult:  # noqa: ARG002 - as others have it
        """Refused."""
        return ReferResult(405, "Method Not Allowed", is_refused=True)

    async def reoffer(self, _sdp: bytes) -> NoReturn:
        """Refused: on hold it hears music, and is not heard."""
        raise ReofferFailed(488, "Not Acceptable Here")

    async def bye(self) -> None:
        """Hang up. Safe twice."""
        if self._is_over:
            return
        self._is_over = True
        self.tell_status("ended")
        self._events.put_nowait(Ended("local"))
        if self.say_goodbye is not None:
            await self.say_goodbye()

    def refuse(self, code: int, reason: str) -> None:
        """It may not join; `reason` is for its developer."""
        self.verdict = (code, reason)

    def close(self) -> None:
        """The call is over, and nothing more is told."""
        self.found()
        self.is_gone.set()  # nobody waits for it any more
        self.outbox.put_nowait(None)


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("a message is JSON text") from None
    if not isinstance(message, dict):
        raise BadMessage("a message is a JSON object")
    return message
