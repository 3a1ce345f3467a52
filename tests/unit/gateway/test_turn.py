"""Waiting for the moment at which a call may be dialled."""

import asyncio

import pytest

from ringdown import values
from ringdown.calls.lines import KEEP_MS, Line
from ringdown.calls.pacing import Pacer
from ringdown.gateway import turn

LINES = ["trunk_a"]


class Clock:
    """The wall clock of the gateway, which only moves while somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 1_000_000
        monkeypatch.setattr(values, "now_ms", lambda: self.now_ms)
        monkeypatch.setattr("ringdown.gateway.turn.asyncio.timeout", self._pass)

    def _pass(self, delay_s: float) -> asyncio.Timeout:
        self.now_ms += round(delay_s * 1000)
        return asyncio.Timeout(0)


class Keeping:
    """The database, which has the line kept after so many requests."""

    def __init__(self, clock: Clock, pacer: Pacer, *, refusals: int = 0) -> None:
        self._clock, self._pacer, self._refusals = clock, pacer, refusals
        self.asked = 0

    async def keep(self) -> None:
        self.asked += 1
        if self.asked > self._refusals:
            self._pacer.keep(Line(id="trunk_a", per_second=2, kept_until=self._clock.now_ms + KEEP_MS))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def pacer(clock: Clock) -> Pacer:
    """One that keeps a line of two calls a second."""
    pacer = Pacer("gateway-1")
    pacer.keep(Line(id="trunk_a", per_second=2, kept_until=clock.now_ms + KEEP_MS))
    return pacer


async def test_calls_leave_at_their_turns(clock: Clock, pacer: Pacer) -> None:
    left = []
    for _ in range(3):
        keeping = Keeping(clock, pacer)
        await turn.wait(asyncio.Event(), pacer=pacer, line_ids=LINES, keep=keeping.keep)
        left.append(clock.now_ms)
    assert [at - left[0] for at in left] == [0, 520, 1040]


async def test_a_line_is_kept_for_longer_when_its_time_is_over(clock: Clock, pacer: Pacer) -> None:
    keeping = Keeping(clock, pacer)
    clock.now_ms += KEEP_MS
    await turn.wait(asyncio.Event(), pacer=pacer, line_ids=LINES, keep=keeping.keep)
    assert keeping.asked == 1


async def test_a_call_waits_while_another_gateway_keeps_the_line(clock: Clock) -> None:
    other = Pacer("gateway-2")
    keeping, began_at = Keeping(clock, other, refusals=3), clock.now_ms
    await turn.wait(asyncio.Event(), pacer=other, line_ids=LINES, keep=keeping.keep)
    assert (keeping.asked, clock.now_ms - began_at) == (4, 900)


async def test_a_call_that_is_given_up_does_not_wait(clock: Clock, pacer: Pacer) -> None:
    stop, began_at = asyncio.Event(), clock.now_ms
    stop.set()
    await turn.wait(stop, pacer=pacer, line_ids=LINES, keep=Keeping(clock, pacer).keep)
    assert clock.now_ms == began_at
    assert pacer.find_time(LINES) == 0
