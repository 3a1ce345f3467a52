"""One heap of timers for all transactions and dialogs; time is a parameter."""

import heapq
from collections.abc import Callable
from itertools import count


class Timer:
    """A pending callback; `cancel` may be called at any time, also twice."""

    __slots__ = ("_callback", "when")

    def __init__(self, when: float, callback: Callable[[float], None]) -> None:
        self.when = when
        self._callback: Callable[[float], None] | None = callback

    def cancel(self) -> None:
        """Forget the callback."""
        self._callback = None

    @property
    def is_pending(self) -> bool:
        """Whether it has neither run nor been cancelled."""
        return self._callback is not None

    def run(self, now: float) -> None:
        """Call back once, unless cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(now)


class Timers:
    """Timers in the order they are due; instants are seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()

    def start(self, when: float, callback: Callable[[float], None]) -> Timer:
        """Have `callback(now)` called once `run_due` is given an instant at or after `when`."""
        timer = Timer(when, callback)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def next_timeout(self) -> float | None:
        """The instant at which `run_due` must be called next."""
        while self._heap and not self._heap[0][2].is_pending:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run_due(self, now: float) -> None:
        """Run every timer that is due, also those that the callbacks start for this instant."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2].run(now)
