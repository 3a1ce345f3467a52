"""What a call costs, how an entry is signed, and what entries come to: pure arithmetic on credits, no I/O."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, get_args
from zoneinfo import ZoneInfo

#: grant and refund add credits; hold and charge take them; release gives a hold back.
EntryKind = Literal["grant", "hold", "release", "charge", "refund"]
KINDS: tuple[EntryKind, ...] = get_args(EntryKind)

ADDS: frozenset[EntryKind] = frozenset(("grant", "release", "refund"))


class Tariff(Protocol):
    """The part of the settings that prices a call."""

    @property
    def credits_enforced(self) -> bool:
        """Whether calls need credits."""

    @property
    def credit_increment_seconds(self) -> int:
        """Seconds of talk per billing increment."""

    @property
    def credits_per_increment(self) -> int:
        """Credits per started increment."""

    @property
    def credits_minimum(self) -> int:
        """Least credits for a call that connected."""

    @property
    def credits_hold_seconds(self) -> int:
        """Seconds of talk that are held before dialling."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One signed amount of credits.

    `part` tells entries of one kind and call apart; `day` is the one that a call's spending counts on, `reference`
    what makes a grant or refund happen once.
    """

    id: str
    organization_id: str
    kind: EntryKind
    amount: int
    created_at: int
    call_id: str | None = None
    batch_call_id: str | None = None
    part: int = 0
    day: str | None = None
    note: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """What entries of one organization come to; `spent_by_batch` and `spent_by_day` have no entries of 0."""

    balance: int
    held: int
    counts: Counter[EntryKind]
    spent_by_batch: Counter[str]
    spent_by_day: Counter[str]

    @property
    def is_spending(self) -> bool:
        """Whether more than holds has changed."""
        return self.balance + self.held != 0


def compute_cost(duration_seconds: int, tariff: Tariff) -> int:
    """Credits for `duration_seconds` of talk: started increments times price; 0 for a call that never connected.

    With the default tariff 142 seconds cost 24 credits. Raises `ValueError` for a negative duration.
    """
    if duration_seconds < 0:
        raise ValueError(f"a call cannot last {duration_seconds} seconds")
    if duration_seconds == 0:
        return 0
    increments = -(-duration_seconds // tariff.credit_increment_seconds)
    return max(increments * tariff.credits_per_increment, tariff.credits_minimum)


def compute_hold(tariff: Tariff) -> int:
    """Credits to hold before dialling; where calls need credits at least those of one second."""
    return compute_cost(tariff.credits_hold_seconds or int(tariff.credits_enforced), tariff)


def compute_covered_seconds(credits_: int, tariff: Tariff) -> int | None:
    """The longest talk that costs no more than `credits_`; None when any length does."""
    if credits_ < tariff.credits_minimum:
        return 0
    if tariff.credits_per_increment == 0:
        return None
    return credits_ // tariff.credits_per_increment * tariff.credit_increment_seconds


def compute_extension(seconds: int, *, held: int, available: int, tariff: Tariff) -> int:
    """Credits to hold besides `held` for `seconds` of talk in all; no more than `available`, in whole increments."""
    missing = max(0, compute_cost(seconds, tariff) - held)
    if missing <= available or tariff.credits_per_increment == 0:
        return missing if missing <= available else 0
    affordable = max(0, available) // tariff.credits_per_increment * tariff.credits_per_increment
    return affordable if held + affordable >= tariff.credits_minimum else 0


def find_day(now_ms: int, timezone: str | None) -> str:
    """The day, as `2026-11-22`, on the clock of a time zone; None is UTC."""
    zone = UTC if timezone is None else ZoneInfo(timezone)
    return datetime.fromtimestamp(now_ms / 1000, zone).strftime("%Y-%m-%d")


def sign(kind: EntryKind, credits_: int) -> int:
    """The amount a ledger entry of `credits_` (>= 0) has: positive when it adds. Raises `ValueError`."""
    if credits_ < 0:
        raise ValueError("an entry is made of at least 0 credits; its kind gives the sign")
    return credits_ if kind in ADDS else -credits_


def sum_up(entries: Iterable[LedgerEntry]) -> Sums:
    """What these entries of one organization change of everything that is kept."""
    balance = held = 0
    counts: Counter[EntryKind] = Counter()
    by_batch: Counter[str] = Counter()
    by_day: Counter[str] = Counter()
    for entry in entries:
        balance += entry.amount
        counts[entry.kind] += 1
        if entry.kind in ("hold", "release"):
            held -= entry.amount
        if entry.batch_call_id is not None:
            by_batch[entry.batch_call_id] -= entry.amount
        if entry.day is not None:
            by_day[entry.day] -= entry.amount
    for spent in (by_batch, by_day):
        for key in [key for key, credits_ in spent.items() if credits_ == 0]:
            del spent[key]
    return Sums(balance, held, counts, by_batch, by_day)
