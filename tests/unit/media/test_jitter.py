"""The jitter buffer's promises, whatever comes."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.media import jitter
from ringdown.media.jitter import JitterBuffer

timestamps = st.integers(-40, 140).map(lambda frame: (2**32 - 3200 + 160 * frame) % 2**32) | st.integers(0, 2**32 - 1)
payloads = st.sampled_from([b"", b"a", bytes(79), bytes(80), bytes(160), bytes(240), bytes(480)])
steps = st.lists(st.none() | st.tuples(timestamps, payloads), max_size=150)


def make_packet(index: int) -> tuple[int, bytes]:
    """Timestamp and payload of a packet of 20 ms that can be told from others."""
    return (2**32 - 800 + 160 * index) % 2**32, bytes([index % 256]) * 160


def run(delays_ms: Sequence[float], *, ticks: int, prefill_ticks: int = 1) -> tuple[JitterBuffer, list[int | None]]:
    """Plays packets sent every 20 ms that arrive so much later; the packet numbers that the ticks gave."""
    buffer = JitterBuffer(frame_size=160, choose_prefill_ticks=lambda: prefill_ticks)
    arrivals = sorted((20 * index + delay_ms, index) for index, delay_ms in enumerate(delays_ms))
    heard: list[int | None] = []
    for tick in range(1, ticks + 1):
        while arrivals and arrivals[0][0] <= 20 * tick:
            buffer.push(*make_packet(arrivals.pop(0)[1]))
        payload = buffer.pop()
        if payload is not None and buffer.excess:
            buffer.drop_frame()
            payload = buffer.pop()
        heard.append(None if payload is None else payload[0])
    return buffer, heard


@settings(max_examples=200, deadline=None)
@given(steps)
def test_any_packets_in_any_order_use_bounded_memory_and_come_to_rest(steps: list[tuple[int, bytes] | None]) -> None:
    buffer = JitterBuffer(frame_size=160)
    for step in steps:
        if step is None:
            if buffer.pop() is None:
                assert 0 < buffer.gap <= 160
        else:
            buffer.push(*step)
        assert len(buffer) <= jitter.MAX_FRAMES
        assert 0 <= buffer.waiting_units <= 4 * 160 * jitter.MAX_FRAMES
    for _ in range(400):
        buffer.pop()
    assert len(buffer) == 0
    assert buffer.is_idle


@settings(max_examples=100, deadline=None)
@given(st.permutations(list(range(12))), st.sampled_from([10, 20, 30, 40, 60]))
def test_every_byte_comes_out_once_and_in_order_however_packets_were_shuffled(order: list[int], ptime_ms: int) -> None:
    buffer = JitterBuffer(frame_size=160)
    size = 8 * ptime_ms
    sent = bytes(index % 251 for index in range(14 * size))
    # The first packet goes first: what it overtakes by more than the reordering of a start counts as too late.
    packets = [0, *(index + 1 for index in order), 13]
    for index in packets:
        buffer.push((2**32 - 5 * size + index * size) % 2**32, sent[index * size : (index + 1) * size])
    popped = [payload for payload in (buffer.pop() for _ in range(15)) if payload is not None]
    assert b"".join(popped) == sent


def test_the_first_packet_is_played_at_the_first_tick() -> None:
    _, heard = run([5] * 10, ticks=10)
    assert heard == list(range(10))


def test_a_longer_prefill_waits_longer() -> None:
    _, heard = run([5] * 10, ticks=8, prefill_ticks=3)
    assert heard == [None, None, 0, 1, 2, 3, 4, 5]


def test_a_late_packet_makes_the_delay_longer_by_what_was_held_for_it() -> None:
    _, heard = run([5] * 5 + [30] + [5] * 10, ticks=12)
    assert heard == [0, 1, 2, 3, 4, None, 5, 6, 7, 8, 9, 10]


def test_a_lost_packet_does_not_make_the_delay_longer() -> None:
    _, heard = run([5] * 5 + [1e6] + [5] * 10, ticks=12)
    assert heard == [0, 1, 2, 3, 4, None, 6, 7, 8, 9, 10, 11]


def test_every_two_late_packets_make_the_delay_a_frame_longer_until_none_is_late() -> None:
    delays = [5.0 + 45 * (index % 5 == 2) for index in range(60)]
    buffer, heard = run(delays, ticks=60)
    assert buffer.statistics.late == 4
    assert heard[-30:] == list(range(28, 58))


def test_packets_repeated_after_their_turn_are_no_late_ones() -> None:
    buffer = JitterBuffer(frame_size=160)
    for index in range(40):
        buffer.push(*make_packet(index))
        buffer.pop()
        buffer.push(*make_packet(index))
    assert buffer.statistics.late == 0
    assert buffer.statistics.duplicates == 40
    assert buffer.statistics.resets == 1


def test_delay_that_one_stall_has_left_is_given_up_within_seconds() -> None:
    delays = [5.0] * 50 + [max(5.0, 65 - 20 * index) for index in range(450)]
    buffer, heard = run(delays, ticks=480)
    assert heard[52] is None
    assert heard[-1] in (478 % 256, 479 % 256)
    assert buffer.statistics.dropped > 0


def test_delay_that_is_needed_again_and_again_is_kept() -> None:
    delays = [5.0] * 500
    for start in range(50, 450, 60):
        delays[start : start + 3] = [65.0, 45.0, 25.0]
    _, heard = run(delays, ticks=480)
    assert heard.count(None) <= 6
    assert None not in heard[150:]


def test_a_sender_that_sets_its_clock_back_is_believed_after_five_packets() -> None:
    buffer = JitterBuffer(frame_size=160)
    for index in [*range(30, 40), *range(20, 30)]:
        buffer.push(*make_packet(index))
        buffer.pop()
    assert buffer.statistics.resets == 2
    assert buffer.statistics.duplicates == 4


def test_a_packet_that_overlaps_what_was_played_is_cut() -> None:
    buffer = JitterBuffer(frame_size=160)
    buffer.push(0, bytes(160))
    buffer.push(160, bytes(160))
    buffer.pop()
    buffer.pop()
    buffer.push(240, bytes(240))
    assert buffer.pop() == bytes(240)
    assert buffer.cut == 80


def test_a_gap_in_the_middle_of_a_tick_is_as_long_as_what_is_missing() -> None:
    buffer = JitterBuffer(frame_size=160)
    buffer.push(0, bytes(80))
    buffer.push(200, bytes(80))
    assert buffer.pop() == bytes(80)
    assert buffer.pop(wanted=80) is None
    assert buffer.gap == 80
    assert buffer.pop() is None
    assert buffer.gap == 40
    assert buffer.pop(wanted=120) == bytes(80)


def test_packets_whose_length_is_not_their_size_are_measured() -> None:
    buffer = JitterBuffer(frame_size=960, measure=lambda payload: 480 * payload[0])
    buffer.push(2**32 - 960, b"\x04 forty milliseconds")
    buffer.push(960, b"\x02 twenty")
    assert [buffer.pop(), buffer.pop()] == [b"\x04 forty milliseconds", b"\x02 twenty"]
    assert buffer.waiting_units == 0


def test_nothing_is_thrown_away_for_a_depth_that_our_own_stall_has_caused() -> None:
    buffer = JitterBuffer(frame_size=160)
    for index in range(50):
        buffer.push(160 * index, bytes(160))
    played = sum(buffer.pop(is_overdue=True) is not None for _ in range(50))
    assert played == 50
    assert buffer.excess == 0
    assert buffer.statistics.dropped == 0
