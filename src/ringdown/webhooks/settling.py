"""What came of deliveries is stored in bulk: one transaction for all results that came while the one before ran."""

import asyncio
import time

import structlog

from ringdown import values
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.webhooks import delivering
from ringdown.webhooks.delivering import Result

_log = structlog.get_logger(__name__)

# A transaction costs milliseconds, whatever it stores: results are gathered for so long when there are few.
_GATHER_S, _MANY = 0.05, 200
# After this the leases of what is to be stored have long run out.
_GIVE_UP_S = 2 * delivering.LEASE_MS / 1000
_RETRY_S = 1.0


class Settler:
    """Stores results; `turn` keeps it and the claims of its sender out of each other's way."""

    def __init__(self, database: Database, turn: asyncio.Lock) -> None:
        self._database = database
        self._turn = turn
        self._waiting: list[tuple[Result, asyncio.Future[bool]]] = []
        self._has_some = asyncio.Event()

    async def settle(self, result: Result) -> bool:
        """Have a result stored; whether the delivery was still ours. False, too, when the database stays away."""
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((result, stored))
        self._has_some.set()
        return await stored

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        while True:
            await self._has_some.wait()
            if len(self._waiting) < _MANY:
                await asyncio.sleep(_GATHER_S)
            self._has_some.clear()
            batch, self._waiting = self._waiting, []
            held = await self._store([result for result, _ in batch])
            for result, stored in batch:
                if not stored.done():
                    stored.set_result(result.delivery.id in held)

    async def _store(self, results: list[Result]) -> set[str]:
        give_up_at = time.monotonic() + _GIVE_UP_S
        while True:
            try:
                async with self._turn:
                    return await delivering.settle(self._database, results, now_ms=values.now_ms())
            except engine.UNAVAILABLE:
                _log.exception("webhook results not stored", count=len(results))
                if time.monotonic() > give_up_at:
                    return set()
            await asyncio.sleep(_RETRY_S)
