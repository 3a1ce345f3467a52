"""Waits for the moment at which a call may be dialled, so that no second sees more dials than are allowed."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection

from ringdown import values
from ringdown.calls.pacing import Pacer
from ringdown.gateway.patience import keep_trying

# Another gateway keeps a line: it is asked for again so much later.
_ASK_AGAIN_MS = 300


async def wait(
    stop: asyncio.Event, *, pacer: Pacer, line_ids: Collection[str], keep: Callable[[], Awaitable[None]]
) -> None:
    """Return when the call may leave on all its lines, or `stop` is set; `keep` asks to keep the lines for longer.

    The INVITE must leave at once when this returns.
    """
    planned_at = None
    while not stop.is_set():
        now = values.now_ms()
        if not pacer.is_keeper(line_ids, now):
            await keep_trying(keep)
            if not pacer.is_keeper(line_ids, values.now_ms()):
                await _sleep(stop, _ASK_AGAIN_MS)
            continue
        if planned_at is None:
            planned_at = pacer.plan(line_ids, now)
        leaves_at = max(planned_at, pacer.find_time(line_ids))
        if leaves_at <= now:
            pacer.note_dial(line_ids, now)
            return
        await _sleep(stop, leaves_at - now)


async def _sleep(stop: asyncio.Event, delay_ms: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(delay_ms / 1000):
            await stop.wait()
