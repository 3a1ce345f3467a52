"""Drives all calls of a process from one timer of the event loop, and reads their sockets; knows no RTP."""

import asyncio
import socket
import time
from collections.abc import Callable

from ringdown.media.sockets import SocketReader
from ringdown.media.wheel import FRAME_MS, Ticking, Wheel, WheelStatistics

_DRAIN_ROUNDS = 256
_SHORTEST_PACKET_MS = 10
# A wake-up for each packet of a few calls is cheap; more calls are read together, at most this much later.
_CALLS_READ_AT_ONCE = 3
_READ_EVERY_MS = 5


class MediaClock:
    """The media clock of a process: every session on it is ticked each 20 ms, at absolute deadlines.

    After a stall of the event loop, waiting datagrams are read first, then the missed ticks are run at once (`Wheel`),
    so that media time never falls behind the wall clock. A tick that raises takes its session off the clock; the error
    reaches the event loop's exception handler and no other call notices. Packets are read as they come while there are
    up to three calls, else at every wake-up, at most 5 ms later.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wheel = Wheel(self._now_ms())
        self._reader = SocketReader()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_reading_at_once = False
        self._is_closed = False

    @property
    def statistics(self) -> WheelStatistics:
        """Ticks, and how many of them came more than 40 ms after their deadline."""
        return self._wheel.statistics

    @property
    def is_running(self) -> bool:
        """Whether `start` was called and `close` was not."""
        return self._loop is not None

    def now_s(self) -> float:
        """The monotonic clock that packets are read by."""
        return self._now()

    async def start(self) -> None:
        """Begins to run on the current event loop."""
        self._loop = asyncio.get_running_loop()
        self._choose_reading()
        self._schedule()

    async def close(self) -> None:
        """Stops; sessions still on the clock get no more ticks and packets. Safe twice."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._loop is not None:
            self._loop.remove_reader(self._reader.fileno())
            self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._reader.close()

    def add(self, session: Ticking) -> None:
        """Ticks the session from within 20 ms on."""
        self._wheel.add(session, self._now_ms())
        self._choose_reading()
        self._reschedule()

    def remove(self, session: Ticking) -> None:
        """Ticks the session no more."""
        self._wheel.remove(session)
        self._choose_reading()

    def watch(self, watched: socket.socket, receive: Callable[[float], None]) -> None:
        """Calls `receive(now_s)` whenever the socket has a datagram, `now_s` on the monotonic clock."""
        self._reader.add(watched, receive)

    def unwatch(self, watched: socket.socket) -> None:
        """Undoes `watch`; before the socket is closed."""
        if not self._is_closed:
            self._reader.remove(watched)

    def run_due(self) -> None:
        """Reads what has arrived and runs the ticks that are due; `start` makes the event loop call this in time."""
        now_s = self._now()
        now_ms = int(now_s * 1000)
        deadline_ms = self._wheel.next_deadline_ms()
        overdue_ms = 0 if deadline_ms is None else now_ms - deadline_ms
        if overdue_ms > FRAME_MS:
            self._drain(now_s, overdue_ms)
        else:
            self._reader.poll(now_s)
        self._wheel.advance(now_ms)

    def _drain(self, now_s: float, overdue_ms: int) -> None:
        """Reads what came in a stall, and not for ever what comes meanwhile: with many calls there is always more."""
        rounds = min(_DRAIN_ROUNDS, overdue_ms // _SHORTEST_PACKET_MS + 2)
        until_s = now_s + overdue_ms / 2000
        while rounds and self._reader.poll(now_s) and self._now() < until_s:
            rounds -= 1

    def _now_ms(self) -> int:
        return int(self._now() * 1000)

    def _choose_reading(self) -> None:
        is_at_once = len(self._wheel) <= _CALLS_READ_AT_ONCE
        if self._loop is None or is_at_once == self._is_reading_at_once:
            return
        self._is_reading_at_once = is_at_once
        if is_at_once:
            self._loop.add_reader(self._reader.fileno(), self._read)
        else:
            self._loop.remove_reader(self._reader.fileno())

    def _read(self) -> None:
        self._reader.poll(self._now())

    def _wake(self) -> None:
        self._timer = None
        try:
            self.run_due()
        finally:
            self._schedule()

    def _schedule(self) -> None:
        deadline_ms = self._wheel.next_deadline_ms()
        if deadline_ms is not None and self._loop is not None and self._timer is None:
            if not self._is_reading_at_once:
                deadline_ms = min(deadline_ms, self._wheel.position_ms + _READ_EVERY_MS)
            # A tenth of a millisecond more, lest rounding wake us just before the deadline.
            delay_s = deadline_ms / 1000 + 0.0001 - self._now()
            self._timer = self._loop.call_later(max(0.0, delay_s), self._wake)

    def _reschedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._schedule()
