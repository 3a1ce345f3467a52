"""Two calls bridged in the middle: each far party hears the other, and only the other."""

from dataclasses import dataclass, field

import pytest

from ringdown.media.bridge import Bridge
from ringdown.media.session import MediaSession
from tests.unit.media import tones
from tests.unit.media.sessions import Call, HandClock, connect, open_session


@dataclass
class Middle:
    """A caller and a colleague, each on a call of ours, and the bridge between our two sessions."""

    caller: Call
    ours: tuple[Call, Call]
    colleague: Call
    bridge: Bridge
    recorded: list[tuple[bytes, bytes, int]] = field(default_factory=list)


async def build(clock: HandClock, opened: list[MediaSession], *, rates_hz: tuple[int, int] = (8000, 8000)) -> Middle:
    caller = Call(await open_session(clock, opened), says=tones.make_tone(400, 6000))
    colleague = Call(await open_session(clock, opened), says=tones.make_tone(700, 6000))
    ours = Call(await open_session(clock, opened)), Call(await open_session(clock, opened))
    for far, near, rate_hz in ((caller, ours[0], rates_hz[0]), (colleague, ours[1], rates_hz[1])):
        far.start(("127.0.0.1", near.session.local_port))
        near.start(("127.0.0.1", far.session.local_port), sample_rate_hz=rate_hz)
    recorded: list[tuple[bytes, bytes, int]] = []
    bridge = Bridge(
        ours[0].session, ours[1].session, on_frames=lambda left, right, at_ms: recorded.append((left, right, at_ms))
    )
    return Middle(caller, ours, colleague, bridge, recorded)


@pytest.mark.parametrize("rates_hz", [(8000, 8000), (8000, 16_000), (16_000, 16_000)])
async def test_each_hears_the_other_and_never_itself(
    clock: HandClock, opened: list[MediaSession], rates_hz: tuple[int, int]
) -> None:
    middle = await build(clock, opened, rates_hz=rates_hz)
    middle.bridge.start()
    clock.run(2000)
    heard_by_caller, heard_by_colleague = b"".join(middle.caller.heard[20:]), b"".join(middle.colleague.heard[20:])
    assert tones.find_tone(heard_by_caller) == pytest.approx(700, abs=3)
    assert tones.find_tone(heard_by_colleague) == pytest.approx(400, abs=3)
    assert min(tones.purity(heard_by_caller), tones.purity(heard_by_colleague)) > 0.99
    left = b"".join(frame for frame, _, _ in middle.recorded[20:])
    right = b"".join(frame for _, frame, _ in middle.recorded[20:])
    assert tones.find_tone(left, sample_rate_hz=rates_hz[0]) == pytest.approx(400, abs=3)
    assert tones.find_tone(right, sample_rate_hz=rates_hz[0]) == pytest.approx(700, abs=3)
    assert [at_ms for _, _, at_ms in middle.recorded] == [20 * tick for tick in range(100)]


async def test_the_bridge_adds_at_most_forty_milliseconds(clock: HandClock, opened: list[MediaSession]) -> None:
    middle = await build(clock, opened)
    middle.bridge.start()
    clock.run(2000)
    heard = b"".join(middle.colleague.heard)
    first_ms = next(index for index in range(0, len(heard), 16) if tones.level(heard[index : index + 16]) > 500) // 16
    # Twice 20 ms of packet and 40 ms of prefill, the phases of three ticks, and the bridge.
    assert first_ms <= 2 * 60 + 40 + 40


async def test_keys_pressed_on_one_side_reach_the_other(clock: HandClock, opened: list[MediaSession]) -> None:
    middle = await build(clock, opened)
    middle.bridge.start()
    clock.run(200)
    middle.caller.session.send_digits("4")
    middle.colleague.session.send_digits("#")
    clock.run(1000)
    assert [digit for digit, _ in middle.colleague.digits] == ["4"]
    assert [digit for digit, _ in middle.caller.digits] == ["#"]
    assert middle.ours[0].digits == []


async def test_stopping_gives_both_sessions_back(clock: HandClock, opened: list[MediaSession]) -> None:
    middle = await build(clock, opened)
    middle.bridge.stop()
    middle.bridge.start()
    middle.bridge.start()
    clock.run(400)
    assert middle.ours[0].heard == []
    middle.bridge.stop()
    clock.run(400)
    assert len(middle.recorded) == len(middle.ours[0].heard) == len(middle.ours[1].heard) == 20
    middle.caller.session.send_digits("9")
    clock.run(400)
    assert [digit for digit, _ in middle.ours[0].digits] == ["9"]


async def test_a_side_that_is_gone_is_silence_and_the_waiting_frames_stay_few(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    middle = await build(clock, opened)
    middle.bridge.start()
    clock.run(1000)
    await middle.ours[1].session.close()
    clock.run(1000)
    assert tones.level(b"".join(middle.caller.heard[-20:])) == 0
    assert tones.level(b"".join(right for _, right, _ in middle.recorded[-20:])) == 0
    assert tones.level(b"".join(left for left, _, _ in middle.recorded[-20:])) > 1000


async def test_sessions_ticked_apart_lose_a_frame_now_and_then_and_no_more(opened: list[MediaSession]) -> None:
    clocks = HandClock(), HandClock()
    caller = Call(await open_session(clocks[0], opened), says=tones.make_tone(400, 6000))
    colleague = Call(await open_session(clocks[1], opened))
    ours = Call(await open_session(clocks[0], opened)), Call(await open_session(clocks[1], opened))
    connect(caller, ours[0])
    connect(colleague, ours[1])
    Bridge(ours[0].session, ours[1].session, on_frames=lambda _left, _right, _at_ms: None).start()
    for step in range(4000):
        clocks[0].run(1)
        if step % 100:  # one per cent slower
            clocks[1].run(1)
    heard = b"".join(colleague.heard[20:])
    assert tones.find_tone(heard) == pytest.approx(400, abs=5)
    assert tones.purity(heard) > 0.9
    for session in opened:
        await session.close()
    for clock in clocks:
        await clock.close()
