"""Ends the calls of gateways that are gone and do not come back."""

import asyncio

import structlog

from ringdown import values
from ringdown.calls import clocks, service
from ringdown.calls.recovery import finish_crashed
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import Database

log = structlog.get_logger(__name__)

# A gateway renews its lease every second; a restarted one ends its predecessor's calls itself, and sends the BYE, well
# before this.
_DEAD_AFTER_MS = 20_000
# An old lease may also mean that a clock was set, that the machine slept or that the database was away: a gateway that
# lives has renewed it this much later (its longest pause between two tries is 5 s).
_SECOND_LOOK_S = 8.0


async def reap(database: Database, *, settings: Settings, spool: Spool, second_look_s: float = _SECOND_LOOK_S) -> int:
    """End every unfinished call of a dead gateway; returns how many this run ended."""
    ended = 0
    for gateway_id in await _list_dead_gateways(database, second_look_s):
        left = await service.list_unfinished(database, gateway_id=gateway_id)
        for unfinished in clocks.advance(settings.data_dir, left):
            if await finish_crashed(
                database, settings=settings, unfinished=unfinished, spool=spool, is_far_end_told=False
            ):
                log.warning("call of a dead gateway ended", call_id=unfinished.call.id, gateway_id=gateway_id)
                ended += 1
    return ended


async def _list_dead_gateways(database: Database, second_look_s: float) -> list[str]:
    now = values.now_ms()
    leases = await service.list_leases(database)
    # A lease from the future was renewed before the clock was set back.
    suspects = {name: renewed_at for name, renewed_at in leases.items() if abs(now - renewed_at) > _DEAD_AFTER_MS}
    if not suspects:
        return []
    await asyncio.sleep(second_look_s)
    leases = await service.list_leases(database)
    return [name for name, renewed_at in suspects.items() if leases.get(name) == renewed_at]
