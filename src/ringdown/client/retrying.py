"""When a request is sent again, and after how long; pure.

What creates or does something carries an idempotency key, so that sending it again is safe. A deletion is sent again
only when it was certainly not done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FIRST_DELAY_S = 0.5
_MAX_DELAY_S = 8.0
_MAX_WAIT_S = 60.0
_PASSING_STATUSES = (429, 502, 503, 504)
_NEVER_DONE_STATUSES = (429, 503)


@dataclass(frozen=True, slots=True)
class Failure:
    """How one try ended: the status of the answer with its details and headers, or None when there was no answer."""

    status: int | None
    details: Mapping[str, Any]
    headers: Mapping[str, str]


def find_delay_s(failure: Failure, *, method: str, tries: int, max_tries: int, chance: float) -> float | None:
    """Seconds to wait before the next try, `tries` having been made; None to give up. `chance` is from 0 to 1."""
    if tries >= max_tries or not _may_pass(failure, method):
        return None
    asked = failure.headers.get("retry-after", "")
    if asked.isdecimal():
        return float(asked) if int(asked) <= _MAX_WAIT_S else None
    return min(_FIRST_DELAY_S * 2.0 ** (tries - 1), _MAX_DELAY_S) * (0.5 + chance / 2)


def _may_pass(failure: Failure, method: str) -> bool:
    if method == "DELETE":
        return failure.status in _NEVER_DONE_STATUSES
    if failure.status == 409:
        return failure.details.get("reason") == "in_flight"
    if failure.status == 502:
        return bool(failure.details.get("retryable", True))
    return failure.status is None or failure.status in _PASSING_STATUSES
