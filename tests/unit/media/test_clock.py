"""The media clock on a real event loop."""

import asyncio
import socket
import time
from typing import Any

import pytest

from ringdown.media.clock import MediaClock
from tests.unit.media.sessions import HandClock


class Member:
    """Notes when it was ticked."""

    def __init__(self, *, breaks_at: int | None = None) -> None:
        self.ticked_s: list[float] = []
        self._breaks_at = breaks_at

    def tick(self, overdue_ms: int) -> None:
        self.ticked_s.append(time.monotonic())
        if len(self.ticked_s) == self._breaks_at:
            raise ZeroDivisionError

    def skip(self, ticks: int) -> None:
        raise AssertionError("nothing stalled for a second")


@pytest.fixture
async def clock() -> Any:
    clock = MediaClock()
    await clock.start()
    yield clock
    await clock.close()


async def test_the_ticks_of_half_a_second_follow_the_wall_clock(clock: MediaClock) -> None:
    members = [Member() for _ in range(60)]
    started_s = time.monotonic()
    for member in members:
        clock.add(member)
    await asyncio.sleep(0.5)
    elapsed_ms = (time.monotonic() - started_s) * 1000
    for member in members:
        assert abs(len(member.ticked_s) - elapsed_ms / 20) <= 1.5
    assert clock.statistics.ticks == sum(len(member.ticked_s) for member in members)


async def test_a_blocked_event_loop_costs_no_media_time(clock: MediaClock) -> None:
    member = Member()
    clock.add(member)
    started_s = time.monotonic()
    await asyncio.sleep(0.1)
    time.sleep(0.3)  # noqa: ASYNC251 - the stall is what is tested
    await asyncio.sleep(0.05)
    assert abs(len(member.ticked_s) - (time.monotonic() - started_s) * 50) <= 1.5
    assert clock.statistics.ticks_late >= 10


async def test_a_broken_member_reaches_the_loops_handler_and_no_other_member(clock: MediaClock) -> None:
    errors: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    broken, sound = Member(breaks_at=2), Member()
    clock.add(broken)
    clock.add(sound)
    await asyncio.sleep(0.2)
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert len(broken.ticked_s) == 2
    assert len(sound.ticked_s) >= 8


async def test_nothing_runs_after_close_and_closing_twice_is_fine(clock: MediaClock) -> None:
    member = Member()
    clock.add(member)
    await asyncio.sleep(0.05)
    await clock.close()
    await clock.close()
    ticks = len(member.ticked_s)
    await asyncio.sleep(0.05)
    assert len(member.ticked_s) == ticks
    assert not clock.is_running


@pytest.mark.parametrize("costs_ms", [0, 5])
async def test_packets_that_never_cease_keep_no_tick_waiting_after_a_stall(costs_ms: int) -> None:
    """With hundreds of calls some socket always has another packet by the time the others are read."""
    clock, member, read = HandClock(), Member(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endless:
        endless.setblocking(False)
        endless.bind(("127.0.0.1", 0))
        endless.connect(endless.getsockname())
        endless.send(b"again")

        def receive(_now_s: float) -> None:
            nonlocal read
            read += 1
            endless.send(endless.recv(16))
            clock.now_s += costs_ms / 1000

        clock.watch(endless, receive)
        clock.add(member)
        clock.now_s += 0.2
        began_s = clock.now_s
        clock.run_due()
        assert len(member.ticked_s) == 10
        assert 0.2 / 0.02 < read <= 0.2 / 0.01 + 2
        assert clock.now_s - began_s <= 0.2 / 2 + costs_ms / 1000
        clock.unwatch(endless)
    await clock.close()
