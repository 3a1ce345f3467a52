"""The media clock on a real event loop."""

import asyncio
import time
from typing import Any

import pytest

from ringdown.media.clock import MediaClock


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
