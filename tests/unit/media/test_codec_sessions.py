"""Two sessions with each codec, packet time and rate between them, on a clock that the tests move by hand."""

import pytest

from ringdown.media.session import MediaSession
from tests.unit.media import tones
from tests.unit.media.sessions import Call, HandClock, connect, make_stream, open_session

TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 111}


async def make_calls(clock: HandClock, opened: list[MediaSession], *, rate_hz: int) -> tuple[Call, Call]:
    left = Call(await open_session(clock, opened), says=tones.make_tone(400, 4000, sample_rate_hz=rate_hz))
    right = Call(await open_session(clock, opened), says=tones.make_tone(3100, 4000, sample_rate_hz=rate_hz))
    return left, right


@pytest.mark.parametrize("rate_hz", [8000, 16_000])
@pytest.mark.parametrize(
    ("encoding", "ptime_ms"), [("G722", 20), ("G722", 30), ("OPUS", 20), ("OPUS", 60), ("PCMA", 10)]
)
async def test_both_hear_each_other_at_the_rate_that_was_asked_for(
    clock: HandClock, opened: list[MediaSession], encoding: str, ptime_ms: int, rate_hz: int
) -> None:
    left, right = await make_calls(clock, opened, rate_hz=rate_hz)
    settings = {"encoding": encoding, "payload_type": TYPES[encoding], "ptime_ms": ptime_ms}
    connect(left, right, sample_rate_hz=rate_hz, **settings)
    clock.run(1600)
    assert {len(frame) for frame in left.heard + right.heard} == {rate_hz // 25}
    assert tones.find_tone(b"".join(left.heard[20:]), sample_rate_hz=rate_hz) == pytest.approx(3100, abs=3)
    assert tones.find_tone(b"".join(right.heard[20:]), sample_rate_hz=rate_hz) == pytest.approx(400, abs=3)
    statistics = left.session.statistics
    assert statistics.packets_lost == 0
    assert statistics.packets_invalid == 0
    assert statistics.mos is not None
    assert statistics.mos > 4.2


async def test_digits_go_as_tones_between_parties_without_telephone_events(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    left, right = await make_calls(clock, opened, rate_hz=8000)
    left._says = right._says = b""
    connect(left, right, dtmf_payload_type=None, is_dtmf_inband=True)
    clock.run(100)
    left.session.send_digits("1#9")
    clock.run(1200)
    assert [digit for digit, _ in right.digits] == ["1", "#", "9"]
    assert left.digits == []


async def test_a_re_invite_may_change_codec_and_packet_time_in_the_middle(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    left, right = await make_calls(clock, opened, rate_hz=16_000)
    connect(left, right, sample_rate_hz=16_000)
    clock.run(600)
    for encoding, ptime_ms in (("OPUS", 40), ("G722", 10), ("PCMU", 30)):
        for call, other in ((left, right), (right, left)):
            call.session.redirect(
                make_stream(
                    ("127.0.0.1", other.session.local_port),
                    encoding=encoding,
                    payload_type=TYPES[encoding],
                    ptime_ms=ptime_ms,
                )
            )
        ticks = len(left.heard)
        clock.run(600)
        heard = b"".join(left.heard[ticks + 12 :])
        assert tones.find_tone(heard, sample_rate_hz=16_000) == pytest.approx(3100, abs=6)


async def test_the_first_word_is_heard_a_frame_earlier_than_a_buffer_of_two_would(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    left, right = await make_calls(clock, opened, rate_hz=8000)
    connect(left, right)
    clock.run(200)
    silent = [index for index, frame in enumerate(right.heard) if tones.level(frame) < 100]
    assert len(silent) <= 2
    assert right.session.statistics.concealed_ms == 0
