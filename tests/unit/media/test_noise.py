"""Comfort noise: the far end's pauses sound as it says, and only its pauses."""

import numpy as np
import pytest

from ringdown.media.noise import ComfortNoise
from ringdown.media.rtp import RtpPacket
from tests.unit.media import streams, tones

SECOND = tones.make_tone(500, 1000)


@pytest.mark.parametrize("level", [30, 45, 60])
@pytest.mark.parametrize("sample_rate_hz", [8000, 16_000])
def test_noise_is_as_loud_as_the_far_end_says(level: int, sample_rate_hz: int) -> None:
    noise = ComfortNoise(bytes([level]), sample_rate_hz=sample_rate_hz)
    pcm = b"".join(noise.next(sample_rate_hz // 25) for _ in range(50))
    assert len(pcm) == 2 * sample_rate_hz
    expected = 32_767 * 10 ** (-level / 20)
    assert tones.level(pcm) == pytest.approx(expected, rel=0.3)


def test_noise_has_the_spectrum_that_the_far_end_says() -> None:
    def slope(coefficient: int) -> float:
        pcm = ComfortNoise(bytes([40, coefficient]), sample_rate_hz=8000).next(16_000)
        power = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2"))) ** 2
        return float(power[: len(power) // 2].sum() / power[len(power) // 2 :].sum())

    assert max(slope(20), slope(234)) > 4
    assert min(slope(20), slope(234)) < 0.25


def test_noise_without_a_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        ComfortNoise(b"", sample_rate_hz=8000)


def test_a_pause_sounds_like_the_noise_and_speech_after_it_is_clean() -> None:
    receiver = streams.make_receiver()
    before = streams.schedule(streams.make_packets(SECOND))
    described = RtpPacket(13, False, 1050, 160_000 + 50 * 160, 7, bytes([40]))
    after = streams.make_packets(SECOND, sequence_number=1051, timestamp=160_000 + 100 * 160)
    arrivals = [*before, (1005.0, described), *streams.schedule(after, start_ms=2005)]
    frames = tones.frames(streams.play(receiver, arrivals, ticks=150))
    assert tones.level(b"".join(frames[52:98])) == pytest.approx(327, rel=0.3)
    assert tones.purity(b"".join(frames[102:148])) > 0.99
    assert receiver.statistics.concealed_ms == 0
    assert receiver.statistics.unknown_payload_types == 0
    assert receiver.is_expected(described.payload_type)


def test_a_loss_in_speech_after_a_pause_is_concealed_not_filled_with_noise() -> None:
    receiver = streams.make_receiver()
    packets = streams.make_packets(SECOND)
    described = RtpPacket(13, False, 999, 160_000 - 160, 7, bytes([30]))
    arrivals = [entry for index, entry in enumerate(streams.schedule(packets)) if index != 25]
    heard = streams.play(receiver, [(1.0, described), *arrivals], ticks=50)
    assert receiver.statistics.concealed_ms == 20
    assert tones.purity(heard[640:]) > 0.97
