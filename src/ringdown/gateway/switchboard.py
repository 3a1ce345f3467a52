"""The calls of one gateway: claims queued ones, takes ringing ones, renews leases, obeys commands, drains."""

import asyncio
from collections.abc import Coroutine, Sequence

import structlog

from ringdown.batch_calls.admission import Admission
from ringdown.calls import browser as browser_calls
from ringdown.calls import live, service
from ringdown.calls.clocks import ClockFile
from ringdown.calls.lines import LineFull
from ringdown.calls.models import Call, CallCommand, ClaimedCall, UnfinishedCall
from ringdown.calls.recovery import list_untold
from ringdown.db import engine
from ringdown.db.wakeup import Wakeup
from ringdown.errors import PaymentRequired
from ringdown.gateway import credit, reception, recovery
from ringdown.gateway.patience import keep_trying
from ringdown.gateway.reception import Arrival
from ringdown.gateway.services import Services
from ringdown.gateway.session import CallSession
from ringdown.gateway.webrtc_peer import TRY_LATER, UNKNOWN_LINK, Browser
from ringdown.sip.call import Call as SipCall
from ringdown.sip.call import IncomingCall
from ringdown.telephony.models import Trunk

log = structlog.get_logger(__name__)

# A lease is renewed this often; a gateway that was silent for much longer is taken for dead.
_LEASE_INTERVAL_S = 1.0
# The clocks on this machine's disk wait for no database.
_CLOCK_INTERVAL_S = 0.25
# Calls that wait for a place or their pace are looked at so often; wake-ups shorten the wait, but not below the least:
# while calls wait, everything that is stored would have the queue looked at again.
_CLAIM_INTERVAL_S, _LEAST_CLAIM_INTERVAL_S = 0.2, 0.05
_COMMAND_INTERVAL_S = 0.5
_CREDIT_INTERVAL_S = 1.0
_LOST_INTERVAL_S = 10.0
_TRY_LATER = {"Retry-After": "5"}
# A call that was being answered when the others were hung up is hung up this much later.
_HANG_UP_INTERVAL_S = 0.2


class Switchboard:
    """All live calls of this process.

    `claim_calls`, `take_calls`, `renew_leases`, `keep_clocks`, `extend_holds`, `obey_commands` and `end_lost_calls` run
    side by side for the life of the gateway;
    `drain` waits for the last call.
    """

    def __init__(self, services: Services, *, gateway_id: str) -> None:
        self._services = services
        self._gateway_id = gateway_id
        self._sessions: dict[str, CallSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_draining = False
        self._claiming = asyncio.Lock()
        self._admission = Admission(services.settings)
        # Calls that were asked to hang up before their session was there; each command is given out once.
        self._unwanted: set[str] = set()

    @property
    def live_calls(self) -> int:
        """How many calls are being set up, talked on or finished."""
        return len(self._tasks)

    @property
    def _room(self) -> int:
        return 0 if self._is_draining else self._services.settings.max_calls - self.live_calls

    def _start(self, course: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(course)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("call task failed", exc_info=error)

    async def _hold(self, session: CallSession, course: Coroutine[object, object, None]) -> None:
        self._sessions[session.call.id] = session
        if session.call.id in self._unwanted:
            session.hang_up()
        try:
            await course
        finally:
            del self._sessions[session.call.id]
            self._unwanted.discard(session.call.id)

    async def claim_calls(self) -> None:
        """Claim queued calls as long as there is room; never returns."""
        async with Wakeup(self._services.database, service.QUEUED_CHANNEL) as wakeup:
            while True:
                await keep_trying(self._claim)
                await asyncio.sleep(_LEAST_CLAIM_INTERVAL_S)
                await wakeup.wait(_CLAIM_INTERVAL_S)

    async def _claim(self) -> None:
        services, is_busy = self._services, True
        while is_busy:
            async with self._claiming:
                claimed = await service.claim_calls(
                    services.database,
                    gateway_id=self._gateway_id,
                    limit=self._room,
                    admit=self._admission,
                    pacer=services.pacer,
                )
                await self._carry(claimed)
            is_busy = bool(await self._admission.refuse(services.database) or claimed)

    async def _carry(self, claimed: list[ClaimedCall]) -> None:
        trunks = self._services.trunks
        if any(each.call.trunk_id and trunks.find(each.call.trunk_id) is None for each in claimed):
            await trunks.refresh()  # made a moment ago
        for each in claimed:
            session = CallSession(self._services, each, trunk=self._find_trunk(each.call))
            self._start(self._hold(session, session.run_outbound()))

    def _find_trunk(self, call: Call) -> Trunk | None:
        """What carries an outbound call: its number's trunk, the organization's only one, the outbound peer."""
        trunks = self._services.trunks
        if call.trunk_id is not None:
            return trunks.find(call.trunk_id)
        return trunks.find_only(call.organization_id) or trunks.peer

    async def take_calls(self, ringing: "asyncio.Queue[IncomingCall]") -> None:
        """Take every INVITE: ring the agent it names, or refuse."""
        while True:
            # Asked before it starts: those that come at once do not refuse each other.
            self._start(self._take(await ringing.get(), has_room=self._room > 0))

    async def _take(self, incoming: IncomingCall, *, has_room: bool) -> None:
        if (replaced := incoming.replaced_call) is not None:
            await self._replace(replaced, incoming)
            return
        if not has_room:
            await incoming.reject(503, "Draining" if self._is_draining else "At capacity", _TRY_LATER)
            return
        try:
            arrival = await reception.receive(self._services.database, self._services.trunks, incoming)
            if arrival is None:
                log.info("no agent for this call", source=incoming.source[0])
                await incoming.reject(404)
                return
            if self._is_full(arrival.trunk):
                await incoming.reject(503, "At capacity", _TRY_LATER)
                return
            claimed = await self._admit(incoming, arrival)
        except PaymentRequired:
            await incoming.reject(402)
        except LineFull:  # calls that came at the same moment
            await incoming.reject(503, "At capacity", _TRY_LATER)
        except engine.UNAVAILABLE as error:
            log.warning("call refused: database away", error=str(error))
            await incoming.reject(503, "Try again later", _TRY_LATER)
        else:
            session = CallSession(self._services, claimed, trunk=arrival.trunk)
            await self._hold(session, session.run_inbound(incoming))
        finally:
            await incoming.reject(500)  # nothing, unless a fault of ours got here

    def join(self, token: str, browser: Browser) -> "asyncio.Task[None]":
        """Let a browser talk in the call whose token it has, or refuse it; the task is over when that is."""
        return self._start(self._join(token, browser, has_room=self._room > 0))

    async def _join(self, token: str, browser: Browser, *, has_room: bool) -> None:
        if not has_room:
            browser.refuse(TRY_LATER, "at capacity" if not self._is_draining else "draining")
            return
        try:
            claimed = await browser_calls.join_call(self._services.database, token=token, gateway_id=self._gateway_id)
        except engine.UNAVAILABLE as error:
            log.warning("join refused: database away", error=str(error))
            browser.refuse(TRY_LATER, "try again later")
            return
        if claimed is None:
            browser.refuse(UNKNOWN_LINK, "the link is unknown, used or expired")
            return
        session = CallSession(self._services, claimed)
        await self._hold(session, session.run_browser(browser))

    def _is_full(self, trunk: Trunk | None) -> bool:
        if trunk is None or trunk.max_concurrent_calls is None:
            return False
        return self._count_calls().get(trunk.id, 0) >= trunk.max_concurrent_calls

    def _count_calls(self) -> dict[str, int]:
        """The live calls of each trunk, by its id."""
        trunks = [session.trunk.id for session in self._sessions.values() if session.trunk is not None]
        return {trunk_id: trunks.count(trunk_id) for trunk_id in set(trunks)}

    async def _replace(self, replaced: SipCall, incoming: IncomingCall) -> None:
        """Somebody was handed a call of ours, and calls in its place (RFC 3891): over the same trunk, or from here."""
        trunks = reception.list_trunks(self._services.trunks, incoming)
        is_ours = reception.is_own_address(incoming.source[0])
        for session in self._sessions.values():
            if session.is_peer(replaced) and (is_ours or session.trunk in trunks):
                session.replace(incoming)
                return
        await incoming.reject(481)

    async def _admit(self, incoming: IncomingCall, arrival: Arrival) -> ClaimedCall:
        """Ring the agent, and store the call. Raises `PaymentRequired`, `LineFull`."""
        await incoming.ring()
        return await service.accept_inbound_call(
            self._services.database,
            settings=self._services.settings,
            gateway_id=self._gateway_id,
            organization_id=arrival.agent.organization_id,
            agent=arrival.agent,
            from_number=arrival.from_number,
            to_number=arrival.to_number,
            trunk=arrival.trunk,
            dialog_state={"dialogs": [incoming.dialog_state]},
        )

    async def renew_leases(self) -> None:
        """Tell again and again that this gateway lives, and how long its calls have talked; never returns."""
        while True:
            await keep_trying(self._renew)
            await asyncio.sleep(_LEASE_INTERVAL_S)

    async def _renew(self) -> None:
        media_ms = {call_id: session.media_ms for call_id, session in self._sessions.items()}
        self._services.trunks.note_calls(self._count_calls())
        await service.renew_leases(self._services.database, gateway_id=self._gateway_id, media_ms_by_call=media_ms)

    async def keep_clocks(self, left: Sequence[UnfinishedCall]) -> None:
        """Write down again and again how long each call has talked, for whoever finds us dead; never returns.

        The calls that the gateway before this one `left` are among them.
        """
        file = ClockFile(self._services.settings.data_dir, self._gateway_id, left=left)
        while True:
            clocks = {call_id: clock for call_id, each in self._sessions.items() if (clock := each.clock) is not None}
            await asyncio.to_thread(file.write, clocks)
            await asyncio.sleep(_CLOCK_INTERVAL_S)

    async def extend_holds(self) -> None:
        """Hold more credits for calls that go on, again and again; never returns."""
        while True:
            await keep_trying(lambda: credit.extend_holds(self._services, self._sessions.values()))
            await asyncio.sleep(_CREDIT_INTERVAL_S)

    async def obey_commands(self) -> None:
        """Carry out what the API asks of live calls; never returns."""
        async with Wakeup(self._services.database, live.COMMANDS_CHANNEL) as wakeup:
            while True:
                for command in await keep_trying(self._take_commands):
                    if (session := self._sessions.get(command.call_id)) is not None:
                        session.obey(command)
                    elif command.kind == "hang_up":
                        self._unwanted.add(command.call_id)
                await wakeup.wait(_COMMAND_INTERVAL_S)

    async def _take_commands(self) -> list[CallCommand]:
        return await service.take_commands(self._services.database, gateway_id=self._gateway_id)

    async def end_lost_calls(self) -> None:
        """End the calls that are ours in the database only, or here only; never returns.

        A claim whose commit was stored while its answer was lost leaves a call that nobody carries; a gateway that was
        taken for dead carries calls that have ended, or finds, once it is back, that they were ended without a word to
        the far end. Only what was seen twice counts, so that a call that is just beginning or ending is left alone.
        """
        suspects: set[str] = set()
        outlived: set[str] = set()
        while True:
            untold = await keep_trying(self._list_untold)
            await recovery.tell_far_ends(
                self._services, [each for each in untold if each.call.id not in self._sessions]
            )
            await asyncio.sleep(_LOST_INTERVAL_S)
            held = await keep_trying(self._list_unfinished)
            lost = [unfinished for unfinished in held if unfinished.call.id not in self._sessions]
            await recovery.recover_calls(self._services, [each for each in lost if each.call.id in suspects])
            suspects = {unfinished.call.id for unfinished in lost}
            self._unwanted &= suspects
            known = {unfinished.call.id for unfinished in held}
            for call_id in outlived & self._sessions.keys() - known:
                self._sessions[call_id].hang_up()
            outlived = self._sessions.keys() - known

    async def _list_untold(self) -> list[UnfinishedCall]:
        return await list_untold(self._services.database, gateway_id=self._gateway_id)

    async def _list_unfinished(self) -> list[UnfinishedCall]:
        return await service.list_unfinished(self._services.database, gateway_id=self._gateway_id)

    async def drain(self, urgent: asyncio.Event, *, timeout_s: float) -> None:
        """Take no new calls and wait for the live ones; hang up when it gets urgent or the time is over."""
        self._is_draining = True
        async with self._claiming:  # what is being claimed now is still carried
            pass
        hurry = asyncio.create_task(urgent.wait())
        finished = asyncio.create_task(self._until_empty())
        await asyncio.wait((hurry, finished), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        while not finished.done():
            for session in self._sessions.values():
                session.hang_up()
            await asyncio.wait((finished,), timeout=_HANG_UP_INTERVAL_S)
        hurry.cancel()

    async def _until_empty(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)
