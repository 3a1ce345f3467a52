"""The live side of one call, from its claim to its one ending: set-up in either direction, talk, record."""

import asyncio
import functools
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from ringdown.batch_calls.admission import Admission
from ringdown.calls import service
from ringdown.calls.clocks import MediaClock
from ringdown.calls.models import CallCommand, ClaimedCall, Ending
from ringdown.gateway import endings, routes, turn, webrtc_line
from ringdown.gateway.credit import CallCredit
from ringdown.gateway.dialling import Dialler, Failed
from ringdown.gateway.leg import Leg
from ringdown.gateway.media_terms import MediaTerms
from ringdown.gateway.record import CallRecord
from ringdown.gateway.routes import Route
from ringdown.gateway.services import Services
from ringdown.gateway.speech import Speech
from ringdown.gateway.talk import Talk
from ringdown.gateway.toolbox import CallToolBox
from ringdown.gateway.webrtc_peer import Browser
from ringdown.media.sockets import PortsExhausted
from ringdown.sip.call import Call, IncomingCall
from ringdown.sip.events import Answered, Ended, Rejected
from ringdown.telephony import permission
from ringdown.telephony.models import Trunk
from ringdown.voice.ports import ProviderError

log = structlog.get_logger(__name__)

# How soon a browser is told what its agent does.
_TELL_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class _Course:
    """How the call went: its ending and, where nobody talked, a sentence that says why."""

    ending: Ending
    reason: str | None = None


class CallSession:
    """One call from its claim to its end.

    Whatever happens in `run_outbound` and `run_inbound` becomes an `Ending`. `obey`, `replace`, `hang_up` and
    `media_ms` may be used at any time. `trunk` carries the call; None for a phone on this machine.
    """

    def __init__(self, services: Services, claimed: ClaimedCall, *, trunk: Trunk | None = None) -> None:
        self.call = claimed.call
        self.trunk = trunk
        self._services = services
        self._claimed = claimed
        self._record = CallRecord(claimed, database=services.database, settings=services.settings, spool=services.spool)
        self.credit = CallCredit(services.settings)
        self._toolbox = CallToolBox(services, claimed, trunk=trunk, note=self._note)
        self._hang_up = asyncio.Event()
        self._leg: Leg | None = None
        self._talk: Talk | None = None
        self._log = log.bind(call_id=self.call.id)

    @property
    def media_ms(self) -> int:
        """How long the far party has been on the line; 0 before the answer."""
        return self._leg.media.media_ms if self._leg is not None and self._record.started_at is not None else 0

    @property
    def clock(self) -> MediaClock | None:
        """Where the call's media clock stands; None before the answer."""
        started_at = self._record.started_at
        return None if started_at is None else MediaClock(started_at, self.media_ms)

    def _note(self, kind: str, details: Mapping[str, object]) -> None:
        self._record.note(kind, at_ms=self.media_ms, details=details)

    def is_peer(self, call: Call) -> bool:
        """Whether this is the far party's dialog, and the talk goes on."""
        return self._talk is not None and not self._talk.is_over and self._talk.leg.call is call

    def obey(self, command: CallCommand) -> None:
        """Carry out a command of the API."""
        if command.kind == "hang_up":
            self.hang_up()
        elif self._talk is not None:
            self._talk.request(command)

    def replace(self, incoming: IncomingCall) -> None:
        """Go on with a call that replaces the far party's."""
        if self._talk is not None:
            self._talk.request(incoming)

    def hang_up(self) -> None:
        """End the call; safe to call twice."""
        self._hang_up.set()

    async def run_outbound(self) -> None:
        """Dial, talk, finish."""
        await self._run(self._dial())

    async def run_browser(self, browser: Browser) -> None:
        """Let a browser that has joined talk, finish."""
        await self._run(self._meet(browser))

    async def run_inbound(self, incoming: IncomingCall) -> None:
        """Answer, talk, finish."""
        await self._run(self._answer(incoming))

    async def _run(self, course: Coroutine[Any, Any, _Course]) -> None:
        report = None
        try:
            taken = await course
            if self._talk is not None:
                report = self._talk.conversation.report()
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
            self._services.pacer.drop(self.call.id, self._claimed.paced_by)
            if self._leg is not None:
                await self._leg.media.close()
        media_ms = self.media_ms
        if media_ms and self._leg is not None and taken.ending.ended_reason == "user_hangup":
            media_ms = self._leg.media.attended_ms
        await self._record.finish(taken.ending, media_ms=media_ms, summary=taken.reason, report=report)
        if report is not None and report.summary is None and self._summarises:
            await self._add_summary()

    @property
    def _summarises(self) -> bool:
        """Whether the summary is written here: the worker's model reads only what is stored."""
        return self._services.settings.analysis_enabled and not self.call.is_transcribed

    async def _add_summary(self) -> None:
        """A model writes for seconds: the call has ended before, for everybody who looks."""
        assert self._talk is not None
        conversation = self._talk.conversation
        await conversation.summarise()
        summary = conversation.report().summary
        if summary is not None:
            await self._record.add_summary(summary)

    # --- outbound ----------------------------------------------------------------------------------------------------

    async def _dial(self) -> _Course:
        services, agent = self._services, self._claimed.agent
        route = self._find_route()
        if isinstance(route, _Course):
            return route
        speech = await services.speech.open_speech(
            services.database, agent, on_note=self._note
        )  # nobody is rung by an agent without a voice
        await self._toolbox.open()
        self._leg = await services.open_leg_to(route)
        dialler = Dialler(
            services.endpoint,
            route,
            self._leg,
            timeout_ms=self.call.settings.join_timeout_ms or agent.join_timeout_ms,
            stop=self._hang_up,
            keep=self._record.keep_dialog,
            settings=services.settings,
            hear=self._record.hear_early,
            turn=self._wait_for_turn,
        )
        try:
            outcome = await dialler.dial()
            if isinstance(outcome, Failed):
                if self.trunk is not None and outcome.reason is not None:
                    services.trunks.note_failure(self.trunk.id, outcome.reason)
                return _Course(outcome.ending, outcome.reason)
            return _Course(await self._converse(speech))
        finally:
            await self._leave()

    async def _wait_for_turn(self, stop: asyncio.Event) -> None:
        services, lines = self._services, self._claimed.paced_by
        if lines:
            admission, pacer = Admission(services.settings), services.pacer
            keep = functools.partial(
                service.keep_lines, services.database, call=self.call, admit=admission, pacer=pacer
            )
            await turn.wait(stop, pacer=pacer, line_ids=lines, keep=keep)
            pacer.drop(self.call.id, lines)

    def _find_route(self) -> Route | _Course:
        services, number = self._services, self.call.to_number or ""
        from_number = self.call.from_number
        if routes.is_test_phone(services.settings, number):
            return routes.find_test_phone(services.settings, services.endpoint, number=number, from_number=from_number)
        if self.trunk is None and self.call.trunk_id is not None:
            return _Course(
                endings.NO_ROUTE,
                "The call could not be placed: the trunk of the number it comes from is switched off, or its secrets "
                "cannot be read.",
            )
        if self.trunk is None:
            return _Course(
                endings.NO_ROUTE,
                "The call could not be placed: the number it comes from is on no trunk, and no outbound peer is set "
                "(RINGDOWN_OUTBOUND_PEER); only the test phone, "
                f"{services.settings.test_phone_number}, can be reached.",
            )
        refusal = permission.find_refusal(number, settings=services.settings, trunk=self.trunk)
        if refusal is not None:
            return _Course(endings.NO_ROUTE, f"The call was not placed: {refusal.message}.")
        return routes.build_route(self.trunk, services.endpoint, number=number, from_number=from_number)

    # --- inbound -----------------------------------------------------------------------------------------------------

    async def _answer(self, incoming: IncomingCall) -> _Course:
        services = self._services
        try:
            await self._record.keep_dialog(incoming)
            agent = self._claimed.agent
            speech = await services.speech.open_speech(services.database, agent, on_note=self._note)
            await self._toolbox.open()
            terms = MediaTerms() if self.trunk is None else routes.build_terms(self.trunk)
            self._leg = leg = await services.open_leg(terms, peer_host=incoming.source[0])
            leg.bind(incoming)
            try:
                body = leg.make_answer(incoming.body) if incoming.body else leg.make_offer()
            except ValueError as error:
                await incoming.reject(488)
                return _Course(endings.NO_COMMON_AUDIO, f"The offer could not be answered: {error}.")
            timer = None if self.trunk is None else routes.build_session_timer(self.trunk)
            await incoming.answer(body, session_timer=timer)
            async for event in incoming.events():
                if isinstance(event, Answered):
                    return await self._take_call(leg, event, speech)
                if isinstance(event, Ended):
                    return _Course(endings.from_dialog(event.cause))
                if isinstance(event, Rejected):  # by the library: an extension that we cannot agree on
                    return _Course(endings.from_sip_status(event.status, is_local=False))
            return _Course(endings.CANCELLED)
        finally:
            # Nothing, when the call is over; else something broke above, and nobody stays on a dead line.
            await incoming.reject(503)
            await incoming.bye()
            await self._leave()

    async def _take_call(self, leg: Leg, event: Answered, speech: Speech) -> _Course:
        if leg.agreed is None:  # the INVITE had no offer: the answer to ours comes with the ACK
            try:
                leg.take_answer(event.body)
            except ValueError as error:
                return _Course(endings.NO_COMMON_AUDIO, f"The answer to our offer cannot be used: {error}.")
        return _Course(await self._converse(speech))

    # --- from a browser ----------------------------------------------------------------------------------------------

    async def _meet(self, browser: Browser) -> _Course:
        services = self._services
        browser.welcome(self.call, agent_name=self._claimed.agent.name)
        try:
            agent = self._claimed.agent
            speech = await services.speech.open_speech(services.database, agent, on_note=self._note)
            await self._toolbox.open()
            leg = await webrtc_line.connect(services, browser, stop=self._hang_up)
            if isinstance(leg, Failed):
                return _Course(leg.ending, leg.reason)
            self._leg = leg
            return _Course(await self._talk_with(browser, speech))
        finally:
            await self._leave()
            await browser.bye()

    async def _talk_with(self, browser: Browser, speech: Speech) -> Ending:
        telling = asyncio.create_task(self._tell(browser))
        try:
            return await self._converse(speech)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            self._tell_now(browser)

    async def _tell(self, browser: Browser) -> None:
        while True:
            self._tell_now(browser)
            await asyncio.sleep(_TELL_INTERVAL_S)

    def _tell_now(self, browser: Browser) -> None:
        if self._talk is not None:
            conversation = self._talk.conversation
            browser.follow(conversation.state, conversation.partial, self._record.turns)

    # --- both --------------------------------------------------------------------------------------------------------

    async def _converse(self, speech: Speech) -> Ending:
        assert self._leg is not None
        self._talk = Talk(
            self._services,
            self._claimed,
            self._leg,
            record=self._record,
            speech=speech,
            toolbox=self._toolbox,
            trunk=self.trunk,
            hang_up=self._hang_up,
        )
        watching = asyncio.create_task(self.credit.watch(lambda: self.media_ms, self._talk.dismiss, self._hang_up.set))
        try:
            ending = await self._talk.run()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return endings.OUT_OF_CREDITS if self.credit.is_spent else ending

    async def _leave(self) -> None:
        """Whatever broke, nobody stays on a dead line."""
        await self._toolbox.close()
        await self._record.stop_following()
        if self._leg is not None and self._leg.call is not None:
            await self._leg.call.bye()
