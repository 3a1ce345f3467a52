"""G.711 payloads."""

import pytest

from ringdown.media import payloads
from tests.unit.media import tones


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "pcma"])
def test_a_tone_survives_the_codec(encoding: str) -> None:
    codec = payloads.get_codec(encoding)
    pcm = tones.make_tone(600, 200)
    payload = codec.encode(pcm)
    assert len(payload) == len(pcm) // 2
    assert tones.find_tone(codec.decode(payload)) == 600
    assert tones.level(codec.decode(payload)) == pytest.approx(tones.level(pcm), rel=0.02)


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA"])
def test_the_silence_byte_decodes_to_silence(encoding: str) -> None:
    codec = payloads.get_codec(encoding)
    assert tones.level(codec.decode(codec.silence * 160)) <= 8


def test_other_encodings_are_refused() -> None:
    with pytest.raises(ValueError, match="G729"):
        payloads.get_codec("G729")
