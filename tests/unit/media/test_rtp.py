"""RTP packets on the wire."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.media import rtp

packets = st.builds(
    rtp.RtpPacket,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=200),
)


@given(packets)
def test_a_packet_survives_the_wire(packet: rtp.RtpPacket) -> None:
    assert rtp.parse(rtp.serialize(packet)) == packet


@settings(max_examples=200)
@given(st.binary(max_size=80) | st.binary(min_size=12, max_size=80).map(lambda tail: b"\xb5" + tail))
def test_parsing_anything_raises_nothing_but_value_error(datagram: bytes) -> None:
    try:
        packet = rtp.parse(datagram)
    except ValueError:
        return
    assert len(packet.payload) <= len(datagram) - 12


def test_padding_extension_and_contributing_sources_are_no_payload() -> None:
    plain = rtp.serialize(rtp.RtpPacket(8, True, 7, 8, 9, b""))
    sources, extension = bytes(8), b"\xbe\xde\x00\x01abcd"
    datagram = bytes([0x80 | 0x20 | 0x10 | 2]) + plain[1:] + sources + extension + b"speech" + b"\x00\x00\x03"
    assert rtp.parse(datagram).payload == b"speech"


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (bytes(11), "shorter"),
        (bytes(12), "version"),
        (b"\xa0" + bytes(11) + b"x\x00", "zero"),
        (b"\xa0" + bytes(11) + b"x\x09", "longer"),
        (b"\x90" + bytes(11), "cut off"),
        (b"\x90" + bytes(11) + b"\x00\x00\x00\x05", "longer"),
        (b"\x8f" + bytes(11), "longer"),
    ],
)
def test_a_broken_packet_is_refused_with_its_reason(datagram: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        rtp.parse(datagram)


def test_distances_wrap_around() -> None:
    assert rtp.sequence_distance(1, 0xFFFF) == 2
    assert rtp.sequence_distance(0xFFFF, 1) == -2
    assert rtp.timestamp_distance(100, 0xFFFFFFFF - 59) == 160
    assert rtp.timestamp_distance(0xFFFFFFFF - 59, 100) == -160
