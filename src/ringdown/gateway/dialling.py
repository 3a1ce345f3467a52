"""Dials one number: host after host until one answers for it, early media, redirects; ends in a leg that is up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from ringdown.calls.models import Ending
from ringdown.config import Settings
from ringdown.gateway import endings
from ringdown.gateway.leg import Leg
from ringdown.gateway.routes import Route
from ringdown.sip.address import Uri
from ringdown.sip.call import OutgoingCall
from ringdown.sip.destination import Destination, Transport
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.events import Answered, Ended, Provisional, Rejected
from ringdown.sip.location import LocationFailed
from ringdown.telephony import permission

log = structlog.get_logger(__name__)

# A CANCEL is settled within 8*T1; a far end that was cancelled and does not say so is not waited for longer.
_CANCEL_TIMEOUT_S = 6.0
# A host that says nothing at all for so long gives way to the next one.
_FAILOVER_S = 4.0
_MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody was reached: the ending, and where it helps a sentence that says why."""

    ending: Ending
    reason: str | None = None


class Dialler:
    """One attempt to reach one number; `dial` is called once.

    `keep(call)` is awaited before each INVITE leaves, so that a crash leaves nobody ringing; `turn(stop)` before the
    first one, until the call may leave. `hear(pcm, at_ms)` gets early media. `stop` gives up.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        route: Route,
        leg: Leg,
        *,
        timeout_ms: int,
        stop: asyncio.Event,
        keep: Callable[[OutgoingCall], Awaitable[None]],
        settings: Settings,
        hear: Callable[[bytes, int], None] | None = None,
        turn: Callable[[asyncio.Event], Awaitable[None]] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._route = route
        self._leg = leg
        self._stop = stop
        self._keep = keep
        self._settings = settings
        self._hear = hear
        self._turn = turn
        self._timeout_s = timeout_ms / 1000
        self._deadline = endpoint.now() + self._timeout_s
        self._has_begun = False
        self._redirects = 0

    async def dial(self) -> OutgoingCall | Failed:
        """Ring until somebody answers with usable audio; the leg then has its call and what was agreed."""
        try:
            hops = await self._route.locate(self._endpoint)
        except LocationFailed as error:
            return Failed(endings.UNREACHABLE, f"The call could not be placed: {error}.")
        targets = [(self._route.target, hop) for hop in hops]
        while True:
            (target, hop), *targets = targets
            call = self._prepare(target, hop)
            try:
                await self._keep(call)
                if not await self._wait_for_turn():
                    return Failed(endings.CANCELLED)
                outcome = await self._ring(call, is_last=not targets)
                if isinstance(outcome, Answered):
                    return await self._accept(call, outcome)
                if isinstance(outcome, Failed):
                    return outcome
                if outcome.contacts:  # an answer: whoever else could be asked is asked only after those
                    found = await self._follow(outcome)
                    targets = [*found, *targets] if found else []
                if not targets:
                    return self._explain(outcome)
                log.info("trying the next host", status=outcome.status, host=hop.host, port=hop.port)
            finally:
                if self._leg.call is not call:
                    await call.cancel()  # or BYE, should it have been answered meanwhile

    async def _wait_for_turn(self) -> bool:
        """False when the call was given up meanwhile; the far end has its whole time to answer."""
        turn, self._turn = self._turn, None
        if turn is not None:
            await turn(self._stop)
        if not self._has_begun:  # what was waited for before the first INVITE is not the far end's time
            self._has_begun = True
            self._deadline = self._endpoint.now() + self._timeout_s
        return not self._stop.is_set()

    def _prepare(self, target: str, hop: Destination) -> OutgoingCall:
        self._leg.agreed = None  # early media of a host that failed
        return self._endpoint.prepare_invite(
            target=target,
            from_uri=self._route.from_uri,
            body=self._leg.make_offer(),
            credentials=self._route.credentials,
            headers=self._route.headers,
            hop=hop,
            session_timer=self._route.session_timer,
        )

    async def _ring(self, call: OutgoingCall, *, is_last: bool) -> Answered | Rejected | Failed:
        """`Rejected` where another host may be asked."""
        answer = asyncio.create_task(self._wait_for_answer(call))
        stop = asyncio.create_task(self._stop.wait())
        try:
            await call.send()
            if not is_last:
                patience_s = min(_FAILOVER_S, self._left_s)
                await asyncio.wait((answer, stop), timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                if not (answer.done() or stop.done() or call.is_proceeding) and self._left_s:
                    return Rejected(408, "no response", is_local=True)
            await asyncio.wait((answer, stop), timeout=self._left_s, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            await call.cancel()
            # 487, or a 2xx that crossed the CANCEL and was ended with a BYE
            await asyncio.wait((answer,), timeout=_CANCEL_TIMEOUT_S)
            return Failed(endings.CANCELLED if self._stop.is_set() else endings.NO_ANSWER)
        finally:
            for task in (stop, answer):
                task.cancel()

    @property
    def _left_s(self) -> float:
        return max(0.0, self._deadline - self._endpoint.now())

    async def _wait_for_answer(self, call: OutgoingCall) -> Answered | Rejected | Failed:
        async for event in call.events():
            match event:
                case Answered():
                    return event
                case Rejected() if event.is_local or event.status == 503 or event.contacts:
                    return event
                case Rejected():
                    return self._explain(event)
                case Ended():
                    return Failed(endings.from_dialog(event.cause))
                case Provisional():
                    self._take_progress(call, event)
        return Failed(endings.CANCELLED)

    def _take_progress(self, call: OutgoingCall, event: Provisional) -> None:
        if not event.body or self._hear is None or self._leg.agreed is not None:
            return
        self._leg.bind(call)
        try:
            self._leg.take_answer(event.body)
        except ValueError as error:
            log.info("early media cannot be heard", error=str(error))
        else:
            self._leg.listen(self._hear)
        finally:
            self._leg.call = None

    async def _accept(self, call: OutgoingCall, answered: Answered) -> OutgoingCall | Failed:
        self._leg.bind(call)
        try:
            # The answer may stand in a reliable provisional response alone (RFC 3262 §5).
            if answered.body or self._leg.agreed is None:
                self._leg.take_answer(answered.body)
        except ValueError as error:
            await call.bye()
            return Failed(endings.NO_COMMON_AUDIO, f"The call was answered without usable audio: {error}.")
        return call

    async def _follow(self, rejected: Rejected) -> list[tuple[str, Destination]]:
        """Where a redirect leads: only to the trunk itself and what may be called, or anybody could have us dial."""
        trunk = self._route.trunk
        if not rejected.contacts or trunk is None or self._redirects >= _MAX_REDIRECTS:
            return []
        self._redirects += 1
        known = {host.host.lower() for host in trunk.hosts}
        # What is spoken to over TLS stays so.
        transport: Transport | None = "tls" if trunk.transport == "tls" else None
        targets: list[tuple[str, Destination]] = []
        for contact in rejected.contacts:
            try:
                uri = Uri.parse(contact)
            except ValueError:
                continue
            host = uri.params.get("maddr") or uri.host
            refusal = permission.find_refusal_of_user(uri.user or "", settings=self._settings, trunk=trunk)
            if refusal is not None:
                log.warning("redirect to a number that must not be called", trunk_id=trunk.id, reason=refusal.reason)
            elif host.strip("[]").lower() in known:
                with contextlib.suppress(LocationFailed):
                    where = await self._endpoint.locate(contact, transport=transport, security=self._route.security)
                    targets += [(contact, hop) for hop in where]
            else:
                log.warning("redirect to a host that is not the trunk's", trunk_id=trunk.id, host=host)
        return targets

    def _explain(self, rejected: Rejected) -> Failed:
        log.info("call refused", status=rejected.status, **{"pii.reason": rejected.reason})
        ending = endings.from_sip_status(rejected.status, is_local=rejected.is_local)
        if rejected.is_local:
            return Failed(ending, "The call could not be placed: the far end could not be reached.")
        if (ending.fault != "carrier" and ending.fault != "customer") or ending == endings.CANCELLED:
            return Failed(ending)
        said = f"{rejected.status} {rejected.reason}".strip()
        return Failed(ending, f"The call was refused with {said}.")
