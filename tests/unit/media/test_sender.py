"""The stream that we send."""

from itertools import pairwise

import pytest

from ringdown.media import codecs, payloads, rtp
from ringdown.media.sender import Sender
from tests.unit.media import streams, tones


def make_sender(dtmf_payload_type: int | None = 101) -> Sender:
    return Sender(streams.make_stream(dtmf_payload_type=dtmf_payload_type))


def send(sender: Sender, pcm: bytes | None = None) -> rtp.RtpPacket:
    """The packet of a tick that sends exactly one."""
    [datagram] = sender.next(pcm)
    return rtp.parse(datagram)


def test_source_sequence_and_timestamp_start_at_random() -> None:
    packets = [send(make_sender()) for _ in range(8)]
    assert len({packet.ssrc for packet in packets}) == 8
    assert len({packet.timestamp for packet in packets}) == 8
    assert len({packet.sequence_number for packet in packets}) > 4


def test_packets_follow_each_other_and_only_the_first_is_marked() -> None:
    sender = make_sender()
    packets = [send(sender, frame) for frame in tones.frames(tones.make_tone(500, 200))]
    first = packets[0]
    for index, packet in enumerate(packets):
        assert packet.sequence_number == (first.sequence_number + index) % 65536
        assert packet.timestamp == (first.timestamp + 160 * index) % 2**32
        assert packet.marker == (index == 0)
        assert len(packet.payload) == 160


def test_nothing_to_say_is_sent_as_silence() -> None:
    assert send(make_sender()).payload == b"\xff" * 160


def test_skipped_time_is_a_gap_in_timestamps_not_in_sequence_numbers() -> None:
    sender = make_sender()
    before = send(sender)
    sender.skip(5)
    after = send(sender)
    assert rtp.sequence_distance(after.sequence_number, before.sequence_number) == 1
    assert rtp.timestamp_distance(after.timestamp, before.timestamp) == 6 * 160
    assert after.marker


def test_digits_take_the_place_of_audio_on_the_same_clock() -> None:
    sender = make_sender()
    start = send(sender)
    sender.send_digits("7", duration_ms=100, pause_ms=100)
    packets = [send(sender, tones.make_tone(500, 20)) for _ in range(11)]
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
    sender.change(streams.make_stream("PCMA", dtmf_payload_type=96))
    assert send(sender).payload_type == 96
    sender.change(streams.make_stream("PCMA", dtmf_payload_type=None))
    assert send(sender).payload == b"\xd5" * 160
    assert not sender.is_sending_digits


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 50, 60])
@pytest.mark.parametrize("encoding", ["PCMU", "G722"])
def test_packets_of_every_wished_length_carry_the_same_audio_at_exact_timestamps(encoding: str, ptime_ms: int) -> None:
    codec = codecs.get_codec(encoding)
    sender = Sender(streams.make_stream(encoding, ptime_ms=ptime_ms))
    first = sender.timestamp
    pcm = tones.make_tone(500, 600, sample_rate_hz=codec.pcm_rate_hz)
    ticks = [sender.next(frame) for frame in tones.frames(pcm, codec.pcm_rate_hz // 25)]
    packets = [rtp.parse(datagram) for tick in ticks for datagram in tick]
    assert len(packets) == 600 // ptime_ms
    for index, packet in enumerate(packets):
        assert rtp.timestamp_distance(packet.timestamp, first) == 8 * ptime_ms * index
        assert len(packet.payload) == 8 * ptime_ms
    heard = b"".join(map(codec.new_decoder().decode, (packet.payload for packet in packets)))
    assert tones.find_tone(heard, sample_rate_hz=codec.pcm_rate_hz) == pytest.approx(500, abs=2)
    assert tones.purity(heard) > 0.99
    # Never more than a tick's worth at once, so that the far end gets no burst.
    assert max(map(len, ticks)) == max(1, 20 // ptime_ms)


@pytest.mark.parametrize(("ptime_ms", "packet_ms"), [(10, 10), (20, 20), (30, 20), (40, 40), (60, 60)])
def test_opus_is_sent_in_the_packet_times_that_it_has(ptime_ms: int, packet_ms: int) -> None:
    codec = codecs.get_codec("OPUS")
    sender = Sender(streams.make_stream("OPUS", ptime_ms=ptime_ms))
    packets = [rtp.parse(datagram) for _ in range(12) for datagram in sender.next(None)]
    assert {codec.measure(packet.payload) for packet in packets} == {48 * packet_ms}
    steps = {rtp.timestamp_distance(b.timestamp, a.timestamp) for a, b in pairwise(packets)}
    assert steps == {48 * packet_ms}


def test_time_that_was_skipped_does_not_mix_into_a_packet() -> None:
    sender = Sender(streams.make_stream(ptime_ms=40))
    first = sender.timestamp
    assert sender.next(tones.make_tone(500, 20)) == ()
    sender.skip(3)
    assert sender.next(None) == ()
    packet = send(sender)
    assert rtp.timestamp_distance(packet.timestamp, first) == 4 * 160
    assert packet.payload == b"\xff" * 320
    assert packet.marker


@pytest.mark.parametrize(("dtmf_clock_hz", "duration"), [(8000, 800), (48_000, 4800)])
def test_digits_beside_opus_count_their_own_clock_and_stand_on_the_audio_clock(
    dtmf_clock_hz: int, duration: int
) -> None:
    sender = Sender(streams.make_stream("OPUS", dtmf_clock_hz=dtmf_clock_hz))
    first = sender.timestamp
    sender.send_digits("7", duration_ms=100, pause_ms=100)
    packets = [send(sender) for _ in range(7)]
    assert {rtp.timestamp_distance(packet.timestamp, first) for packet in packets} == {0}
    assert payloads.parse_event(packets[-1].payload).duration == duration
    assert rtp.timestamp_distance(send(sender).timestamp, first) == 7 * 960


def test_digits_between_long_packets_leave_their_timestamps_exact() -> None:
    sender = Sender(streams.make_stream(ptime_ms=60))
    first = sender.timestamp
    assert sender.next(None) == ()
    sender.send_digits("7", duration_ms=40, pause_ms=40)
    digit = [rtp.parse(datagram) for _ in range(4) for datagram in sender.next(None)]
    assert {rtp.timestamp_distance(packet.timestamp, first) for packet in digit} == {160}
    audio = [rtp.parse(datagram) for _ in range(6) for datagram in sender.next(None)]
    assert [rtp.timestamp_distance(packet.timestamp, first) for packet in audio] == [5 * 160, 8 * 160]


@pytest.mark.parametrize("encoding", ["PCMU", "G722"])
def test_digits_are_sent_as_tones_where_telephone_events_were_refused(encoding: str) -> None:
    codec = codecs.get_codec(encoding)
    sender = Sender(streams.make_stream(encoding, dtmf_payload_type=None, is_dtmf_inband=True))
    sender.send_digits("5", duration_ms=100, pause_ms=60)
    decoder, heard = codec.new_decoder(), []
    for _ in range(8):
        assert sender.is_sending_digits
        heard.append(decoder.decode(send(sender, bytes(codec.pcm_rate_hz // 25)).payload))
    assert not sender.is_sending_digits
    rate_hz = codec.pcm_rate_hz
    assert tones.find_tone(b"".join(heard[:5]), sample_rate_hz=rate_hz) == pytest.approx(1336, abs=12)
    assert tones.level(b"".join(heard[6:])) < 30


def test_waiting_digits_are_forgotten_when_they_would_have_to_be_sent_as_tones() -> None:
    sender = make_sender()
    sender.send_digits("123", duration_ms=100, pause_ms=100)
    sender.change(streams.make_stream(dtmf_payload_type=None, is_dtmf_inband=True))
    assert not sender.is_sending_digits
    sender.send_digits("1", duration_ms=100, pause_ms=100)
    assert sender.is_sending_digits
