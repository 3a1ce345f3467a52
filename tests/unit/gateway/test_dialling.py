"""Dialling: how long the far end may ring, on a clock that only moves when the test says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

from ringdown.config import Settings
from ringdown.gateway import endings
from ringdown.gateway.dialling import Dialler, Failed
from ringdown.gateway.leg import Leg
from ringdown.gateway.routes import Route
from ringdown.sip.call import OutgoingCall
from ringdown.sip.destination import Destination
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.events import Answered, Event


class FakeCall:
    """Answers as soon as it is dialled, unless it never does."""

    is_proceeding = True

    def __init__(self, *, is_answered: bool) -> None:
        self.sent: list[str] = []
        self._is_answered = is_answered

    async def send(self) -> None:
        self.sent.append("INVITE")

    async def cancel(self) -> None:
        self.sent.append("CANCEL")

    async def events(self) -> AsyncIterator[Event]:
        if not self._is_answered:
            await asyncio.Event().wait()
        yield Answered(b"")


class FakeEndpoint:
    """A clock, and one call."""

    def __init__(self, call: FakeCall) -> None:
        self.now_s = 0.0
        self.call = call

    def now(self) -> float:
        return self.now_s

    def prepare_invite(self, **_: object) -> FakeCall:
        return self.call


class FakeLeg:
    def __init__(self) -> None:
        self.call: object = None
        self.agreed: object = None

    def make_offer(self) -> bytes:
        return b""

    def bind(self, call: object) -> None:
        self.call = call

    def take_answer(self, body: bytes) -> None:
        self.agreed = body


class FakeRoute:
    target, from_uri, credentials, headers, session_timer = "sip:1@far", "sip:2@near", None, (), None

    async def locate(self, _endpoint: object) -> list[Destination]:
        return [Destination("udp", "127.0.0.1", 5060)]


async def dial(call: FakeCall, *, stored_after_s: float, stop: asyncio.Event) -> OutgoingCall | Failed:
    endpoint = FakeEndpoint(call)

    async def keep(_call: OutgoingCall) -> None:
        endpoint.now_s += stored_after_s

    dialler = Dialler(
        cast("Endpoint", endpoint), cast("Route", FakeRoute()), cast("Leg", FakeLeg()),
        timeout_ms=30_000, stop=stop, keep=keep, settings=Settings(),
    )  # fmt: skip
    return await dialler.dial()


async def test_the_far_end_has_its_whole_time_however_long_the_dial_waited_for_the_database() -> None:
    call = FakeCall(is_answered=True)
    assert await dial(call, stored_after_s=100, stop=asyncio.Event()) is cast("object", call)
    assert call.sent[0] == "INVITE"


async def test_nobody_is_rung_for_a_call_that_was_given_up_while_it_waited() -> None:
    call, stop = FakeCall(is_answered=True), asyncio.Event()
    stop.set()
    assert await dial(call, stored_after_s=1, stop=stop) == Failed(endings.CANCELLED)
    assert "INVITE" not in call.sent
