"""How far a batch call is and when it will be done, from what was counted; pure rules, no I/O."""

from dataclasses import dataclass

from ringdown.batch_calls import scheduling, zones
from ringdown.batch_calls.models import BatchCall
from ringdown.batch_calls.windows import Window, to_local

#: The pace is that of the calls placed in this time, and is not known before so much of it has passed.
PACE_MS = 15 * 60_000
_ENOUGH_MS = 10_000
_MINUTES_PER_DAY = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is counted of a batch call besides its row.

    `next_slot` and `last_slot` are the first and the last place in the schedule of contacts that wait. `recent_calls`
    were placed since `recent_since`; None when nobody has counted.
    """

    calling: int = 0
    retrying: int = 0
    next_slot: int | None = None
    last_slot: int | None = None
    recent_calls: int | None = None
    recent_since: int = 0


def compute_percent(batch: BatchCall) -> float:
    """How much of the batch call is done; 0 of nobody."""
    return round(100 * batch.called_contacts / batch.total_contacts, 1) if batch.total_contacts else 0.0


def begin_pace(batch: BatchCall, *, now_ms: int) -> int:
    """Since when calls tell the present pace."""
    return max(now_ms - PACE_MS, batch.started_at or 0, batch.resumed_at or 0)


def estimate_completion(batch: BatchCall, figures: Figures, *, now_ms: int) -> int | None:
    """When the last contact will be done, if everything goes on as it does now; None when that is not known.

    The calls that are still needed are placed at the present pace, inside the window by the batch call's clock; the
    last place in the schedule, where the daily maximum and the contacts' own clocks count, is waited for.
    """
    passed_ms = now_ms - figures.recent_since
    if batch.status != "active" or not figures.recent_calls or passed_ms < _ENOUGH_MS or not batch.is_spread:
        return None
    calls = batch.pending_contacts * (batch.dialled_calls / batch.called_contacts if batch.called_contacts else 1)
    needed_ms = round(max(calls, 1) * passed_ms / figures.recent_calls)
    finish = _spend(scheduling.read_window(batch), batch.timezone, from_ms=now_ms, needed_ms=needed_ms)
    return None if finish is None else max(finish, figures.last_slot or 0)


def _spend(window: Window, timezone: str, *, from_ms: int, needed_ms: int) -> int | None:
    """When the window has been open for so long; None when that takes years."""
    zone, at_ms = zones.get_zone(timezone), from_ms
    for _ in range(scheduling.MAX_DAYS):
        at_ms = window.find_opening(at_ms, zone)
        local = to_local(at_ms, zone)
        open_minutes = (window.end_minute - local.hour * 60 - local.minute) % _MINUTES_PER_DAY or _MINUTES_PER_DAY
        open_ms = open_minutes * 60_000 - at_ms % 60_000
        if needed_ms <= open_ms:
            return at_ms + needed_ms
        needed_ms -= open_ms
        at_ms += open_ms
    return None
