"""Scores of the E-model against what ITU-T tabulates and what everybody expects."""

import pytest

from ringdown.media import quality
from tests.unit.media import streams, tones


def score(*, lost: int = 0, bursts: int | None = None, delay_ms: float = 50, encoding: str = "PCMU") -> float:
    return quality.estimate_mos(
        encoding=encoding, expected=1000, lost=lost, bursts=lost if bursts is None else bursts, delay_ms=delay_ms
    )


@pytest.mark.parametrize(("rating", "mos"), [(93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_ratings_become_the_scores_of_g107(rating: float, mos: float) -> None:
    assert quality.to_mos(rating) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize("rating", [-5, 0, 3, 100, 120])
def test_scores_stay_between_one_and_four_and_a_half(rating: float) -> None:
    assert 1 <= quality.to_mos(rating) <= 4.5


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "G722", "OPUS", "opus"])
def test_more_loss_and_more_delay_sound_worse(encoding: str) -> None:
    by_loss = [score(lost=lost, encoding=encoding) for lost in (0, 5, 10, 30, 100, 300)]
    by_delay = [score(delay_ms=delay_ms, encoding=encoding) for delay_ms in (0, 100, 200, 400, 800)]
    assert by_loss == sorted(by_loss, reverse=True)
    assert by_delay == sorted(by_delay, reverse=True)
    assert by_loss[0] > 4.3
    assert by_loss[-1] < 2.3


def test_losses_in_bursts_are_worse_than_scattered_ones() -> None:
    assert score(lost=50, bursts=10) < score(lost=50) - 0.05


def test_a_call_is_scored_from_what_was_received() -> None:
    packets = streams.make_packets(tones.make_tone(500, 4000))
    clean, lossy, short = streams.make_receiver(), streams.make_receiver(), streams.make_receiver()
    streams.play(clean, streams.schedule(packets), ticks=195)
    streams.play(lossy, [entry for index, entry in enumerate(streams.schedule(packets)) if index % 10], ticks=195)
    streams.play(short, streams.schedule(packets[:20]), ticks=20)
    best, worse = clean.estimate_mos(round_trip_ms=20), lossy.estimate_mos(round_trip_ms=20)
    assert best is not None
    assert worse is not None
    assert best > 4.3
    assert 2 < worse < best - 0.5
    far_away = clean.estimate_mos(round_trip_ms=800)
    assert far_away is not None
    assert far_away < best - 1
    assert short.estimate_mos(round_trip_ms=20) is None
