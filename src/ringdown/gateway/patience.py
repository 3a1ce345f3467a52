"""A call outlives an absent database: what must be stored is tried until it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from ringdown.db import engine

log = structlog.get_logger(__name__)

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 5.0

T = TypeVar("T")


async def keep_trying(work: Callable[[], Awaitable[T]]) -> T:
    """The result of `work`, which is called again as long as the database is away; it must bear being run twice.

    The wait has no bound: a live call must not end, and a finished one must not stay open, because of a restart of
    the database. Cancelling ends it.
    """
    delay_s = _FIRST_DELAY_S
    while True:
        try:
            return await work()
        except engine.UNAVAILABLE as error:
            if not engine.is_away(error):
                raise
            log.warning("database away", error=str(error), delay_s=delay_s)
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
