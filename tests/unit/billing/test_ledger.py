"""The cost rule and the signs of ledger entries."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.billing import ledger
from ringdown.billing.ledger import EntryKind, LedgerEntry
from ringdown.config import Settings


@dataclass(frozen=True)
class Tariff:
    credits_enforced: bool = False
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


@pytest.mark.parametrize(
    ("tariff", "hold"),
    [
        (Tariff(), 10),
        (Tariff(credits_hold_seconds=0), 0),
        (Tariff(credits_hold_seconds=0, credits_enforced=True), 1),
        (Tariff(credits_minimum=30), 30),
        (Tariff(credits_per_increment=0, credits_enforced=True), 0),
    ],
)
def test_what_is_held_before_dialling(tariff: Tariff, hold: int) -> None:
    assert ledger.compute_hold(tariff) == hold


@pytest.mark.parametrize(
    ("credits_", "tariff", "seconds"),
    [
        (10, Tariff(), 60),
        (0, Tariff(), 0),
        (9, Tariff(credits_per_increment=5), 6),
        (9, Tariff(credits_minimum=10), 0),
        (10, Tariff(credits_minimum=10), 60),
        (0, Tariff(credits_per_increment=0), None),
        (0, Tariff(credits_per_increment=0, credits_minimum=1), 0),
    ],
)
def test_how_long_credits_last(credits_: int, tariff: Tariff, seconds: int | None) -> None:
    assert ledger.compute_covered_seconds(credits_, tariff) == seconds


TARIFFS = st.builds(
    Tariff,
    credit_increment_seconds=st.integers(1, 60),
    credits_per_increment=st.integers(0, 9),
    credits_minimum=st.integers(0, 40),
)


@given(st.integers(0, 1000), TARIFFS)
def test_the_talk_that_credits_cover_costs_no_more_and_the_next_second_does(credits_: int, tariff: Tariff) -> None:
    seconds = ledger.compute_covered_seconds(credits_, tariff)
    if seconds is None:
        assert ledger.compute_cost(10**6, tariff) <= credits_
    else:
        assert ledger.compute_cost(seconds, tariff) <= credits_
        assert ledger.compute_cost(seconds + 1, tariff) > credits_


@given(st.integers(0, 3600), st.integers(0, 100), st.integers(-50, 200), TARIFFS)
def test_a_longer_hold_takes_no_more_than_there_is_and_no_more_than_is_needed(
    seconds: int, held: int, available: int, tariff: Tariff
) -> None:
    more = ledger.compute_extension(seconds, held=held, available=available, tariff=tariff)
    assert 0 <= more <= max(0, available)
    needed = ledger.compute_cost(seconds, tariff)
    if more:
        assert held + more <= needed
        covered = ledger.compute_covered_seconds(held + more, tariff)
        assert covered is None or covered > 0
    if held < needed <= held + available:
        assert held + more == needed


@pytest.mark.parametrize(
    ("timezone", "day"), [(None, "2026-11-21"), ("Pacific/Auckland", "2026-11-21"), ("Europe/Berlin", "2026-11-21")]
)
def test_a_day_is_that_of_the_time_zone(timezone: str | None, day: str) -> None:
    before_midnight_in_auckland = 1_795_258_740_000
    assert ledger.find_day(before_midnight_in_auckland, timezone) == day
    after = ledger.find_day(before_midnight_in_auckland + 120_000, timezone)
    assert (after != day) == (timezone == "Pacific/Auckland")


ENTRIES = st.builds(
    LedgerEntry,
    id=st.just("led_1"),
    organization_id=st.just("org_1"),
    kind=st.sampled_from(ledger.KINDS),
    amount=st.integers(-100, 100),
    created_at=st.just(1),
    batch_call_id=st.sampled_from([None, "batch_1", "batch_2"]),
    day=st.sampled_from([None, "2026-11-21", "2026-11-22"]),
)


@given(st.lists(ENTRIES))
def test_entries_come_to_their_sums(entries: list[LedgerEntry]) -> None:
    sums = ledger.sum_up(entries)
    assert sums.balance == sum(entry.amount for entry in entries)
    assert sums.held == -sum(entry.amount for entry in entries if entry.kind in ("hold", "release"))
    assert sums.counts.total() == len(entries)
    for batch in ("batch_1", "batch_2"):
        assert sums.spent_by_batch[batch] == -sum(entry.amount for entry in entries if entry.batch_call_id == batch)
    for day in ("2026-11-21", "2026-11-22"):
        assert sums.spent_by_day[day] == -sum(entry.amount for entry in entries if entry.day == day)
    assert sums.is_spending == (sums.balance + sums.held != 0)
