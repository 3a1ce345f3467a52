"""What one source's packets tell: loss, gaps, jitter, and how fast its clock runs."""

import random

import pytest

from ringdown.media.reception import Reception


def receive(
    *, seconds: float, ppm: float = 0, jitter_ms: float = 0, clock_rate_hz: int = 8000, timestamp: int = 2**32 - 9000
) -> Reception:
    """A source whose clock is off by so many millionths, over a network that delays by up to `jitter_ms`."""
    spread = random.Random(3)
    reception = Reception(ssrc=1, sequence_number=65_500, clock_rate_hz=clock_rate_hz)
    units = clock_rate_hz // 50
    for index in range(int(50 * seconds)):
        at_s = 1e6 + index * 0.02 / (1 + ppm / 1e6) + spread.uniform(0, jitter_ms) / 1000
        reception.receive((65_500 + index) & 0xFFFF, (timestamp + index * units) & 0xFFFFFFFF, at_s)
    return reception


@pytest.mark.parametrize("ppm", [-5000, -300, -100, 0, 100, 300, 5000])
@pytest.mark.parametrize("clock_rate_hz", [8000, 48_000])
def test_a_clock_that_is_off_is_found_out_within_ten_seconds(ppm: float, clock_rate_hz: int) -> None:
    reception = receive(seconds=10, ppm=ppm, clock_rate_hz=clock_rate_hz, timestamp=5)
    assert reception.clock_drift_ppm == pytest.approx(ppm, abs=2)


@pytest.mark.parametrize(("seconds", "tolerance_ppm"), [(15, 100), (60, 15), (3600, 2)])
def test_jitter_blurs_the_drift_less_the_longer_the_call_lasts(seconds: float, tolerance_ppm: float) -> None:
    reception = receive(seconds=seconds, ppm=200, jitter_ms=20)
    assert reception.clock_drift_ppm == pytest.approx(200, abs=tolerance_ppm)


def test_the_drift_is_not_known_in_the_first_seconds() -> None:
    assert receive(seconds=4, ppm=300).clock_drift_ppm is None


def test_timestamps_that_wrap_or_jump_begin_the_estimate_anew_and_are_no_jitter() -> None:
    reception = receive(seconds=10, ppm=100, timestamp=2**32 - 160 * 100)
    assert reception.clock_drift_ppm == pytest.approx(100, abs=3)
    assert reception.jitter_ms < 0.1


def test_losses_in_a_row_are_one_gap() -> None:
    reception = Reception(ssrc=1, sequence_number=10, clock_rate_hz=8000)
    for number in (10, 11, 15, 16, 18, 17, 20):
        reception.count(number)
    assert reception.packets_expected == 11
    assert reception.packets_lost == 4
    assert reception.gaps == 3
