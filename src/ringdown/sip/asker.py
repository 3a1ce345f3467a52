"""The asyncio face of requests outside of dialogs: waits for replies, tries further hops, keeps ways open."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ringdown.sip import fault
from ringdown.sip.destination import Destination
from ringdown.sip.events import NO_RESPONSE
from ringdown.sip.inquiry import Inquirer, Reply
from ringdown.sip.locator import Locator
from ringdown.sip.stack import Stack
from ringdown.sip.transaction import Timing
from ringdown.sip.transmission import Transmission

_GRACE = 1.0  # seconds beyond a transaction's own timeout


class Asker:
    """What one endpoint and its registrations ask with."""

    def __init__(
        self, stack: Stack, *, locator: Locator, send: Callable[[Transmission], None], flush: Callable[[], None]
    ) -> None:
        self.stack = stack
        self._loop = asyncio.get_running_loop()
        self._locator = locator
        self._send = send
        self._flush = flush
        self._closing: asyncio.Future[None] = self._loop.create_future()

    @property
    def timing(self) -> Timing:
        """The base timers."""
        return self.stack.timing

    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    async def locate(self, uri: str) -> list[Destination]:
        """The hops of a URI; raises `LocationFailed`."""
        return await self._locator.locate(uri)

    async def ask(
        self,
        inquirer: Inquirer,
        method: str,
        *,
        hop: Destination,
        timeout_s: float,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Reply:
        """Ask one hop and wait for the reply."""
        replied: asyncio.Future[Reply] = self._loop.create_future()

        def settle(reply: Reply) -> None:
            if not replied.done():
                replied.set_result(reply)

        now = self.now()
        inquirer.ask(method, hop=hop, now=now, timeout_s=timeout_s, on_reply=settle, headers=headers, body=body)
        self._flush()
        waited = (replied, self._closing)
        await asyncio.wait(waited, timeout=timeout_s + _GRACE, return_when=asyncio.FIRST_COMPLETED)
        settle(Reply(status=408, reason=NO_RESPONSE, is_local=True, hop=hop, fault=fault.TIMED_OUT))
        return replied.result()

    async def ask_any(
        self,
        inquirer: Inquirer,
        method: str,
        *,
        hops: Sequence[Destination],
        timeout_s: float,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Reply:
        """Ask the first hop that answers other than with 503; the last reply when none does (RFC 3263 §4.3)."""
        deadline, fields = self.now() + timeout_s, tuple(headers)
        for index, hop in enumerate(hops):
            patience = max((deadline - self.now()) / (len(hops) - index), 0.0)
            reply = await self.ask(inquirer, method, hop=hop, timeout_s=patience, headers=fields, body=body)
            if not reply.is_local and reply.status != 503:
                break
        return reply

    def close(self) -> None:
        """Have nobody wait any longer."""
        if not self._closing.done():
            self._closing.set_result(None)

    def keep_alive(self, hop: Destination) -> None:
        """Keep a NAT's mapping, or a connection, to a hop open (RFC 5626 §3.5.1)."""
        self._send(Transmission(b"\r\n\r\n" if hop.is_reliable else b"\r\n", hop))
