"""Who may begin anything: known sources within their rate; strangers get nothing, or a challenge to log in."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import structlog

from ringdown.gateway import reception
from ringdown.gateway.trunks import TrunkBook
from ringdown.sip import network
from ringdown.sip.admission import Admission, Refusal
from ringdown.sip.challenge import Challenger
from ringdown.sip.destination import Destination
from ringdown.sip.message import Request

log = structlog.get_logger(__name__)

# Wrong passwords and unknown callers until a source is banned, and how much longer each further ban is.
_MAX_OFFENCES = 10
_BAN_GROWTH = 2
_MAX_BAN_S = 86_400.0
# Sources that are remembered; the one that was quiet longest is forgotten first.
_MAX_SOURCES = 10_000
# A flood is logged this often, with its count: enough for fail2ban, too little to fill a disk.
_LOG_INTERVAL_S = 5.0
_REPORT_INTERVAL_S = 60.0
_RETRY_AFTER = (("Retry-After", "5"),)


@dataclass(slots=True)
class _Source:
    """What one address did lately."""

    tokens: float
    filled_at: float
    offences: int = 0
    banned_until: float = 0.0
    bans: int = 0
    has_logged_in: bool = False
    unlogged: int = 0
    logged_at: float = float("-inf")


@dataclass(slots=True)
class GuardStatistics:
    """Requests since the start that were not let in."""

    unknown: int = 0
    banned: int = 0
    over_rate: int = 0
    wrong_password: int = 0


class Guard:
    """The rule for every request that begins something: `admit` is what the endpoint asks.

    Loopback and this machine's own addresses are phones of the operator. A trunk's addresses may call, each within
    `requests_per_second`. Anybody else is dropped without a word and counted, or challenged when a trunk may log in
    from anywhere; too many offences ban the address, longer each time.
    """

    def __init__(
        self,
        book: TrunkBook,
        *,
        requests_per_second: float,
        ban_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.statistics = GuardStatistics()
        self._book = book
        self._rate = requests_per_second
        self._ban_s = ban_s
        self._clock = clock
        self._sources: dict[str, _Source] = {}
        self._challenger = Challenger(reception.REALM, secrets.token_bytes(32))

    def admit(self, source: Destination, request: Request) -> Admission:
        """Accept, refuse or drop a request that belongs to nothing yet."""
        if reception.is_own_address(source.host):
            return "accept"
        now = self._clock()
        seen = self._find(network.name_site(source.host), now)
        is_known = bool(self._book.list_by_source(source.host))
        if seen.banned_until > now and not is_known:
            self.statistics.banned += 1
            return "drop"
        if not self._take_token(seen, now):
            self.statistics.over_rate += 1
            self._report(source, seen, now, "over its rate")
            return Refusal(503, _RETRY_AFTER) if is_known else "drop"
        if is_known:
            return "accept"
        if self._book.has_logins and request.method in ("INVITE", "OPTIONS"):
            return self._ask_for_login(source, request, seen, now)
        self.statistics.unknown += 1
        self._offend(source, seen, now, "unknown source")
        return "drop"

    async def report(self) -> None:
        """Log the counters whenever they have grown, at most once a minute; never returns."""
        reported = GuardStatistics()
        while True:
            await asyncio.sleep(_REPORT_INTERVAL_S)
            if self.statistics != reported:
                reported = replace(self.statistics)
                log.info("sip requests refused since the start", **asdict(reported))

    def _ask_for_login(self, source: Destination, request: Request, seen: _Source, now: float) -> Admission:
        verdict = self._challenger.verify(request, self._find_password, now, source=source.host)
        if verdict == "ok":
            seen.offences, seen.has_logged_in = 0, True
            return "accept"
        if verdict == "wrong" and self._challenger.is_answer(request, now, source=source.host):
            self.statistics.wrong_password += 1
            self._offend(source, seen, now, "wrong password")
        elif not seen.has_logged_in:
            # Scanners begin like everybody else, and never go on. Anybody can forge that in the name of somebody who
            # does, but not an answer to our challenge.
            self._offend(source, seen, now, None)
        challenge = self._challenger.challenge(now, is_stale=verdict == "stale", source=source.host)
        return Refusal(401, (challenge,))

    def _find_password(self, username: str) -> str | None:
        trunk = self._book.find_by_login(username)
        return None if trunk is None else trunk.inbound_password

    def _find(self, name: str, now: float) -> _Source:
        seen = self._sources.pop(name, None)
        if seen is None:
            seen = _Source(tokens=self._rate, filled_at=now)
            while len(self._sources) >= _MAX_SOURCES:
                del self._sources[next(iter(self._sources))]
        self._sources[name] = seen  # at the end: the one heard last
        return seen

    def _take_token(self, seen: _Source, now: float) -> bool:
        seen.tokens = min(self._rate, seen.tokens + (now - seen.filled_at) * self._rate)
        seen.filled_at = now
        if seen.tokens < 1:
            return False
        seen.tokens -= 1
        return True

    def _offend(self, source: Destination, seen: _Source, now: float, what: str | None) -> None:
        seen.offences += 1
        if seen.offences >= _MAX_OFFENCES:
            if now - seen.banned_until > _MAX_BAN_S:
                seen.bans = 0
            length = min(self._ban_s * _BAN_GROWTH**seen.bans, _MAX_BAN_S)
            seen.offences, seen.banned_until, seen.bans = 0, now + length, seen.bans + 1
            log.warning("sip source banned", source=source.host, seconds=round(length))
        elif what is not None:
            self._report(source, seen, now, what)

    def _report(self, source: Destination, seen: _Source, now: float, what: str) -> None:
        """The line for fail2ban: `sip request refused source=… reason=…`."""
        seen.unlogged += 1
        if now - seen.logged_at >= _LOG_INTERVAL_S:
            log.warning("sip request refused", source=source.host, reason=what, count=seen.unlogged)
            seen.unlogged, seen.logged_at = 0, now
