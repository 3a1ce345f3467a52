"""The cost rule and the signs of ledger entries."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.billing import ledger
from ringdown.billing.ledger import EntryKind
from ringdown.config import Settings


@dataclass(frozen=True)
class Tariff:
    credit_increment_seconds: int = 6
    credits_per_increment: int = 1
    credits_minimum: int = 0
    credits_hold_seconds: int = 60


@pytest.mark.parametrize(
    ("seconds", "tariff", "credits_"),
    [
        (142, Tariff(), 24),
        (0, Tariff(), 0),
        (1, Tariff(), 1),
        (6, Tariff(), 1),
        (7, Tariff(), 2),
        (60, Tariff(credit_increment_seconds=60, credits_per_increment=5), 5),
        (61, Tariff(credit_increment_seconds=60, credits_per_increment=5), 10),
        (1, Tariff(credits_minimum=10), 10),
        (0, Tariff(credits_minimum=10), 0),
        (100, Tariff(credits_per_increment=0), 0),
    ],
)
def test_every_started_increment_costs(seconds: int, tariff: Tariff, credits_: int) -> None:
    assert ledger.compute_cost(seconds, tariff) == credits_


def test_the_settings_are_a_tariff(settings: Settings) -> None:
    assert ledger.compute_cost(142, settings) == 24
    assert ledger.compute_hold(settings) == 10


def test_a_negative_duration_is_a_bug() -> None:
    with pytest.raises(ValueError, match="-1"):
        ledger.compute_cost(-1, Tariff())


@given(st.integers(0, 10**6), st.integers(1, 600), st.integers(0, 100))
def test_cost_never_falls_with_duration_and_covers_it(seconds: int, increment: int, price: int) -> None:
    tariff = Tariff(credit_increment_seconds=increment, credits_per_increment=price)
    cost = ledger.compute_cost(seconds, tariff)
    assert cost <= ledger.compute_cost(seconds + 1, tariff)
    assert cost * increment >= seconds * price


@pytest.mark.parametrize(
    ("kind", "amount"), [("grant", 5), ("release", 5), ("refund", 5), ("hold", -5), ("charge", -5)]
)
def test_the_kind_gives_the_sign(kind: EntryKind, amount: int) -> None:
    assert ledger.sign(kind, 5) == amount
    with pytest.raises(ValueError, match="at least 0"):
        ledger.sign(kind, -5)
