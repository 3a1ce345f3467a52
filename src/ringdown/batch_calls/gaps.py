"""That nobody is dialled by one batch call just after, or while, another dials them; pure rules.

How soon a batch call may dial somebody again itself is said by its retries.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Gaps:
    """The dials that are known of, and how long the time between those of two batch calls must be; 0: any."""

    gap_ms: int
    now_ms: int
    _dials: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    @property
    def since(self) -> int:
        """Dials before this instant matter no more, unless they go on."""
        return self.now_ms - self.gap_ms

    def learn(self, organization_id: str, dials: Iterable[tuple[str, str, int, bool]]) -> None:
        """Add dials: number, batch call, time (ms UTC), whether the call goes on."""
        for number, batch_call_id, dialled_at, goes_on in dials:
            self._add(organization_id, number, batch_call_id, self.now_ms if goes_on else dialled_at)

    def note_dial(self, organization_id: str, number: str, batch_call_id: str) -> None:
        """Add a dial that is made now."""
        self._add(organization_id, number, batch_call_id, self.now_ms)

    def find_end(self, organization_id: str, number: str, batch_call_id: str) -> int | None:
        """When this batch call may dial the number, if it may not now."""
        others = (
            dialled_at
            for dialled_by, dialled_at in self._dials.get((organization_id, number), {}).items()
            if dialled_by != batch_call_id
        )
        end = max(others, default=self.since) + self.gap_ms
        return end if end > self.now_ms else None

    def _add(self, organization_id: str, number: str, batch_call_id: str, dialled_at: int) -> None:
        known = self._dials.setdefault((organization_id, number), {})
        known[batch_call_id] = max(known.get(batch_call_id, 0), dialled_at)
