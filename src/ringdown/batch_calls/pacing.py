"""How many calls of a batch call are queued ahead of the gateways; pure rules."""

import math
from dataclasses import dataclass

from ringdown.batch_calls.models import BatchCall

#: Calls that wait for a gateway, so that a line that becomes free is taken at once.
_MAX_AHEAD = 200
#: Calls that are dialled in so many seconds are queued: time enough for a worker that looks four times a second.
_AHEAD_S = 2.0
#: One transaction stores no more.
MAX_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Load:
    """The calls of a batch call that wait for a gateway, those that ring or talk, and those dialled today.

    It rests until `rests_until` (ms UTC); 0: it does not.
    """

    queued: int = 0
    talking: int = 0
    dialled_today: int = 0
    rests_until: int = 0


def is_day_full(batch: BatchCall, load: Load) -> bool:
    """Whether the calls of this day have been made; those that only wait may be refused and leave room."""
    return batch.max_calls_per_day is not None and load.dialled_today >= batch.max_calls_per_day


def compute_room(batch: BatchCall, load: Load) -> int:
    """How many more calls may be queued now; gateways dial them when concurrency, pace and daily maximum allow."""
    ahead = min(batch.max_concurrent_calls, _MAX_AHEAD)
    limits = [batch.max_concurrent_calls - load.talking + ahead, MAX_AT_ONCE + load.queued]
    if batch.calls_per_second is not None:
        limits.append(max(1, math.ceil(batch.calls_per_second * _AHEAD_S)))
    if batch.max_calls_per_day is not None:
        limits.append(batch.max_calls_per_day - load.dialled_today)
    return max(0, min(limits) - load.queued)
