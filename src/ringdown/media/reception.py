"""Counts what arrives from one source: loss and jitter by RFC 3550 appendix A, clock drift; time is a parameter."""

import math

from ringdown.media.drift import WINDOW_PACKETS, ClockDrift
from ringdown.media.rtcp import ReportBlock

# RFC 3550 §A.1: further apart than this, two sequence numbers are not of the same count.
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100


class Reception:
    """Statistics of one synchronization source, in the terms of a report block.

    `clock_rate_hz` is that of its timestamps; `gaps` counts how often some packets in a row were missing.
    """

    __slots__ = (
        "_clock_rate_hz",
        "_confirming",
        "_drift",
        "_expected_before",
        "_first",
        "_highest",
        "_jitter",
        "_quickest",
        "_quickest_at_s",
        "_received_before",
        "_transit",
        "_window",
        "gaps",
        "packets_received",
        "ssrc",
    )

    def __init__(self, *, ssrc: int, sequence_number: int, clock_rate_hz: int) -> None:
        self.ssrc = ssrc
        self.packets_received = 0
        self.gaps = 0
        self._clock_rate_hz = clock_rate_hz
        self._first = self._highest = sequence_number  # unwrapped
        self._confirming = -1
        self._transit = 0.0
        self._jitter = 0.0
        self._expected_before = 0
        self._received_before = 0
        self._drift = ClockDrift()
        self._quickest, self._quickest_at_s = math.inf, 0.0
        self._window = WINDOW_PACKETS

    def receive(self, sequence_number: int, timestamp: int, now_s: float) -> None:
        """Counts an audio packet that arrived at `now_s` of a monotonic clock (§A.1, §A.8)."""
        following, clock_rate_hz = self._highest + 1, self._clock_rate_hz
        if sequence_number == following & 0xFFFF:
            self.packets_received += 1
            self._highest = following
        else:
            self.count(sequence_number)
        transit = now_s * clock_rate_hz - timestamp
        change = transit - self._transit
        self._transit = transit
        if change < 0:
            change = -change
        if change < clock_rate_hz:
            jitter = self._jitter
            self._jitter = jitter + (change - jitter) / 16
        else:
            # The first packet, or a timestamp that jumps or wraps, which says nothing about the network.
            self._begin_drift()
        if transit < self._quickest:
            self._quickest, self._quickest_at_s = transit, now_s
        self._window -= 1
        if not self._window:
            self._drift.add(self._quickest_at_s, self._quickest / self._clock_rate_hz)
            self._quickest, self._window = transit + self._clock_rate_hz, WINDOW_PACKETS

    def count(self, sequence_number: int) -> None:
        """Counts a packet whose timestamp tells nothing about jitter, such as a repeated keypad event."""
        self.packets_received += 1
        distance = ((sequence_number - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if 0 < distance < _MAX_DROPOUT:
            self._highest += distance
            self.gaps += distance > 1
        elif distance >= _MAX_DROPOUT or distance <= -_MAX_MISORDER:
            self._jump(sequence_number, distance)

    def _jump(self, sequence_number: int, distance: int) -> None:
        """Believes in a sender that began to count anew when a second packet confirms it; that is no loss."""
        if sequence_number == self._confirming:
            self._first += distance - 2
            self._highest += distance
        self._confirming = (sequence_number + 1) & 0xFFFF

    def _begin_drift(self) -> None:
        self._drift = ClockDrift()
        self._quickest, self._quickest_at_s = math.inf, 0.0
        self._window = WINDOW_PACKETS

    @property
    def packets_expected(self) -> int:
        """From the first to the furthest sequence number."""
        return self._highest - self._first + 1

    @property
    def packets_lost(self) -> int:
        """Expected minus received; negative when duplicates came."""
        return self.packets_expected - self.packets_received

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter (§6.4.1) in milliseconds."""
        return self._jitter * 1000 / self._clock_rate_hz

    @property
    def clock_drift_ppm(self) -> float | None:
        """Millionths by which the source's clock is faster than ours; None until five seconds were heard."""
        return self._drift.ppm

    def report(self, *, last_sender_report: int, delay_since_last: int) -> ReportBlock:
        """The report block since the last one (§A.3)."""
        expected = self.packets_expected
        expected_interval = expected - self._expected_before
        lost_interval = expected_interval - (self.packets_received - self._received_before)
        self._expected_before, self._received_before = expected, self.packets_received
        is_lossy = expected_interval > 0 and lost_interval > 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, lost_interval * 256 // expected_interval) if is_lossy else 0,
            packets_lost=self.packets_lost,
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=int(self._jitter),
            last_sender_report=last_sender_report,
            delay_since_last=delay_since_last,
        )
