"""Knows which calls are due at which millisecond, time being a parameter; sleeps and sends nothing."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

FRAME_MS = 20
LATE_MS = 40
REPLAY_LIMIT_MS = 1000
# A wake-up of the process costs as much as several ticks, so slots are filled before more are opened: 75 ticks take a
# millisecond. Four, 5 ms apart, cost nothing: the clock wakes up as often to read.
MEMBERS_PER_SLOT = 75
_SLOTS_ALWAYS_OPEN = 4
# The order of opening keeps the open slots evenly spread.
_OPENING_ORDER = (0, 10, 5, 15, 2, 12, 7, 17, 1, 11, 6, 16, 3, 13, 8, 18, 4, 14, 9, 19)


class Ticking(Protocol):
    """What the wheel drives, once every 20 ms."""

    def tick(self, overdue_ms: int) -> None:
        """One frame; `overdue_ms` is how long ago it should have run."""

    def skip(self, ticks: int) -> None:
        """So many frames of time have passed that nobody will run."""


@dataclass(slots=True)
class WheelStatistics:
    """Ticks run, those run more than 40 ms after their deadline, those never run, and the worst delay."""

    ticks: int = 0
    ticks_late: int = 0
    ticks_skipped: int = 0
    worst_overdue_ms: int = 0


class Wheel:
    """Twenty slots of one millisecond: a member is ticked each time its slot comes round, at absolute deadlines.

    After a stall every missed tick is run, quickly and in order, so that a member's tick count follows the clock; what
    is older than one second is skipped with one `skip` for each member. A member that raises is taken off the wheel,
    the error passes to the caller of `advance`, and the next `advance` goes on with the members after it.
    """

    def __init__(self, now_ms: int) -> None:
        self.statistics = WheelStatistics()
        self._slots: tuple[list[Ticking], ...] = tuple([] for _ in range(FRAME_MS))
        self._due: deque[Ticking] = deque()
        self.position_ms = now_ms
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, member: Ticking, now_ms: int) -> None:
        """Puts the member into a slot; its first tick comes within 20 ms of `now_ms`."""
        if not self._count:
            self.position_ms = now_ms
        self._count += 1
        open_count = max(_SLOTS_ALWAYS_OPEN, math.ceil(self._count / MEMBERS_PER_SLOT))
        min((self._slots[index] for index in _OPENING_ORDER[:open_count]), key=len).append(member)

    def remove(self, member: Ticking) -> None:
        """Takes the member off; it is not ticked again. Does nothing for one that is not there."""
        for slot in self._slots:
            if member in slot:
                slot.remove(member)
                self._count -= 1
        if member in self._due:
            self._due.remove(member)

    @property
    def occupied_slots(self) -> int:
        """How many of the twenty slots have a member."""
        return sum(map(bool, self._slots))

    def next_deadline_ms(self) -> int | None:
        """When the next member is due, None when there is none."""
        if self._due:
            return self.position_ms
        if not self._count:
            return None
        position_ms = self.position_ms + 1
        while not self._slots[position_ms % FRAME_MS]:
            position_ms += 1
        return position_ms

    def advance(self, now_ms: int) -> None:
        """Ticks every member that is due up to and including `now_ms`."""
        if now_ms - self.position_ms > REPLAY_LIMIT_MS + FRAME_MS:
            self._skip((now_ms - self.position_ms - REPLAY_LIMIT_MS) // FRAME_MS)
        due, slots = self._due, self._slots
        while True:
            if due:
                self._run_due(now_ms - self.position_ms)
            if self.position_ms >= now_ms:
                return
            self.position_ms += 1
            due.extend(slots[self.position_ms % FRAME_MS])

    def _run_due(self, overdue_ms: int) -> None:
        due, statistics = self._due, self.statistics
        statistics.ticks += len(due)
        if overdue_ms > statistics.worst_overdue_ms:
            statistics.worst_overdue_ms = overdue_ms
        if overdue_ms > LATE_MS:
            statistics.ticks_late += len(due)
        while due:
            member = due.popleft()
            is_broken = True
            try:
                member.tick(overdue_ms)
                is_broken = False
            finally:
                if is_broken:
                    statistics.ticks -= len(due)
                    self.remove(member)

    def _skip(self, rounds: int) -> None:
        self.position_ms += rounds * FRAME_MS
        for slot in self._slots:
            for member in slot:
                member.skip(rounds)
        self.statistics.ticks_skipped += rounds * self._count
