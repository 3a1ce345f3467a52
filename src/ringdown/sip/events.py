"""What a call tells its owner: progress, answer, keys, a wish to be transferred, refusal, end."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from ringdown.sip.referral import ReceivedReferral

NO_RESPONSE = "no response"
TRANSPORT_FAILED = "transport failed"

EndCause = Literal["bye", "cancelled", "timeout", "transport", "local", "expired"]


@dataclass(frozen=True, slots=True)
class Provisional:
    """A 101-199 response; `body` is early-media SDP or empty.

    The early dialogs of a forked INVITE are told apart by `tag`, the To tag; it is empty when there is none.
    """

    status: int
    reason: str
    body: bytes
    tag: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """The call is up: we got a 2xx and sent the ACK, or our own 2xx was acknowledged; `body` is the peer's SDP."""

    body: bytes


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The peer sent a key in an INFO: one of `0-9 * # A-D`."""

    digit: str


class Referral(Protocol):
    """A transfer that the peer asks for; unanswered for 10 s it is declined with 603."""

    async def accept(self) -> bool:
        """Agree: 202, and a first notification that we are trying; false when it was declined already."""

    async def notify(self, status: int, reason: str) -> None:
        """Tell how the new call goes; a final status ends the subscription."""

    async def reject(self, status: int) -> None:
        """Refuse with 300-699; raises `ValueError` for another status."""


@dataclass(frozen=True, slots=True)
class Referred:
    """The peer asks us to call `target` and to leave this call (RFC 3515).

    `replaces` names a dialog of the target's that our new call takes over, as the Replaces header of its INVITE;
    `referred_by` is the peer's Referred-By (RFC 3892), to be passed on.
    """

    target: str
    replaces: str | None
    referred_by: str | None
    referral: Referral


@dataclass(frozen=True, slots=True)
class ReferralReceived:
    """A REFER as the session tells it; the asyncio face makes a `Referred` of it."""

    received: "ReceivedReferral"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The last event of a call that was never answered.

    `is_local` tells our own verdict from the peer's: 408 with `NO_RESPONSE` (nobody answered the INVITE),
    503 with `TRANSPORT_FAILED` (it could not be sent). `contacts` of a 3xx are in the order of their q; nobody has
    followed them. `warning` is the text of the peer's Warning. `fault` says in a few words why it could not be sent.
    """

    status: int
    reason: str
    retry_after: int | None = None
    is_local: bool = False
    contacts: tuple[str, ...] = ()
    warning: str | None = None
    fault: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a call that was answered or cancelled.

    `cause`: `bye` the peer hung up, `local` we did, `cancelled` before the answer by either side, `timeout` the peer is
    gone (our answer was never acknowledged, or it no longer knows the call), `transport` the ACK could not be sent,
    `expired` the session was not refreshed in time (RFC 4028) and we sent the BYE. `reason_header` is the peer's
    Reason (RFC 3326).
    """

    cause: EndCause
    reason_header: str | None = None


@dataclass(frozen=True, slots=True)
class ReferResult:
    """What became of our REFER: its final refusal, or the final status that the peer notified.

    408: nothing final came in time. 202: the peer accepted, and hung up without another word. `is_refused`: it did
    not try, or has said nothing of it but 100.
    """

    status: int
    reason: str
    is_refused: bool = field(default=False, compare=False)


class ReofferFailed(Exception):
    """The peer did not take our offer; the call goes on as it was, unless an `Ended` follows."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


Event = Provisional | Answered | DigitPressed | Referred | ReferralReceived | Rejected | Ended
