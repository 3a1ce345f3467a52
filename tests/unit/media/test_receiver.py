"""What the far party's packets sound like after the network did its worst: tones, found by their spectrum."""

import random

import pytest

from ringdown.media import codecs, payloads
from ringdown.media.rtp import RtpPacket
from tests.unit.media import streams, tones

SECOND = tones.make_tone(500, 1000)
TWO_SECONDS = tones.make_tone(500, 2000)


def test_audio_arrives_whole_at_the_first_tick_after_it() -> None:
    receiver = streams.make_receiver()
    heard = streams.play(receiver, streams.schedule(streams.make_packets(SECOND)), ticks=50)
    first_ms = next(index for index, frame in enumerate(tones.frames(heard)) if tones.level(frame) > 1000) * 20
    assert first_ms == 0
    assert tones.purity(heard[640:]) > 0.99
    assert receiver.statistics.concealed_ms == 0


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_every_packet_time_is_cut_into_the_same_frames(ptime_ms: int) -> None:
    receiver = streams.make_receiver()
    packets = streams.make_packets(TWO_SECONDS, ptime_ms=ptime_ms)
    heard = streams.play(receiver, streams.schedule(packets, ptime_ms=ptime_ms), ticks=96)
    spoken = heard[4 * 320 :]
    assert tones.find_tone(spoken) == pytest.approx(500, abs=2)
    assert tones.purity(spoken) > 0.99
    assert receiver.statistics.concealed_ms == 0
    assert receiver.packets_lost == 0


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 60])
def test_every_twentieth_packet_lost_is_covered(ptime_ms: int) -> None:
    receiver = streams.make_receiver()
    packets = streams.make_packets(TWO_SECONDS, ptime_ms=ptime_ms)
    arrivals = [entry for index, entry in enumerate(streams.schedule(packets, ptime_ms=ptime_ms)) if index % 20 != 10]
    heard = streams.play(receiver, arrivals, ticks=96)
    assert tones.find_tone(heard[4 * 320 :]) == pytest.approx(500, abs=3)
    assert tones.purity(heard[4 * 320 :]) > 0.85
    assert receiver.packets_lost == len(packets) - len(arrivals)


def test_a_lost_frame_fades_and_then_is_silent() -> None:
    receiver = streams.make_receiver()
    packets = streams.make_packets(SECOND)
    arrivals = [entry for index, entry in enumerate(streams.schedule(packets)) if not 20 <= index < 30]
    frames = tones.frames(streams.play(receiver, arrivals, ticks=50))
    loud = tones.level(frames[15])
    levels = [tones.level(frame) / loud for frame in frames[20:25]]
    assert levels[:3] == [pytest.approx(0.95, abs=0.05), pytest.approx(0.6, abs=0.05), pytest.approx(0.22, abs=0.05)]
    assert levels[3:] == [0, 0]
    assert tones.level(frames[-1]) == pytest.approx(loud, rel=0.05)


def test_reordered_and_repeated_packets_are_put_right() -> None:
    receiver = streams.make_receiver()
    arrivals = streams.schedule(streams.make_packets(TWO_SECONDS))
    shuffled = [(at_ms + (25 if index % 5 == 2 else 0), packet) for index, (at_ms, packet) in enumerate(arrivals)]
    heard = streams.play(receiver, shuffled + shuffled[::3], ticks=101)
    assert tones.purity(heard[640 : 98 * 320]) > 0.99
    # The first two that come late are covered, then the delay is a frame longer.
    assert receiver.statistics.concealed_ms <= 60
    assert receiver.jitter.statistics.late <= 2
    assert receiver.jitter.statistics.duplicates + receiver.jitter.statistics.late <= len(shuffled[::3]) + 2


def test_a_first_packet_that_was_overtaken_is_heard() -> None:
    receiver = streams.make_receiver()
    first, second, third = streams.make_packets(SECOND[:960])
    for packet in (second, first, third):
        receiver.receive(packet, 0)
    heard = b"".join(receiver.pull() for _ in range(4))
    assert heard[:960] == streams.CODEC.new_decoder().decode(first.payload + second.payload + third.payload)


def test_jitter_of_less_than_a_frame_is_heard_once_at_most() -> None:
    receiver = streams.make_receiver()
    spread = random.Random(4)
    arrivals = streams.schedule(streams.make_packets(TWO_SECONDS))
    heard = streams.play(receiver, [(at_ms + spread.uniform(0, 18), packet) for at_ms, packet in arrivals], ticks=98)
    assert tones.purity(heard[640:]) > 0.99
    assert receiver.reception is not None
    assert 2 < receiver.reception.jitter_ms < 12


def test_sequence_numbers_and_timestamps_wrap_unheard() -> None:
    receiver = streams.make_receiver()
    packets = streams.make_packets(TWO_SECONDS, sequence_number=65_500, timestamp=2**32 - 160 * 30)
    heard = streams.play(receiver, streams.schedule(packets), ticks=98)
    assert tones.purity(heard[640:]) > 0.99
    assert receiver.packets_lost == 0


@pytest.mark.parametrize("jump", [160 * 5000, -160 * 5000, -160 * 7, 77, 160 * 30 + 40])
def test_a_jump_of_the_timestamp_is_survived(jump: int) -> None:
    receiver = streams.make_receiver()
    before = streams.make_packets(SECOND)
    after = streams.make_packets(
        tones.make_tone(900, 1000), sequence_number=1050, timestamp=(160_000 + 50 * 160 + jump) % 2**32
    )
    heard = streams.play(receiver, streams.schedule(before + after), ticks=99)
    assert tones.find_tone(heard[60 * 320 :]) == pytest.approx(900, abs=3)
    assert tones.purity(heard[65 * 320 : 95 * 320]) > 0.95


def test_a_new_source_takes_over_within_two_packets() -> None:
    receiver = streams.make_receiver()
    old = streams.make_packets(SECOND)
    new = streams.make_packets(tones.make_tone(900, 1000), ssrc=8, sequence_number=9, timestamp=4_000_000_000)
    heard = streams.play(receiver, streams.schedule(old + new), ticks=99)
    assert tones.find_tone(heard[54 * 320 :]) == pytest.approx(900, abs=3)
    assert tones.purity(heard[56 * 320 : 96 * 320]) > 0.98
    assert receiver.packets_received == 98
    assert receiver.packets_lost == 0


def test_one_straggler_of_another_source_disturbs_nothing() -> None:
    receiver = streams.make_receiver()
    arrivals = streams.schedule(streams.make_packets(SECOND))
    stray = streams.make_packets(SECOND[:320], ssrc=99, timestamp=5)[0]
    heard = streams.play(receiver, [*arrivals, (333.0, stray), (555.0, stray)], ticks=50)
    assert tones.purity(heard[640:]) > 0.99


def test_a_second_source_between_the_packets_of_the_first_disturbs_nothing() -> None:
    receiver = streams.make_receiver()
    arrivals = streams.schedule(streams.make_packets(SECOND))
    second = streams.schedule(streams.make_packets(tones.make_tone(900, 1000), ssrc=99, timestamp=5), start_ms=12)
    heard = streams.play(receiver, [*arrivals, *second], ticks=50)
    assert tones.find_tone(heard[640:]) == pytest.approx(500, abs=3)
    assert tones.purity(heard[640:]) > 0.99


def test_delay_is_worked_off_also_when_the_line_is_never_quiet() -> None:
    receiver = streams.make_receiver()
    arrivals = streams.schedule(streams.make_packets(tones.make_tone(500, 20_000)))
    stalled = [(max(at_ms, 500.0) if at_ms > 300 else at_ms, packet) for at_ms, packet in arrivals]
    streams.play(receiver, stalled[:100], ticks=100)
    assert len(receiver.jitter) >= 8
    streams.play(receiver, stalled[100:], ticks=890, start_ms=2000)
    assert len(receiver.jitter) <= 3


@pytest.mark.parametrize("drift", [0.996, 1.004])
def test_a_far_clock_that_drifts_is_followed_without_growing_delay(drift: float) -> None:
    # Speech with pauses: one second of tone, one of silence. 0.4 % is forty times what real clocks do.
    receiver = streams.make_receiver()
    pcm = (SECOND + bytes(16_000)) * 15
    arrivals = streams.schedule(streams.make_packets(pcm), ptime_ms=20 * drift)
    heard = streams.play(receiver, arrivals, ticks=int(len(arrivals) * drift) - 3)
    assert len(receiver.jitter) <= 4
    assert tones.find_tone(heard[100 * 320 : 145 * 320]) == pytest.approx(500, abs=5)
    assert receiver.statistics.concealed_ms <= 300
    assert receiver.jitter.statistics.late == 0


@pytest.mark.parametrize("drift", [0.9999, 1.0001])
def test_an_hour_of_a_far_clock_that_is_off_by_a_hundred_millionths_keeps_its_delay(drift: float) -> None:
    # Never a pause: a tick that has nothing to play must come back to the usual depth, and a frame too many must go.
    receiver = streams.make_receiver()
    [packet, *_] = streams.make_packets(SECOND[:640])
    sent, deepest = 0, 0
    for tick in range(1, 180_001):
        while 5 + sent * 20 * drift <= 20 * tick:
            stamped = packet._replace(sequence_number=sent & 0xFFFF, timestamp=sent * 160)
            receiver.receive(stamped, tick * 0.02)
            sent += 1
        receiver.pull()
        deepest = max(deepest, len(receiver.jitter))
    assert deepest <= 4
    assert receiver.statistics.concealed_ms + 20 * receiver.jitter.statistics.dropped <= 800
    assert receiver.packets_lost == 0


def test_a_burst_after_a_network_stall_is_heard_whole_and_caught_up_in_the_pause() -> None:
    receiver = streams.make_receiver()
    arrivals = streams.schedule(streams.make_packets(SECOND + bytes(48_000)))
    stalled = [(max(at_ms, 700.0) if at_ms > 300 else at_ms, packet) for at_ms, packet in arrivals]
    heard = streams.play(receiver, stalled, ticks=195)
    loud = [frame for frame in tones.frames(heard) if tones.level(frame) > 4000]
    assert len(loud) >= 50
    assert len(receiver.jitter) <= 3


def test_the_buffer_is_bounded_when_nobody_pulls() -> None:
    receiver = streams.make_receiver()
    for packet in streams.make_packets(tones.make_tone(500, 4000)):
        receiver.receive(packet, 0)
    assert len(receiver.jitter) <= 61


def test_a_pause_of_the_sender_is_silence_and_counts_no_loss() -> None:
    receiver = streams.make_receiver()
    first = streams.schedule(streams.make_packets(SECOND))
    second = streams.make_packets(SECOND, sequence_number=1050, timestamp=160_000 + 160 * 150)
    heard = streams.play(receiver, first + streams.schedule(second, start_ms=3005), ticks=200)
    assert tones.level(heard[60 * 320 : 140 * 320]) < 8
    assert tones.purity(heard[153 * 320 : 198 * 320]) > 0.99
    assert receiver.packets_lost == 0


def test_the_other_law_of_g711_is_understood_at_any_packet() -> None:
    receiver = streams.make_receiver()
    first = streams.make_packets(SECOND)
    second = streams.make_packets(
        SECOND,
        sequence_number=1050,
        timestamp=160_000 + 50 * 160,
        payload_type=8,
        codec=codecs.get_codec("PCMA"),
    )
    heard = streams.play(receiver, streams.schedule(first + second), ticks=98)
    assert tones.find_tone(heard[60 * 320 :]) == pytest.approx(500, abs=3)
    assert tones.purity(heard[60 * 320 : 95 * 320]) > 0.98


def test_digits_are_told_and_leave_silence() -> None:
    receiver = streams.make_receiver()
    for _, packet in streams.schedule(streams.make_packets(SECOND[:3200])):
        receiver.receive(packet, 0)
    for _ in range(12):
        receiver.pull()
    event = payloads.serialize_event(payloads.TelephoneEvent(5, False, 10, 160))
    told = [receiver.receive(RtpPacket(101, True, 1010 + n, 200_000, 7, event), 0.3) for n in range(3)]
    assert told == ["5", None, None]
    assert tones.level(receiver.pull()) == 0


def test_unknown_payload_types_are_counted_and_not_heard() -> None:
    receiver = streams.make_receiver()
    for packet in streams.make_packets(SECOND, payload_type=96):
        receiver.receive(packet, 0)
    assert receiver.statistics.unknown_payload_types == 50
    assert receiver.jitter.is_idle


def test_odd_payload_lengths_do_not_break_the_frames() -> None:
    receiver = streams.make_receiver()
    timestamp = 0
    arrivals: list[tuple[float, RtpPacket]] = []
    chop = random.Random(5)
    encoded = codecs.encode_pcmu(TWO_SECONDS)
    while timestamp < len(encoded):
        size = chop.choice([1, 37, 80, 160, 161, 240, 400])
        packet = RtpPacket(0, False, len(arrivals), timestamp, 7, encoded[timestamp : timestamp + size])
        arrivals.append((5 + timestamp / 8, packet))
        timestamp += size
    heard = streams.play(receiver, arrivals, ticks=95)
    assert all(len(frame) == 320 for frame in tones.frames(heard))
    assert tones.purity(heard[5 * 320 : 90 * 320]) > 0.9
