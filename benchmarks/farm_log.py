"""What the farm has witnessed: reads its log into one record per line; decides nothing."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.farm_plans import Way


@dataclass(slots=True)
class Dialled:
    """One INVITE and its course; instants in ms UTC by the farm's clock, None when it did not happen."""

    line: int
    number: str
    way: Way
    call_id: str
    cseq: int
    branch: str
    source_port: int
    invited_at: int
    repeated: int = 0
    """Retransmissions of the same INVITE."""
    reinvited: int = 0
    answered_at: int | None = None
    """When the 200 left for the first time."""
    acknowledged_at: int | None = None
    cancelled_at: int | None = None
    ended_at: int | None = None
    how: str | None = None
    """How it ended: bye_received, bye_sent, refused, unacknowledged, forgotten or farm_stopped."""
    status: int | None = None
    """Of the refusal."""
    packets: int = 0
    first_rtp_at: int | None = None
    last_rtp_at: int | None = None

    @property
    def is_hanging(self) -> bool:
        """Whether nobody ever told the phone that it is over."""
        return self.how in (None, "forgotten", "farm_stopped", "unacknowledged")


@dataclass(slots=True)
class Witness:
    """All INVITEs in their order, and how often each kind of event was noted."""

    dialled: list[Dialled] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)

    def by_number(self) -> dict[str, list[Dialled]]:
        """The INVITEs to each number, in order."""
        grouped: dict[str, list[Dialled]] = {}
        for each in self.dialled:
            grouped.setdefault(each.number, []).append(each)
        return grouped


def read_log(path: Path) -> Witness:
    """The records of a log; also of one that is still being written."""
    witness, by_line = Witness(), dict[int, Dialled]()
    for event in _read_events(path):
        kind, line = event["kind"], event["line"]
        witness.events[kind] += 1
        if kind == "invite":
            by_line[line] = _begin(event)
            witness.dialled.append(by_line[line])
        elif (record := by_line.get(line)) is not None:
            _take(record, event)
    return witness


def _read_events(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as log:
        for text in log:
            if text.endswith("\n"):
                yield json.loads(text)


def _begin(event: dict[str, Any]) -> Dialled:
    return Dialled(
        line=event["line"],
        number=event["number"],
        way=event["way"],
        call_id=event["call_id"],
        cseq=event["cseq"],
        branch=event["branch"],
        source_port=event["source"],
        invited_at=event["at"],
    )


def _take(record: Dialled, event: dict[str, Any]) -> None:
    match event["kind"]:
        case "repeated":
            record.repeated += 1
        case "reinvite":
            record.reinvited += 1
        case "answered":
            record.answered_at = event["at"]
        case "acknowledged":
            record.acknowledged_at = event["at"]
        case "cancel":
            record.cancelled_at = event["at"]
        case "ended":
            record.ended_at, record.how, record.status = event["at"], event["how"], event.get("status")
            record.packets = event["packets"]
            record.first_rtp_at, record.last_rtp_at = event["first"] or None, event["last"] or None


def find_most_in_a_second(instants: list[int], *, window_ms: int = 1000) -> int:
    """How many of these instants (ms) lie in the fullest sliding second."""
    most, oldest = 0, 0
    ordered = sorted(instants)
    for index, instant in enumerate(ordered):
        while ordered[oldest] <= instant - window_ms:
            oldest += 1
        most = max(most, index - oldest + 1)
    return most
