"""What becomes of a delivery after an attempt, and of an endpoint that accepts nothing: pure, randomness passed in."""

from collections.abc import Iterable
from dataclasses import dataclass

from ringdown.webhooks.models import DeliveryStatus

#: So long is a delivery tried, from its first failure on.
PARK_AFTER_MS = 72 * 3_600_000
FIRST_DELAY_MS, MAX_DELAY_MS = 5_000, 3_600_000
#: So many failures one after the other, and the endpoint is tried with one delivery at a time.
PAUSE_AFTER = 10
FIRST_PAUSE_MS, MAX_PAUSE_MS = 1_000, 60_000
_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a delivery is from now on. `due_at` is when it is tried again; both times are None unless it waits."""

    status: DeliveryStatus
    due_at: int | None = None
    failing_since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether an endpoint accepts: it has failed `failure_count` times since, and is not tried before `probe_at`."""

    failing_since: int | None = None
    failure_count: int = 0
    probe_at: int | None = None

    @property
    def is_paused(self) -> bool:
        """Whether it is only probed, one delivery at a time."""
        return self.failure_count >= PAUSE_AFTER


def judge(
    response_status: int | None,
    *,
    now_ms: int,
    failing_since: int | None,
    retry_after_ms: int | None,
    chance: float,
) -> Verdict:
    """What becomes of a delivery that was answered with this status (None: with nothing) at `now_ms`.

    Each delay is as long as it has failed already, so that they double, and at most an hour; `chance` (0 to 1, random)
    takes up to a quarter off. The last attempt is made `PARK_AFTER_MS` after the first failure. A receiver that asks
    for more time has it, up to an hour. 410 Gone parks at once.
    """
    if response_status is not None and 200 <= response_status < 300:
        return Verdict(status="delivered")
    since = now_ms if failing_since is None else failing_since
    if response_status == _GONE or now_ms >= since + PARK_AFTER_MS:
        return Verdict(status="parked")
    full_ms = min(max(now_ms - since, FIRST_DELAY_MS), MAX_DELAY_MS)
    delay_ms = max(round(full_ms * (1 - chance / 4)), min(retry_after_ms or 0, MAX_DELAY_MS))
    return Verdict(status="pending", due_at=min(now_ms + delay_ms, since + PARK_AFTER_MS), failing_since=since)


def update_health(before: Health, accepted: Iterable[bool], *, now_ms: int, chance: float) -> Health:
    """The health of an endpoint after these attempts, in the order in which they ended: whether each was accepted."""
    since, count = before.failing_since, before.failure_count
    for is_accepted in accepted:
        since, count = (None, 0) if is_accepted else (now_ms if since is None else since, count + 1)
    if count < PAUSE_AFTER:
        return Health(failing_since=since, failure_count=count)
    full_ms = min(FIRST_PAUSE_MS << min(count - PAUSE_AFTER, 32), MAX_PAUSE_MS)
    return Health(failing_since=since, failure_count=count, probe_at=now_ms + round(full_ms * (1 - chance / 4)))
