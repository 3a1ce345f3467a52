"""What a call costs and how an entry is signed: pure arithmetic on credits, no I/O."""

from typing import Literal, Protocol

#: grant and refund add credits; hold and charge take them; release gives a hold back.
EntryKind = Literal["grant", "hold", "release", "charge", "refund"]

ADDS: frozenset[EntryKind] = frozenset(("grant", "release", "refund"))


class Tariff(Protocol):
    """The part of the settings that prices a call."""

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
    """Credits to hold before dialling."""
    return compute_cost(tariff.credits_hold_seconds, tariff)


def sign(kind: EntryKind, credits_: int) -> int:
    """The amount a ledger entry of `credits_` (>= 0) has: positive when it adds. Raises `ValueError`."""
    if credits_ < 0:
        raise ValueError("an entry is made of at least 0 credits; its kind gives the sign")
    return credits_ if kind in ADDS else -credits_
