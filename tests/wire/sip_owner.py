"""A small owner of an endpoint for the wire tests: takes calls, collects events, with bounds on every wait."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from ringdown.sip.admission import Admit, admit_all
from ringdown.sip.call import Call, IncomingCall, OutgoingCall
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.events import Answered, Event
from ringdown.sip.sdp import build_offer
from ringdown.sip.tls import TlsServer
from ringdown.sip.transaction import Timing

_PATIENCE = 10.0
_E = TypeVar("_E", bound=Event)


class Owner:
    """An endpoint and the calls that came in."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self.endpoint: Endpoint

    async def next_call(self) -> IncomingCall:
        async with asyncio.timeout(_PATIENCE):
            return await self.incoming.get()

    async def dial(self, target: str, **options: Any) -> OutgoingCall:
        """A call; `options` are arguments of `prepare_invite`."""
        call = self.endpoint.prepare_invite(
            target=target,
            from_uri=self.endpoint.local_uri("alice"),
            from_display="Alice",
            body=build_offer("127.0.0.1", 30_000),
            **options,
        )
        await call.send()
        return call


@contextlib.asynccontextmanager
async def run_owner(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    timing: Timing | None = None,
    tls: TlsServer | None = None,
    nameserver: tuple[str, int] | None = None,
    public_host: str | None = None,
    admit: Admit = admit_all,
) -> AsyncIterator[Owner]:
    """An endpoint on this or a free port that accepts every source."""
    owner = Owner()
    owner.endpoint = await Endpoint.start(
        host=host,
        port=port,
        user_agent="Ringdown/test",
        on_invite=owner.incoming.put_nowait,
        admit=admit,
        timing=timing,
        tls=tls,
        nameserver=nameserver,
        public_host=public_host,
    )
    try:
        yield owner
    finally:
        await owner.endpoint.close()


async def collect(call: Call, timeout_s: float = _PATIENCE) -> list[Event]:
    """All events to the end of the call."""
    async with asyncio.timeout(timeout_s):
        return [event async for event in call.events()]


async def connect(caller: Owner, callee: Owner, **options: Any) -> tuple[OutgoingCall, IncomingCall]:
    """A call that is up on both sides."""
    call = await caller.dial(callee.endpoint.local_uri("bob"), **options)
    incoming = await callee.next_call()
    await incoming.answer(build_offer("127.0.0.1", 30_002))
    await wait_for(call, Answered)
    await wait_for(incoming, Answered)
    return call, incoming


async def wait_for(call: Call, kind: type[_E]) -> _E:
    """The next event of this kind; fails when the call ends without one."""
    async with asyncio.timeout(_PATIENCE):
        async for event in call.events():
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the call ended without {kind.__name__}")
