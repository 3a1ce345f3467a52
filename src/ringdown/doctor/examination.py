"""Examines one trunk step by step, from its name to the audio of a test call; what it means is for `diagnosis`."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ringdown.config import Settings
from ringdown.doctor import login, reachability
from ringdown.doctor.diagnosis import diagnose
from ringdown.doctor.finding import Finding
from ringdown.doctor.inquiry import Inquiry
from ringdown.doctor.observation import Attempt, Contact, Login, Observations, Outcome, Variation
from ringdown.doctor.station import Station
from ringdown.doctor.trial import Trial
from ringdown.doctor.variation import SDP_REFUSALS, list_variations
from ringdown.gateway.routes import build_route
from ringdown.sip.address import join_host_port
from ringdown.sip.destination import Destination
from ringdown.sip.location import LocationFailed
from ringdown.telephony.models import Trunk

_ANSWER_TIMEOUT_S = 15.0
_PROBE_TIMEOUT_S = 4.0
# No more variations are tried when this has passed.
_PROBING_S = 15.0
# Calls per second where the trunk names no limit of its own.
_PACE = 2.0
# A limit of calls per second has recovered by then.
_REPEAT_AFTER_S = 2.0
_PLACEHOLDER = "+12025550100"  # only its trunk's hosts matter where no call is placed


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried, and what came of it, for people."""

    name: str
    result: str


@dataclass(frozen=True, slots=True)
class Examined:
    """One trunk after its examination."""

    trunk: Trunk
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]


async def examine(trunk: Trunk, *, settings: Settings, number: str | None, own_numbers: Sequence[str] = ()) -> Examined:
    """Try everything that this trunk is used for; takes less than a minute, and less than 30 s to find a fault.

    A test call goes to `number`, or to the first of `own_numbers`, the trunk's (all E.164), which it also shows as
    its caller; without any number no call is placed. Raises `OSError` when the address of the settings cannot be
    bound, and `PortsExhausted`.
    """
    async with Station.open(settings) as station:
        called = number or next(iter(own_numbers), None)
        seen = Observations(trunk=trunk, own_host=settings.sip_host, is_loop=called in own_numbers)
        examination = _Examination(station, seen, number=called, own_numbers=own_numbers)
        seen = await examination.run()
        return Examined(trunk, tuple(examination.steps), tuple(diagnose(seen)))


class _Examination:
    def __init__(self, station: Station, seen: Observations, *, number: str | None, own_numbers: Sequence[str]) -> None:
        self.steps: list[Step] = []
        self._station = station
        self._trunk = seen.trunk
        self._number = number
        self._caller = next(iter(own_numbers), None)
        self._other_callers = own_numbers[1:]
        self._inquiry = Inquiry(station, seen.trunk)
        self._next_call_at = 0.0
        self._seen = seen

    async def run(self) -> Observations:
        hops = await self._locate()
        if not hops:
            return self._seen
        contacts = await self._ask(hops)
        answering = next((contact for contact in contacts if contact.outcome.is_heard), None)
        if answering is None:
            await self._ask_otherwise(hops[0])
            if all(reachability.is_final(contact) for contact in contacts):
                return self._seen
        hop = answering.destination if answering else hops[0]
        if self._trunk.registers:
            await self._register(hop)
            if answering is None and not reachability.is_heard(self._seen):
                return self._seen
        if self._number is not None:
            await self._call(hop, self._number)
        else:
            self._note("test call", "not placed: no number to call (see --number)")
        return self._seen

    def _note(self, name: str, result: str) -> None:
        self.steps.append(Step(name, result))

    async def _locate(self) -> list[Destination]:
        route = build_route(self._trunk, self._station.endpoint, number=_PLACEHOLDER, from_number=None)
        try:
            hops = await route.locate(self._station.endpoint)
        except LocationFailed as error:
            self._seen = replace(self._seen, location_fault=str(error))
            self._note("address", str(error))
            return []
        self._note("address", ", ".join(f"{_name(hop)} {hop.transport}" for hop in hops))
        return hops

    async def _ask(self, hops: Sequence[Destination]) -> tuple[Contact, ...]:
        contacts, rewritten = await self._inquiry.ask_options(hops)
        self._seen = replace(self._seen, contacts=contacts, rewritten=rewritten)
        for contact in contacts:
            time = "" if contact.round_trip_ms is None else f" in {contact.round_trip_ms:.0f} ms"
            self._note(f"OPTIONS {_name(contact.destination)}", f"{contact.outcome}{time}")
        return contacts

    async def _ask_otherwise(self, hop: Destination) -> None:
        ways = await self._inquiry.find_other_ways(hop)
        self._seen = replace(self._seen, other_ways=ways)
        self._note("other transports", ", ".join(f"{_name(way)} {way.transport}" for way in ways) or "no answer")

    async def _register(self, hop: Destination) -> None:
        registered = await self._inquiry.register(hop)
        self._seen = replace(self._seen, login=registered)
        self._note("REGISTER", str(registered.outcome))

    async def _call(self, hop: Destination, number: str) -> None:
        trial = await self._prepare(self._trunk, number, self._caller, hop)
        try:
            outcome = await trial.place(is_answer_awaited=True, timeout_s=_ANSWER_TIMEOUT_S)
            self._seen = replace(self._seen, call=Attempt(outcome=outcome, encoding=trial.encoding))
            self._note("test call", f"{outcome} {trial.encoding or ''}".strip())
            if trial.answer_fault is not None:
                self._seen = replace(self._seen, answer_fault=trial.answer_fault)
                self._note("answer", trial.answer_fault)
            elif outcome.is_accepted and trial.encoding is not None:
                await self._call_again(hop, number)
                await self._listen(trial)
        finally:
            await trial.hang_up()
        if outcome.is_heard and not outcome.is_accepted:
            await self._find_reason(hop, number, outcome)

    async def _call_again(self, hop: Destination, number: str) -> None:
        """A second call beside the first, where the trunk may have more than one."""
        if self._trunk.max_concurrent_calls == 1:
            return
        outcome = await self._probe(self._trunk, number, self._caller, hop)
        self._seen = replace(self._seen, second_call=outcome)
        self._note("second call", str(outcome))

    async def _listen(self, trial: Trial) -> None:
        audio = await trial.listen()
        self._seen = replace(self._seen, audio=audio)
        drift = "unknown" if audio.clock_drift_ppm is None else f"{audio.clock_drift_ppm:+.0f} ppm"
        self._note("audio in", f"{audio.packets_received} packets of {audio.host}:{audio.port}, clock {drift}")
        reported = "reported" if audio.is_reported else "not reported"
        self._note("audio out", f"{reported} in {audio.reports_received} RTCP reports of the peer")
        self._note("keypad events", "agreed" if audio.has_dtmf else "refused")

    async def _find_reason(self, hop: Destination, number: str, outcome: Outcome) -> None:
        """Place the refused call with other settings, one at a time, until the peer takes it."""
        if login.is_to_blame(self._seen):
            return
        status = outcome.status or 0
        if status in (401, 407) and self._seen.login is None:
            await self._compare_credentials(hop, number, outcome)
            return
        is_taken = await self._vary(hop, number, status)
        if status in SDP_REFUSALS:
            return
        if not is_taken:
            if self._trunk.username and self._seen.login is None:
                await self._compare_credentials(hop, number, outcome)
            await asyncio.sleep(_REPEAT_AFTER_S)
        repeated = await self._probe(self._trunk, number, self._caller, hop)
        self._seen = replace(self._seen, repeated=repeated)
        self._note("test call again", str(repeated))

    async def _vary(self, hop: Destination, number: str, status: int) -> bool:
        """Whether a variation was taken."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PROBING_S
        for variation in list_variations(
            self._trunk, status=status, number=number, caller=self._caller, other_callers=self._other_callers
        ):
            if loop.time() > deadline:
                break
            attempt = await self._try(variation, hop)
            self._seen = replace(self._seen, variations=(*self._seen.variations, attempt))
            self._note(f"with {variation.setting} {variation.value}", str(attempt.outcome))
            if attempt.outcome.is_accepted:
                return True
        return False

    async def _try(self, variation: Variation, hop: Destination) -> Attempt:
        trial = await self._prepare(variation.trunk, variation.number, variation.caller, hop)
        try:
            # Only the answer says which codec is meant.
            is_awaited = variation.aspect == "codecs"
            outcome = await trial.place(is_answer_awaited=is_awaited, timeout_s=_PROBE_TIMEOUT_S)
        finally:
            await trial.hang_up()
        return Attempt(outcome=outcome, variation=variation, encoding=trial.encoding)

    async def _compare_credentials(self, hop: Destination, number: str, outcome: Outcome) -> None:
        """How the call fares with credentials that are certainly wrong; only noted where there are none."""
        compared = Login(method="INVITE", outcome=outcome, is_challenged=True)
        if self._trunk.username:
            stranger = replace(self._trunk, username=f"ringdown-{secrets.token_hex(4)}", password=secrets.token_hex(8))
            forger = replace(self._trunk, password=secrets.token_hex(8))
            compared = replace(
                compared,
                with_unknown_user=await self._probe(stranger, number, self._caller, hop),
                with_wrong_password=await self._probe(forger, number, self._caller, hop),
            )
            self._note("wrong credentials", f"{compared.with_unknown_user}, {compared.with_wrong_password}")
        self._seen = replace(self._seen, login=compared)

    async def _probe(self, trunk: Trunk, number: str, caller: str | None, hop: Destination) -> Outcome:
        """Whether a call rings."""
        trial = await self._prepare(trunk, number, caller, hop)
        try:
            return await trial.place(is_answer_awaited=False, timeout_s=_PROBE_TIMEOUT_S)
        finally:
            await trial.hang_up()

    async def _prepare(self, trunk: Trunk, number: str, caller: str | None, hop: Destination) -> Trial:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._next_call_at - loop.time())
        self._next_call_at = loop.time() + 1 / (self._trunk.max_calls_per_second or _PACE)
        # What comes from elsewhere than the SDP says is a finding, so that it must not be heard by courtesy.
        strict = replace(trunk, nat="off")
        return Trial(self._station, strict, number=number, caller=caller, hop=hop)


def _name(hop: Destination) -> str:
    return join_host_port(hop.host, hop.port)
