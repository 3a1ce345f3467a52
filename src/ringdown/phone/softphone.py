"""The test phone: a scripted SIP softphone with real signalling and real audio. Rings or is rung; keeps no record."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.sockets import PortsExhausted
from ringdown.media.stream import StreamSettings
from ringdown.phone.script import Script
from ringdown.phone.talk import SAMPLE_RATE_HZ, Talk, TalkEvent
from ringdown.providers.espeak import EspeakVoice
from ringdown.sip import admission, sdp
from ringdown.sip.call import Call, IncomingCall, OutgoingCall
from ringdown.sip.digest import Credentials
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.events import Answered, Provisional, Rejected

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

    `on_event` hears `ringing`, `answered`, `heard`, `said`, `digits`, `digit` (received), `tone`, `finished`,
    `rejected` and `ended`.
    """

    def __init__(self, script: Script, *, voice: str = "en-us", on_event: Listener) -> None:
        self._script = script
        self._voice = EspeakVoice(voice=voice)
        self._clock = MediaClock()
        self._on_event = on_event
        self._sounds: dict[str, bytes] = {}
        self._calls: set[asyncio.Task[None]] = set()
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
        task = asyncio.create_task(self._take(incoming))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _take(self, incoming: IncomingCall) -> None:
        self._on_event(PhoneEvent("ringing", incoming.from_uri))
        talked_ms = 0
        if self._script.reaction == "busy":
            await incoming.reject(486)
        elif self._script.reaction == "decline":
            await incoming.reject(603)
        else:
            await incoming.ring()
            watch = asyncio.create_task(_until_ended(incoming))
            try:
                waits_s = self._script.answer_after_ms / 1000 if self._script.reaction == "answer" else None
                await asyncio.wait([watch], timeout=waits_s)
                if not watch.done():
                    talked_ms = await self._answer(incoming, watch)
            finally:
                watch.cancel()
        self._on_event(PhoneEvent("ended", at_ms=talked_ms))

    async def _answer(self, incoming: IncomingCall, watch: "asyncio.Task[None]") -> int:
        try:
            media = await self._open_media()
        except PortsExhausted as error:
            log.warning("no port for the call's audio", reason=str(error))
            await incoming.reject(503)
            return 0
        try:
            answer, negotiated = sdp.answer_offer(incoming.body, host=self._host, port=media.local_port)
            await incoming.answer(answer)
            self._on_event(PhoneEvent("answered", incoming.from_uri))
            return await self._talk(incoming, media, negotiated, watch)
        except ValueError as error:
            log.warning("offer refused", reason=str(error))
            await incoming.reject(488)
            return 0
        finally:
            await media.close()

    async def dial(self, target: str, *, credentials: Credentials | None = None) -> bool:
        """Ring `target` (a SIP URI) and play the script; True if it was answered. Raises `ValueError` for the URI."""
        media = await self._open_media()
        try:
            call = self.endpoint.prepare_invite(
                target=target,
                from_uri=self.endpoint.local_uri("phone"),
                body=sdp.build_offer(host=self._host, port=media.local_port),
                credentials=credentials,
            )
            try:
                return await self._ring_and_talk(call, media)
            finally:
                await call.bye()  # also ends a call that still rings, and does nothing to one that is over
        finally:
            await media.close()

    async def _ring_and_talk(self, call: OutgoingCall, media: MediaSession) -> bool:
        await call.send()
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                answered = await self._wait_for_answer(call)
            if answered is None:
                return False
            negotiated = sdp.read_answer(answered.body)
        except (TimeoutError, ValueError) as error:
            self._on_event(PhoneEvent("rejected", str(error) or "no answer"))
            return False
        watch = asyncio.create_task(_until_ended(call))
        try:
            talked_ms = await self._talk(call, media, negotiated, watch)
        finally:
            watch.cancel()
        self._on_event(PhoneEvent("ended", at_ms=talked_ms))
        return True

    async def _wait_for_answer(self, call: Call) -> Answered | None:
        async for event in call.events():
            if isinstance(event, Answered):
                self._on_event(PhoneEvent("answered"))
                return event
            if isinstance(event, Provisional):
                self._on_event(PhoneEvent("ringing", f"{event.status} {event.reason}"))
            elif isinstance(event, Rejected):
                self._on_event(PhoneEvent("rejected", f"{event.status} {event.reason}"))
        return None

    async def _open_media(self) -> MediaSession:
        return await MediaSession.open(clock=self._clock, host=self._host, port_min=30000, port_max=39999)

    async def _talk(
        self, call: Call, media: MediaSession, negotiated: sdp.NegotiatedAudio, watch: "asyncio.Task[None]"
    ) -> int:
        """Play the script until it or the call is over; how long they talked."""
        finished = asyncio.Event()

        def on_talk(kind: TalkEvent, detail: str, at_ms: int) -> None:
            self._on_event(PhoneEvent(kind, detail, at_ms))
            if kind == "digits":
                media.send_digits(detail)
            elif kind == "finished":
                finished.set()

        talk = Talk(self._script, sounds=self._sounds, on_event=on_talk)
        stream = StreamSettings(
            remote=(negotiated.host, negotiated.port),
            encoding=negotiated.encoding,
            payload_type=negotiated.payload_type,
            dtmf_payload_type=negotiated.dtmf_payload_type,
        )
        media.start(
            stream,
            exchange=talk.exchange,
            on_digit=lambda digit, at_ms: self._on_event(PhoneEvent("digit", digit, at_ms)),
        )
        done = asyncio.create_task(finished.wait())
        try:
            await asyncio.wait([done, watch], return_when=asyncio.FIRST_COMPLETED)
        finally:
            done.cancel()
            if not watch.done():
                await call.bye()
        return media.media_ms


async def _until_ended(call: Call) -> None:
    async for _event in call.events():
        pass
