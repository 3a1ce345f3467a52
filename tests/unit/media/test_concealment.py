"""Loss is covered with the last pitch period: the tone goes on, fades, and nothing clicks."""

import numpy as np
import pytest

from ringdown.media import concealment
from ringdown.media.concealment import Concealer
from tests.unit.media import tones


@pytest.mark.parametrize("sample_rate_hz", [8000, 16_000])
@pytest.mark.parametrize("frequency_hz", [80, 120, 210, 333, 900])
def test_a_tone_goes_on_without_a_step_and_comes_back_without_one(frequency_hz: int, sample_rate_hz: int) -> None:
    pcm = tones.make_tone(frequency_hz, 100, sample_rate_hz=sample_rate_hz)
    size = sample_rate_hz // 25
    before, after = pcm[: 2 * size], pcm[3 * size :]
    concealer = Concealer(sample_rate_hz)
    concealer.begin(before[-size:])
    heard = before + concealer.next(size)
    heard += concealer.join(after)
    assert len(heard) == len(pcm)
    assert tones.find_tone(heard, sample_rate_hz=sample_rate_hz) == pytest.approx(frequency_hz, abs=11)
    steps = np.abs(np.diff(np.frombuffer(heard, "<i2").astype(int)))
    natural = np.abs(np.diff(np.frombuffer(pcm, "<i2").astype(int)))
    assert steps.max() < 2.2 * natural.max() + 200


def test_it_fades_to_silence_within_sixty_milliseconds() -> None:
    concealer = Concealer(8000)
    concealer.begin(tones.make_tone(210, 20))
    levels = [tones.level(concealer.next(320)) for _ in range(5)]
    assert levels[0] > levels[1] > levels[2] > 0
    assert levels[3:] == [0, 0]
    assert concealment.FADE_MS == 60


def test_silence_is_covered_with_silence() -> None:
    concealer = Concealer(8000)
    concealer.begin(bytes(320))
    assert concealer.next(320) == bytes(320)


def test_a_blend_begins_as_the_old_and_ends_as_the_new() -> None:
    loud, quiet = tones.make_tone(500, 5, amplitude=8000), bytes(320)
    blended = concealment.blend(loud, quiet)
    assert len(blended) == 320
    assert np.frombuffer(blended, "<i2")[1] == pytest.approx(np.frombuffer(loud, "<i2")[1], rel=0.1)
    assert blended[80:] == bytes(240)
