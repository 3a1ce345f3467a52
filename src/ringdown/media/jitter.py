"""Puts received packets back in order and paces them by ticks; knows timestamps, not codecs, clocks or sockets."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ringdown.media import rtp

PREFILL_TICKS = 1
MAX_PREFILL_TICKS = 10  # 200 ms
HOLD_TICKS = 3  # 60 ms: longer silence is a pause, not jitter
MAX_FRAMES = 60  # also how far a timestamp may jump: nothing the network does to a packet goes further
LATE_RUN = 5
WINDOW_TICKS = 25
WINDOWS = 8  # four seconds: what happens less often is not worth a longer delay all the time
EXCESS_FRAMES = 2
LATE_TO_GROW = 2
_GAPS_REMEMBERED = 16


@dataclass(slots=True)
class JitterStatistics:
    """Packets that came twice or too late, times that some were missing, frames thrown away, streams begun anew."""

    duplicates: int = 0
    late: int = 0
    missing: int = 0
    dropped: int = 0
    resets: int = 0


class JitterBuffer:
    """Orders packets of any length and gives them out as their turn comes; `frame_size` is one tick in timestamp units.

    `pop` is called at each tick that needs audio. Playing starts at the first tick after the first packet, or after
    `prefill_ticks`. The delay then follows the network:

    - A packet missing while nothing waits is held for, up to three ticks; when it comes, the delay has grown by what
      was held (a slower far clock is followed like this too). When a later one comes, what was held stood for the lost.
    - Two late packets within half a second make the delay one tick longer.
    - `excess` is the number of frames that were waiting too long in all but one of the last windows of half a second:
      the caller throws as many away, best where it is silent. A faster far clock shows like this, and jitter that is
      over. More than 200 ms are never kept for good, and never more than `MAX_FRAMES` packets.
    """

    __slots__ = (
        "_choose_prefill_ticks",
        "_end",
        "_end_timestamp",
        "_frame_size",
        "_gaps",
        "_held",
        "_is_idle",
        "_late_end",
        "_late_run",
        "_late_timestamp",
        "_measure",
        "_minima",
        "_next",
        "_packets",
        "_recently_late",
        "_smallest",
        "_waiting_ticks",
        "_window",
        "arrived_s",
        "cut",
        "excess",
        "gap",
        "statistics",
    )

    def __init__(
        self,
        *,
        frame_size: int,
        measure: Callable[[bytes], int] = len,
        choose_prefill_ticks: Callable[[], int] = lambda: PREFILL_TICKS,
    ) -> None:
        self.statistics = JitterStatistics()
        self.excess = 0
        self.cut = 0  # units at the front of the popped packet whose turn is over
        self.gap = 0  # units that the last `pop` which gave None stands for
        self.arrived_s: float | None = None  # when the packet came that `pop` gave last; None after it gave None
        self._frame_size = frame_size
        self._measure = measure
        self._choose_prefill_ticks = choose_prefill_ticks
        # By position, which is the timestamp counted on from the first packet: payload, and when it came.
        self._packets: dict[int, tuple[bytes, float]] = {}
        self._next = 0  # position to play next
        self._end, self._end_timestamp = 0, -1  # position and timestamp after the furthest packet; -1 before the first
        self._waiting_ticks = PREFILL_TICKS
        self._is_idle = True
        self._held = 0
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_GAPS_REMEMBERED)
        self._late_run, self._late_timestamp, self._late_end = 0, -1, -1
        self._recently_late = 0
        self._smallest = frame_size * MAX_FRAMES
        self._window = WINDOW_TICKS
        self._minima: deque[int] = deque(maxlen=WINDOWS)

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is playing: before the first packet, and in a pause of the sender."""
        return self._is_idle

    @property
    def end_timestamp(self) -> int:
        """The timestamp after the furthest packet, -1 before the first and after a pause."""
        return self._end_timestamp

    @property
    def waiting_units(self) -> int:
        """Timestamp units from the next to be played to the end of the furthest packet."""
        return self._end - self._next

    def reset(self) -> None:
        """Forgets everything waiting; the next packet starts anew with its own timestamp."""
        self._packets.clear()
        self._gaps.clear()
        self._minima.clear()
        self._next = self._end = 0
        self._end_timestamp = -1
        self._is_idle = True
        self._waiting_ticks = min(self._choose_prefill_ticks(), MAX_PREFILL_TICKS)
        self._held = self._recently_late = self.excess = self.cut = 0
        self._smallest, self._window = self._frame_size * MAX_FRAMES, WINDOW_TICKS

    def push(self, timestamp: int, payload: bytes, arrived_s: float = 0.0) -> None:
        """Takes the audio that starts at the 32-bit `timestamp`. Raises `ValueError` for a payload without length.

        `arrived_s` is given back as it is.
        """
        if timestamp == self._end_timestamp:
            # The packet after the last one, as nearly all are; `_push_elsewhere` would do the same, only slower.
            # Measures are kept in instances: called as `self._measure()` they would be looked for in the class first.
            measure, end = self._measure, self._end
            duration = measure(payload)
            self._packets[end] = payload, arrived_s
            self._end = end + duration
            self._end_timestamp = (timestamp + duration) & 0xFFFFFFFF
            if len(self._packets) > MAX_FRAMES:
                self._drop_oldest()
        else:
            self._push_elsewhere(timestamp, payload, arrived_s)

    def _push_elsewhere(self, timestamp: int, payload: bytes, arrived_s: float) -> None:
        duration = self._measure(payload)
        if self._end_timestamp < 0:
            self._start(timestamp)
        position = self._end + rtp.timestamp_distance(timestamp, self._end_timestamp)
        ahead, reach = position - self._next, self._frame_size * MAX_FRAMES
        if ahead < 0 and self._is_idle and ahead >= -self._frame_size * HOLD_TICKS:
            # Nothing has been played yet, so what overtook this packet can wait for it.
            self._next = position
        elif -reach <= ahead and ahead + duration <= 0:
            if not self._is_run_of_late(timestamp, duration):
                self._count_late(position)
                return
            self._start(timestamp)
            position = self._next
        elif not -reach <= ahead < reach:
            self._start(timestamp)
            position = self._next
        if position in self._packets:
            self.statistics.duplicates += 1
            return
        self._packets[position] = payload, arrived_s
        if position + duration > self._end:
            self._end = position + duration
            self._end_timestamp = (timestamp + duration) & 0xFFFFFFFF
        if len(self._packets) > MAX_FRAMES:
            self._drop_oldest()

    def pop(self, wanted: int = 0, is_overdue: bool = False) -> bytes | None:
        """The next packet, without its first `cut` units; or None when `gap` units have to be concealed (`is_idle`).

        `wanted` is what the caller lacks, one tick by default. `is_overdue` says that the tick makes up for a stall of
        our own: the depth is then no measure of the network.
        """
        if self._waiting_ticks:
            return self._wait(wanted)
        position, measure = self._next, self._measure
        packet = self._packets.pop(position, None)
        if packet is None:
            self.arrived_s = None
            return self._miss(wanted)
        payload, self.arrived_s = packet
        self._next = position = position + measure(payload)
        self._held = 0
        if not is_overdue:
            depth = self._end - position
            if depth < self._smallest:
                self._smallest = depth
            self._window -= 1
            if not self._window:
                self._judge_depth()
        return payload

    def drop_frame(self) -> None:
        """Takes note that the caller throws a frame away, as `excess` asked."""
        self.statistics.dropped += 1
        self.excess = self.excess - 1 if self.excess > EXCESS_FRAMES else 0
        self._shift_minima(-self._frame_size)

    def _start(self, timestamp: int) -> None:
        self.statistics.resets += 1
        self.reset()
        self._end_timestamp = timestamp

    def _wait(self, wanted: int) -> bytes | None:
        """One tick less of the prefill, or of a delay that was found too short."""
        self.gap = wanted or self._frame_size
        if self._end_timestamp < 0:
            return None
        self._waiting_ticks -= 1
        if self._waiting_ticks:
            return None
        self._is_idle = False
        return self.pop(wanted=wanted)

    def _miss(self, wanted: int) -> bytes | None:
        wanted = wanted or self._frame_size
        while self._packets:
            first = min(self._packets)
            if first >= self._next:
                break
            payload, arrived_s = self._packets.pop(first)
            end = first + self._measure(payload)
            if end > self._next:
                self.cut, self._next, self.arrived_s = self._next - first, end, arrived_s
                return payload
            self.statistics.duplicates += 1
        else:
            self._hold(wanted)
            return None
        stood_for = min(first - self._next, self._held)
        self._gaps.append((self._next, first))
        self._next += stood_for
        self._shift_minima(-stood_for)
        self._held -= stood_for
        if self._next == first:
            return self.pop(wanted=wanted)
        self.statistics.missing += 1
        self.gap = min(first - self._next, wanted)
        self._next += self.gap
        return None

    def _hold(self, wanted: int) -> None:
        """Nothing waits: the next packet is late, or lost, or the sender pauses."""
        self.gap = wanted
        if self._held >= HOLD_TICKS * self._frame_size:
            self.reset()
            return
        self._held += wanted
        self._shift_minima(wanted)
        self._smallest = 0

    def _is_run_of_late(self, timestamp: int, duration: int) -> bool:
        """Whether late packets follow each other with no other between: the sender has set its clock back."""
        follows = timestamp == self._late_timestamp and self._end == self._late_end
        self._late_run = self._late_run + 1 if follows else 1
        self._late_timestamp, self._late_end = (timestamp + duration) & 0xFFFFFFFF, self._end
        return self._late_run >= LATE_RUN

    def _count_late(self, position: int) -> None:
        if not any(start <= position < end for start, end in self._gaps):
            self.statistics.duplicates += 1
            return
        self.statistics.late += 1
        self._smallest = 0
        self._recently_late += 1
        if self._recently_late >= LATE_TO_GROW and self.waiting_units < MAX_PREFILL_TICKS * self._frame_size:
            self._recently_late = 0
            self._waiting_ticks = 2  # `_wait` plays on in the second tick
            self._shift_minima(self._frame_size)

    def _judge_depth(self) -> None:
        """Half a second is over: whether frames have been waiting for nothing."""
        size, minima = self._frame_size, self._minima
        minima.append(self._smallest)
        self._smallest, self._window, self._recently_late = size * MAX_FRAMES, WINDOW_TICKS, 0
        if len(minima) < 2:
            return
        ordered = sorted(minima)
        excess = ordered[1] // size
        self.excess = max(excess if excess >= EXCESS_FRAMES else 0, ordered[-1] // size - MAX_PREFILL_TICKS, 0)

    def _shift_minima(self, units: int) -> None:
        """The delay has changed by so much, and with it what the past windows would have seen."""
        for index in range(len(self._minima)):
            self._minima[index] += units

    def _drop_oldest(self) -> None:
        while len(self._packets) > MAX_FRAMES:
            first = min(self._packets)
            del self._packets[first]
            self.statistics.dropped += 1
        self._next = max(self._next, min(self._packets))
