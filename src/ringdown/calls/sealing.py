"""The use cases on counters of calls: sealing what is due, and rebuilding the counters of an organization."""

from ringdown.calls.store import seals, verification
from ringdown.calls.store.verification import Verified
from ringdown.db.engine import Database

#: The kind of the job that seals, and how often it runs.
JOB_KIND = "calls.seal"
INTERVAL_MS = 2_000


async def seal_due(database: Database) -> int:
    """Seal what is due of every organization, each in transactions of its own; returns how many blocks."""
    async with database.read() as connection:
        owners = await seals.list_organizations_to_seal(connection)
    blocks = 0
    for organization_id in owners:
        async with database.read() as connection:  # blocks that wait keep no writer waiting
            ready = await seals.find_ready(connection, organization_id)
        if ready.blocks:
            blocks += await _seal(database, organization_id, waits=True)
    return blocks


async def seal_everything(database: Database, organization_id: str) -> int:
    """Seal every full block of an organization, whether its calls have ended or not; returns how many."""
    return await _seal(database, organization_id, waits=False)


async def verify(database: Database, organization_id: str) -> Verified:
    """Count the calls of an organization's sealed blocks by brute force and compare its counters with that."""
    async with database.read() as connection:
        return await verification.verify_counters(connection, organization_id)


async def rebuild(database: Database, organization_id: str) -> int:
    """Count everything anew; returns how many blocks are sealed then.

    Lists stay exact meanwhile, and after a crash in the middle; what is not sealed yet they count themselves.
    """
    async with database.write() as connection:
        await seals.delete_counters(connection, organization_id)
    return await seal_everything(database, organization_id)


async def _seal(database: Database, organization_id: str, *, waits: bool) -> int:
    total = 0
    while True:
        async with database.write() as connection:
            blocks = await seals.seal_blocks(connection, organization_id, waits=waits)
        if not blocks:
            return total
        total += blocks
