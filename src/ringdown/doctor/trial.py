"""One test call: placed as the gateway would place it, listened to for some seconds, hung up."""

import asyncio
import contextlib
import math
import struct

from ringdown.doctor import hearing
from ringdown.doctor.observation import Audio, Outcome
from ringdown.doctor.station import Station
from ringdown.gateway.leg import Leg
from ringdown.gateway.routes import build_route
from ringdown.media.statistics import MediaStatistics
from ringdown.sip import fault
from ringdown.sip.call import OutgoingCall
from ringdown.sip.destination import Destination
from ringdown.sip.events import Answered, Ended, Provisional, Rejected
from ringdown.telephony.models import Trunk

_HANG_UP_TIMEOUT_S = 3.0
_LISTEN_POLL_S = 0.25
# A drift of some hundred ppm needs this long to stand out of the network's jitter.
_LISTEN_MIN_S = 8.0
# RTCP comes every five seconds, so that by now the second report is there.
_LISTEN_MAX_S = 12.0
_TONE_HZ = 400  # whole periods in 20 ms
_TONE_LEVEL = 3000


class Trial:
    """One call; `place`, then perhaps `listen`, and `hang_up` in the end."""

    def __init__(self, station: Station, trunk: Trunk, *, number: str, caller: str | None, hop: Destination) -> None:
        self.answer_fault: str | None = None
        self._station = station
        self._trunk = trunk
        self._number = number
        self._caller = caller
        self._hop = hop
        self._own_host = ""
        self._leg: Leg | None = None
        self._call: OutgoingCall | None = None
        self._is_over = False

    @property
    def encoding(self) -> str | None:
        """The codec that was agreed on."""
        return self._leg.agreed.encoding if self._leg is not None and self._leg.agreed is not None else None

    async def place(self, *, is_answer_awaited: bool, timeout_s: float) -> Outcome:
        """Ring; returns when it rings (or at the answer), or is refused. Raises `PortsExhausted`."""
        endpoint = self._station.endpoint
        route = build_route(self._trunk, endpoint, number=self._number, from_number=self._caller)
        self._leg, self._own_host = await self._station.open_leg(route.terms, peer_host=self._hop.host)
        self._call = endpoint.prepare_invite(
            target=route.target,
            from_uri=route.from_uri,
            body=self._leg.make_offer(),
            credentials=route.credentials,
            headers=route.headers,
            hop=self._hop,
            session_timer=route.session_timer,
        )
        self._leg.bind(self._call)
        await self._call.send()
        latest, early = Outcome(None, fault=fault.TIMED_OUT), b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                async for event in self._call.events():
                    match event:
                        case Provisional():
                            latest, early = Outcome(event.status, event.reason), event.body or early
                            if not is_answer_awaited:
                                break
                        case Answered():
                            # It may stand in a reliable provisional response alone (RFC 3262 §5).
                            self._take_answer(event.body or early)
                            return Outcome(200, "OK")
                        case Rejected():
                            return self._read_refusal(event)
                        case Ended():
                            self._is_over = True
                            return Outcome(None, fault=f"the call ended ({event.cause})")
        return latest

    async def listen(self) -> Audio:
        """Send a tone and hear what comes, for 8 to 12 s, or until the peer hangs up; after an answer in `place`."""
        leg, call = self._leg, self._call
        assert leg is not None and leg.agreed is not None and call is not None
        tone = _make_tone(leg.sample_rate_hz)
        leg.start(lambda _far_pcm, _at_ms: tone, lambda _digit, _at_ms: None)
        ended = asyncio.create_task(self._wait_for_end())
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        try:
            while not ended.done() and not _is_enough(leg.media.statistics, loop.time() - started_at):
                await asyncio.wait((ended,), timeout=_LISTEN_POLL_S)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
        return self._describe(leg, call)

    async def hang_up(self) -> None:
        """End the call, whatever its state, and free the ports; takes at most three seconds."""
        if self._call is not None and not self._is_over:
            await self._call.bye()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HANG_UP_TIMEOUT_S):
                    await self._wait_for_end()
        if self._leg is not None:
            await self._leg.media.close()

    def _take_answer(self, body: bytes) -> None:
        assert self._leg is not None
        try:
            self._leg.take_answer(body)
        except ValueError as error:
            self.answer_fault = str(error)

    def _read_refusal(self, rejected: Rejected) -> Outcome:
        self._is_over = True
        if rejected.is_local:
            return Outcome(None, fault=rejected.reason)
        reason = " ".join(part for part in (rejected.reason, rejected.warning) if part)
        return Outcome(rejected.status, reason, retry_after=rejected.retry_after)

    async def _wait_for_end(self) -> None:
        assert self._call is not None
        async for _event in self._call.events():
            pass
        self._is_over = True

    def _describe(self, leg: Leg, call: OutgoingCall) -> Audio:
        agreed, statistics = leg.agreed, leg.media.statistics
        assert agreed is not None
        observed = self._station.endpoint.observed.get(self._hop.host)
        return Audio(
            own_host=self._own_host,
            observed_host=observed[0] if observed is not None else None,
            signalling_host=call.signalling_host,
            host=agreed.host,
            port=agreed.port,
            is_sent_to_us=agreed.direction in ("sendrecv", "recvonly"),
            has_dtmf=agreed.dtmf_payload_type is not None,
            packets_received=statistics.packets_received,
            packets_unauthenticated=statistics.packets_unauthenticated,
            foreign_sources=statistics.foreign_sources,
            reports_received=statistics.reports_received,
            is_reported=statistics.remote_packets_lost is not None,
            clock_drift_ppm=statistics.clock_drift_ppm,
        )


def _is_enough(statistics: MediaStatistics, elapsed_s: float) -> bool:
    """Whether listening on would show nothing new."""
    if elapsed_s >= _LISTEN_MAX_S:
        return True
    is_reported = statistics.remote_packets_lost is not None or statistics.reports_received >= hearing.MIN_REPORTS
    return elapsed_s >= _LISTEN_MIN_S and statistics.packets_received > 0 and is_reported


def _make_tone(sample_rate_hz: int) -> bytes:
    """20 ms of a tone, to be repeated."""
    count = sample_rate_hz // 50
    samples = (round(_TONE_LEVEL * math.sin(2 * math.pi * _TONE_HZ * n / sample_rate_hz)) for n in range(count))
    return struct.pack(f"<{count}h", *samples)
