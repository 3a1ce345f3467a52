"""The jitter buffer's promises, whatever comes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.media import jitter
from ringdown.media.jitter import JitterBuffer

timestamps = st.integers(-40, 140).map(lambda frame: (2**32 - 3200 + 160 * frame) % 2**32) | st.integers(0, 2**32 - 1)
payloads = st.sampled_from([b"", b"a", bytes(79), bytes(80), bytes(160), bytes(240), bytes(480)])
steps = st.lists(st.none() | st.tuples(timestamps, payloads), max_size=150)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_any_packets_in_any_order_give_whole_frames_and_bounded_memory(
    steps: list[tuple[int, bytes] | None],
) -> None:
    buffer = JitterBuffer(frame_size=160, silence=b"\xff")
    for step in steps:
        if step is None:
            frame = buffer.pop()
            assert frame is None or len(frame) == 160
        else:
            buffer.push(*step)
        assert len(buffer) <= 2 * jitter.JUMP_FRAMES
    for _ in range(250):
        buffer.pop()
    assert len(buffer) == 0
    assert buffer.is_idle


@settings(max_examples=100, deadline=None)
@given(st.permutations(list(range(12))), st.sampled_from([10, 20, 30, 40, 60]))
def test_every_byte_comes_out_once_and_in_order_however_packets_were_shuffled(order: list[int], ptime_ms: int) -> None:
    buffer = JitterBuffer(frame_size=160, silence=b"\xff")
    size = 8 * ptime_ms
    sent = bytes(index % 251 for index in range(14 * size))
    # The first packet goes first: what it overtakes by more than the prefill counts as too late.
    packets = [0, *(index + 1 for index in order), 13]
    for index in packets:
        buffer.push((2**32 - 5 * size + index * size) % 2**32, sent[index * size : (index + 1) * size])
    frames = [frame for frame in (buffer.pop() for _ in range(14 * ptime_ms // 20 + 1)) if frame is not None]
    assert b"".join(frames) == sent


def test_nothing_is_thrown_away_for_a_depth_that_our_own_stall_has_caused() -> None:
    buffer = JitterBuffer(frame_size=160, silence=b"\xff")
    for index in range(50):
        buffer.push(160 * index, bytes(160))
    buffer.pop()
    played = sum(buffer.pop(is_overdue=True) is not None for _ in range(50))
    assert played == 50
    assert buffer.excess == 0
    assert buffer.statistics.dropped == 0
