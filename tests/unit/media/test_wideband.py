"""G.722 and Opus over a bad network, and calls that change their codec: tones, found by their spectrum."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.media import codecs
from ringdown.media.receiver import Receiver
from ringdown.media.rtp import RtpPacket
from tests.unit.media import streams, tones

TONE = tones.make_tone(3600, 2000, sample_rate_hz=16_000)
FRAME = 640


def make_packets(encoding: str, *, ptime_ms: int = 20, timestamp: int = 2**32 - 24_000) -> list[RtpPacket]:
    return streams.make_packets(
        TONE,
        ptime_ms=ptime_ms,
        timestamp=timestamp,
        sequence_number=65_530,
        payload_type=streams.PAYLOAD_TYPES[encoding],
        codec=codecs.get_codec(encoding),
    )


def find_tone(pcm: bytes) -> float:
    return tones.find_tone(pcm, sample_rate_hz=16_000)


@pytest.mark.parametrize(
    ("encoding", "ptime_ms"),
    [("G722", 10), ("G722", 20), ("G722", 30), ("G722", 60), ("OPUS", 10), ("OPUS", 20), ("OPUS", 40), ("OPUS", 60)],
)
def test_every_packet_time_is_heard_whole_while_the_counters_wrap(encoding: str, ptime_ms: int) -> None:
    receiver = streams.make_receiver(encoding)
    packets = make_packets(encoding, ptime_ms=ptime_ms)
    heard = streams.play(receiver, streams.schedule(packets, ptime_ms=ptime_ms), ticks=96)
    assert all(len(frame) == FRAME for frame in tones.frames(heard, FRAME))
    assert find_tone(heard[10 * FRAME :]) == pytest.approx(3600, abs=3)
    assert tones.purity(heard[10 * FRAME :]) > 0.98
    assert receiver.statistics.concealed_ms == 0
    assert receiver.packets_lost == 0


@pytest.mark.parametrize(("encoding", "ptime_ms"), [("G722", 20), ("OPUS", 10), ("OPUS", 20), ("OPUS", 60)])
def test_every_twentieth_packet_lost_is_covered(encoding: str, ptime_ms: int) -> None:
    receiver = streams.make_receiver(encoding)
    arrivals = streams.schedule(make_packets(encoding, ptime_ms=ptime_ms), ptime_ms=ptime_ms)
    arriving = [entry for index, entry in enumerate(arrivals) if index % 20 != 7]
    heard = streams.play(receiver, arriving, ticks=96)
    assert find_tone(heard[10 * FRAME :]) == pytest.approx(3600, abs=5)
    assert tones.purity(heard[10 * FRAME :]) > 0.85
    assert receiver.statistics.concealed_ms == pytest.approx(ptime_ms * (len(arrivals) - len(arriving)), abs=20)
    assert receiver.packets_lost == len(arrivals) - len(arriving)


@pytest.mark.parametrize("encoding", ["G722", "OPUS"])
def test_reordered_packets_are_put_right(encoding: str) -> None:
    receiver = streams.make_receiver(encoding)
    arrivals = streams.schedule(make_packets(encoding))
    shuffled = [(at_ms + (25 if index % 5 == 2 else 0), packet) for index, (at_ms, packet) in enumerate(arrivals)]
    heard = streams.play(receiver, shuffled, ticks=96)
    assert tones.purity(heard[10 * FRAME :]) > 0.98
    assert receiver.statistics.concealed_ms <= 40


def test_a_peer_may_change_the_opus_packet_time_at_any_packet() -> None:
    receiver = streams.make_receiver("OPUS")
    mixed: list[tuple[float, RtpPacket]] = []
    at_ms, timestamp = 5.0, 0
    for ptime_ms in (20, 60, 10, 40, 20):
        for packet in make_packets("OPUS", ptime_ms=ptime_ms)[: 400 // ptime_ms]:
            mixed.append((at_ms, packet._replace(timestamp=timestamp, sequence_number=len(mixed))))
            at_ms, timestamp = at_ms + ptime_ms, timestamp + 48 * ptime_ms
    heard = streams.play(receiver, mixed, ticks=96)
    assert receiver.statistics.concealed_ms <= 60
    assert find_tone(heard) == pytest.approx(3600, abs=3)


def test_broken_opus_is_refused_or_silent_and_the_call_goes_on() -> None:
    receiver = streams.make_receiver("OPUS")
    arrivals = streams.schedule(make_packets("OPUS"))
    for index in (10, 20):
        at_ms, packet = arrivals[index]
        arrivals[index] = (at_ms, packet._replace(payload=b"\x4b\x41\xff\xff\xff\xff"))
    with pytest.raises(ValueError, match="Opus"):
        receiver.receive(arrivals[0][1]._replace(payload=b""), 0)
    heard = streams.play(receiver, arrivals, ticks=96)
    assert find_tone(heard[40 * FRAME :]) == pytest.approx(3600, abs=3)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["PCMU", "G722", "OPUS"]),
    st.lists(
        st.none()
        | st.tuples(
            st.sampled_from([0, 8, 9, 13, 96, 101, 111]),
            st.integers(0, 12),
            st.integers(-3, 70),
            st.binary(max_size=40) | st.sampled_from([bytes(80), bytes(160), b"\x4b\x41" + bytes(20), b"\x0b\x83"]),
        ),
        max_size=60,
    ),
)
def test_whatever_comes_each_tick_is_a_whole_frame(
    encoding: str, steps: list[tuple[int, int, int, bytes] | None]
) -> None:
    receiver = streams.make_receiver(encoding)
    size = codecs.pcm_rate_hz(encoding) // 25
    for step in steps:
        if step is None:
            assert len(receiver.pull()) == size
            continue
        payload_type, number, place, payload = step
        with suppress(ValueError):
            receiver.receive(RtpPacket(payload_type, False, number, 240 * place % 2**32, 7, payload), 0.02 * place)
    for _ in range(20):
        assert len(receiver.pull()) == size


def test_a_new_negotiation_changes_the_codec_and_the_rate_of_the_pcm() -> None:
    receiver = streams.make_receiver("PCMU")
    streams.play(receiver, streams.schedule(streams.make_packets(tones.make_tone(500, 400))), ticks=20)
    assert len(receiver.pull()) == 320
    receiver.change(streams.make_stream("G722"))
    assert receiver.pull() == bytes(FRAME)
    heard = streams.play(receiver, streams.schedule(make_packets("G722"), start_ms=405), ticks=98, start_ms=400)
    assert find_tone(heard[10 * FRAME :]) == pytest.approx(3600, abs=3)
    receiver.change(streams.make_stream("PCMU"))
    assert len(receiver.pull()) == 320


def test_an_encoding_that_is_not_spoken_changes_nothing() -> None:
    with pytest.raises(ValueError, match="G729"):
        Receiver(streams.make_stream("PCMU").__class__(remote=("192.0.2.1", 9), encoding="G729", payload_type=18))
