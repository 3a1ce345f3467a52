"""When a gateway may dial on the lines that it keeps: so many calls in any second, however it is laid; pure rules.

Dials are planned a little further apart than the rate demands. When one leaves late the others stay as planned, unless
the second behind them is full: what is late neither exceeds the rate nor lowers it.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ringdown import values
from ringdown.calls.lines import Line

#: How much further apart.
SPREAD = 1.04
# What the way to the far end may take away from the time between two INVITEs.
_JITTER_MS = 6
#: Calls are claimed so long before their turn, so that a gateway that looks five times a second keeps the rate.
AHEAD_S = 1.0


@dataclass(slots=True)
class Limiter:
    """At most `count` dials within any `window_ms`."""

    per_second: float
    starts_at: float = 0
    """The one who kept the line before may have dialled until a window before."""
    planned_at: float = 0
    dials: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        self.dials = deque(maxlen=math.ceil(self.per_second))

    @property
    def window_ms(self) -> float:
        """A second; longer by as much as a rate that is not whole demands."""
        return math.ceil(self.per_second) * 1000 / self.per_second + _JITTER_MS

    def find_time(self) -> float:
        """The first instant at which one more may be dialled."""
        is_full = len(self.dials) == self.dials.maxlen
        return max(self.starts_at, self.dials[0] + self.window_ms if is_full else 0)


class Pacer:
    """The lines that one process of a gateway keeps, and the calls that wait for their turn. Times are ms UTC."""

    def __init__(self, gateway_id: str) -> None:
        #: Another after a restart, which knows nothing of dials before.
        self.process = f"{gateway_id}#{values.new_id('run')}"
        self._limiters: dict[str, Limiter] = {}
        self._kept_until: dict[str, int] = {}
        self._waiting: dict[str, set[str]] = {}

    def count_free(self, line_id: str, per_second: float, now_ms: int) -> int:
        """How many more calls may wait for their turn on a line; none whose turn would not come soon."""
        limiter = self._limiters.get(line_id)
        if limiter is not None and max(limiter.planned_at, limiter.starts_at) > now_ms + AHEAD_S * 1000:
            return 0
        return max(1, math.ceil(per_second * AHEAD_S)) - len(self._waiting.get(line_id, ()))

    def keep(self, line: Line) -> None:
        """Dial on a line as the database says now: until its `kept_until`, at its rate."""
        if line.per_second is None:
            return
        known = self._limiters.get(line.id)
        if known is None or known.per_second != line.per_second or line.left_at is not None:
            limiter = self._limiters[line.id] = Limiter(line.per_second)
            if known is not None:
                limiter.starts_at, limiter.planned_at = known.starts_at, known.planned_at
                limiter.dials.extend(known.dials)
            if line.left_at is not None:
                limiter.starts_at = max(limiter.starts_at, line.left_at + limiter.window_ms)
        self._kept_until[line.id] = line.kept_until

    def add(self, call_id: str, line_ids: Iterable[str]) -> None:
        """A call waits for its turn on these lines."""
        for line_id in line_ids:
            self._waiting.setdefault(line_id, set()).add(call_id)

    def drop(self, call_id: str, line_ids: Iterable[str]) -> None:
        """The call waits no more; safe to call twice."""
        for line_id in line_ids:
            self._waiting.get(line_id, set()).discard(call_id)

    def is_keeper(self, line_ids: Collection[str], now_ms: int) -> bool:
        """Whether all these lines are kept here now."""
        return all(self._kept_until.get(line_id, 0) > now_ms for line_id in line_ids)

    def plan(self, line_ids: Collection[str], now_ms: int) -> float:
        """When one more call is to leave, all before it having left as planned; nobody else is told the same."""
        limiters = [self._limiters[line_id] for line_id in line_ids]
        planned = max([now_ms, *(max(limiter.planned_at, limiter.starts_at) for limiter in limiters)])
        for limiter in limiters:
            limiter.planned_at = planned + SPREAD * 1000 / limiter.per_second
        return planned

    def find_time(self, line_ids: Collection[str]) -> float:
        """The first instant at which one more call may leave."""
        return max((self._limiters[line_id].find_time() for line_id in line_ids), default=0)

    def note_dial(self, line_ids: Collection[str], now_ms: float) -> None:
        """A call leaves now."""
        for line_id in line_ids:
            self._limiters[line_id].dials.append(now_ms)
