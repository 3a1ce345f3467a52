"""Codecs: what goes in comes out, at the rate and the length that were promised."""

import pytest

from ringdown.media import codecs, opus
from tests.unit.media import tones


def code(codec: codecs.Codec, pcm: bytes, *, packet_ms: int = 20) -> tuple[list[bytes], bytes]:
    """The payloads of PCM, and what they decode to."""
    encode, decoder = codec.new_encoder(packet_ms), codec.new_decoder()
    payloads = [encode(piece) for piece in tones.frames(pcm, codec.pcm_rate_hz * packet_ms // 500)]
    return payloads, b"".join(map(decoder.decode, payloads))


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "pcma"])
def test_a_tone_survives_g711(encoding: str) -> None:
    codec = codecs.get_codec(encoding)
    pcm = tones.make_tone(600, 200)
    payloads, heard = code(codec, pcm)
    assert sum(map(len, payloads)) == len(pcm) // 2
    assert tones.find_tone(heard) == 600
    assert tones.level(heard) == pytest.approx(tones.level(pcm), rel=0.02)


@pytest.mark.parametrize(("encoding", "packet_ms"), [("G722", 10), ("G722", 20), ("G722", 60)])
def test_a_tone_above_the_telephone_band_survives_g722(encoding: str, packet_ms: int) -> None:
    codec = codecs.get_codec(encoding)
    pcm = tones.make_tone(5500, 600, sample_rate_hz=16_000)
    payloads, heard = code(codec, pcm, packet_ms=packet_ms)
    assert {codec.measure(payload) for payload in payloads} == {8 * packet_ms}
    assert len(heard) == len(pcm)
    assert tones.find_tone(heard, sample_rate_hz=16_000) == pytest.approx(5500, abs=3)
    assert tones.level(heard[3200:]) == pytest.approx(tones.level(pcm), rel=0.1)


@pytest.mark.parametrize("packet_ms", [10, 20, 40, 60])
@pytest.mark.parametrize("frequency_hz", [400, 5500])
def test_a_tone_survives_opus(packet_ms: int, frequency_hz: int) -> None:
    codec = codecs.get_codec("opus")
    pcm = tones.make_tone(frequency_hz, 1200, sample_rate_hz=16_000)
    payloads, heard = code(codec, pcm, packet_ms=packet_ms)
    assert {codec.measure(payload) for payload in payloads} == {48 * packet_ms}
    assert len(heard) == len(pcm)
    assert tones.find_tone(heard[9600:], sample_rate_hz=16_000) == pytest.approx(frequency_hz, abs=3)
    assert tones.level(heard[9600:]) == pytest.approx(tones.level(pcm), rel=0.25)


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "G722", "OPUS"])
def test_silence_stays_silent(encoding: str) -> None:
    codec = codecs.get_codec(encoding)
    _, heard = code(codec, bytes(codec.pcm_rate_hz))
    assert tones.level(heard) <= 8
    if codec.silence is not None:
        assert tones.level(codec.new_decoder().decode(codec.silence * 160)) <= 8


@pytest.mark.parametrize(
    ("packet", "units"),
    [
        (b"\x00", 480), (b"\x08", 960), (b"\x18", 2880), (b"\x80", 120), (b"\x98", 960),
        (b"\x09", 1920), (b"\x0a\x01\x02", 1920), (b"\x0b\x03", 2880), (b"\x83\x30", 5760),
    ],
)  # fmt: skip
def test_the_length_of_an_opus_packet_is_read_from_its_first_bytes(packet: bytes, units: int) -> None:
    assert opus.measure(packet) == units


@pytest.mark.parametrize("packet", [b"", b"\x0b", b"\x0b\x00", b"\x1b\x03", b"\x1b\x3f"])
def test_an_opus_packet_without_a_possible_length_is_refused(packet: bytes) -> None:
    with pytest.raises(ValueError, match="Opus"):
        opus.measure(packet)
    assert opus.Decoder().decode(packet) == b""


def test_a_broken_opus_packet_is_silence_of_its_length_and_the_next_is_heard() -> None:
    codec = codecs.get_codec("OPUS")
    payloads, _ = code(codec, tones.make_tone(400, 600, sample_rate_hz=16_000))
    decoder = codec.new_decoder()
    assert decoder.decode(b"\x0b\x42\xff\xff\xff") == bytes(1280)
    heard = b"".join(map(decoder.decode, payloads))
    assert tones.find_tone(heard, sample_rate_hz=16_000) == pytest.approx(400, abs=3)


def test_opus_guesses_at_a_lost_packet() -> None:
    codec = codecs.get_codec("OPUS")
    pcm = tones.make_tone(400, 600, sample_rate_hz=16_000)
    decoder, (payloads, _) = codec.new_decoder(), code(codec, pcm)
    assert decoder.conceal() == b""
    for payload in payloads:
        decoder.decode(payload)
    guess = decoder.conceal()
    assert len(guess) == 640
    assert tones.level(guess) > 0.5 * tones.level(pcm)


def test_what_opus_says_above_our_band_is_not_folded_into_it() -> None:
    decimator = opus.Decimator()
    heard = b"".join(map(decimator.decimate, tones.frames(tones.make_tone(11_000, 200, sample_rate_hz=48_000), 1920)))
    assert tones.level(heard) < 100
    heard = b"".join(map(decimator.decimate, tones.frames(tones.make_tone(3000, 200, sample_rate_hz=48_000), 1920)))
    assert tones.find_tone(heard, sample_rate_hz=16_000) == pytest.approx(3000, abs=5)
    assert tones.level(heard[640:]) == pytest.approx(tones.level(tones.make_tone(3000, 200)), rel=0.02)


@pytest.mark.parametrize(("encoding", "rate_hz"), [("PCMU", 8000), ("PCMA", 8000), ("G722", 16_000), ("OPUS", 16_000)])
def test_the_pcm_rate_of_each_codec_is_known(encoding: str, rate_hz: int) -> None:
    assert codecs.pcm_rate_hz(encoding) == rate_hz


@pytest.mark.parametrize(
    ("encoding", "ptime_ms", "packet_ms"),
    [("PCMU", 30, 30), ("PCMU", 5, 10), ("PCMU", 200, 60), ("OPUS", 30, 20), ("OPUS", 50, 40), ("OPUS", 60, 60)],
)
def test_the_packet_time_nearest_to_the_wish_is_chosen(encoding: str, ptime_ms: int, packet_ms: int) -> None:
    assert codecs.get_codec(encoding).choose_packet_ms(ptime_ms) == packet_ms


def test_one_law_becomes_the_other() -> None:
    pcm = tones.make_tone(600, 100)
    mu_law, a_law = codecs.encode_pcmu(pcm), codecs.encode_pcma(pcm)
    heard = codecs.get_codec("PCMA").new_decoder().decode(codecs.change_law(mu_law, from_encoding="PCMU"))
    assert tones.purity(heard) > 0.99
    heard = codecs.get_codec("PCMU").new_decoder().decode(codecs.change_law(a_law, from_encoding="PCMA"))
    assert tones.purity(heard) > 0.99


def test_other_encodings_are_refused() -> None:
    with pytest.raises(ValueError, match="G729"):
        codecs.get_codec("G729")
