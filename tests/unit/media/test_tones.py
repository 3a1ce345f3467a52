"""Digits as tones: what ITU-T Q.24 wants heard, what must not be, and speech, which holds none."""

import audioop
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ringdown.media import tones
from ringdown.media.tones import ToneDetector, ToneSender
from tests.unit.media import streams
from tests.unit.media import tones as spectrum

KEYS = "123A456B789C*0#D"
FREQUENCIES_HZ = {
    key: (row, column) for row, keys in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for key, column in zip(keys, (1209, 1336, 1477, 1633), strict=True)
}  # fmt: skip
RMS_0_DBM0 = 32_767 / 2**0.5 / 10 ** (3.17 / 20)
SPEECH = Path(__file__).parents[2] / "data" / "speech.wav"

Samples = NDArray[np.floating]


def press(
    key: str,
    *,
    duration_ms: float = 40,
    levels_dbm0: tuple[float, float] = (-10, -10),
    offsets: tuple[float, float] = (0, 0),
    phases: tuple[float, float] = (0, 0),
    sample_rate_hz: int = 8000,
) -> Samples:
    """A digit made without the code under test."""
    times = np.arange(int(duration_ms * sample_rate_hz / 1000)) / sample_rate_hz
    row, column = (
        2**0.5 * RMS_0_DBM0 * 10 ** (level / 20) * np.sin(2 * np.pi * frequency * (1 + offset) * times + phase)
        for frequency, level, offset, phase in zip(FREQUENCIES_HZ[key], levels_dbm0, offsets, phases, strict=True)
    )
    samples: Samples = row + column
    return samples


def silence(duration_ms: float, *, sample_rate_hz: int = 8000) -> Samples:
    return np.zeros(int(duration_ms * sample_rate_hz / 1000))


def hear(*pieces: Samples, sample_rate_hz: int = 8000) -> str:
    """The digits in these pieces after the telephone network's μ-law, in frames of 20 ms."""
    pcm = np.concatenate(pieces).clip(-32_768, 32_767).astype("<i2").tobytes()
    pcm = audioop.ulaw2lin(audioop.lin2ulaw(pcm, 2), 2)
    detector = ToneDetector(sample_rate_hz=sample_rate_hz)
    return "".join(map(detector.receive, spectrum.frames(pcm, sample_rate_hz // 25)))


def hear_each(
    *,
    duration_ms: float = 40,
    levels_dbm0: tuple[float, float] = (-10, -10),
    offsets: tuple[float, float] = (0, 0),
    noise_dbm0: float | None = None,
    sample_rate_hz: int = 8000,
) -> set[str]:
    """Presses every key at six places of the detector's blocks; those that were not heard exactly once."""
    chance = np.random.default_rng(5)
    missed = set()
    for key in KEYS:
        for place in range(6):
            phases = tuple(chance.uniform(0, 2 * np.pi, 2))
            samples = np.concatenate(
                (
                    silence(30 + 2.1 * place, sample_rate_hz=sample_rate_hz),
                    press(
                        key,
                        duration_ms=duration_ms,
                        levels_dbm0=levels_dbm0,
                        offsets=offsets,
                        phases=(phases[0], phases[1]),
                        sample_rate_hz=sample_rate_hz,
                    ),
                    silence(60, sample_rate_hz=sample_rate_hz),
                )
            )
            if noise_dbm0 is not None:
                samples = samples + chance.normal(0, RMS_0_DBM0 * 10 ** (noise_dbm0 / 20), len(samples))
            if hear(samples, sample_rate_hz=sample_rate_hz) != key:
                missed.add(key)
    return missed


@pytest.mark.parametrize("sample_rate_hz", [8000, 16_000])
@pytest.mark.parametrize("level_dbm0", [0, -10, -25])
def test_forty_milliseconds_of_every_digit_are_heard_once(level_dbm0: float, sample_rate_hz: int) -> None:
    assert not hear_each(levels_dbm0=(level_dbm0, level_dbm0), sample_rate_hz=sample_rate_hz)


@pytest.mark.parametrize("offsets", [(0.015, 0.015), (-0.015, -0.015), (0.015, -0.015), (-0.015, 0.015)])
@pytest.mark.parametrize("levels_dbm0", [(-12, -8), (-6, -14)])
def test_digits_are_heard_when_off_by_one_and_a_half_percent_and_twisted(
    levels_dbm0: tuple[float, float], offsets: tuple[float, float]
) -> None:
    assert not hear_each(levels_dbm0=levels_dbm0, offsets=offsets)


def test_digits_are_heard_in_noise_fifteen_decibels_below_a_tone() -> None:
    assert not hear_each(noise_dbm0=-25)


@pytest.mark.parametrize("offsets", [(0.035, 0), (0, 0.035), (-0.035, 0), (0, -0.035), (0.035, 0.035)])
def test_tones_off_by_three_and_a_half_percent_are_no_digits(offsets: tuple[float, float]) -> None:
    assert hear_each(duration_ms=100, offsets=offsets) == set(KEYS)


@pytest.mark.parametrize("levels_dbm0", [(-18, -8), (-6, -18)])
def test_tones_of_very_different_levels_are_no_digits(levels_dbm0: tuple[float, float]) -> None:
    assert hear_each(duration_ms=100, levels_dbm0=levels_dbm0) == set(KEYS)


def test_tones_as_quiet_as_crosstalk_are_no_digits() -> None:
    assert hear_each(duration_ms=100, levels_dbm0=(-45, -45)) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("place_ms", [0, 3, 6, 9, 12])
def test_twenty_milliseconds_are_no_press(key: str, place_ms: float) -> None:
    assert hear(silence(30 + place_ms), press(key, duration_ms=20), silence(60)) == ""


@pytest.mark.parametrize("place_ms", range(0, 13, 2))
def test_a_hole_of_ten_milliseconds_is_one_press_and_a_pause_of_forty_is_two(place_ms: float) -> None:
    tone = press("5", duration_ms=60)
    assert hear(silence(20 + place_ms), tone, silence(10), tone, silence(60)) == "5"
    assert hear(silence(20 + place_ms), tone, silence(40), tone, silence(60)) == "55"


def test_fast_dialling_is_heard_in_order() -> None:
    dialled = [piece for key in KEYS * 2 for piece in (press(key), silence(40))]
    assert hear(*dialled, silence(40)) == KEYS * 2


@pytest.mark.parametrize("gain", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_speech_holds_no_digit(gain: float, speed: float) -> None:
    with wave.open(str(SPEECH)) as recording:
        pcm = recording.readframes(recording.getnframes())
    pcm, _ = audioop.ratecv(pcm, 2, 1, int(8000 * speed), 8000, None)
    speech = np.frombuffer(pcm, "<i2") * gain
    assert hear(*(speech[start:] for start in range(0, 100, 10))) == ""


def test_vowels_of_any_pitch_hold_no_digit() -> None:
    # The harmonics of a voice: strong at the bottom, and at two formants that lie where digits have their tones.
    times = np.arange(1600) / 8000
    for pitch_hz in range(80, 400, 3):
        harmonics = np.arange(pitch_hz, 3400, pitch_hz)
        for first_hz, second_hz in ((700, 1220), (850, 1340), (770, 1480), (940, 1630)):
            loudness = 1 / (1 + ((harmonics - first_hz) / 120) ** 2) + 1 / (1 + ((harmonics - second_hz) / 120) ** 2)
            loudness += 0.4 * (harmonics < 600)
            vowel = (loudness[:, None] * np.sin(2 * np.pi * np.outer(harmonics, times))).sum(axis=0)
            assert hear(6000 * vowel / np.abs(vowel).max()) == "", (pitch_hz, first_hz)


@pytest.mark.parametrize("frequencies_hz", [(350, 440), (440, 480), (480, 620), (425, 425), (1400, 2060), (2100, 2100)])
def test_tones_of_the_network_are_no_digits(frequencies_hz: tuple[int, int]) -> None:
    times = np.arange(8000) / 8000
    assert hear(*(4000 * np.sin(2 * np.pi * frequency * times) for frequency in frequencies_hz)) == ""
    assert hear(np.sum([4000 * np.sin(2 * np.pi * frequency * times) for frequency in frequencies_hz], axis=0)) == ""


@pytest.mark.parametrize("sample_rate_hz", [8000, 16_000])
@pytest.mark.parametrize("key", KEYS)
def test_the_digits_that_we_make_have_their_two_tones_and_are_heard(key: str, sample_rate_hz: int) -> None:
    pcm = tones.make_digit(key.lower(), duration_ms=100, sample_rate_hz=sample_rate_hz)
    assert len(pcm) == sample_rate_hz // 5
    loudness = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2") * np.hanning(len(pcm) // 2)))
    row, column = FREQUENCIES_HZ[key]
    assert np.argmax(loudness[:105]) * 10 == pytest.approx(row, abs=10)
    assert (105 + np.argmax(loudness[105:])) * 10 == pytest.approx(column, abs=10)
    assert np.abs(np.frombuffer(pcm, "<i2")).max() < 26_000
    assert hear(np.frombuffer(pcm, "<i2"), silence(60), sample_rate_hz=sample_rate_hz) == key


def test_other_characters_make_no_tone() -> None:
    with pytest.raises(ValueError, match="digits"):
        tones.make_digit("x", duration_ms=100, sample_rate_hz=8000)
    with pytest.raises(ValueError, match="digits"):
        ToneSender(sample_rate_hz=8000).add("1x", duration_ms=100, pause_ms=100)


def test_a_sender_of_tones_plays_whole_frames_and_then_nothing() -> None:
    sender = ToneSender(sample_rate_hz=8000)
    sender.add("19", duration_ms=50, pause_ms=50)
    frames = list(iter(sender.next, None))
    assert {len(frame) for frame in frames} == {320}
    assert hear(*(np.frombuffer(frame, "<i2") for frame in frames), silence(60)) == "19"
    assert len(frames) == 10


def test_a_receiver_tells_tones_only_where_they_were_agreed_on() -> None:
    packets = streams.make_packets(tones.make_digit("7", duration_ms=200, sample_rate_hz=8000))
    for is_dtmf_inband, expected in ((True, ["7"]), (False, [])):
        told: list[str] = []
        receiver = streams.make_receiver()
        receiver = type(receiver)(streams.make_stream(is_dtmf_inband=is_dtmf_inband), on_tone=told.append)
        streams.play(receiver, streams.schedule(packets), ticks=10)
        assert told == expected
