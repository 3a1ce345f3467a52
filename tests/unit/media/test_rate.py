"""Frames between 8 and 16 kHz keep their length, their tones and their joins."""

import pytest

from ringdown.media.rate import RateConverter
from tests.unit.media import tones


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 16_000), (16_000, 8000)])
def test_a_tone_stays_what_it_is_and_each_frame_is_whole(from_hz: int, to_hz: int) -> None:
    converter = RateConverter(from_hz=from_hz, to_hz=to_hz)
    pcm = tones.make_tone(1000, 1000, sample_rate_hz=from_hz)
    converted = [converter.convert(frame) for frame in tones.frames(pcm, from_hz // 25)]
    assert {len(frame) for frame in converted} == {to_hz // 25}
    whole = b"".join(converted)
    assert tones.find_tone(whole, sample_rate_hz=to_hz) == pytest.approx(1000, abs=2)
    assert tones.level(whole) == pytest.approx(tones.level(pcm), rel=0.06)


def test_what_eight_kilohertz_cannot_carry_does_not_fold_back() -> None:
    converter = RateConverter(from_hz=16_000, to_hz=8000)
    hiss = tones.make_tone(6000, 500, sample_rate_hz=16_000)
    folded = b"".join(converter.convert(frame) for frame in tones.frames(hiss, 640))
    assert tones.level(folded) < 0.01 * tones.level(hiss)


def test_loud_audio_is_clipped_and_does_not_wrap() -> None:
    converter = RateConverter(from_hz=16_000, to_hz=8000)
    square = (b"\xff\x7f" * 16 + b"\x00\x80" * 16) * 10
    assert tones.level(converter.convert(square)) > 20_000


def test_other_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="48000"):
        RateConverter(from_hz=48_000, to_hz=8000)
