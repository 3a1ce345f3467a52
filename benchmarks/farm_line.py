"""One call at the farm: rings, answers, refuses, hangs up, and repeats what is not acknowledged (RFC 3261 §17.2)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks import farm_message
from benchmarks.farm_message import Message
from benchmarks.farm_plans import Plan

Address = tuple[str, int]

_T1_S, _T2_S = 0.5, 4.0
_TIMEOUT_S = 64 * _T1_S
#: A phone that is neither told nor cancelled for so long has been forgotten by whoever called it.
_FORGOTTEN_S = 90.0


class Exchange(Protocol):
    """What a line needs of the farm: its clock and timers, the wire, the log."""

    port: int
    rtp_port: int

    def now(self) -> float:
        """Seconds of a steady clock."""

    def later(self, delay_s: float, act: Callable[[], object]) -> None:
        """Do something after so many seconds."""

    def send(self, data: bytes, address: Address) -> None:
        """Put a datagram on the wire."""

    def send_final(self, line: int, status: int, method: str, data: bytes, address: Address) -> bool:
        """Put a final answer on the wire for the first time; False when it was dropped."""

    def note(self, kind: str, line: int, **details: Any) -> None:
        """Append to the log."""

    def start_media(self, line: "Line") -> None:
        """Send audio to the line's peer."""

    def end(self, line: "Line") -> None:
        """The line is over; nothing is sent any more but repeated answers."""


@dataclass(slots=True)
class Heard:
    """The RTP that came from the caller; times of the farm's wall clock in ms."""

    packets: int = 0
    first_at: int = 0
    last_at: int = 0


@dataclass(slots=True)
class Line:
    """One INVITE and what follows from it."""

    exchange: Exchange
    number: int
    """Of the line, in the order of the INVITEs."""
    invite: Message
    source: Address
    plan: Plan
    audio_port: int
    heard: Heard = field(default_factory=Heard)
    is_talking: bool = False
    is_over: bool = False
    _final: bytes = b""
    _final_status: int = 0
    _is_acknowledged: bool = False
    _bye: bytes = b""
    _is_bye_answered: bool = False

    @property
    def tag(self) -> str:
        """Our To tag."""
        return f"farm{self.number}"

    def begin(self) -> None:
        """Follow the plan."""
        self.exchange.later(_FORGOTTEN_S, self._forget)
        if self.plan.rings_s is None:
            self._finish(self.plan.status)
            return
        self.exchange.send(self._respond(180), self.source)
        self.exchange.note("ringing", self.number)
        if self.plan.way != "no_answer":
            self.exchange.later(self.plan.rings_s, self._decide)

    def repeat(self) -> None:
        """The INVITE came again: so does the last answer."""
        if self._final:
            self._send_repeated()
        elif self.plan.rings_s is not None:
            self.exchange.send(self._respond(180), self.source)

    def renegotiate(self, request: Message) -> None:
        """An INVITE within the dialog: nothing changes."""
        body = farm_message.build_sdp(self.exchange.rtp_port)
        self.exchange.send(farm_message.respond(request, 200, port=self.exchange.port, body=body), self.source)

    def acknowledge(self) -> None:
        """Our final answer has arrived."""
        if not self._is_acknowledged:
            self._is_acknowledged = True
            self.exchange.note("acknowledged", self.number)

    def cancel(self) -> None:
        """The caller does not want to wait."""
        if not self._final:
            self._finish(487)

    def hear_bye(self) -> None:
        """The caller has hung up; before the answer that is as good as a CANCEL (RFC 3261 §15)."""
        if not self._final:
            self._finish(487)
        self._end("bye_received")

    def hear_bye_answer(self) -> None:
        """The caller knows that we have hung up."""
        self._is_bye_answered = True

    def _decide(self) -> None:
        if not self._final:
            self._finish(self.plan.status)

    def _finish(self, status: int) -> None:
        body = farm_message.build_sdp(self.exchange.rtp_port) if status == 200 else b""
        self._final, self._final_status = self._respond(status, body), status
        if self.exchange.send_final(self.number, status, "INVITE", self._final, self.source):
            self._note_final()
        if self.plan.rings_s is not None:
            # Without a provisional answer the caller asks again; with one it waits, and repeating is our part.
            self._repeat_final(_T1_S, self.exchange.now() + _TIMEOUT_S)
        if status != 200:
            self._end("refused", status=status)
        elif self.plan.talks_s is not None:
            self.exchange.later(self.plan.talks_s, self._hang_up)

    def _note_final(self) -> None:
        if self._final_status == 200 and not self.is_talking and not self.is_over:
            self.is_talking = True
            self.exchange.note("answered", self.number)
            self.exchange.start_media(self)

    def _send_repeated(self) -> None:
        self.exchange.send(self._final, self.source)
        self._note_final()

    def _repeat_final(self, delay_s: float, until_s: float) -> None:
        def repeat() -> None:
            if self._is_acknowledged or (self.is_over and self._final_status == 200):
                return
            if self.exchange.now() > until_s:
                self.exchange.note("unacknowledged", self.number, status=self._final_status)
                self._end("unacknowledged")
                return
            self._send_repeated()
            self._repeat_final(min(2 * delay_s, _T2_S), until_s)

        self.exchange.later(delay_s, repeat)

    def _hang_up(self) -> None:
        if self.is_over:
            return
        if not self.is_talking:  # the 200 has not left yet
            self.exchange.later(_T1_S, self._hang_up)
            return
        branch = f"z9hG4bKfarm{self.number}"
        port = self.exchange.port
        self._bye = farm_message.hang_up(self.invite, tag=self.tag, port=port, cseq=1, branch=branch)
        self._end("bye_sent")
        self._repeat_bye(_T1_S, self.exchange.now() + _TIMEOUT_S)
        self.exchange.send(self._bye, self.source)

    def _repeat_bye(self, delay_s: float, until_s: float) -> None:
        def repeat() -> None:
            if self._is_bye_answered:
                return
            if self.exchange.now() > until_s:
                self.exchange.note("bye_unanswered", self.number)
                return
            self.exchange.send(self._bye, self.source)
            self._repeat_bye(min(2 * delay_s, _T2_S), until_s)

        self.exchange.later(delay_s, repeat)

    def _forget(self) -> None:
        if not self.is_over:
            self._end("forgotten")

    def _end(self, how: str, **details: Any) -> None:
        if self.is_over:
            return
        self.is_over, self.is_talking = True, False
        heard = self.heard
        self.exchange.note(
            "ended", self.number, how=how, packets=heard.packets, first=heard.first_at, last=heard.last_at, **details
        )
        self.exchange.end(self)

    def close(self) -> None:
        """The farm stops."""
        self._end("farm_stopped")

    def _respond(self, status: int, body: bytes = b"") -> bytes:
        return farm_message.respond(self.invite, status, tag=self.tag, port=self.exchange.port, body=body)
