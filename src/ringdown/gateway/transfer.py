"""Hands a far party over to somebody else: by REFER, or by a second leg that is asked first and then joined."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from ringdown.calls.models import Call, ClaimedCall, Ending
from ringdown.gateway import dialogue, endings, routes
from ringdown.gateway.dialling import Dialler, Failed
from ringdown.gateway.leg import Leg
from ringdown.gateway.record import CallRecord
from ringdown.gateway.routes import Route
from ringdown.gateway.services import Services
from ringdown.gateway.speech import Speech
from ringdown.media.bridge import Bridge
from ringdown.media.session import MediaSession
from ringdown.media.sockets import PortsExhausted
from ringdown.sip.call import OutgoingCall
from ringdown.sip.events import DigitPressed, Ended, ReferResult
from ringdown.telephony import permission
from ringdown.telephony.models import Trunk

log = structlog.get_logger(__name__)

_MEDIA_CHECK_S = 1.0
TRANSFERRED = Ending("transferred")
_REASONS = {
    "busy": "the number was busy",
    "no_answer": "nobody answered",
    "declined": "the call was declined",
    "invalid_destination": "the number cannot be reached",
    "unreachable": "the number cannot be reached",
}


class TransferFailed(Exception):
    """The far party stays with the agent; the text says why."""


class ReferRefused(TransferFailed):
    """The far end does not even try to call the other person itself."""


def find_route(services: Services, call: Call, trunk: Trunk | None, number: str) -> Route:
    """The way to the other person, in our own number's name. Raises `TransferFailed`."""
    settings = services.settings
    ours = call.to_number if call.direction == "inbound" else call.from_number
    if routes.is_test_phone(settings, number):
        return routes.find_test_phone(settings, services.endpoint, number=number, from_number=ours)
    trunk = trunk or services.trunks.find_only(call.organization_id) or services.trunks.peer
    if trunk is None:
        raise TransferFailed("there is no trunk that leads to the number")
    refusal = permission.find_refusal(number, settings=settings, trunk=trunk)
    if refusal is not None:
        raise TransferFailed(refusal.message)
    return routes.build_route(trunk, services.endpoint, number=number, from_number=ours)


class OtherPerson:
    """Somebody who is called for the far party of a call: `reach`, perhaps `ask`, then `join`; `close` in any case."""

    def __init__(self, services: Services, claimed: ClaimedCall, record: CallRecord, *, stop: asyncio.Event) -> None:
        self._services = services
        self._claimed = claimed
        self._record = record
        self._stop = stop
        self._leg: Leg | None = None
        self._call: OutgoingCall | None = None
        self._ended: asyncio.Task[Ended] | None = None
        self._is_talking = False

    async def reach(self, route: Route, *, timeout_ms: int) -> None:
        """Ring until it is answered. Raises `TransferFailed`."""
        try:
            self._leg = await self._services.open_leg_to(route)
        except PortsExhausted as error:
            log.error("transfer without a media port", call_id=self._claimed.call.id, error=str(error))
            raise TransferFailed("no line was free") from error
        dialler = Dialler(
            self._services.endpoint,
            route,
            self._leg,
            timeout_ms=timeout_ms,
            stop=self._stop,
            keep=self._record.keep_dialog,
            settings=self._services.settings,
        )
        outcome = await dialler.dial()
        if isinstance(outcome, Failed):
            raise TransferFailed(_REASONS.get(outcome.ending.ended_reason, "the number could not be called"))
        self._call = outcome
        self._ended = asyncio.create_task(_wait_until_ended(outcome, self._leg.media))

    async def ask(self, speech: Speech, introduction: str) -> None:
        """Introduce the caller and ask for consent. Raises `TransferFailed` when it is not given."""
        assert self._leg is not None and self._ended is not None
        leg = self._leg
        conversation = dialogue.build_consultation(
            introduction=introduction,
            language=self._claimed.agent.language_hint,
            speech=speech,
            detector=self._services.detector,
            sample_rate_hz=leg.sample_rate_hz,
        )
        leg.start(conversation.tick, conversation.press)
        self._is_talking = True
        course = asyncio.create_task(conversation.run())
        try:
            await asyncio.wait((course, self._ended), return_when=asyncio.FIRST_COMPLETED)
            if not course.done():
                raise TransferFailed("the other person hung up")
            if not dialogue.has_consented(conversation):
                raise TransferFailed("the other person did not take the call")
        finally:
            course.cancel()
            await asyncio.gather(course, return_exceptions=True)
            await conversation.finish()

    async def join(self, far: MediaSession, *, on_frames: Callable[[bytes, bytes, int], None], limit_ms: int) -> None:
        """Let both talk until the other person hangs up or is not heard any more, or the time is over."""
        assert self._leg is not None and self._ended is not None
        no_media_ms = self._services.settings.no_media_seconds * 1000
        if not self._is_talking:
            self._leg.start(_say_nothing, _ignore_digit)
        bridge = Bridge(far, self._leg.media, on_frames=on_frames)
        bridge.start()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit_ms / 1000):
                    while not self._ended.done() and self._leg.media.silent_ms <= no_media_ms:
                        await asyncio.wait((self._ended,), timeout=_MEDIA_CHECK_S)
        finally:
            bridge.stop()

    async def close(self) -> None:
        """Hang up, whatever stage it is in. Safe twice."""
        if self._call is not None:
            await self._call.bye()
        if self._ended is not None:
            self._ended.cancel()
            await asyncio.gather(self._ended, return_exceptions=True)
        if self._leg is not None:
            await self._leg.media.close()


def judge_refer(result: ReferResult) -> None:
    """What the far end made of our REFER (RFC 3515). Raises `TransferFailed`, `ReferRefused` if it did not even try."""
    said = f"the far end answered {result.status} {result.reason}".strip()
    ending = endings.from_sip_status(result.status, is_local=False)
    if result.is_refused:
        raise ReferRefused(_REASONS["no_answer"] if ending == endings.NO_ANSWER else said)
    if not is_accepted(result):
        raise TransferFailed(_REASONS.get(ending.ended_reason, said))


def is_accepted(result: ReferResult) -> bool:
    """Whether the far end has called the other person, or hung up in order to."""
    return 200 <= result.status < 300


async def _wait_until_ended(call: OutgoingCall, media: MediaSession) -> Ended:
    async for event in call.events():
        if isinstance(event, DigitPressed):
            media.press(event.digit)
        if isinstance(event, Ended):
            return event
    return Ended("local")


def _say_nothing(_far_pcm: bytes, _at_ms: int) -> None:
    return None


def _ignore_digit(_digit: str, _at_ms: int) -> None:
    return None
