"""Puts received audio back in order, one 20 ms frame at a time; knows timestamps, not codecs, clocks or sockets."""

from dataclasses import dataclass

from ringdown.media import rtp

PREFILL_TICKS = 2
HOLD_TICKS = 3  # 60 ms: longer silence is a pause, not jitter
MAX_FRAMES = 60
JUMP_FRAMES = 100  # 2 s: nothing the network does to a packet, so the sender changed its clock
LATE_RUN = 5
WINDOW_TICKS = 25
EXCESS_FRAMES = 2


@dataclass(slots=True)
class _Partial:
    """A frame of which only some samples have come, as packets of 10 or 30 ms leave them."""

    samples: bytearray
    offsets: set[int]
    filled: int = 0


@dataclass(slots=True)
class JitterStatistics:
    """Packets that came twice or too late, frames missing at their turn, frames thrown away, streams begun anew."""

    duplicates: int = 0
    late: int = 0
    missing: int = 0
    dropped: int = 0
    resets: int = 0


class JitterBuffer:
    """Orders payloads of one byte per timestamp unit (G.711, G.722) into frames of `frame_size` bytes.

    `pop` is called once per tick. Playing starts at the second tick after the first packet (prefill of two frames).
    A frame missing while later ones wait is lost; when nothing waits, up to three ticks are held (that inserts a
    frame, which is how a slower far clock is followed), then the next packet starts anew with its prefill. A faster
    far clock shows as a smallest depth that stays too high: `excess` asks the caller to pop one frame more, best where
    it is silent. Not more than `MAX_FRAMES` are ever kept.
    """

    def __init__(self, *, frame_size: int, silence: bytes) -> None:
        self.statistics = JitterStatistics()
        self._frame_size = frame_size
        self._silence_frame = silence * frame_size
        self._frames: dict[int, bytes] = {}
        self._partial: dict[int, _Partial] = {}
        self._base = 0  # timestamp of frame 0, unwrapped around `_anchor`
        self._anchor = 0
        self._next = 0  # frame to play next
        self._following, self._following_timestamp = -1, -1  # frame and timestamp after the last packet
        self._waited = -1  # ticks since the first packet; -1 before it
        self._held = 0
        self._late_run = 0
        self._smallest = MAX_FRAMES
        self._window = WINDOW_TICKS
        self.excess = 0

    def __len__(self) -> int:
        return len(self._frames) + len(self._partial)

    def reset(self) -> None:
        """Forgets everything waiting; the next packet starts anew with its own timestamp."""
        self._frames.clear()
        self._partial.clear()
        self._waited = -1
        self._held = self._late_run = self.excess = 0
        self._smallest, self._window = MAX_FRAMES, WINDOW_TICKS

    def push(self, timestamp: int, payload: bytes) -> None:
        """Takes the audio that starts at the 32-bit `timestamp`."""
        index, size = self._following, self._frame_size
        if (
            timestamp == self._following_timestamp
            and index >= self._next
            and index not in self._frames
            and len(payload) == size
            and self._waited >= 0
            and not self._partial
        ):
            # The packet after the last one, as nearly all are; `_push_any` would do the same, only slower.
            self._frames[index] = payload
            self._late_run = 0
            self._anchor += size
        else:
            index = self._push_any(timestamp, payload)
        self._following, self._following_timestamp = index + 1, (timestamp + size) & 0xFFFFFFFF
        if len(self._frames) > MAX_FRAMES:
            self._drop_oldest()

    def _push_any(self, timestamp: int, payload: bytes) -> int:
        """As `push`, for a packet of any length at any place; gives the frame that it begins, or -2 for none."""
        size = self._frame_size
        if self._waited < 0:
            self._start(timestamp)
        index, offset = divmod(self._anchor + rtp.timestamp_distance(timestamp, self._anchor) - self._base, size)
        if self._next - PREFILL_TICKS <= index < self._next and self._waited < PREFILL_TICKS:
            # Nothing has been played yet, so what overtook this packet can wait for it.
            self._next = index
        if not self._next <= index < self._next + JUMP_FRAMES:
            if self._is_late(index):
                return -2
            self._start(timestamp)
            index = offset = 0
        elif offset and not self._frames and not self._partial:
            # The sender's frames have moved against ours in a pause: follow, or every packet would be cut in two.
            self._base += offset
            offset = 0
        self._late_run = 0
        self._anchor = self._base + index * size + offset
        if offset or len(payload) != size or index in self._partial:
            self._push_pieces(index, offset, payload)
            return -2
        if index in self._frames:
            self.statistics.duplicates += 1
        else:
            self._frames[index] = payload
        return index

    def pop(self, *, is_overdue: bool = False) -> bytes | None:
        """The next frame, or None when it has to be concealed (see `is_idle`).

        `is_overdue` says that the tick makes up for a stall of our own: the depth is then no measure of the far clock.
        """
        if self._waited < PREFILL_TICKS:
            if self._waited < 0:
                return None
            self._waited += 1
            if self._waited < PREFILL_TICKS:
                return None
        frame = self._frames.pop(self._next, None)
        if frame is None:
            frame = self._pop_partial()
            if frame is None:
                self._miss()
                return None
        self._next += 1
        self._held = 0
        if not is_overdue:
            depth = len(self._frames)
            if depth < self._smallest:
                self._smallest = depth
            self._window -= 1
            if not self._window:
                self._judge_depth()
        return frame

    @property
    def is_idle(self) -> bool:
        """Whether nothing is playing: before the first packet, and in a pause of the sender."""
        return self._waited < PREFILL_TICKS

    def _start(self, timestamp: int) -> None:
        self.statistics.resets += 1
        self.reset()
        self._base = self._anchor = timestamp
        self._next = self._waited = 0

    def _is_late(self, index: int) -> bool:
        """Counts a packet whose turn is over; a run of them means that the sender has set its clock back."""
        if index >= self._next or index < self._next - JUMP_FRAMES:
            return False
        self._late_run += 1
        if self._late_run >= LATE_RUN:
            return False
        self.statistics.late += 1
        return True

    def _push_pieces(self, index: int, offset: int, payload: bytes) -> None:
        start = 0
        while start < len(payload):
            piece = payload[start : start + self._frame_size - offset]
            self._push_piece(index, offset, piece)
            start, index, offset = start + len(piece), index + 1, 0

    def _push_piece(self, index: int, offset: int, piece: bytes) -> None:
        if index in self._frames:
            self.statistics.duplicates += 1
        elif len(piece) == self._frame_size:
            self._partial.pop(index, None)
            self._frames[index] = piece
        else:
            partial = self._partial.get(index)
            if partial is None:
                partial = self._partial[index] = _Partial(bytearray(self._silence_frame), set())
            if offset in partial.offsets:
                self.statistics.duplicates += 1
                return
            partial.offsets.add(offset)
            partial.samples[offset : offset + len(piece)] = piece
            partial.filled += len(piece)
            if partial.filled >= self._frame_size:
                self._frames[index] = bytes(self._partial.pop(index).samples)

    def _pop_partial(self) -> bytes | None:
        """The next frame with silence where samples are lost, if later audio shows that they will not come."""
        partial = self._partial.get(self._next)
        if partial is None or (not self._frames and self._held < HOLD_TICKS and len(self._partial) == 1):
            return None
        del self._partial[self._next]
        return bytes(partial.samples)

    def _miss(self) -> None:
        if self._frames or self._partial.keys() - {self._next}:
            self.statistics.missing += 1
            self._next += 1
            self._held = 0
        elif self._held < HOLD_TICKS:
            self._held += 1
        else:
            self.reset()

    def _judge_depth(self) -> None:
        self.excess = self._smallest if self._smallest >= EXCESS_FRAMES else 0
        self._smallest, self._window = MAX_FRAMES, WINDOW_TICKS

    def take_excess(self) -> bytes | None:
        """Throws one frame away and gives the one after it, after `excess` asked for it; None when that is missing."""
        self.excess -= 1
        if self.excess < EXCESS_FRAMES:
            self.excess = 0
        self.statistics.dropped += 1
        return self.pop(is_overdue=True)

    def _drop_oldest(self) -> None:
        while len(self._frames) > MAX_FRAMES:
            self._partial.pop(self._next, None)
            if self._frames.pop(self._next, None) is not None:
                self.statistics.dropped += 1
            self._next += 1
