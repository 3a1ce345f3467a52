"""Which trunks may take another call: their concurrency and their calls per second; pure rules on counted facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringdown.telephony.models import Trunk

#: Calls that were due so long ago leave at once, so that a gateway which looks every 200 ms keeps the rate.
BURST_MS = 200


class LineFull(Exception):
    """The trunk carries as many calls as it may."""


@dataclass(slots=True)
class Lines:
    """The room on the trunks of one claim. `live` counts calls that ring or talk, `next_dial_at` is by trunk id."""

    trunks: Mapping[str, Trunk]
    live: dict[str, int]
    next_dial_at: dict[str, int]
    now_ms: int
    full: set[str] = field(default_factory=set)
    """Trunks that turned a call away."""
    dialled: set[str] = field(default_factory=set)
    """Trunks whose `next_dial_at` has changed."""

    def take(self, trunk_id: str | None) -> bool:
        """Whether the trunk carries one more call now; then it is counted. No trunk, or an unlimited one, always."""
        trunk = self.trunks.get(trunk_id or "")
        if trunk is None:
            return True
        limit, rate = trunk.max_concurrent_calls, trunk.max_calls_per_second
        due_at = max(self.next_dial_at.get(trunk.id, 0), self.now_ms - BURST_MS)
        if (limit is not None and self.live.get(trunk.id, 0) >= limit) or (rate is not None and due_at > self.now_ms):
            self.full.add(trunk.id)
            return False
        self.live[trunk.id] = self.live.get(trunk.id, 0) + 1
        if rate is not None:
            self.next_dial_at[trunk.id] = due_at + round(1000 / rate)
            self.dialled.add(trunk.id)
        return True
