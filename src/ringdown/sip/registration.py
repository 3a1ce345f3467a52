"""When to register again, where, and for how long, from what a registrar answers (RFC 3261 §10.2); does no I/O."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ringdown.sip.address import NameAddr, Uri
from ringdown.sip.destination import Destination
from ringdown.sip.digest import Credentials
from ringdown.sip.inquiry import Reply
from ringdown.sip.message import Headers
from ringdown.sip.stack import parse_seconds

RegistrationState = Literal["registering", "registered", "refused", "failed", "unregistered"]

_FIRST_BACK_OFF = 5.0  # seconds; doubled with each failure
_LONGEST_BACK_OFF = 300.0
_REFUSED_BACK_OFF = 60.0  # a registrar that says no is not asked more often: it may ban us
_MAX_RETRY_AFTER = 3600.0
_MAX_EXPIRES_S = 86_400
_MAX_LENGTHENED = 3
_EARLY_S = 30.0  # a registration is renewed this long before it ends, or after four fifths of its time
_EARLY_PART = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """Where to register what: `uri` of the domain, the address of record, and for how many seconds.

    `hops` are tried in their order, or what `find_hops` finds each time; without either the `uri` is located.
    """

    uri: str
    address_of_record: str
    credentials: Credentials | None = None
    hops: Sequence[Destination] | None = None
    find_hops: Callable[[], Awaitable[Sequence[Destination]]] | None = None
    """Raises `LocationFailed`."""
    expires_s: int = 300
    contact_user: str | None = None
    """The user part of our Contact; by default that of the address of record."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationStatus:
    """How a registration stands.

    `registering` before the first answer, `refused` by a 3xx-6xx, `failed` when no hop answers or all are in trouble;
    both are tried again by themselves. `status` and `reason` are those of the last answer, `fault` says why there was
    none. `expires_at` is on the loop's clock.
    """

    state: RegistrationState
    status: int | None = None
    reason: str = ""
    fault: str | None = None
    expires_at: float | None = None
    round_trip_ms: float | None = None
    hop: Destination | None = None
    contact: str = ""
    """Ours, as it was sent."""
    observed: tuple[str, int] | None = None
    """Our address as the registrar saw it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What follows an answer: the new state, and in how many seconds to ask again, at the next hop or the same."""

    state: RegistrationState
    wait_s: float
    is_next_hop: bool = False
    granted_s: float | None = None


class Renewal:
    """Decides after each answer; `random()` gives numbers from [0, 1)."""

    def __init__(self, expires_s: int, random: Callable[[], float]) -> None:
        self.expires_s = expires_s
        self._random = random
        self._failures = 0
        self._lengthened = 0  # times since the last success

    def receive(self, reply: Reply, *, contact: str, has_more_hops: bool) -> Step:
        """Take the answer to a REGISTER that carried `contact` and `expires_s`."""
        if 200 <= reply.status < 300:
            self._failures = self._lengthened = 0
            granted = find_granted(reply.headers, contact, default=self.expires_s)
            return Step("registered", choose_delay(granted), granted_s=granted)
        if reply.status == 423 and self._is_lengthened(reply):
            return Step("registering", 0.0)
        is_trouble = reply.status == 408 or 500 <= reply.status < 600
        if is_trouble and has_more_hops:
            return Step("registering", 0.0, is_next_hop=True)
        asked = min(parse_seconds(reply.headers.get("Retry-After")) or 0.0, _MAX_RETRY_AFTER)
        least = asked if is_trouble else max(asked, _REFUSED_BACK_OFF)
        return Step("failed" if is_trouble else "refused", max(self.back_off(), least))

    def back_off(self) -> float:
        """Seconds to wait after a failure: 5 doubled each time up to 300, of which a random half is left out."""
        longest = min(_FIRST_BACK_OFF * 2.0 ** min(self._failures, 16), _LONGEST_BACK_OFF)
        self._failures += 1
        return longest * (0.5 + 0.5 * self._random())

    def _is_lengthened(self, reply: Reply) -> bool:
        least = parse_seconds(reply.headers.get("Min-Expires"))
        if least is None or not self.expires_s < least <= _MAX_EXPIRES_S or self._lengthened >= _MAX_LENGTHENED:
            return False
        self._lengthened += 1
        self.expires_s = least
        return True


def choose_delay(granted_s: float) -> float:
    """Seconds until a registration of this length is renewed."""
    return max(min(_EARLY_PART * granted_s, granted_s - _EARLY_S), granted_s / 2)


def find_granted(headers: Headers, contact: str, *, default: float) -> float:
    """For how many seconds the registrar keeps our contact: by its `expires` parameter, else Expires (§10.2.4).

    A registrar that rewrote our contact is believed when it names no other.
    """
    bindings: list[NameAddr] = []
    for value in headers.get_all("Contact"):
        try:
            bindings.append(NameAddr.parse(value))
        except ValueError:
            continue
    ours = [binding for binding in bindings if _is_same(binding.uri, contact)] or (
        bindings[:1] if len(bindings) == 1 else []
    )
    found = [parse_seconds(binding.params.get("expires")) for binding in ours]
    return next((seconds for seconds in found if seconds), None) or parse_seconds(headers.get("Expires")) or default


def _is_same(text: str, contact: str) -> bool:
    try:
        one, other = Uri.parse(text), Uri.parse(NameAddr.parse(contact).uri)
    except ValueError:
        return False
    return (one.user, one.host.lower(), one.port) == (other.user, other.host.lower(), other.port)
