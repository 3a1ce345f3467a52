"""Which deliveries may be sent now, so that the events of one subject arrive in order: pure.

A delivery waits while an earlier one of the same subject to the same endpoint is pending, whoever sends that one.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

#: Deliveries behind one that is being sent look again after this time.
BEHIND_SENDING_MS = 1_000
#: No more of one subject are taken at once than can be sent within a lease.
MAX_CHAIN = 20


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery as far as its order counts; `is_leased` while it is being sent."""

    id: str
    subject_id: str
    due_at: int
    is_leased: bool
    failing_since: int | None


@dataclass(frozen=True, slots=True)
class Deferral:
    """A delivery that is due but stands behind another one: when it looks again, and since when it fails with it."""

    id: str
    due_at: int
    failing_since: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """`chains` of delivery ids, each to be sent one after the other, and the due ones that have to wait."""

    chains: Sequence[Sequence[str]]
    deferrals: Sequence[Deferral]


def choose(pending: Sequence[Pending], *, now_ms: int) -> Choice:
    """Choose from pending deliveries to one endpoint, sorted by subject and then by the time of the event."""
    chains: list[list[str]] = []
    deferrals: list[Deferral] = []
    for _, group in itertools.groupby(pending, key=lambda one: one.subject_id):
        row = list(group)
        free = list(itertools.takewhile(lambda one: one.due_at <= now_ms, row))
        if free:
            chains.append([one.id for one in free[:MAX_CHAIN]])
            continue
        first = row[0]
        waits_until = now_ms + BEHIND_SENDING_MS if first.is_leased else first.due_at
        deferrals += [
            Deferral(one.id, waits_until, one.failing_since if first.is_leased else _share(one, first, now_ms))
            for one in row[1:]
            if one.due_at <= now_ms
        ]
    return Choice(chains, deferrals)


def _share(one: Pending, first: Pending, now_ms: int) -> int | None:
    """Since when `one` fails: from the moment on that it waits for a `first` that fails."""
    if one.failing_since is not None or first.failing_since is None:
        return one.failing_since
    return now_ms
