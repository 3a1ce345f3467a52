"""A telephone of our own for the wire tests: rings and is rung, plays a tone, keeps what it hears and who hung up."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ringdown.gateway.leg import Leg
from ringdown.gateway.media_terms import MediaTerms
from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.sip import endpoint, sdp
from ringdown.sip.call import Call, IncomingCall, OutgoingCall
from ringdown.sip.events import Answered, Ended, Event, Referred, Rejected
from tests.unit.media import tones
from tests.wire.sip_owner import Owner, run_owner
from tests.wire.sip_peers import HOST

_PATIENCE_S = 15.0
_LOUD = 250  # root mean square of speech and tones, well above silence
_FRAMES_PER_S = 50


class Line:
    """One call of a telephone. `says` is played again and again, from `play` on."""

    def __init__(self, call: Call, media: MediaSession, encodings: Sequence[sdp.Encoding]) -> None:
        self.call = call
        self.media = media
        self.leg = Leg(media, terms=MediaTerms(encodings=tuple(encodings)), address=(HOST, media.local_port))
        self.leg.bind(call)
        self.heard: list[bytes] = []
        self.digits: list[str] = []
        self.referred: asyncio.Queue[Referred] = asyncio.Queue()
        self.answered = asyncio.Event()
        self.ended: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self.played_at_s = 0.0
        self.loud_at_s = 0.0
        self._says, self._position, self._is_playing = b"", 0, False
        self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for event in self.call.events():
            if isinstance(event, Answered):
                if event.body:
                    self.leg.take_answer(event.body)
                self.leg.start(self._exchange, lambda digit, _at_ms: self.digits.append(digit))
                self.answered.set()
            elif isinstance(event, Referred):
                self.referred.put_nowait(event)
            elif isinstance(event, (Ended, Rejected)):
                self.ended.set_result(event)

    def _exchange(self, far_pcm: bytes, _at_ms: int) -> bytes | None:
        self.heard.append(far_pcm)
        if not self.loud_at_s and tones.level(far_pcm) > _LOUD:
            self.loud_at_s = time.monotonic()
        if not self._says:
            return None
        frame = self._says[self._position : self._position + len(far_pcm)]
        self._position = (self._position + len(far_pcm)) % len(self._says)
        self.played_at_s = self.played_at_s or time.monotonic()
        return frame if len(frame) == len(far_pcm) else None

    def play(self, frequency_hz: int) -> None:
        """A tone from now on; 0 for silence."""
        rate_hz = self.media.sample_rate_hz
        self.say(tones.make_tone(frequency_hz, 1000, sample_rate_hz=rate_hz) if frequency_hz else b"")

    def say(self, pcm: bytes) -> None:
        """PCM in the line's rate, from now on and again and again."""
        self._says, self._position, self.played_at_s = pcm, 0, 0.0

    async def listen(self, duration_s: float) -> bytes:
        """What is heard from now on."""
        self.heard.clear()
        self.loud_at_s = 0.0
        async with asyncio.timeout(_PATIENCE_S):
            while len(self.heard) < duration_s * _FRAMES_PER_S:
                await asyncio.sleep(0.02)
        return b"".join(self.heard)

    async def hears_something(self) -> None:
        """Until it is not silent any more; what was heard before does not count."""
        self.loud_at_s = 0.0
        await self._until(lambda: self.loud_at_s > 0)

    async def hears_tone(self, frequency_hz: int) -> None:
        """Until nothing but this tone is heard for 200 ms."""

        def is_heard() -> bool:
            pcm = b"".join(self.heard[-10:])
            rate_hz = self.media.sample_rate_hz
            return (
                len(self.heard) >= 10
                and tones.level(pcm) > _LOUD
                and abs(tones.find_tone(pcm, sample_rate_hz=rate_hz) - frequency_hz) < 10
                and tones.purity(pcm) > 0.9
            )

        self.heard.clear()
        await self._until(is_heard)

    async def hears_onset(self) -> float:
        """When it is not silent any more, on the monotonic clock."""
        await self.hears_something()
        return self.loud_at_s

    async def hears_digits(self, digits: str) -> None:
        """Until so many keys were pressed at the other end."""
        await self._until(lambda: len(self.digits) >= len(digits))
        assert "".join(self.digits) == digits

    async def _until(self, is_so: Any) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while not is_so():
                assert not self.ended.done(), self.ended.result()
                await asyncio.sleep(0.02)

    async def accept(self) -> "Line":
        """Answer a call that rings here."""
        assert isinstance(self.call, IncomingCall)
        await self.call.answer(self.leg.make_answer(self.call.body))
        async with asyncio.timeout(_PATIENCE_S):
            await self.answered.wait()
        return self

    async def refuse(self, status: int) -> None:
        """Do not answer a call that rings here."""
        assert isinstance(self.call, IncomingCall)
        await self.call.reject(status)
        await self.is_over()

    async def is_put_on_hold(self, is_held: bool) -> None:
        """Until the other end keeps us waiting, or does so no longer."""
        wanted = "recvonly" if is_held else "sendrecv"
        await self._until(lambda: self.leg.agreed is not None and self.leg.agreed.direction == wanted)

    async def is_over(self) -> Event:
        """How it ended, once it has."""
        async with asyncio.timeout(_PATIENCE_S):
            return await asyncio.shield(self.ended)

    async def hang_up(self) -> None:
        """Whatever state it is in."""
        if isinstance(self.call, OutgoingCall):
            await self.call.cancel()
        await self.call.bye()
        await self.is_over()

    async def close(self) -> None:
        """Hang up, and free the ports."""
        if not self.ended.done():
            if isinstance(self.call, IncomingCall):
                await self.call.reject(480)
            await self.call.bye()
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self.media.close()


class Telephone:
    """An endpoint whose calls are `Line`s."""

    def __init__(self, owner: Owner, clock: MediaClock) -> None:
        self.owner = owner
        self._clock = clock
        self._lines: list[Line] = []
        self._ringing: defaultdict[str, asyncio.Queue[IncomingCall]] = defaultdict(asyncio.Queue)

    async def _open(self, call: Call, encodings: Sequence[sdp.Encoding], media: MediaSession | None = None) -> Line:
        media = media or await self.open_media()
        self._lines.append(Line(call, media, encodings))
        return self._lines[-1]

    async def open_media(self) -> MediaSession:
        """Ports of their own."""
        return await MediaSession.open(clock=self._clock, host=HOST, port_min=30000, port_max=39999)

    async def dial(self, target: str, **options: Any) -> Line:
        """A call that is answered; options as for `begin`."""
        line = await self.begin(target, **options)
        async with asyncio.timeout(_PATIENCE_S):
            await line.answered.wait()
        return line

    async def begin(
        self, target: str, *, name: str = "alice", encodings: Sequence[sdp.Encoding] = ("PCMU",), **options: Any
    ) -> Line:
        """A call from `sip:name@…`; `options` are arguments of `prepare_invite`."""
        media = await self.open_media()
        offer = sdp.build_offer(HOST, media.local_port, encodings=encodings)
        from_uri = self.owner.endpoint.local_uri(name)
        call = self.owner.endpoint.prepare_invite(target=target, from_uri=from_uri, body=offer, **options)
        line = await self._open(call, encodings, media)
        await call.send()
        return line

    @property
    def port(self) -> int:
        """Where it is called."""
        return self.owner.endpoint.port

    def has_rung(self, number: str) -> bool:
        """Whether a call to this number waits to be taken."""
        return not self._ringing[number].empty()

    async def rings(self, number: str, *, encodings: Sequence[sdp.Encoding] = ("PCMU",)) -> Line:
        """The next call to this number; it is not answered yet."""
        async with asyncio.timeout(_PATIENCE_S):
            incoming = await self._ringing[number].get()
        await incoming.ring()
        return await self._open(incoming, encodings)

    async def sort(self) -> None:
        """Put each call to those of its number; never returns."""
        while True:
            incoming = await self.owner.incoming.get()
            self._ringing[endpoint.parse_user(incoming.request_uri) or ""].put_nowait(incoming)

    async def close(self) -> None:
        """Hang up everywhere."""
        for line in self._lines:
            await line.close()
        self._lines.clear()


@contextlib.asynccontextmanager
async def run_telephone(port: int = 0, host: str = HOST) -> AsyncIterator[Telephone]:
    """A telephone on this or a free port."""
    clock = MediaClock()
    await clock.start()
    try:
        async with run_owner(port=port, host=host) as owner:
            telephone = Telephone(owner, clock)
            sorting = asyncio.create_task(telephone.sort())
            try:
                yield telephone
            finally:
                sorting.cancel()
                await asyncio.gather(sorting, return_exceptions=True)
                await telephone.close()
    finally:
        await clock.close()
