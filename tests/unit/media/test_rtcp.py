"""RTCP compounds on the wire."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.media import rtcp

word = st.integers(0, 0xFFFFFFFF)
blocks = st.builds(
    rtcp.ReportBlock,
    ssrc=word,
    fraction_lost=st.integers(0, 255),
    packets_lost=st.integers(-0x800000, 0x7FFFFF),
    highest_sequence=word,
    jitter=word,
    last_sender_report=word,
    delay_since_last=word,
)
block_lists = st.lists(blocks, max_size=3).map(tuple)
sender_reports = st.builds(
    rtcp.SenderReport,
    ssrc=word,
    ntp_time=st.integers(0, 2**64 - 1),
    rtp_timestamp=word,
    packet_count=word,
    octet_count=word,
    reports=block_lists,
)
compounds = st.lists(
    sender_reports
    | st.builds(rtcp.ReceiverReport, word, block_lists)
    | st.builds(rtcp.SourceDescription, word, st.text(max_size=60))
    | st.builds(rtcp.Goodbye, st.lists(word, max_size=4).map(tuple)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200)
@given(compounds)
def test_a_compound_survives_the_wire(packets: list[rtcp.RtcpPacket]) -> None:
    datagram = rtcp.serialize(packets)
    assert len(datagram) % 4 == 0
    assert rtcp.parse(datagram) == packets


framed = st.builds(
    lambda first, kind, body: bytes([first, kind]) + (len(body) // 4).to_bytes(2) + body[: len(body) // 4 * 4],
    st.integers(0x80, 0xBF),
    st.integers(199, 206),
    st.binary(max_size=60),
)


@settings(max_examples=300)
@given(st.binary(max_size=60) | framed)
def test_parsing_anything_raises_nothing_but_value_error(datagram: bytes) -> None:
    try:
        assert isinstance(rtcp.parse(datagram), list)
    except ValueError:
        return


def test_packets_of_unknown_types_are_left_out() -> None:
    application = b"\x80\xcc\x00\x02" + bytes(8)
    assert rtcp.parse(application + rtcp.serialize([rtcp.Goodbye((5,))])) == [rtcp.Goodbye((5,))]


def test_a_goodbye_with_a_reason_is_read() -> None:
    assert rtcp.parse(b"\x81\xcb\x00\x02\x00\x00\x00\x05\x03bye") == [rtcp.Goodbye((5,))]


def test_an_empty_datagram_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        rtcp.parse(b"")


def test_ntp_time_counts_from_1900() -> None:
    ntp_time = rtcp.to_ntp(1_500_000_000)
    assert ntp_time >> 32 == 2_208_988_801
    assert ntp_time & 0xFFFFFFFF == 0x80000000
    assert rtcp.to_middle(ntp_time) == (2_208_988_801 & 0xFFFF) << 16 | 0x8000
