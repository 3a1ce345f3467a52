"""What a call tells its owner: progress, answer, refusal, end."""

from dataclasses import dataclass
from typing import Literal

NO_RESPONSE = "no response"
TRANSPORT_FAILED = "transport failed"

EndCause = Literal["bye", "cancelled", "timeout", "transport", "local"]


@dataclass(frozen=True, slots=True)
class Provisional:
    """A 101-199 response; `body` is early-media SDP or empty."""

    status: int
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The call is up: we got a 2xx and sent the ACK, or our own 2xx was acknowledged; `body` is the peer's SDP."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """The last event of a call that was never answered.

    `is_local` tells our own verdict from the peer's: 408 with `NO_RESPONSE` (nobody answered the INVITE),
    503 with `TRANSPORT_FAILED` (it could not be sent).
    """

    status: int
    reason: str
    retry_after: int | None = None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a call that was answered or cancelled.

    `cause`: `bye` the peer hung up, `local` we did, `cancelled` before the answer by either side, `timeout` our
    answer was never acknowledged, `transport` the ACK could not be sent. `reason_header` is the peer's Reason
    (RFC 3326).
    """

    cause: EndCause
    reason_header: str | None = None


Event = Provisional | Answered | Rejected | Ended
