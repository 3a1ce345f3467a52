"""The live side of one call: one dialog, one RTP port, one conversation, one record, and exactly one ending."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from ringdown.calls.models import CallCommand, ClaimedCall, Ending
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.gateway import dialogue, endings
from ringdown.gateway.record import CallRecord
from ringdown.gateway.routes import Route, Routes
from ringdown.gateway.speech import Speech, SpeechProviders
from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.sockets import PortsExhausted
from ringdown.sip import call as sip
from ringdown.sip import network, sdp
from ringdown.sip.address import Uri
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.events import Answered, Ended, Rejected
from ringdown.voice.conversation import Conversation
from ringdown.voice.detector import SpeechDetector
from ringdown.voice.ports import ProviderError

log = structlog.get_logger(__name__)

# An answered call without a single packet for this long has lost its far end.
_NO_MEDIA_MS = 60_000
_NO_MEDIA_CHECK_S = 5.0
# A CANCEL is settled within 8*T1; a far end that was cancelled and does not say so is not waited for longer.
_CANCEL_TIMEOUT_S = 6.0
# Our side of an agreed direction.
_SENDING = ("sendrecv", "sendonly")


@dataclass(frozen=True, slots=True)
class Services:
    """What every session of a gateway shares."""

    settings: Settings
    database: Database
    endpoint: Endpoint
    clock: MediaClock
    detector: SpeechDetector
    speech: SpeechProviders
    routes: Routes
    spool: Spool


@dataclass(frozen=True, slots=True)
class _Course:
    """How the call went: its ending and, where nobody talked, a sentence that says why."""

    ending: Ending
    reason: str | None = None


class CallSession:
    """One call from its claim to its end.

    Whatever happens in `run_outbound` and `run_inbound` becomes an `Ending`. `obey`, `hang_up` and `media_ms` may be
    used at any time.
    """

    def __init__(self, services: Services, claimed: ClaimedCall) -> None:
        self._services = services
        self._claimed = claimed
        self.call = claimed.call
        self._record = CallRecord(claimed, database=services.database, settings=services.settings, spool=services.spool)
        self._hang_up = asyncio.Event()
        # Fails with what the media clock's tick raised.
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._media: MediaSession | None = None
        self._local_host = services.settings.sip_host
        self._sdp_version = 1  # RFC 3264 §8: grows with each description of ours
        self._conversation: Conversation | None = None
        self._log = log.bind(call_id=self.call.id)

    @property
    def media_ms(self) -> int:
        """How long the far party has been on the line; 0 before the answer."""
        return self._media.media_ms if self._media is not None and self._record.started_at is not None else 0

    def obey(self, command: CallCommand) -> None:
        """Carry out a command of the API."""
        if command.kind == "hang_up":
            self.hang_up()

    def hang_up(self) -> None:
        """End the call; safe to call twice."""
        self._hang_up.set()

    async def run_outbound(self) -> None:
        """Dial, talk, finish."""
        await self._run(self._dial())

    async def run_inbound(self, incoming: sip.IncomingCall) -> None:
        """Answer, talk, finish."""
        await self._run(self._answer(incoming))

    async def _run(self, course: Coroutine[Any, Any, _Course]) -> None:
        report = None
        try:
            taken = await course
            if self._conversation is not None:
                report = self._conversation.report()
        except ProviderError as error:
            self._log.warning("call failed by a provider", error=str(error))
            taken = _Course(endings.PROVIDER_FAILED, f"The call could not be carried: {error}.")
        except PortsExhausted as error:
            self._log.error("call without a media port", error=str(error))
            taken = _Course(endings.INTERNAL, f"The call could not be carried: {error}.")
        except Exception:  # noqa: BLE001 - a call never errors, it ends
            self._log.exception("call failed by a fault of ours")
            taken = _Course(endings.INTERNAL)
        finally:
            if self._media is not None:
                await self._media.close()
        await self._record.finish(taken.ending, media_ms=self.media_ms, summary=taken.reason, report=report)
        if report is not None and report.summary is None:
            await self._add_summary()

    async def _add_summary(self) -> None:
        """A model writes for seconds: the call has ended before, for everybody who looks."""
        assert self._conversation is not None
        await self._conversation.summarise()
        summary = self._conversation.report().summary
        if summary is not None:
            await self._record.add_summary(summary)

    # --- outbound ----------------------------------------------------------------------------------------------------

    async def _dial(self) -> _Course:
        services = self._services
        route = services.routes.find(self.call.to_number or "")
        if route is None:
            return _Course(
                endings.NO_ROUTE,
                "The call could not be placed: no outbound peer is set (RINGDOWN_OUTBOUND_PEER); "
                f"only the test phone, {services.settings.test_phone_number}, can be reached.",
            )
        speech = services.speech.find_speech(self._claimed.agent)  # nobody is rung by an agent without a voice
        media = await self._open_media()
        call = self._prepare(route, media)
        following = self._record.follow_dialog(call)
        try:
            # Committed before the INVITE leaves: after a crash the next gateway knows whom to tell.
            await self._record.store_dialog(call.dialog_state)
            outcome = await self._ring(call)
            if isinstance(outcome, Ending):
                return _Course(outcome)
            try:
                negotiated = _check_address(sdp.read_answer(outcome.body))
            except ValueError as error:
                return _Course(endings.NO_COMMON_AUDIO, f"The call was answered without usable audio: {error}.")
            return _Course(await self._talk(call, media, negotiated, speech))
        finally:
            following.cancel()
            await call.bye()  # or CANCEL; whatever broke above, nobody stays on a dead line

    def _prepare(self, route: Route, media: MediaSession) -> sip.OutgoingCall:
        services = self._services
        return services.endpoint.prepare_invite(
            target=route.target,
            from_uri=services.endpoint.local_uri(self.call.from_number or "anonymous"),
            body=sdp.build_offer(host=self._media_host(Uri.parse(route.target).host), port=media.local_port),
            credentials=route.credentials,
        )

    async def _ring(self, call: sip.OutgoingCall) -> Answered | Ending:
        join_timeout_ms = self.call.settings.join_timeout_ms or self._claimed.agent.join_timeout_ms
        answer = asyncio.create_task(self._wait_for_answer(call))
        hang_up = asyncio.create_task(self._hang_up.wait())
        try:
            await call.send()
            await asyncio.wait((answer, hang_up), timeout=join_timeout_ms / 1000, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            await call.cancel()
            # 487, or a 2xx that crossed the CANCEL and was ended with a BYE
            await asyncio.wait((answer,), timeout=_CANCEL_TIMEOUT_S)
            return endings.CANCELLED if self._hang_up.is_set() else endings.NO_ANSWER
        finally:
            for task in (hang_up, answer):
                task.cancel()

    async def _wait_for_answer(self, call: sip.Call) -> Answered | Ending:
        async for event in call.events():
            if isinstance(event, Answered):
                return event
            if isinstance(event, Rejected):
                self._log.info("call refused", status=event.status, **{"pii.reason": event.reason})
                return endings.from_sip_status(event.status, is_local=event.is_local)
            if isinstance(event, Ended):
                return endings.from_dialog(event.cause)
        return endings.CANCELLED

    # --- inbound -----------------------------------------------------------------------------------------------------

    async def _answer(self, incoming: sip.IncomingCall) -> _Course:
        following = self._record.follow_dialog(incoming)
        try:
            speech = self._services.speech.find_speech(self._claimed.agent)
            media = await self._open_media()
            host = self._media_host(incoming.source[0])
            try:
                body, negotiated = sdp.answer_offer(incoming.body, host=host, port=media.local_port)
                _check_address(negotiated)
            except ValueError as error:
                await incoming.reject(488)
                return _Course(endings.NO_COMMON_AUDIO, f"The offer could not be answered: {error}.")
            await incoming.answer(body)
            async for event in incoming.events():
                if isinstance(event, Answered):
                    return _Course(await self._talk(incoming, media, negotiated, speech))
                if isinstance(event, Ended):
                    return _Course(endings.from_dialog(event.cause))
            return _Course(endings.CANCELLED)
        finally:
            following.cancel()
            # Nothing, when the call is over; else something broke above, and nobody stays on a dead line.
            await incoming.reject(503)
            await incoming.bye()

    # --- talking -----------------------------------------------------------------------------------------------------

    async def _open_media(self) -> MediaSession:
        settings = self._services.settings
        self._media = await MediaSession.open(
            clock=self._services.clock,
            host=settings.sip_host,
            port_min=settings.rtp_port_min,
            port_max=settings.rtp_port_max,
        )
        return self._media

    def _media_host(self, peer_host: str) -> str:
        """The address at which the peer reaches our RTP."""
        host = self._services.settings.sip_host
        return network.local_address(peer_host.strip("[]")) if network.is_wildcard(host) else host

    async def _talk(
        self, call: sip.Call, media: MediaSession, negotiated: sdp.NegotiatedAudio, speech: Speech
    ) -> Ending:
        """From the answer to the end of the conversation, whoever ends it."""
        conversation = dialogue.build_conversation(
            agent=self._claimed.agent,
            call=self.call,
            speech=speech,
            detector=self._services.detector,
            on_event=self._record.hear,
        )
        self._conversation = conversation
        self._local_host = self._media_host(negotiated.host)
        self._record.begin()
        call.on_reoffer = self._answer_reoffer
        media.start(
            remote=(negotiated.host, negotiated.port),
            encoding=negotiated.encoding,
            payload_type=negotiated.payload_type,
            dtmf_payload_type=negotiated.dtmf_payload_type,
            exchange=self._exchange,
            on_digit=conversation.press,
            is_sending=negotiated.direction in _SENDING,
        )
        return await self._until_it_ends(call, media, conversation)

    async def _until_it_ends(self, call: sip.Call, media: MediaSession, conversation: Conversation) -> Ending:
        course = asyncio.create_task(conversation.run())
        far_end = asyncio.create_task(_until_ended(call))
        hang_up = asyncio.create_task(self._hang_up.wait())
        silence = asyncio.create_task(self._until_no_media())
        saving = asyncio.create_task(self._save())
        tasks = (course, far_end, hang_up, silence, saving, self._fault)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if far_end in done:
                return endings.from_dialog(far_end.result().cause)
            if course in done:
                end = course.result()
                if end.detail:
                    self._log.warning("conversation ended", reason=end.reason, detail=end.detail)
                return endings.from_conversation(end.reason)
            for broken in done & {saving, self._fault}:
                broken.result()  # raises what broke it
            return endings.NO_MEDIA if silence in done else endings.HUNG_UP_BY_US
        finally:
            if not far_end.done():
                await call.bye()
            self._log.info("media ended", **_describe_media(media))
            await media.close()  # the call is as long as its media: recognising the last words takes a while
            await conversation.finish()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _save(self) -> None:
        if await self._record.store_answer():
            await self._record.save_turns()

    def _exchange(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        assert self._conversation is not None
        try:
            near_pcm = self._conversation.tick(far_pcm, at_ms)
            self._record.record(far_pcm, near_pcm, at_ms)
        except Exception as error:  # noqa: BLE001 - the clock would drop us in silence: the call shall end by it
            if not self._fault.done():
                self._fault.set_exception(error)
            return None
        return near_pcm

    def _answer_reoffer(self, offer: bytes) -> bytes:
        assert self._media is not None
        self._sdp_version += 1
        body, negotiated = sdp.answer_offer(
            offer, host=self._local_host, port=self._media.local_port, version=self._sdp_version
        )
        self._media.redirect(
            remote=(negotiated.host, negotiated.port),
            encoding=negotiated.encoding,
            payload_type=negotiated.payload_type,
            dtmf_payload_type=negotiated.dtmf_payload_type,
            is_sending=negotiated.direction in _SENDING,
        )
        return body

    async def _until_no_media(self) -> None:
        assert self._media is not None
        silent_ms = 0
        while silent_ms <= _NO_MEDIA_MS:
            await asyncio.sleep(_NO_MEDIA_CHECK_S)
            silent_ms = self._media.media_ms - (self._media.last_packet_at_ms or 0)


def _describe_media(media: MediaSession) -> dict[str, float]:
    """What tells an operator whether a bad call was the network's fault or ours."""
    figures = media.statistics
    return {
        "packets_received": figures.packets_received,
        "packets_lost": figures.packets_lost,
        "packets_late": figures.packets_late,
        "jitter_ms": round(figures.jitter_ms, 1),
        "packets_sent": figures.packets_sent,
        "ticks_late": figures.ticks_late,
        "ticks_unsent": figures.ticks_unsent,
    }


def _check_address(negotiated: sdp.NegotiatedAudio) -> sdp.NegotiatedAudio:
    """Names are not looked up for media: nobody sends any, and a lookup would hold up the answer."""
    if not network.is_literal(negotiated.host):
        raise ValueError("the address of the audio is a name")
    return negotiated


async def _until_ended(call: sip.Call) -> Ended:
    async for event in call.events():
        if isinstance(event, Ended):
            return event
    return Ended("local")
