"""The test phone: a scripted SIP softphone with real signalling and real audio. Rings or is rung; keeps no record."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.sockets import PortsExhausted
from ringdown.phone.line import Line
from ringdown.phone.script import Script
from ringdown.phone.talk import SAMPLE_RATE_HZ, Talk, TalkEvent
from ringdown.providers.espeak import EspeakVoice
from ringdown.sip import admission, sdp
from ringdown.sip.call import Call, IncomingCall, OutgoingCall
from ringdown.sip.digest import Credentials
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.events import Answered, DigitPressed, Provisional, Referred, Rejected, ReofferFailed

log = structlog.get_logger(__name__)

_USER_AGENT = "Ringdown test phone"
# A dialled party that neither answers nor refuses is given up after this.
_RING_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """Something that happened on the phone's side: `kind`, a detail for people, media time in ms (0 before answer)."""

    kind: str
    detail: str = ""
    at_ms: int = 0


Listener = Callable[[PhoneEvent], None]


class Softphone:
    """A phone on one SIP port. Use `start`, then `dial` or wait to be rung; `close` hangs up.

    `on_event` hears `ringing`, `answered`, `agreed` (codec, direction, SRTP or plain, address), `heard`, `said`,
    `digits`, `digit` (received), `tone`, `hold`, `resume`, `transfer` and `transferred` (its outcome), `referred`
    (asked to call somebody else), `refused`, `finished`, `rejected` and `ended`.
    """

    def __init__(self, script: Script, *, voice: str = "en-us", srtp: sdp.Srtp = "off", on_event: Listener) -> None:
        self._script = script
        self._srtp: sdp.Srtp = srtp
        self._voice = EspeakVoice(voice=voice)
        self._clock = MediaClock()
        self._on_event = on_event
        self._sounds: dict[str, bytes] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._transfers: set[asyncio.Task[None]] = set()
        self._host = "127.0.0.1"
        self._endpoint: Endpoint | None = None

    async def start(self, *, host: str, port: int) -> None:
        """Listen for calls on `host` and `port` (0: any free port), UDP and TCP. Raises `OSError`."""
        self._host = host
        await self._voice.start()
        for step in self._script.steps:
            if step.kind == "say" and step.text not in self._sounds:
                self._sounds[step.text] = await self._render(step.text)
        await self._clock.start()
        self._endpoint = await Endpoint.start(
            host=host,
            port=port,
            user_agent=_USER_AGENT,
            on_invite=self._rung,
            admit=admission.admit_all,
        )

    @property
    def endpoint(self) -> Endpoint:
        """The SIP side; there is one after `start`."""
        assert self._endpoint is not None
        return self._endpoint

    async def _render(self, text: str) -> bytes:
        return b"".join([piece.pcm async for piece in self._voice.speak(text, sample_rate_hz=SAMPLE_RATE_HZ)])

    async def close(self) -> None:
        """Hang up all calls and close the port; safe also when `start` failed."""
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._endpoint is not None:
            await self._endpoint.close()
        await self._clock.close()
        await self._voice.close()

    def _rung(self, incoming: IncomingCall) -> None:
        self._spawn(self._take(incoming))

    def _spawn(self, course: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(course)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return task

    async def _take(self, incoming: IncomingCall) -> None:
        self._on_event(PhoneEvent("ringing", incoming.from_uri))
        talked_ms = 0
        if self._script.reaction == "busy":
            await incoming.reject(486)
        elif self._script.reaction == "decline":
            await incoming.reject(603)
        else:
            await incoming.ring()
            watch = _Watch(incoming, self._obey)
            try:
                if not await watch.wait(self._patience_s(incoming)):
                    talked_ms = await self._answer(incoming, watch)
            finally:
                watch.cancel()
        self._on_event(PhoneEvent("ended", at_ms=talked_ms))

    def _patience_s(self, incoming: IncomingCall) -> float | None:
        if incoming.replaced_call is not None:
            return 0.0  # its party is on the line already (RFC 3891 §3)
        return self._script.answer_after_ms / 1000 if self._script.reaction == "answer" else None

    async def _answer(self, incoming: IncomingCall, watch: "_Watch") -> int:
        try:
            line = await self._open_line()
        except PortsExhausted as error:
            log.warning("no port for the call's audio", reason=str(error))
            await incoming.reject(503)
            return 0
        try:
            await incoming.answer(line.answer(incoming.body) if incoming.body else line.offer())
            answered = await watch.answered()
            if answered is None:
                return 0
            if not incoming.body:
                line.take_answer(answered.body)
            self._on_event(PhoneEvent("answered", incoming.from_uri))
            if incoming.replaced_call is not None:
                await incoming.replaced_call.bye()
            return await self._talk(incoming, line, watch)
        except ValueError as error:
            log.warning("offer refused", reason=str(error))
            await incoming.reject(488)
            await incoming.bye()
            return 0
        finally:
            await line.media.close()

    async def dial(self, target: str, *, credentials: Credentials | None = None) -> bool:
        """Ring `target` (a SIP URI) and play the script; True if it was answered. Raises `ValueError` for the URI."""
        was_answered = await self._dial(target, credentials=credentials)
        if self._transfers:  # the far party had us call somebody else: that call goes on
            await asyncio.wait(self._transfers)
        return was_answered

    async def _dial(
        self, target: str, *, credentials: Credentials | None = None, referred: Referred | None = None
    ) -> bool:
        line = await self._open_line()
        try:
            call = self.endpoint.prepare_invite(
                target=target,
                from_uri=self.endpoint.local_uri("phone"),
                body=line.offer(),
                credentials=credentials,
                headers=_describe_referral(referred),
            )
            try:
                return await self._ring_and_talk(call, line, referred)
            finally:
                await call.bye()  # also ends a call that still rings, and does nothing to one that is over
        finally:
            await line.media.close()

    async def _ring_and_talk(self, call: OutgoingCall, line: Line, referred: Referred | None) -> bool:
        await call.send()
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                answered = await self._wait_for_answer(call, line, referred)
            if answered is None:
                return False
            line.take_answer(answered.body)
        except (TimeoutError, ValueError) as error:
            self._on_event(PhoneEvent("rejected", str(error) or "no answer"))
            return False
        if referred is not None:
            await referred.referral.notify(200, "OK")
        watch = _Watch(call, self._obey)
        try:
            talked_ms = await self._talk(call, line, watch)
        finally:
            watch.cancel()
        self._on_event(PhoneEvent("ended", at_ms=talked_ms))
        return True

    async def _wait_for_answer(self, call: Call, line: Line, referred: Referred | None) -> Answered | None:
        async for event in call.events():
            if isinstance(event, Answered):
                self._on_event(PhoneEvent("answered"))
                return event
            if isinstance(event, Provisional):
                self._on_event(PhoneEvent("ringing", f"{event.status} {event.reason}"))
                if event.body:
                    line.take_answer(event.body)
                    line.media.listen(line.stream, far=_ignore_early_media)
            elif isinstance(event, Rejected):
                self._on_event(PhoneEvent("rejected", f"{event.status} {event.reason}"))
                if referred is not None:
                    await referred.referral.notify(event.status, event.reason)
        return None

    def _obey(self, referred: Referred) -> None:
        """The far party asks us to call somebody else; our call with it goes on until it hangs up."""
        transfer = self._spawn(self._follow_referral(referred))
        self._transfers.add(transfer)
        transfer.add_done_callback(self._transfers.discard)

    async def _follow_referral(self, referred: Referred) -> None:
        self._on_event(PhoneEvent("referred", referred.target))
        if not self._script.accepts_transfer:
            await referred.referral.reject(603)
            return
        await referred.referral.accept()
        try:
            await self._dial(referred.target, referred=referred)
        except (ValueError, PortsExhausted) as error:
            self._on_event(PhoneEvent("rejected", str(error)))
            await referred.referral.notify(503, "Service Unavailable")

    async def _open_line(self) -> Line:
        media = await MediaSession.open(clock=self._clock, host=self._host, port_min=30000, port_max=39999)

        def tell(agreed: str) -> None:
            self._on_event(PhoneEvent("agreed", agreed, media.media_ms))

        return Line(media, host=self._host, srtp=self._srtp, on_agreed=tell)

    async def _talk(self, call: Call, line: Line, watch: "_Watch") -> int:
        """Play the script until it or the call is over; how long they talked."""
        finished = asyncio.Event()
        media = line.media

        def on_talk(kind: TalkEvent, detail: str, at_ms: int) -> None:
            self._on_event(PhoneEvent(kind, detail, at_ms))
            if kind == "digits":
                media.send_digits(detail)
            elif kind == "hold" or kind == "resume":
                self._spawn(self._hold(call, line, is_holding=kind == "hold"))
            elif kind == "transfer":
                self._spawn(self._transfer(call, detail))
            elif kind == "finished":
                finished.set()

        def on_digit(digit: str, at_ms: int) -> None:
            self._on_event(PhoneEvent("digit", digit, at_ms))
            talk.acknowledge()

        talk = Talk(self._script, sounds=self._sounds, on_event=on_talk)
        line.bind(call)
        media.start(line.start_talking(), exchange=talk.exchange, on_digit=on_digit, sample_rate_hz=SAMPLE_RATE_HZ)
        watch.on_digit = on_digit
        done = asyncio.create_task(finished.wait())
        try:
            await asyncio.wait([done, watch.task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            done.cancel()
            if not watch.task.done():
                await call.bye()
        return media.media_ms

    async def _hold(self, call: Call, line: Line, *, is_holding: bool) -> None:
        try:
            await line.hold(call, is_holding=is_holding)
        except (ReofferFailed, ValueError) as error:
            self._on_event(PhoneEvent("refused", str(error), line.media.media_ms))

    async def _transfer(self, call: Call, target: str) -> None:
        result = await call.refer(target)
        self._on_event(PhoneEvent("transferred", f"{result.status} {result.reason}"))
        if result.status < 300:
            await call.bye()


class _Watch:
    """Reads the events of one call to its end, and does what the far party asks for."""

    def __init__(self, call: Call, obey: Callable[[Referred], None]) -> None:
        self.on_digit: Callable[[str, int], None] | None = None
        self._call = call
        self._obey = obey
        self._answered: asyncio.Future[Answered | None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._follow())

    async def wait(self, timeout_s: float | None) -> bool:
        """Whether the call ended in so many seconds."""
        await asyncio.wait([self.task], timeout=timeout_s)
        return self.task.done()

    async def answered(self) -> Answered | None:
        """The ACK of our answer, None when the call ended before; SIP bounds the wait (RFC 3261 §13.3.1.4)."""
        return await self._answered

    def cancel(self) -> None:
        """Reads no more."""
        self.task.cancel()

    async def _follow(self) -> None:
        try:
            async for event in self._call.events():
                if isinstance(event, Answered) and not self._answered.done():
                    self._answered.set_result(event)
                elif isinstance(event, DigitPressed) and self.on_digit is not None:
                    self.on_digit(event.digit, 0)
                elif isinstance(event, Referred):
                    self._obey(event)
        finally:
            if not self._answered.done():
                self._answered.set_result(None)


def _describe_referral(referred: Referred | None) -> list[tuple[str, str]]:
    """The headers of the call that we were asked for (RFC 3891, RFC 3892)."""
    if referred is None:
        return []
    headers = [("Replaces", referred.replaces), ("Referred-By", referred.referred_by)]
    return [(name, value) for name, value in headers if value is not None]


def _ignore_early_media(_pcm: bytes, _at_ms: int) -> None:
    pass
