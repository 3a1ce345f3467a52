"""The stream that we send."""

import pytest

from ringdown.media import payloads, rtp
from ringdown.media.sender import Sender
from tests.unit.media import tones


def make_sender(dtmf_payload_type: int | None = 101) -> Sender:
    return Sender(codec=payloads.get_codec("PCMU"), payload_type=0, dtmf_payload_type=dtmf_payload_type)


def test_source_sequence_and_timestamp_start_at_random() -> None:
    packets = [rtp.parse(make_sender().next(None)) for _ in range(8)]
    assert len({packet.ssrc for packet in packets}) == 8
    assert len({packet.timestamp for packet in packets}) == 8
    assert len({packet.sequence_number for packet in packets}) > 4


def test_packets_follow_each_other_and_only_the_first_is_marked() -> None:
    sender = make_sender()
    packets = [rtp.parse(sender.next(frame)) for frame in tones.frames(tones.make_tone(500, 200))]
    first = packets[0]
    for index, packet in enumerate(packets):
        assert packet.sequence_number == (first.sequence_number + index) % 65536
        assert packet.timestamp == (first.timestamp + 160 * index) % 2**32
        assert packet.marker == (index == 0)
        assert len(packet.payload) == 160


def test_nothing_to_say_is_sent_as_silence() -> None:
    assert rtp.parse(make_sender().next(None)).payload == b"\xff" * 160


def test_skipped_time_is_a_gap_in_timestamps_not_in_sequence_numbers() -> None:
    sender = make_sender()
    before = rtp.parse(sender.next(None))
    sender.skip(5)
    after = rtp.parse(sender.next(None))
    assert rtp.sequence_distance(after.sequence_number, before.sequence_number) == 1
    assert rtp.timestamp_distance(after.timestamp, before.timestamp) == 6 * 160
    assert after.marker


def test_digits_take_the_place_of_audio_on_the_same_clock() -> None:
    sender = make_sender()
    start = rtp.parse(sender.next(None))
    sender.send_digits("7", duration_ms=100, pause_ms=100)
    packets = [rtp.parse(sender.next(tones.make_tone(500, 20))) for _ in range(11)]
    events = [packet for packet in packets if packet.payload_type == 101]
    assert [packet.marker for packet in events] == [True] + [False] * 6
    assert {packet.timestamp for packet in events} == {(start.timestamp + 160) % 2**32}
    quiet = packets[7:10]
    assert {packet.payload for packet in quiet} == {b"\xff" * 160}
    assert packets[10].payload != b"\xff" * 160
    assert rtp.timestamp_distance(packets[10].timestamp, start.timestamp) == 11 * 160
    numbers = [rtp.sequence_distance(packet.sequence_number, start.sequence_number) for packet in packets]
    assert numbers == list(range(1, 12))


def test_digits_need_a_far_end_that_takes_them() -> None:
    with pytest.raises(ValueError, match="telephone events"):
        make_sender(None).send_digits("1", duration_ms=100, pause_ms=100)


def test_a_frame_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="320"):
        make_sender().next(bytes(160))


def test_digits_survive_a_new_negotiation_unless_the_far_end_takes_them_no_more() -> None:
    sender = make_sender()
    sender.send_digits("7", duration_ms=100, pause_ms=100)
    sender.next(None)
    sender.change(codec=payloads.get_codec("PCMA"), payload_type=8, dtmf_payload_type=96)
    assert rtp.parse(sender.next(None)).payload_type == 96
    sender.change(codec=payloads.get_codec("PCMA"), payload_type=8, dtmf_payload_type=None)
    assert rtp.parse(sender.next(None)).payload == b"\xd5" * 160
    assert not sender.is_sending_digits
