"""What a call needs a place on: its trunk, its batch call; their calls at a time and a second; pure rules.

The calls at a time are counted by whoever has the line's row locked. A line that takes so many calls a second is kept
by one process at a time, which alone knows when its INVITEs really leave (`calls.pacing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: A line is kept for so long after its last claim. Nothing is dialled on it later.
KEEP_MS = 3000


class LineFull(Exception):
    """The trunk carries as many calls as it may."""


@dataclass(slots=True)
class Line:
    """One of them: what it may carry, what it carries, and who dials its calls until when (ms UTC)."""

    id: str = ""
    max_calls: int | None = None
    per_second: float | None = None
    live: int = 0
    keeper: str = ""
    kept_until: int = 0
    not_before: int = 0
    """It rests until then."""
    may_wait: int = 0
    """How many calls a second may wait for their turn, at this gateway, besides those that do."""
    is_full: bool = False
    """It has turned a call away."""
    is_used: bool = False
    """It has taken a call, or is kept for longer."""
    left_at: int | None = None
    """Until when another process may have dialled on it, which has kept it before."""

    def may_keep(self, process: str, now_ms: int) -> bool:
        """Whether a process of a gateway keeps the line, or may do so now; a gateway has one process at a time."""
        return _find_gateway(self.keeper) == _find_gateway(process) or self.kept_until < now_ms

    def keep(self, process: str, now_ms: int) -> None:
        """Have the process dial the line's calls from now on."""
        if self.keeper != process:
            self.left_at = min(self.kept_until, now_ms)
        self.keeper, self.kept_until, self.is_used = process, now_ms + KEEP_MS, True

    def has_place(self, process: str, now_ms: int) -> bool:
        """Whether it takes one more call of this process."""
        if (self.max_calls is not None and self.live >= self.max_calls) or self.not_before > now_ms:
            return False
        return self.per_second is None or (self.may_wait > 0 and self.may_keep(process, now_ms))


def has_place(lines: Sequence[Line], *, process: str, now_ms: int) -> bool:
    """Whether a call that needs all these lines may be taken by this process; one that has no place is full then."""
    full = [line for line in lines if not line.has_place(process, now_ms)]
    for line in full:
        line.is_full = True
    return not full


def take(lines: Sequence[Line], *, process: str, now_ms: int) -> None:
    """Count a call on all its lines."""
    for line in lines:
        line.live += 1
        line.may_wait -= 1
        line.keep(process, now_ms)


def _find_gateway(process: str) -> str:
    return process.rpartition("#")[0]
