"""Looks for contacts of batch calls whose time has come, again and again, and withdraws calls that are not wanted."""

import asyncio
import contextlib

import structlog

from ringdown.batch_calls import queueing
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.db.engine import Database

log = structlog.get_logger(__name__)

# Gateways have calls for two seconds queued; a batch call that begins is noticed a second later.
_ACTIVE_S = 0.25
_IDLE_S = 1.0
# What is queued is not dialled when its batch call is paused: the gateways see to that.
_WITHDRAW_S = 1.0


async def run_dialler(database: Database, *, settings: Settings, stop: asyncio.Event) -> None:
    """Queue due calls until `stop` is set; any number of processes may run this on one database."""
    loop = asyncio.get_running_loop()
    withdrawn_at = loop.time() - _WITHDRAW_S
    while not stop.is_set():
        is_active = False
        try:
            if loop.time() - withdrawn_at >= _WITHDRAW_S:
                withdrawn_at = loop.time()
                await queueing.withdraw_queued(database, settings=settings)
            is_active = await queueing.queue_due(database, settings=settings)
        except engine.UNAVAILABLE:
            log.exception("due_calls_not_queued")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ACTIVE_S if is_active else _IDLE_S):
                await stop.wait()
