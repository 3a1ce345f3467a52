"""What an examination of a trunk has seen; says nothing about what it means."""

from dataclasses import dataclass
from typing import Literal

from ringdown.sip.destination import Destination
from ringdown.telephony.models import Trunk

Aspect = Literal["caller", "number", "codecs", "srtp"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: the peer's last word, or no `status` and the `fault` of the connection.

    A call that rings counts as taken: its status is then that of the provisional response.
    """

    status: int | None
    reason: str = ""
    fault: str | None = None
    retry_after: int | None = None

    @property
    def is_heard(self) -> bool:
        """Whether the peer said anything."""
        return self.status is not None

    @property
    def is_accepted(self) -> bool:
        """Whether the peer took the request."""
        return self.status is not None and 100 < self.status < 300

    def is_like(self, other: "Outcome | None") -> bool:
        """Whether the peer treated two requests alike; the reason is for people and does not count."""
        return other is not None and self.status == other.status

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".strip() if self.is_heard else self.fault or "no answer"


@dataclass(frozen=True, slots=True)
class Contact:
    """One address of the trunk, and what became of OPTIONS to it."""

    destination: Destination
    outcome: Outcome
    round_trip_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What became of the credentials, and of wrong ones tried to compare."""

    method: Literal["REGISTER", "INVITE"]
    outcome: Outcome
    is_challenged: bool
    """Whether the peer asked for credentials at all."""
    with_unknown_user: Outcome | None = None
    with_wrong_password: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """A test call as it would be with another setting; `trunk`, `number` and `caller` are what it is placed with."""

    aspect: Aspect
    setting: str
    value: str
    trunk: Trunk
    number: str
    caller: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One test call and how it ended; `variation` is None for the call as the settings have it."""

    outcome: Outcome
    variation: Variation | None = None
    encoding: str | None = None
    """The codec of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """The media of the test call after some seconds; hosts are addresses, sources `host:port`."""

    own_host: str
    observed_host: str | None
    """Our own address as the peer sees it, where it has shown it."""
    signalling_host: str
    host: str
    port: int
    is_sent_to_us: bool
    """Whether the answer says that the peer sends; it may put us on hold."""
    has_dtmf: bool
    packets_received: int
    packets_unauthenticated: int
    foreign_sources: tuple[str, ...]
    reports_received: int
    is_reported: bool
    """Whether the peer's reports are about packets of ours."""
    clock_drift_ppm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """All that was seen of one trunk; what was not tried is None or empty."""

    trunk: Trunk
    own_host: str
    """The address that we send from, perhaps a wildcard."""
    is_loop: bool = False
    """Whether the test call goes to a number of the trunk itself, and so comes back to us."""
    location_fault: str | None = None
    contacts: tuple[Contact, ...] = ()
    other_ways: tuple[Destination, ...] = ()
    """Other transports on which the host answers, when it does not on that of the trunk."""
    rewritten: tuple[str, str] | None = None
    """An address of ours as we wrote it, and as it came back."""
    login: Login | None = None
    call: Attempt | None = None
    variations: tuple[Attempt, ...] = ()
    repeated: Outcome | None = None
    """The call as the settings have it once more, after it was refused."""
    second_call: Outcome | None = None
    """The same call while the first one was up."""
    answer_fault: str | None = None
    """Why the answer to the call cannot be used."""
    audio: Audio | None = None
