"""The last time that this machine stalled in a call: what came in it came nobody knows when; pure."""

from ringdown.media.wheel import FRAME_MS

#: Ticks that are overdue by as much are of a stall.
STALL_MS = 200
# What ends a call so soon after a stall came in it.
_SOON_MS = 500


class Stall:
    """The last stall of a call, on its media time; ticks that are run after it, one by one, are of the same stall."""

    __slots__ = ("_begin_ms", "_end_ms")

    def __init__(self) -> None:
        self._begin_ms, self._end_ms = 0, -1

    def note(self, at_ms: int, *, missed_ms: int) -> None:
        """From here on so much time had passed when it was noticed."""
        if at_ms > self._end_ms:
            self._begin_ms = at_ms
        self._end_ms = max(self._end_ms, at_ms + missed_ms // FRAME_MS * FRAME_MS)

    def find_begin_ms(self, now_ms: int, *, heard_ms: int) -> int:
        """When the stall began that has just ended, if the far party was not heard since; else now."""
        is_over = self._end_ms < 0 or now_ms - self._end_ms > _SOON_MS or heard_ms > self._begin_ms
        return now_ms if is_over else self._begin_ms
