"""What is asked of the list of calls: filters with their values, and pages; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal
from urllib.parse import urlencode

from benchmarks import list_calls_texts as texts
from benchmarks.list_calls_rows import FIRST_AT, SPAN_MS, Organization
from ringdown import values

PATH = "/api/public/v1/calls"
LIMIT = 50

Page = Literal["first", "middle", "last", "cursor"]
PAGES: tuple[Page, ...] = ("first", "middle", "last", "cursor")

#: Filters by their names in the API.
Filters = Mapping[str, str]

_SEED = ("agent_id", "status", "direction")
# Each with the number of an agent by how busy it is: frequent calls, rarer ones, hardly any, and those of the newest
# calls alone.
_VALUES: tuple[tuple[int, str, str], ...] = (
    (0, "completed", "outbound"),
    (2, "cancelled", "outbound"),
    (9, "failed", "inbound"),
    (49, "completed", "webrtc"),
    (0, "in_progress", "outbound"),
)
# Of the whole time, in which calls are made evenly.
_RANGES = ((0.25, 0.75), (0.1, 0.9), (0.5, 0.503))


@dataclass(frozen=True, slots=True)
class Case:
    """Filters of one kind, with several values, and the pages that are asked for; `kind` groups the targets."""

    name: str
    kind: Literal["counted", "scanned"]
    variants: Sequence[Filters]
    pages: Sequence[Page]


def list_cases(owner: Organization, batch_ids: Sequence[str]) -> list[Case]:
    """All cases of one database."""
    variants = [_choose(owner, row) for row in _VALUES]
    cases = [Case("no filter", "counted", [{}], PAGES)]
    for size in range(1, len(_SEED) + 1):
        for names in combinations(_SEED, size):
            name = " + ".join(name.removesuffix("_id") for name in names)
            cases.append(Case(name, "counted", _pick(variants, names), PAGES))
    ranges = [_make_range(begin, end) for begin, end in _RANGES]
    ranged = [{**ranges[place % len(ranges)], **one} for place, one in enumerate(variants)]
    batches = [{"batch_call_id": batch_id} for batch_id in batch_ids]
    words = [{"q": word} for word in (texts.RARE, texts.MIDDLING, texts.FREQUENT)]
    searched = [{**one, "status": "completed", "direction": "outbound"} for one in words]
    return [
        *cases,
        Case("time range", "counted", ranges, PAGES),
        Case("all filters: time range + agent + status + direction", "counted", ranged, PAGES),
        Case("batch", "counted", batches, PAGES),
        Case("batch + status", "counted", [{**one, "status": "completed"} for one in batches], PAGES),
        *(Case(f"text search, {kind} word", "scanned", [one], ("first",))
          for kind, one in zip(("rare", "middling", "frequent"), words, strict=True)),
        Case("text search + status + direction", "scanned", searched, ("first",)),
        Case("sort by duration", "scanned", [{"sort": "-duration_seconds"}], ("first",)),
        Case("sort by duration + agent + status + direction", "scanned",
             [{**one, "sort": "-duration_seconds"} for one in variants[:4]], ("first",)),
        Case("sort by cost", "scanned", [{"sort": "-cost_credits"}], ("first",)),
        Case("sort by latency", "scanned", [{"sort": "-latency_p50"}], ("first",)),
    ]  # fmt: skip


def make_path(filters: Filters, **more: object) -> str:
    """The request for a page."""
    query = urlencode({"limit": LIMIT, **filters, **more})
    return f"{PATH}?{query}"


def _choose(owner: Organization, row: tuple[int, str, str]) -> Filters:
    agent, status, direction = row
    return dict(zip(_SEED, (owner.agent_ids[agent], status, direction), strict=True))


def _pick(variants: Sequence[Filters], names: Sequence[str]) -> list[Filters]:
    """The variants with these filters alone, each once."""
    picked = [tuple((name, variant[name]) for name in names) for variant in variants]
    return [dict(pairs) for pairs in dict.fromkeys(picked)]


def _make_range(begin: float, end: float) -> Filters:
    instants = [values.to_wire_time(FIRST_AT + int(SPAN_MS * share)) for share in (begin, end)]
    return {"created_after": str(instants[0]), "created_before": str(instants[1])}
