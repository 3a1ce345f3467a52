"""Session timers (RFC 4028): what is offered and accepted, and the clock of a running one; does no I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ringdown.sip.address import parse_params
from ringdown.sip.message import Message, Request, Response
from ringdown.sip.timers import Timer, Timers

_MIN_SE = 90  # RFC 4028 §5: no smaller interval may be asked for, and the default of Min-SE
_MARGIN = 32.0  # RFC 4028 §10: the BYE leaves this long before the expiry, or a third of the interval if that is less
_MAX_SECONDS = 10_000_000
_SHORTEST = 30  # a peer that breaks §5 shall not have us refresh without pause

Refresher = Literal["uac", "uas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTimer:
    """What we want of session timers; seconds. Raises `ValueError` unless 90 <= `min_se_s` <= `expires_s`.

    `off`: neither offered nor accepted; `accept`: as the peer asks; `request`: asked for by us.
    """

    expires_s: int = 1800
    min_se_s: int = _MIN_SE
    mode: Literal["off", "accept", "request"] = "accept"

    def __post_init__(self) -> None:
        if not _MIN_SE <= self.min_se_s <= self.expires_s:
            raise ValueError(f"a session timer needs {_MIN_SE} <= min_se_s <= expires_s")

    def raised_to(self, min_se_s: int) -> "SessionTimer":
        """The same wish with the larger minimum of a peer that answered 422."""
        minimum = max(self.min_se_s, min_se_s)
        return SessionTimer(expires_s=max(self.expires_s, minimum), min_se_s=minimum, mode=self.mode)


@dataclass(frozen=True, slots=True)
class Interval:
    """A Session-Expires value; the refresher is named by its part in the transaction at hand."""

    seconds: int
    refresher: Refresher | None = None

    def serialize(self) -> str:
        """The header value."""
        return str(self.seconds) if self.refresher is None else f"{self.seconds};refresher={self.refresher}"


def read_interval(message: Message) -> Interval | None:
    """The Session-Expires of a message; `None` when absent or malformed."""
    value = message.headers.get("Session-Expires")
    if value is None:
        return None
    number, _, params = value.partition(";")
    seconds = _parse_seconds(number)
    if seconds is None:
        return None
    refresher = (parse_params(params).get("refresher") or "").lower()
    return Interval(seconds, "uac" if refresher == "uac" else "uas" if refresher == "uas" else None)


def read_minimum(message: Message) -> int:
    """The Min-SE of a message, in seconds."""
    return _parse_seconds((message.headers.get("Min-SE") or "").partition(";")[0]) or _MIN_SE


def find_refusal(request: Request, timer: SessionTimer) -> tuple[int, list[tuple[str, str]]] | None:
    """Status and fields with which a request's wish is refused: 420 or 422; `None` when it can be met (§9)."""
    if timer.mode == "off":
        return (420, [("Unsupported", "timer")]) if "timer" in request.headers.get_all("Require") else None
    wanted = read_interval(request)
    if wanted is not None and wanted.seconds < timer.min_se_s and _is_supported(request):
        return 422, [("Min-SE", str(timer.min_se_s))]
    return None


def answer_interval(request: Request, timer: SessionTimer) -> Interval | None:
    """What our 2xx to this request states; `None` for no session timer (§9, table 2)."""
    if timer.mode == "off":
        return None
    wanted = read_interval(request)
    if wanted is None and timer.mode != "request":
        return None
    seconds = max(timer.expires_s if wanted is None else wanted.seconds, read_minimum(request))
    if wanted is None or not _is_supported(request):
        return Interval(seconds, "uas")
    return Interval(seconds, wanted.refresher or "uac")


def describe_answer(request: Request, interval: Interval | None) -> list[tuple[str, str]]:
    """The fields of our 2xx."""
    if interval is None:
        return []
    required = [("Require", "timer")] if _is_supported(request) else []
    return [("Session-Expires", interval.serialize()), *required]


def describe_request(interval: Interval | None, timer: SessionTimer) -> list[tuple[str, str]]:
    """The fields of a request of ours that asks for this interval (§7.1)."""
    fields = [] if interval is None else [("Session-Expires", interval.serialize())]
    if timer.min_se_s > _MIN_SE:
        fields.append(("Min-SE", str(timer.min_se_s)))
    return fields


def accepted_interval(response: Response) -> Interval | None:
    """What a 2xx to our request states; without a refresher it is us (§7.2)."""
    interval = read_interval(response)
    return None if interval is None else Interval(max(interval.seconds, _SHORTEST), interval.refresher or "uac")


class Refresh:
    """The clock of one call's session timer: has it refreshed at half time if that is ours, and expire in the end."""

    def __init__(
        self, timers: Timers, *, on_refresh: Callable[[float], None], on_expiry: Callable[[float], None]
    ) -> None:
        self.seconds = 0
        self.is_ours = False
        self._timers = timers
        self._on_refresh = on_refresh
        self._on_expiry = on_expiry
        self._pending: list[Timer] = []

    def restart(self, seconds: int, *, is_ours: bool, now: float) -> None:
        """The session is good for so many seconds from now; `is_ours`: we are the refresher."""
        self.stop()
        self.seconds, self.is_ours = seconds, is_ours
        self._pending = [self._timers.start(now + seconds - min(_MARGIN, seconds / 3), self._on_expiry)]
        if is_ours:
            self._pending.append(self._timers.start(now + seconds / 2, self._on_refresh))

    def stop(self) -> None:
        """No session timer any more."""
        self.seconds = 0
        for timer in self._pending:
            timer.cancel()


def _is_supported(request: Request) -> bool:
    return "timer" in request.headers.get_all("Supported") or "timer" in request.headers.get_all("Require")


def _parse_seconds(text: str) -> int | None:
    text = text.strip()
    return min(int(text), _MAX_SECONDS) if text.isascii() and text.isdigit() and len(text) < 10 else None
