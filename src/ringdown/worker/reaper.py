"""Ends the calls of gateways that are gone and do not come back."""

import structlog

from ringdown import values
from ringdown.calls import service
from ringdown.calls.recovery import finish_crashed
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import Database

log = structlog.get_logger(__name__)

# A gateway renews its lease every second; a restarted one ends its predecessor's calls itself, and sends the BYE, well
# before this.
_DEAD_AFTER_MS = 20_000


async def reap(database: Database, *, settings: Settings, spool: Spool) -> int:
    """End every unfinished call of a dead gateway; returns how many this run ended."""
    ended = 0
    for gateway_id in await service.list_dead_gateways(database, before_ms=values.now_ms() - _DEAD_AFTER_MS):
        for unfinished in await service.list_unfinished(database, gateway_id=gateway_id):
            if await finish_crashed(database, settings=settings, unfinished=unfinished, spool=spool):
                log.warning("call of a dead gateway ended", call_id=unfinished.call.id, gateway_id=gateway_id)
                ended += 1
    return ended
