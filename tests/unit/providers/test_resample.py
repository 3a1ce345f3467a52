"""The streaming resampler: no clicks, no aliases, no delay."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.providers.resample import Resampler, resample

RATES = [(22_050, 8_000), (24_000, 8_000), (22_050, 16_000), (8_000, 16_000), (24_000, 16_000), (16_000, 8_000)]


def tone(hertz: float, rate: int, *, seconds: float = 1.0) -> bytes:
    count = int(rate * seconds)
    return (10_000 * numpy.sin(2 * numpy.pi * hertz * numpy.arange(count) / rate)).astype("<i2").tobytes()


def level_db(pcm: bytes) -> float:
    samples = numpy.frombuffer(pcm, "<i2").astype(float)
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return float(20 * numpy.log10(numpy.sqrt((middle**2).mean()) / (10_000 / numpy.sqrt(2)) + 1e-9))


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_second_stays_a_second(from_hz: int, to_hz: int) -> None:
    assert len(resample(bytes(2 * from_hz), from_hz=from_hz, to_hz=to_hz)) == 2 * to_hz


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_telephone_tones_keep_their_level_and_place(from_hz: int, to_hz: int) -> None:
    for hertz in (300, 1_000, 3_300):
        got = numpy.frombuffer(resample(tone(hertz, from_hz), from_hz=from_hz, to_hz=to_hz), "<i2").astype(float)
        expected = 10_000 * numpy.sin(2 * numpy.pi * hertz * numpy.arange(to_hz) / to_hz)
        error = (got - expected)[to_hz // 10 : -to_hz // 10]
        assert numpy.abs(error).max() < 250, "a delay of one sample at 3.3 kHz would be an error of thousands"


@pytest.mark.parametrize("from_hz", [16_000, 22_050, 24_000])
def test_what_a_telephone_cannot_carry_does_not_fold_back(from_hz: int) -> None:
    for hertz in (4_400, 5_500, 7_000):
        assert level_db(resample(tone(hertz, from_hz), from_hz=from_hz, to_hz=8_000)) < -55


def test_upsampling_leaves_no_image() -> None:
    spectrum = numpy.abs(
        numpy.fft.rfft(numpy.frombuffer(resample(tone(1_000, 8_000), from_hz=8_000, to_hz=16_000), "<i2"))
    )
    assert spectrum[6_900:7_100].max() < spectrum[1_000] / 500


@settings(max_examples=60, deadline=None)
@given(
    rates=st.sampled_from(RATES),
    cuts=st.lists(st.integers(1, 3_000), min_size=1, max_size=12),
    seed=st.integers(0, 1_000),
)
def test_pieces_of_any_length_give_the_same_audio(rates: tuple[int, int], cuts: list[int], seed: int) -> None:
    pcm = numpy.random.default_rng(seed).integers(-9_000, 9_000, 4_000, dtype=numpy.int16).tobytes()
    whole = resample(pcm, from_hz=rates[0], to_hz=rates[1])
    resampler = Resampler(from_hz=rates[0], to_hz=rates[1])
    streamed, at = b"", 0
    for cut in cuts:
        streamed += resampler.push(pcm[at : at + cut])  # odd cuts tear samples
        at += cut
    streamed += resampler.push(pcm[at:]) + resampler.flush()
    difference = numpy.frombuffer(whole, "<i2").astype(int) - numpy.frombuffer(streamed, "<i2").astype(int)
    assert numpy.abs(difference).max() <= 1  # one step of rounding


def test_only_three_milliseconds_are_held_back() -> None:
    resampler = Resampler(from_hz=24_000, to_hz=8_000)
    assert len(resampler.push(tone(500, 24_000, seconds=0.02))) >= 2 * 8 * 16


def test_the_same_rate_passes_through() -> None:
    assert resample(b"\x01\x02\x03\x04", from_hz=8_000, to_hz=8_000) == b"\x01\x02\x03\x04"
    with pytest.raises(ValueError, match="positive"):
        Resampler(from_hz=0, to_hz=8_000)
