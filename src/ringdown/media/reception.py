"""Counts what arrives from one source: loss and jitter by RFC 3550 appendix A; time is a parameter."""

from ringdown.media.rtcp import ReportBlock

# RFC 3550 §A.1: further apart than this, two sequence numbers are not of the same count.
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100


class Reception:
    """Statistics of one synchronization source, in the terms of a report block."""

    def __init__(self, *, ssrc: int, sequence_number: int, sample_rate_hz: int) -> None:
        self.ssrc = ssrc
        self.packets_received = 0
        self._sample_rate_hz = sample_rate_hz
        self._first = self._highest = sequence_number  # unwrapped
        self._confirming = -1
        self._transit: float | None = None
        self._jitter = 0.0
        self._expected_before = 0
        self._received_before = 0

    def receive(self, sequence_number: int, timestamp: int, now_s: float) -> None:
        """Counts an audio packet that arrived at `now_s` of a monotonic clock (§A.1, §A.8)."""
        self.count(sequence_number)
        transit = now_s * self._sample_rate_hz - timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            # A timestamp that jumps or wraps says nothing about the network.
            if change < self._sample_rate_hz:
                self._jitter += (change - self._jitter) / 16
        self._transit = transit

    def count(self, sequence_number: int) -> None:
        """Counts a packet whose timestamp tells nothing about jitter, such as a repeated keypad event."""
        self.packets_received += 1
        distance = ((sequence_number - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if 0 < distance < _MAX_DROPOUT:
            self._highest += distance
        elif distance >= _MAX_DROPOUT or distance <= -_MAX_MISORDER:
            self._jump(sequence_number, distance)

    def _jump(self, sequence_number: int, distance: int) -> None:
        """Believes in a sender that began to count anew when a second packet confirms it; that is no loss."""
        if sequence_number == self._confirming:
            self._first += distance - 2
            self._highest += distance
        self._confirming = (sequence_number + 1) & 0xFFFF

    @property
    def packets_lost(self) -> int:
        """Expected minus received; negative when duplicates came."""
        return self._highest - self._first + 1 - self.packets_received

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter (§6.4.1) in milliseconds."""
        return self._jitter * 1000 / self._sample_rate_hz

    def report(self, *, last_sender_report: int, delay_since_last: int) -> ReportBlock:
        """The report block since the last one (§A.3)."""
        expected = self._highest - self._first + 1
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
