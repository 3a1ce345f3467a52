"""Where the media clocks of a gateway's calls stand, on its machine's disk: what a crash leaves for the bill.

The database is told, too, but waits its turn for that and may be away; a file outlives the process that wrote it. What
it says counts only when it is further than the database.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from ringdown.calls.models import UnfinishedCall

log = structlog.get_logger(__name__)

_FOLDER = "clocks"


@dataclass(frozen=True, slots=True)
class MediaClock:
    """One answered call: when it was answered (ms UTC), and how long the far party has been on the line."""

    started_at: int
    media_ms: int


class ClockFile:
    """The file of one gateway; the last state that was written whole is what is read.

    The calls that the gateway's predecessor `left`, as `advance` gave them, stay in it: this one, too, may be killed
    before it has ended them.
    """

    def __init__(self, data_dir: Path, gateway_id: str, *, left: Sequence[UnfinishedCall] = ()) -> None:
        folder = data_dir / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{hashlib.sha256(gateway_id.encode()).hexdigest()[:16]}.json"
        self._left = {
            each.call.id: MediaClock(each.started_at, each.media_ms) for each in left if each.started_at is not None
        }
        self._written: dict[str, MediaClock] = {}

    def write(self, clocks: Mapping[str, MediaClock]) -> None:
        """Replace what it says by these clocks, by call id. Blocks; a disk that refuses is logged."""
        if clocks == self._written:
            return
        self._written = dict(clocks)
        state = {call_id: [clock.started_at, clock.media_ms] for call_id, clock in {**self._left, **clocks}.items()}
        growing = self._path.with_suffix(".new")
        try:
            growing.write_text(json.dumps(state))
            growing.replace(self._path)
        except OSError as error:
            log.error("media clocks not kept", path=str(self._path), error=str(error))


def advance(data_dir: Path, unfinished: Sequence[UnfinishedCall]) -> list[UnfinishedCall]:
    """What dead gateways left, each call as far as the files of this machine know."""
    clocks = _read_all(data_dir / _FOLDER)
    return [_advance(each, clocks.get(each.call.id)) for each in unfinished]


def _advance(unfinished: UnfinishedCall, clock: MediaClock | None) -> UnfinishedCall:
    if clock is None:
        return unfinished
    return replace(unfinished, started_at=clock.started_at, media_ms=max(unfinished.media_ms, clock.media_ms))


def _read_all(folder: Path) -> dict[str, MediaClock]:
    clocks: dict[str, MediaClock] = {}
    for path in folder.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            state = json.loads(path.read_text())
            clocks |= {call_id: MediaClock(*numbers) for call_id, numbers in state.items()}
    return clocks
